"""Proven free ground: how far a block may grow without meeting other text, product, rule or page edge."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image
from worker.rendering.colour import quantile
from worker.rendering.frame import Frame, Rect

#: Levels by which free ground may differ from the ground under the text beyond what that itself varies.
_TOLERANCE = 10.0
#: Ground that is calm (no edge stronger than under the text, or than this many levels from px to px) may
#: drift this far: shading, blurred backgrounds; gradients so many times as far as half of them do under it.
_CALM_EDGE, _CALM_DRIFT, _CALM_GAIN = 9.0, 56.0, 5.0
#: Textured ground proves itself by its own variety, but no more than this: so many times what half of its
#: columns show, since a motif under the text says nothing of the ground beside it.
_MOST_VARIETY, _OFTEN = 80.0, 1.4
#: Em that are looked at first.
_PROBE = 2.5
#: A palette's cells: levels as a power of two, and how many a channel has with one more at each end; share of
#: a column's px that must lie in a cell beside one of the palette.
_CELL, _CELLS, _MOST_KNOWN = 5, 10, 0.97
#: Columns the ground under the text is sampled at, and rows that are compared: more are averaged.
_SAMPLES, _ROWS = 24, 60
#: Distance kept sideways from whatever ends the free ground, and from other text, in em.
CLEARANCE, _CLEARANCE_TEXT = 0.4, 0.8
#: Distance kept from the rim of a balloon, whose text was vertical; and above and below from anything.
CLEARANCE_IN_BALLOON, _CLEARANCE_ABOVE = 0.15, 0.2

#: Where the ground was looked at sideways: from which home, between which rows, and whether by palette.
_Place = tuple[Rect, float, float, bool]


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
    _seen: dict[_Place, tuple[Rect, NDArray[np.bool_], Rect]] = field(default_factory=dict)

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
        if not sideways:
            return self._look(reach, sideways, palette)
        place = (self.home, reach.top, reach.bottom, palette)
        seen = self._seen.get(place)
        if seen is None or reach.left < seen[0].left or reach.right > seen[0].right:
            seen = self._seen[place] = (reach, *self._look(reach.grown(1.0, 0.0), sideways, palette))
        _, free, covered = seen
        first = max(math.floor(reach.left) - int(covered.left), 0)
        free = free[first : max(math.ceil(reach.right) - int(covered.left), first)]
        left = covered.left + first
        return free, Rect(left, covered.top, left + len(free), covered.bottom)

    def _look(self, reach: Rect, sideways: bool, palette: bool) -> tuple[NDArray[np.bool_], Rect]:
        """See `_free`.

        Each row is compared with itself: what it shows inside the home is what it may show beside it; by
        palette, what any row shows there.
        """
        pixels, covered = self.frame.cut(self.plate, reach)
        if pixels.size == 0:
            return np.zeros(0, bool), covered
        if sideways:
            low, high = self.home.left - covered.left, self.home.right - covered.left
        else:
            pixels = np.asarray(cv2.transpose(pixels), np.uint8)
            low, high = self.home.top - covered.top, self.home.bottom - covered.top
        count = pixels.shape[1]
        first = min(max(round(low), 0), count - 1)
        last = min(max(round(high), first + 1), count)
        smooth = np.asarray(cv2.blur(_fewer_rows(pixels), (3, 3)), np.uint8)
        free = _alike(smooth, first, last)
        if palette and not free.all():
            free = free | _of_palette(smooth, first, last)
        on_page = self._on_page(covered, count, sideways)
        return free & on_page, covered

    def _on_page(self, covered: Rect, count: int, sideways: bool) -> NDArray[np.bool_]:
        """Which columns (or rows) lie wholly on the page; only a tilted rectangle can leave it."""
        if self.frame.is_page:
            return np.ones(count, bool)
        along = np.arange(count) + 0.5
        inside = np.ones(count, bool)
        ends = (covered.top, covered.bottom) if sideways else (covered.left, covered.right)
        for end in ends:
            across = np.full(count, end)
            points = [covered.left + along, across] if sideways else [across, covered.top + along]
            x, y = self.frame.to_page(np.stack(points, axis=1)).T
            inside &= (x >= 0) & (y >= 0) & (x <= self.plate.shape[1]) & (y <= self.plate.shape[0])
        return inside


def _fewer_rows(pixels: Image) -> Image:
    """The means of every so many rows, where there are many; those left over at the end are left out."""
    step = pixels.shape[0] // _ROWS
    if step <= 1:
        return pixels
    last = pixels.shape[0] // step * step
    total = pixels[:last:step].astype(np.uint16)
    for row in range(1, step):
        cv2.add(total, pixels[row:last:step], dst=total, dtype=cv2.CV_16U)
    return np.asarray(cv2.convertScaleAbs(total, alpha=1 / step), np.uint8)


def _alike(smooth: Image, first: int, last: int) -> NDArray[np.bool_]:
    """Which columns look, row by row, like columns `first` to `last`, or run on from them without an edge."""
    own = smooth[:, first : last : max(1, (last - first) // _SAMPLES)]
    middle = own.shape[1] // 2
    reference = np.ascontiguousarray(np.partition(own, middle, axis=1)[:, middle : middle + 1])
    everywhere = cv2.resize(reference, smooth.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    farthest = _farthest(cv2.absdiff(smooth, everywhere))
    usual = float(quantile(farthest[first:last], 0.5))
    same: NDArray[np.bool_] = farthest <= min(_OFTEN * usual + _TOLERANCE, _MOST_VARIETY)
    if same.all():
        return same
    step = _farthest(cv2.absdiff(smooth[:, 1:], smooth[:, :-1]))
    edge = max(_CALM_EDGE, _OFTEN * float(quantile(step[first : max(last - 1, first + 1)], 0.5)))
    steep = step > edge
    drift = _CALM_GAIN * usual if edge <= _CALM_EDGE else 0.0
    calm = farthest <= max(_CALM_DRIFT, drift)
    calm[1:] &= ~steep
    calm[:-1] &= ~steep
    free: NDArray[np.bool_] = same | calm
    return free


def _of_palette(smooth: Image, first: int, last: int) -> NDArray[np.bool_]:
    """Which columns have no colours but those of columns `first` to `last`: plaids and stripes go on so."""
    cells = (smooth >> _CELL).astype(np.intp) + 1
    keys = (cells[..., 0] * _CELLS + cells[..., 1]) * _CELLS + cells[..., 2]
    count = np.bincount(keys[:, first:last].ravel(), minlength=_CELLS**3).reshape((_CELLS,) * 3)
    near = np.asarray(cv2.dilate((count > 0).astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    known = near.copy()
    known[1:-1] |= near[:-2] | near[2:]
    return np.asarray(known.ravel()[keys].mean(axis=0) >= _MOST_KNOWN)


def _farthest(difference: NDArray[np.uint8] | cv2.typing.MatLike) -> NDArray[np.uint8]:
    """The largest difference in each column, of any channel."""
    red, green, blue = difference.reshape(difference.shape[0], -1).max(axis=0).reshape(-1, 3).T
    return np.asarray(np.maximum(np.maximum(red, green), blue), np.uint8)


def _reach(free: NDArray[np.bool_], low: float, high: float) -> tuple[float, float]:
    """First and last position reached from `low` and `high` without leaving free columns."""
    first, last = max(round(low), 0), min(round(high), len(free))
    before, after = ~free[:first][::-1], ~free[last:]
    left = int(before.argmax()) if before.any() else len(before)
    right = int(after.argmax()) if after.any() else len(after)
    return float(first - left), float(last + right)
