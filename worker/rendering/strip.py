"""A strip of the plate through a block's home: where along it the ground goes on as it is under the text.

Along the strip run columns of its pixels, across it rows: each row is compared with itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image
from worker.rendering.colour import quantile

#: Levels by which free ground may differ from the ground under the text beyond what that itself varies.
_TOLERANCE = 10.0
#: Ground that is calm (no edge stronger than under the text, or than this many levels from px to px) may
#: drift this far: shading, blurred backgrounds; gradients so many times as far as half of them do under it.
_CALM_EDGE, _CALM_DRIFT, _CALM_GAIN = 9.0, 56.0, 5.0
#: Textured ground proves itself by its own variety, but no more than this: so many times what half of its
#: columns show, since a motif under the text says nothing of the ground beside it.
_MOST_VARIETY, _OFTEN = 80.0, 1.4
#: A palette's cells: levels as a power of two, and how many a channel has with one more at each end; share of
#: a column's px that must lie in a cell beside one of the palette.
_CELL, _CELLS, _MOST_KNOWN = 5, 10, 0.97
#: Columns the ground under the text is sampled at, and rows that are compared: more are averaged.
_SAMPLES, _ROWS = 24, 60


@dataclass(frozen=True, eq=False)
class Strip:
    """Pixels along a strip, smoothed, with the columns under the text among them."""

    smooth: Image
    #: Columns under the text, the first and the one behind the last.
    first: int
    last: int
    #: Page px that each row is the mean of.
    pitch: int
    _known: dict[tuple[int, int, bool], NDArray[np.bool_]] = field(default_factory=dict)

    @classmethod
    def of(cls, pixels: Image, low: float, high: float) -> Strip:
        """Look at pixels, (rows, columns, 3), whose columns `low` to `high` are under the text."""
        count = pixels.shape[1]
        first = min(max(round(low), 0), count - 1)
        last = min(max(round(high), first + 1), count)
        pitch = max(pixels.shape[0] // _ROWS, 1)
        return cls(np.asarray(cv2.blur(_fewer_rows(pixels, pitch), (3, 3)), np.uint8), first, last, pitch)

    def free(self, top: float, bottom: float, palette: bool) -> NDArray[np.bool_]:
        """Which columns look like the ground under the text between two heights, px from the strip's top.

        Each row is compared with itself: what it shows under the text is what it may show beside it; by
        palette, what any row shows there.
        """
        low = min(max(math.floor(top / self.pitch), 0), len(self.smooth) - 1)
        rows = (low, min(max(math.ceil(bottom / self.pitch), low + 1), len(self.smooth)), palette)
        if rows not in self._known:
            free = self._alike(*rows[:2])
            if palette and not free.all():
                free = free | _of_palette(self.smooth[slice(*rows[:2])], self.first, self.last)
            self._known[rows] = free
        return self._known[rows]

    @cached_property
    def _off(self) -> Image:
        """How far each pixel is from the middle one of those under the text in its row."""
        own = self.smooth[:, self.first : self.last : max(1, (self.last - self.first) // _SAMPLES)]
        middle = own.shape[1] // 2
        reference = np.ascontiguousarray(np.partition(own, middle, axis=1)[:, middle : middle + 1])
        everywhere = cv2.resize(reference, self.smooth.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        return np.asarray(cv2.absdiff(self.smooth, everywhere), np.uint8)

    @cached_property
    def _steps(self) -> Image:
        """How far each pixel is from the one before it in its row."""
        return np.asarray(cv2.absdiff(self.smooth[:, 1:], self.smooth[:, :-1]), np.uint8)

    def _alike(self, low: int, high: int) -> NDArray[np.bool_]:
        """Which columns look in some rows like those under the text, or go on from there without an edge."""
        farthest = _farthest(self._off[low:high])
        usual = float(quantile(farthest[self.first : self.last], 0.5))
        same: NDArray[np.bool_] = farthest <= min(_OFTEN * usual + _TOLERANCE, _MOST_VARIETY)
        if same.all():
            return same
        step = _farthest(self._steps[low:high])
        own = step[self.first : max(self.last - 1, self.first + 1)]
        edge = max(_CALM_EDGE, _OFTEN * float(quantile(own, 0.5)))
        steep = step > edge
        drift = _CALM_GAIN * usual if edge <= _CALM_EDGE else 0.0
        calm = farthest <= max(_CALM_DRIFT, drift)
        calm[1:] &= ~steep
        calm[:-1] &= ~steep
        free: NDArray[np.bool_] = same | calm
        return free


def _fewer_rows(pixels: Image, pitch: int) -> Image:
    """The means of every so many rows; those left over at the end are left out."""
    if pitch <= 1:
        return pixels
    last = pixels.shape[0] // pitch * pitch
    total = pixels[:last:pitch].astype(np.uint16)
    for row in range(1, pitch):
        cv2.add(total, pixels[row:last:pitch], dst=total, dtype=cv2.CV_16U)
    return np.asarray(cv2.convertScaleAbs(total, alpha=1 / pitch), np.uint8)


def _of_palette(smooth: Image, first: int, last: int) -> NDArray[np.bool_]:
    """Which columns have no colours but those of columns `first` to `last`: plaids and stripes go on so."""
    cells = (smooth >> _CELL).astype(np.intp) + 1
    keys = (cells[..., 0] * _CELLS + cells[..., 1]) * _CELLS + cells[..., 2]
    count = np.bincount(keys[:, first:last].ravel(), minlength=_CELLS**3).reshape((_CELLS,) * 3)
    near = np.asarray(cv2.dilate((count > 0).astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    known = near.copy()
    known[1:-1] |= near[:-2] | near[2:]
    return np.asarray(known.ravel()[keys].mean(axis=0) >= _MOST_KNOWN)


def _farthest(difference: Image) -> NDArray[np.uint8]:
    """The largest difference in each column, of any channel."""
    most = difference.reshape(len(difference), -1).max(axis=0).reshape(-1, 3)
    return np.asarray(np.maximum(np.maximum(most[:, 0], most[:, 1]), most[:, 2]), np.uint8)
