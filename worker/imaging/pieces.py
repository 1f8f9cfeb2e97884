"""Texture copied piece by piece from where it continues what is seen around the ink.

For each piece of the hole its like is first sought at reduced size, all over the ground and for many pieces
in one matrix product, then placed to the pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from worker.imaging.boxes import padded
from worker.imaging.ground import Floats
from worker.job import Box, Mask

#: Whole levels above and below 0.
Levels = NDArray[np.int16]


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
    tops = np.array([min(max(piece.top - options.margin, 0), len(windows) - 1) for piece in pieces])
    lefts = np.array([min(max(piece.left - options.margin, 0), windows.shape[1] - 1) for piece in pieces])
    order = np.argsort(-weights[tops, lefts].mean(axis=(1, 2)), kind="stable")
    places = []
    for go in np.array_split(order, min(options.goes, len(order))):
        here = tops[go], lefts[go]
        told = weights[here].reshape(len(go), -1)
        cost = told @ squared.T
        told *= windows[here].reshape(len(go), -1)
        cost -= 2 * (told @ there.T)
        for piece, (top, left) in zip(go.tolist(), corners[cost.argmin(axis=1)].tolist(), strict=True):
            place = int(tops[piece]), int(lefts[piece])
            missing = weights[place] == options.woven_weight
            windows[place][missing] = windows[top, left][missing]
            weights[place][missing] = options.copied_weight
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
    return corners


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
        weight = np.full(total.shape, 1e-6, np.float32)
        sheet = cv2.merge([cv2.multiply(self.grey, self.grey), self.grey])
        # twice what is wanted, and how much: less where it was copied, nothing where nothing is known yet
        seen = self.free[inner.slices].astype(np.float32)
        goal = cv2.merge([seen, cv2.multiply(self.grey[inner.slices], seen, scale=-2)])
        light = np.float32(options.copied_weight)
        tents = _Tents(options.fade)
        for place in places:
            around = padded(_times(place.piece, factor), options.fade, self.free)
            into = _within(around, inner).slices
            area = _reached(around, place.shift, factor, self.free)
            wanted = goal[into]
            cost = cv2.matchTemplate(sheet[area.slices], wanted, cv2.TM_CCORR)
            _, _, (left, top), _ = cv2.minMaxLoc(cost)
            left, top = left + area.left, top + area.top
            source = Box(left, top, left + around.width, top + around.height).slices
            fade = tents.of(around.height, around.width)
            cv2.accumulateProduct(self.over[source], fade, total[into])
            cv2.accumulate(fade, weight[into])
            known, expected = wanted[..., 0], wanted[..., 1]
            np.copyto(expected, self.grey[source] * (-2 * light), where=known == 0)
            np.maximum(known, light, out=known)
        cv2.divide(total, weight, total)
        return total, weight[..., 0] > 1e-3


def _within(box: Box, outer: Box) -> Box:
    """A box of the page as one of another box."""
    return Box(box.left - outer.left, box.top - outer.top, box.right - outer.left, box.bottom - outer.top)


def _times(box: Box, factor: int) -> Box:
    return Box(factor * box.left, factor * box.top, factor * box.right, factor * box.bottom)


def _reached(around: Box, shift: tuple[int, int], factor: int, picture: NDArray[np.bool_]) -> Box:
    """Where a box lies after a shift at reduced size, and some px around it; at least as large as the box."""
    height, width = picture.shape
    top = min(max(around.top + shift[0] * factor, 0), height - around.height)
    left = min(max(around.left + shift[1] * factor, 0), width - around.width)
    return padded(Box(left, top, left + around.width, top + around.height), factor, picture)


class _Tents:
    """Weights that fall off over a margin, so that neighbouring pieces fade into each other."""

    def __init__(self, fade: int) -> None:
        self._fade = fade
        self._made: dict[tuple[int, int], Floats] = {}

    def of(self, height: int, width: int) -> Floats:
        """Those of a piece of that size, (height, width, 3)."""
        if (height, width) not in self._made:
            down, across = (self._slope(side) for side in (height, width))
            self._made[height, width] = np.repeat(np.outer(down, across)[..., None], 3, axis=2)
        return self._made[height, width]

    def _slope(self, size: int) -> Floats:
        inside = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)) / (self._fade + 1)
        return np.asarray(np.minimum(inside, 1) ** 2, np.float32)
