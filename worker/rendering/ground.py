"""Proven free ground: how far a block may grow without meeting other text, product, rule or page edge."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image
from worker.rendering.frame import Frame, Rect

#: Levels by which free ground may differ from the ground under the text: JPEG noise, faint shading.
_LEAST_TOLERANCE = 10.0
#: Distance kept from whatever ends the free ground, and sideways from other text, in em.
_CLEARANCE, _CLEARANCE_TEXT = 0.35, 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """What surrounds one block, in its local frame."""

    plate: Image
    frame: Frame
    #: The block's own place; growth starts from its edges.
    home: Rect
    #: Other texts.
    obstacles: tuple[Rect, ...]
    #: Font size in px.
    size: float

    def grown(self, left: float, top: float, right: float, bottom: float) -> Rect:
        """The home rectangle grown sideways, then up and down, by at most so many px a side."""
        wide = self._grow_sideways(self.home, left, right)
        return self._grow_vertically(wide, top, bottom) if top > 0 or bottom > 0 else wide

    def _grow_sideways(self, rect: Rect, left: float, right: float) -> Rect:
        if left <= 0 and right <= 0:
            return rect
        gap = _CLEARANCE * self.size
        apart = (_CLEARANCE_TEXT - _CLEARANCE) * self.size
        low, high = rect.left - left - gap, rect.right + right + gap
        for other in self.obstacles:
            if other.top < rect.bottom and other.bottom > rect.top:
                if other.centre[0] > rect.centre[0]:
                    high = min(high, max(other.left - apart, rect.right))
                else:
                    low = max(low, min(other.right + apart, rect.left))
        pixels, covered = self.frame.cut(self.plate, Rect(low, rect.top, high, rect.bottom))
        free = self._free_columns(pixels, covered.left, rect.left, rect.right)
        first, last = _reach(free, rect.left - covered.left, rect.right - covered.left)
        low, high = covered.left + first + gap, covered.left + last - gap
        return Rect(
            min(rect.left, max(low, rect.left - left)),
            rect.top,
            max(rect.right, min(high, rect.right + right)),
            rect.bottom,
        )

    def _grow_vertically(self, rect: Rect, top: float, bottom: float) -> Rect:
        gap = 0.5 * _CLEARANCE * self.size
        low, high = rect.top - top - gap, rect.bottom + bottom + gap
        for other in self.obstacles:
            if other.left < rect.right and other.right > rect.left:
                if other.centre[1] > rect.centre[1]:
                    high = min(high, max(other.top, rect.bottom))
                else:
                    low = max(low, min(other.bottom, rect.top))
        pixels, covered = self.frame.cut(self.plate, Rect(rect.left, low, rect.right, high))
        turned = np.swapaxes(pixels, 0, 1)
        free = self._free_columns(turned, covered.top, rect.top, rect.bottom)
        first, last = _reach(free, rect.top - covered.top, rect.bottom - covered.top)
        low, high = covered.top + first + gap, covered.top + last - gap
        return Rect(
            rect.left,
            min(rect.top, max(low, rect.top - top)),
            rect.right,
            max(rect.bottom, min(high, rect.bottom + bottom)),
        )

    def _free_columns(self, pixels: Image, start: float, low: float, high: float) -> NDArray[np.bool_]:
        """Which columns look, row by row, like the ground between `low` and `high`, and lie on the page."""
        first, last = max(round(low - start), 0), min(max(round(high - start), 1), pixels.shape[1])
        if pixels.size == 0 or first >= last:
            return np.zeros(pixels.shape[1], bool)
        smooth = cv2.blur(np.ascontiguousarray(pixels), (3, 3)).astype(np.int16)
        own = smooth[:, first:last]
        reference = np.median(own, axis=1, keepdims=True)
        spread = np.median(np.abs(own - reference))
        tolerance = max(_LEAST_TOLERANCE, 4 * 1.4826 * float(spread))
        free: NDArray[np.bool_] = (np.abs(smooth - reference) <= tolerance).all(axis=(0, 2))
        return free


def _reach(free: NDArray[np.bool_], low: float, high: float) -> tuple[float, float]:
    """First and last position reached from `low` and `high` without leaving free columns."""
    first, last = max(round(low), 0), min(round(high), len(free))
    before, after = ~free[:first][::-1], ~free[last:]
    left = int(before.argmax()) if before.any() else len(before)
    right = int(after.argmax()) if after.any() else len(after)
    return float(first - left), float(last + right)
