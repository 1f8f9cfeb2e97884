"""Texture copied piece by piece from where it continues what is seen around the ink.

For each piece of the hole its like is first sought at reduced size, all over the ground and for many pieces
in one matrix product, then placed to the pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import ink_box
from worker.imaging.ground import Floats
from worker.job import Box, Mask

#: Whole levels above and below 0.
Levels = NDArray[np.int16]
Window = tuple[slice, slice]
#: Pieces of a hole, (N, 2, 2): where each begins (down, across), and how far away its like was found.
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PieceOptions:
    """How texture is copied; all in px, at the size of the look."""

    #: Side of a piece, and how much around it is compared.
    side: int = 8
    margin: int = 3
    #: How much what was already copied counts beside what is seen, and what rows and columns say.
    copied_weight: float = 0.2
    woven_weight: float = 0.1
    #: Pieces are sought in so many goes, the surest first: later ones see what earlier ones copied.
    goes: int = 2
    #: Places that are looked at; of more only every second, as a chessboard's fields.
    most_places: int = 1000
    #: Px of the page around a piece over which it fades into its neighbours and is placed by.
    fade: int = 6


def sought(
    grey: Floats, known: NDArray[np.bool_], usual: NDArray[np.bool_], hole: Mask, options: PieceOptions
) -> Places:
    """For each piece of a hole, surest first, the place that continues what is seen around it.

    Args:
        grey: The ground in one channel, (H, W), contiguous; what is expected where it is not known. Changed:
            what is copied is put in.
        known: Where it is known.
        usual: What may be copied.
        hole: What is to be covered.
        options: How.
    """
    weight = np.where(known, np.float32(1), np.float32(options.woven_weight)).ravel()
    size = [min(options.side + 2 * options.margin, side) for side in hole.shape]
    corners = _corners(usual, size, options.most_places)
    pieces = _pieces(hole, options.side)
    if not len(corners) or not len(pieces):
        return np.empty((0, 2, 2), np.intp)
    likes = sliding_window_view(grey, size)[corners[:, 0], corners[:, 1]].reshape(len(corners), -1)
    there = np.asarray(cv2.transpose(likes), np.float32)  # places are columns: that is multiplied faster
    squared = there * there
    # a window's px in the flat look, beside its corner's
    strides = (hole.shape[1], 1)
    windows, flat = np.indices(size).reshape(2, -1).T @ strides, grey.ravel()
    wanted = np.clip(pieces - options.margin, 0, np.subtract(hole.shape, size))
    order = np.argsort(-weight[(wanted @ strides)[:, None] + windows].mean(axis=1), kind="stable")
    shifts = np.empty_like(pieces)
    for go in np.array_split(order, min(options.goes, len(order))):
        here = (wanted[go] @ strides)[:, None] + windows
        told = weight[here]
        missing = told == options.woven_weight
        cost = told @ squared
        told *= flat[here]
        told *= -2
        cost += told @ there
        like = cost.argmin(axis=1)
        shifts[go] = corners[like] - wanted[go]
        # of what several pieces cover the surest says what it is
        filled = here[::-1][missing[::-1]]
        flat[filled] = likes[like[::-1]][missing[::-1]]
        weight[filled] = options.copied_weight
    return np.stack([pieces, shifts], axis=1)[order]


def reached(places: Places, options: PieceOptions) -> Box:
    """What holds the pieces and their likes."""
    corners = np.concatenate([places[:, 0], places.sum(axis=1)])
    (top, left), (bottom, right) = corners.min(axis=0).tolist(), (corners.max(axis=0) + options.side).tolist()
    return Box(left, top, right, bottom)


def _corners(usual: NDArray[np.bool_], size: Sequence[int], most: int) -> NDArray[np.intp]:
    """The top left corners (N, 2) of windows of that size that hold usual ground only."""
    whole = cv2.erode(usual.view(np.uint8), np.ones(size, np.uint8), anchor=(0, 0), borderValue=0)
    count = cv2.countNonZero(whole)
    if count > 2 * most:
        corners = 2 * np.argwhere(whole[::2, ::2])
    else:
        corners = np.argwhere(whole)
        if count > most:
            corners = corners[corners.sum(axis=1) % 2 == 0]
    return corners[ground.thinned(len(corners), most)]


def covered(hole: Mask, side: int) -> Box:
    """What pieces of so many px cover: a hole's box, and as much beyond it as makes its sides multiples."""
    box = ink_box(hole)
    return Box(box.left, box.top, box.right + -box.width % side, box.bottom + -box.height % side)


def _pieces(hole: Mask, side: int) -> NDArray[np.intp]:
    """The top left corners (N, 2) of pieces of so many px that cover a hole."""
    box = covered(hole, side)
    inside = hole[box.slices] > 0
    wide = np.zeros((box.height, box.width), np.bool_)
    wide[: inside.shape[0], : inside.shape[1]] = inside
    inked = wide.reshape(box.height // side, side, box.width // side, side).any(axis=(1, 3))
    return np.argwhere(inked) * side + (box.top, box.left)


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """What is seen at full size beyond what is foretold."""

    #: (H, W, 3), 0 where nothing is seen.
    over: Floats
    #: The same in one channel.
    grey: Floats
    #: Where something is seen.
    free: NDArray[np.bool_]

    def placed(
        self, places: Places, inner: Box, factor: int, options: PieceOptions
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Copies of it, each placed to the pixel, and where there are any; inside a box.

        Args:
            places: Where each piece comes from, found at reduced size.
            inner: Holds all pieces and their fading margins.
            factor: How many times smaller that is.
            options: How.
        """
        total = np.zeros((inner.height, inner.width, 3), np.float32)
        weight = np.full(total.shape[:2], 1e-6, np.float32)
        free = self.free[inner.slices]
        # what is wanted, as often as it counts for more than a copy; nothing where nothing is known yet
        goal = self.grey[inner.slices] * (free * np.float32(1 / options.copied_weight))
        unknown = (~free).view(np.uint8)
        told = np.where(free, np.float32(1), np.float32(options.copied_weight))
        tents = _Tents(options.fade)
        for into, area in _reached(places, inner, factor, options, self.free.shape):
            wanted, missing = goal[into], unknown[into]
            height, width = wanted.shape
            # compared as if all of it counted alike: one product, where each px with its own weight needs two
            mean = wanted * (options.copied_weight / cv2.mean(told[into])[0])
            cost = cv2.matchTemplate(self.grey[area], mean, cv2.TM_SQDIFF)
            _, _, (left, top), _ = cv2.minMaxLoc(cost)
            top, left = top + area[0].start, left + area[1].start
            source = (slice(top, top + height), slice(left, left + width))
            fade, share = tents.of(height, width)
            cv2.accumulateProduct(self.over[source], fade, total[into])
            cv2.accumulate(share, weight[into])
            cv2.copyTo(self.grey[source], missing, wanted)
            missing.fill(0)
        cv2.divide(total, cv2.merge([weight] * 3), total)
        return total, weight > 1e-3


def _reached(
    places: Places, inner: Box, factor: int, options: PieceOptions, shape: tuple[int, ...]
) -> Iterator[tuple[Window, Window]]:
    """For each piece where it lies in a box, with its margin, and where its like is sought on the page."""
    begin = factor * places[:, 0]
    first = np.maximum(begin - options.fade, 0)
    size = np.minimum(begin + factor * options.side + options.fade, shape) - first
    far = np.clip(first + factor * places[:, 1], 0, shape - size)
    near, beyond = np.maximum(far - factor, 0), np.minimum(far + size + factor, shape)
    first -= (inner.top, inner.left)
    ends = np.hstack([first, first + size, near, beyond])
    for top, left, bottom, right, above, before, below, after in ends.tolist():
        yield (slice(top, bottom), slice(left, right)), (slice(above, below), slice(before, after))


class _Tents:
    """Weights that fall off over a margin, so that neighbouring pieces fade into each other."""

    def __init__(self, fade: int) -> None:
        self._fade = fade
        self._made: dict[tuple[int, int], tuple[Floats, Floats]] = {}

    def of(self, height: int, width: int) -> tuple[Floats, Floats]:
        """Those of a piece of that size, (height, width, 3) and (height, width)."""
        if (height, width) not in self._made:
            share = np.outer(self._slope(height), self._slope(width))
            self._made[height, width] = np.asarray(cv2.merge([share] * 3), np.float32), share
        return self._made[height, width]

    def _slope(self, size: int) -> Floats:
        inside = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)) / (self._fade + 1)
        return np.asarray(np.minimum(inside, 1) ** 2, np.float32)
