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
#: Pieces of a hole, (N, 3, 2): where each begins (down, across), and how far away two likes were found.
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
    #: Two likes of each piece are copied: what they have in common is the cloth's, what they have not is each
    #: one's own. They come from a chessboard's fields of so many px, one from the light, one from the dark.
    field: int = 8
    #: Places that are looked at; of more only every second, as a chessboard's fields.
    most_places: int = 1000
    #: Px of the page around a piece over which it fades into its neighbours and is placed by.
    fade: int = 6


def sought(
    grey: Floats, known: NDArray[np.bool_], usual: NDArray[np.bool_], hole: Mask, options: PieceOptions
) -> Places:
    """For each piece of a hole, surest first, the places that continue best what is seen around it.

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
        return np.empty((0, 3, 2), np.intp)
    dark = (corners // options.field).sum(axis=1) % 2 > 0
    corners = np.concatenate([corners[~dark], corners[dark]])
    likes = sliding_window_view(grey, size)[corners[:, 0], corners[:, 1]].reshape(len(corners), -1)
    there = np.asarray(cv2.transpose(likes), np.float32)  # places are columns: that is multiplied faster
    squared = there * there
    # a window's px in the flat look, beside its corner's
    strides = (hole.shape[1], 1)
    windows, flat = np.indices(size).reshape(2, -1).T @ strides, grey.ravel()
    wanted = np.clip(pieces - options.margin, 0, np.subtract(hole.shape, size))
    order = np.argsort(-weight[(wanted @ strides)[:, None] + windows].mean(axis=1), kind="stable")
    shifts = np.empty((2, *pieces.shape), np.intp)
    for go in np.array_split(order, min(options.goes, len(order))):
        here = (wanted[go] @ strides)[:, None] + windows
        told = weight[here]
        missing = told == options.woven_weight
        cost = told @ squared
        told *= flat[here]
        told *= -2
        cost += told @ there
        like, other = _two(cost, int(np.count_nonzero(~dark)))
        shifts[:, go] = corners[[like, other]] - wanted[go]
        # of what several pieces cover the surest says what it is
        filled = here[::-1][missing[::-1]]
        flat[filled] = likes[like[::-1]][missing[::-1]]
        weight[filled] = options.copied_weight
    return np.stack([pieces, *shifts], axis=1)[order]


def _two(cost: Floats, light: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each piece the best of all places, and the best of those that lie on fields of the other shade.

    Args:
        cost: Of each piece at each place, those on light fields first.
        light: How many those are; where all have one shade, the best is also the other one.
    """
    first = light % cost.shape[1]
    one = cost[:, : first or None].argmin(axis=1)
    other = cost[:, first:].argmin(axis=1) + first
    here = np.arange(len(cost))
    swapped = cost[here, other] < cost[here, one]
    return np.where(swapped, other, one), np.where(swapped, one, other)


def reached(places: Places, options: PieceOptions) -> Box:
    """What holds the pieces and their likes."""
    corners = np.concatenate([places[:, 0], *(places[:, :1] + places[:, 1:]).swapaxes(0, 1)])
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

    #: (H, W, C), 0 where nothing is seen.
    over: Floats
    #: What of it is compared, in one channel.
    grey: Floats
    #: Where something is seen.
    free: NDArray[np.bool_]

    def placed(
        self, places: Places, inner: Box, factor: int, options: PieceOptions
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Copies of it, two for each piece, each placed to the pixel; and where there are any; inside a box.

        Args:
            places: Where each piece comes from, found at reduced size.
            inner: Holds all pieces and their fading margins.
            factor: How many times smaller that is.
            options: How.
        """
        channels = self.over.shape[2]
        total = np.zeros((inner.height, inner.width, channels), np.float32)
        weight = np.full(total.shape[:2], 1e-6, np.float32)
        free = self.free[inner.slices]
        # what is wanted, as often as it counts for more than a copy; nothing where nothing is known yet
        goal = self.grey[inner.slices] * (free * np.float32(1 / options.copied_weight))
        unknown = (~free).view(np.uint8)
        told = np.where(free, np.float32(1), np.float32(options.copied_weight))
        tents = _Tents(options.fade, channels)
        for into, areas in _reached(places, inner, factor, options, self.free.shape):
            wanted, missing = goal[into], unknown[into]
            height, width = wanted.shape
            # compared as if all of it counted alike: one product, where each px with its own weight needs two
            mean = np.asarray(wanted * (options.copied_weight / cv2.mean(told[into])[0]), np.float32)
            (best, wrong), (other, worse) = sorted((self._nearest(mean, area) for area in areas), key=_wrong)
            fade, share = tents.of(height, width)
            part = (wrong + 1) / (wrong + worse + 2)
            copy = cv2.addWeighted(self.over[best], 1 - part, self.over[other], part, 0)
            cv2.accumulateProduct(copy, fade, total[into])
            cv2.accumulate(share, weight[into])
            cv2.copyTo(self.grey[best], missing, wanted)
            missing.fill(0)
        cv2.divide(total, cv2.merge([weight] * channels), total)
        return total, weight > 1e-3

    def _nearest(self, mean: Floats, area: Window) -> tuple[Window, float]:
        """Where in an area what is wanted is found, and its summed squared error there."""
        cost = cv2.matchTemplate(self.grey[area], mean, cv2.TM_SQDIFF)
        least, _, (left, top), _ = cv2.minMaxLoc(cost)
        top, left = top + area[0].start, left + area[1].start
        return (slice(top, top + mean.shape[0]), slice(left, left + mean.shape[1])), max(least, 0.0)


def _reached(
    places: Places, inner: Box, factor: int, options: PieceOptions, shape: tuple[int, ...]
) -> Iterator[tuple[Window, list[Window]]]:
    """For each piece where it lies in a box, with its margin, and where its likes are sought on the page."""
    begin = factor * places[:, :1]
    first = np.maximum(begin - options.fade, 0)
    size = np.minimum(begin + factor * options.side + options.fade, shape) - first
    far = np.clip(first + factor * places[:, 1:], 0, shape - size)
    near, beyond = np.maximum(far - factor, 0), np.minimum(far + size + factor, shape)
    first -= (inner.top, inner.left)
    into = np.concatenate([first, first + size], axis=2)
    ends = np.concatenate([into, np.concatenate([near, beyond], axis=2)], axis=1)
    for own, *others in ends.tolist():
        yield _window(own), [_window(other) for other in others]


def _window(ends: list[int]) -> Window:
    """What lies between top, left, bottom and right."""
    top, left, bottom, right = ends
    return slice(top, bottom), slice(left, right)


def _wrong(copy: tuple[Window, float]) -> float:
    return copy[1]


class _Tents:
    """Weights that fall off over a margin, so that neighbouring pieces fade into each other."""

    def __init__(self, fade: int, channels: int) -> None:
        self._fade, self._channels = fade, channels
        self._made: dict[tuple[int, int], tuple[Floats, Floats]] = {}

    def of(self, height: int, width: int) -> tuple[Floats, Floats]:
        """Those of a piece of that size, (height, width, C) and (height, width)."""
        if (height, width) not in self._made:
            share = np.outer(self._slope(height), self._slope(width))
            self._made[height, width] = np.asarray(cv2.merge([share] * self._channels), np.float32), share
        return self._made[height, width]

    def _slope(self, size: int) -> Floats:
        inside = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)) / (self._fade + 1)
        return np.asarray(np.minimum(inside, 1) ** 2, np.float32)
