"""Proven free ground: how far a block may grow without meeting other text, product, rule or page edge."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image
from worker.rendering.frame import Frame, Rect
from worker.rendering.strip import Strip

#: Em that are looked at first.
_PROBE = 2.5
#: Distance kept sideways from whatever ends the free ground, and from other text, in em.
CLEARANCE, _CLEARANCE_TEXT = 0.4, 0.8
#: Distance kept from the rim of a balloon, whose text was vertical; and above and below from anything.
CLEARANCE_IN_BALLOON, _CLEARANCE_ABOVE = 0.15, 0.2


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A strip of the ground, and where it lies."""

    strip: Strip
    #: What was looked at, and the px that this covers.
    reach: Rect
    covered: Rect

    def holds(self, reach: Rect) -> bool:
        """Whether a rectangle lies in it."""
        mine = self.reach
        return (
            mine.left <= reach.left
            and mine.top <= reach.top
            and mine.right >= reach.right
            and mine.bottom >= reach.bottom
        )


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """What surrounds one block, in its local frame.

    Free ground is looked at again and again, by way of other homes and distances: what was seen is noted.
    """

    plate: Image
    frame: Frame
    #: The block's own place; growth starts from its edges.
    home: Rect
    #: Other texts.
    obstacles: tuple[Rect, ...]
    #: Font size in px.
    size: float
    #: Px that growth leaves free at the page's left and right, as its text does.
    margin: float = 0.0
    #: Em kept free sideways.
    clearance: float = CLEARANCE
    #: Whether the text has an outline, and so reads on any of the colours that it stands on.
    outlined: bool = False
    #: By the home's left and right, and by its top and bottom.
    _seen: dict[tuple[bool, float, float], _Seen] = field(default_factory=dict)

    def grown(self, left: float, top: float, right: float, bottom: float) -> Rect:
        """The home rectangle grown sideways, then up and down, by at most so many px a side."""
        rect = self.home
        for limit in (_PROBE * self.size, math.inf):  # most growth ends soon: wide looks are the exception
            before, after = min(left, limit), min(right, limit)
            if before > 0 or after > 0:
                rect = self._grow_sideways(self.home, before, after)
            ended = self.home.left - rect.left < before and rect.right - self.home.right < after
            if ended or (before, after) == (left, right):
                break
        return self._grow_vertically(rect, top, bottom) if top > 0 or bottom > 0 else rect

    def gaps(self, limit: float) -> tuple[float, float]:
        """Free px to the left and right of the home on the plate alone, each up to `limit`."""
        home = self.home
        reach = Rect(home.left - limit, home.top, home.right + limit, home.bottom)
        free, covered = self._free(reach, sideways=True)
        first, last = _reach(free, home.left - covered.left, home.right - covered.left)
        return home.left - covered.left - first, covered.left + last - home.right

    def _grow_sideways(self, rect: Rect, left: float, right: float) -> Rect:
        gap = self.clearance * self.size
        low, high = rect.left - left - gap, rect.right + right + gap
        apart = (_CLEARANCE_TEXT - self.clearance) * self.size
        for other in self.obstacles:
            if other.top < rect.bottom and other.bottom > rect.top:
                if other.centre[0] > rect.centre[0]:
                    high = min(high, max(other.left - apart, rect.right))
                else:
                    low = max(low, min(other.right + apart, rect.left))
        if self.frame.is_page:
            low = max(low, self.margin - gap)
            high = min(high, self.plate.shape[1] - self.margin + gap)
        free, covered = self._free(
            Rect(min(low, rect.left), rect.top, max(high, rect.right), rect.bottom),
            sideways=True,
            palette=self.outlined,
        )
        first, last = _reach(free, rect.left - covered.left, rect.right - covered.left)
        low, high = covered.left + first + gap, covered.left + last - gap
        return Rect(
            min(rect.left, max(low, rect.left - left)),
            rect.top,
            max(rect.right, min(high, rect.right + right)),
            rect.bottom,
        )

    def _grow_vertically(self, rect: Rect, top: float, bottom: float) -> Rect:
        gap = _CLEARANCE_ABOVE * self.size
        low, high = rect.top - top - gap, rect.bottom + bottom + gap
        for other in self.obstacles:
            if other.left < rect.right and other.right > rect.left:
                if other.centre[1] > rect.centre[1]:
                    high = min(high, max(other.top, rect.bottom))
                else:
                    low = max(low, min(other.bottom, rect.top))
        free, covered = self._free(
            Rect(rect.left, min(low, rect.top), rect.right, max(high, rect.bottom)), sideways=False
        )
        first, last = _reach(free, rect.top - covered.top, rect.bottom - covered.top)
        low, high = covered.top + first + gap, covered.top + last - gap
        return Rect(
            rect.left,
            min(rect.top, max(low, rect.top - top)),
            rect.right,
            max(rect.bottom, min(high, rect.bottom + bottom)),
        )

    def _free(self, reach: Rect, sideways: bool, palette: bool = False) -> tuple[NDArray[np.bool_], Rect]:
        """Which columns (rows, where not sideways) of a rectangle look like the ground under the text."""
        home = self.home
        place = (sideways, home.left, home.right) if sideways else (sideways, home.top, home.bottom)
        seen = self._seen.get(place)
        if seen is None or not seen.holds(reach):
            seen = self._look(reach, sideways)
            if seen is None:
                return np.zeros(0, np.bool_), reach
            self._seen[place] = seen
        covered, strip = seen.covered, seen.strip
        if sideways:
            free = strip.free(reach.top - covered.top, reach.bottom - covered.top, palette)
            start, end, origin = reach.left, reach.right, covered.left
        else:
            free = strip.free(reach.left - covered.left, reach.right - covered.left, palette)
            start, end, origin = reach.top, reach.bottom, covered.top
        first = max(math.floor(start) - int(origin), 0)
        free = free[first : max(math.ceil(end) - int(origin), first)]
        low = origin + first
        if sideways:
            covered = Rect(low, reach.top, low + len(free), reach.bottom)
        else:
            covered = Rect(reach.left, low, reach.right, low + len(free))
        return free & self._on_page(covered, len(free), sideways), covered

    def _look(self, reach: Rect, sideways: bool) -> _Seen | None:
        """A strip with a px more at each end; None off the page."""
        pixels, covered = self.frame.cut(self.plate, reach.grown(*((1.0, 0.0) if sideways else (0.0, 1.0))))
        if pixels.size == 0:
            return None
        if sideways:
            low, high = self.home.left - covered.left, self.home.right - covered.left
        else:
            pixels = np.asarray(cv2.transpose(pixels), np.uint8)
            low, high = self.home.top - covered.top, self.home.bottom - covered.top
        return _Seen(Strip.of(pixels, low, high), reach, covered)

    def _on_page(self, covered: Rect, count: int, sideways: bool) -> NDArray[np.bool_]:
        """Which columns (or rows) lie within the page's margins; only a tilted rectangle can leave them."""
        if self.frame.is_page:
            return np.ones(count, bool)
        along = np.arange(count) + 0.5
        inside = np.ones(count, bool)
        ends = (covered.top, covered.bottom) if sideways else (covered.left, covered.right)
        for end in ends:
            across = np.full(count, end)
            points = [covered.left + along, across] if sideways else [across, covered.top + along]
            x, y = self.frame.to_page(np.stack(points, axis=1)).T
            inside &= (x >= self.margin) & (x <= self.plate.shape[1] - self.margin)
            inside &= (y >= 0) & (y <= self.plate.shape[0])
        return inside


def _reach(free: NDArray[np.bool_], low: float, high: float) -> tuple[float, float]:
    """First and last position reached from `low` and `high` without leaving free columns."""
    first, last = max(round(low), 0), min(round(high), len(free))
    before, after = ~free[:first][::-1], ~free[last:]
    left = int(before.argmax()) if before.any() else len(before)
    right = int(after.argmax()) if after.any() else len(after)
    return float(first - left), float(last + right)
