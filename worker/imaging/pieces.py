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
from worker.imaging.ground import Floats
from worker.job import Box, Mask

#: Whole levels above and below 0.
Levels = NDArray[np.int16]
Window = tuple[slice, slice]


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


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of the hole, and how far away (down, across) its like was found."""

    piece: Box
    shift: tuple[int, int]


def sought(
    grey: Floats, known: NDArray[np.bool_], usual: NDArray[np.bool_], hole: Mask, options: PieceOptions
) -> list[Place]:
    """For each piece of a hole, surest first, the place that continues what is seen around it.

    Args:
        grey: The ground in one channel, (H, W); what is expected where it is not known. Changed: what is
            copied is put in.
        known: Where it is known.
        usual: What may be copied.
        hole: What is to be covered.
        options: How.
    """
    weight = np.where(known, np.float32(1), np.float32(options.woven_weight))
    height, width = (min(options.side + 2 * options.margin, side) for side in hole.shape)
    corners = _corners(usual, height, width, options.most_places)
    pieces = _pieces(hole, options.side)
    if not len(corners) or not pieces:
        return []
    windows, weights = (sliding_window_view(each, (height, width), writeable=True) for each in (grey, weight))
    there = windows[corners[:, 0], corners[:, 1]].reshape(len(corners), -1)
    squared = there * there
    first = np.array([(piece.top, piece.left) for piece in pieces]) - options.margin
    tops, lefts = np.clip(first, 0, np.subtract(hole.shape, (height, width))).T
    order = np.argsort(-weights[tops, lefts].mean(axis=(1, 2)), kind="stable")
    places = []
    for go in np.array_split(order, min(options.goes, len(order))):
        here = tops[go], lefts[go]
        told = weights[here].reshape(len(go), -1)
        cost = told @ squared.T
        told *= windows[here].reshape(len(go), -1)
        told *= -2
        cost += told @ there.T
        for piece, (top, left) in zip(go.tolist(), corners[cost.argmin(axis=1)].tolist(), strict=True):
            place = int(tops[piece]), int(lefts[piece])
            missing = weights[place] == options.woven_weight
            np.copyto(windows[place], windows[top, left], where=missing)
            np.copyto(weights[place], np.float32(options.copied_weight), where=missing)
            places.append(Place(pieces[piece], (top - place[0], left - place[1])))
    return places


def _corners(usual: NDArray[np.bool_], height: int, width: int, most: int) -> NDArray[np.intp]:
    """The top left corners (N, 2) of windows of that size that hold usual ground only."""
    window = np.ones((height, width), np.uint8)
    whole = cv2.erode(usual.view(np.uint8), window, anchor=(0, 0), borderValue=0)
    corners: NDArray[np.intp] = np.argwhere(whole)
    if len(corners) > 2 * most:
        corners = corners[(corners % 2 == 0).all(axis=1)]
    elif len(corners) > most:
        corners = corners[corners.sum(axis=1) % 2 == 0]
    return corners[ground.thinned(len(corners), most)]


def _pieces(hole: Mask, side: int) -> list[Box]:
    """Boxes of so many px that cover a hole."""
    left, top, width, height = cv2.boundingRect(hole)
    return [
        Box(x, y, x + side, y + side)
        for y in range(top, top + height, side)
        for x in range(left, left + width, side)
        if hole[y : y + side, x : x + side].any()
    ]


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
        self, places: Sequence[Place], inner: Box, factor: int, options: PieceOptions
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
        light = np.float32(options.copied_weight)
        sheet = cv2.merge([self.grey * self.grey, self.grey])
        # how much is wanted, and (-2 times that) what; of a copy less, nothing where nothing is known yet
        seen = self.free[inner.slices].astype(np.float32)
        goal = cv2.merge([seen, self.grey[inner.slices] * (np.float32(-2) * seen)])
        tents = _Tents(options.fade)
        for into, area in _reached(places, inner, factor, options.fade, self.free.shape):
            wanted = goal[into]
            height, width = wanted.shape[:2]
            cost = cv2.matchTemplate(sheet[area], wanted, cv2.TM_CCORR)
            _, _, (left, top), _ = cv2.minMaxLoc(cost)
            top, left = top + area[0].start, left + area[1].start
            source = (slice(top, top + height), slice(left, left + width))
            fade, share = tents.of(height, width)
            cv2.accumulateProduct(self.over[source], fade, total[into])
            cv2.accumulate(share, weight[into])
            known, expected = wanted[..., 0], wanted[..., 1]
            np.copyto(expected, self.grey[source] * (-2 * light), where=known == 0)
            np.maximum(known, light, out=known)
        cv2.divide(total, cv2.merge([weight] * 3), total)
        return total, weight > 1e-3


def _reached(
    places: Sequence[Place], inner: Box, factor: int, fade: int, shape: tuple[int, ...]
) -> Iterator[tuple[Window, Window]]:
    """For each piece where it lies in a box, with its margin, and where its like is sought on the page."""
    if not places:
        return
    ends = np.array([(one.piece.top, one.piece.left, one.piece.bottom, one.piece.right) for one in places])
    first, last = ends[:, :2] * factor - fade, ends[:, 2:] * factor + fade
    first, last = np.maximum(first, 0), np.minimum(last, shape)
    size = last - first
    far = first + factor * np.array([one.shift for one in places])
    far = np.clip(far, 0, shape - size)
    near, beyond = np.maximum(far - factor, 0), np.minimum(far + size + factor, shape)
    first -= (inner.top, inner.left)
    for (top, left), (height, width), start, end in zip(
        *map(np.ndarray.tolist, (first, size, near, beyond)), strict=True
    ):
        into = (slice(top, top + height), slice(left, left + width))
        yield into, (slice(start[0], end[0]), slice(start[1], end[1]))


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
