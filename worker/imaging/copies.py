"""A pattern's other periods laid over some ink: each pixel from the copy that agrees best.

Costs are told in cells of 2 px square, as the first pixel of each tells; only the copies are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.ground import Floats
from worker.imaging.shifts import Shift
from worker.imaging.site import Site
from worker.imaging.weave import resized
from worker.job import Box, Mask

#: Copies that say what is usual at a pixel.
_FEW = 7
#: The first pixel of each cell of 2 px square, and over how many cells the copies' seams fade.
_CELLS, _SEAM = (slice(None, None, 2), slice(None, None, 2)), 0.75
#: What a shift costs where it has nothing to copy, in squared levels: more than any difference of colours.
_NOTHING = np.float32(1e6)


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How copies are made, and when they are believed."""

    #: Every pixel must be foretold by so many shifts, else one strange thing could be copied unnoticed.
    least_votes: int = 2
    #: After so many shifts a ground that none of them foretells half as well as needed is given up.
    first_look: int = 8
    #: The change of light a copy may be corrected by, in levels.
    most_light: float = 14.0
    #: Weight of the shifts' agreement beside the seen ground's.
    agreement: float = 0.5
    #: Share of the ground's variance that may stay unexplained.
    most_wrong: float = 0.06


def copied_ground(
    site: Site,
    pixels: Floats,
    ring: NDArray[np.bool_],
    inner: Box,
    shifts: Sequence[Shift],
    variance: float,
    margin: int,
    options: CopyOptions,
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """What the shifts foretell for the ink and the ring, each pixel by the best; and where they do.

    Args:
        site: The ink.
        pixels: The site's, as floats.
        ring: The ground that is compared.
        inner: The part of the site that holds ink and ring; the answer's.
        shifts: Where to copy from, the best first.
        variance: Of the ring's colours.
        margin: Width of the ring in px.
        options: What is believed.
    """
    here, known = np.ascontiguousarray(pixels[inner.slices]), ring[inner.slices]
    low, told, ink = np.ascontiguousarray(here[_CELLS]), _wholly(known), site.mask[inner.slices] > 0
    depth = float(cv2.distanceTransform(site.mask[inner.slices], cv2.DIST_L2, 3).max())
    side = round(depth + margin / 2) | 1
    copies: list[_Copy] = []
    for down, across in shifts:
        source = Box(inner.left + across, inner.top + down, inner.right + across, inner.bottom + down).slices
        copies.append(_Copy.of(low, pixels[source], site.free[source], told, side, options.most_light))
        if len(copies) == options.first_look and _is_off(copies, told, 2 * variance, options):
            return None
    votes = np.count_nonzero([copy.cost < _NOTHING for copy in copies], axis=0)
    foretold = np.asarray(votes >= options.least_votes)
    all_foretold = resized(foretold.astype(np.uint8), known.shape, cv2.INTER_NEAREST) > 0
    judged = told & foretold
    if not all_foretold[ink].all() or not judged.any() or _is_off(copies, judged, variance, options):
        return None
    return _elected(copies, options), all_foretold


@dataclass(frozen=True, slots=True, eq=False)
class _Copy:
    """What one shift foretells, in the light of here."""

    #: (H, W, 3)
    levels: Floats
    #: Where it was taken from free ground, (H, W).
    usable: Mask
    #: For each cell its mean squared error near by; `_NOTHING` where it says nothing.
    cost: Floats

    @classmethod
    def of(
        cls,
        low: Floats,
        there: Floats,
        free: NDArray[np.bool_],
        told: NDArray[np.bool_],
        side: int,
        most: float,
    ) -> _Copy:
        """What lies there as a copy.

        Args:
            low: The cells here, (H / 2, W / 2, 3).
            there: What is copied, (H, W, 3).
            free: Where that is ground, (H, W).
            told: Where here is known, for each cell.
            side: Of the squares over which light and errors are alike, in cells.
            most: Change of light in levels.
        """
        usable = _wholly(free)
        seen = (told & usable).astype(np.float32)
        share = cv2.blur(seen, (side, side))
        scale = 1 / np.maximum(share, np.float32(1e-6))
        apart = low - there[_CELLS]
        mean = cv2.blur(cv2.multiply(apart, cv2.merge([seen] * 3)), (side, side))
        light = np.asarray(cv2.multiply(mean, cv2.merge([scale] * 3)), np.float32).clip(-most, most)
        apart -= light
        wrong = cv2.transform(cv2.multiply(apart, apart), np.ones((1, 3), np.float32))
        cost = np.asarray(cv2.blur(cv2.multiply(wrong, seen), (side, side)), np.float32) * scale
        cost[(share <= 1e-4) | ~usable] = _NOTHING
        levels = np.asarray(cv2.add(resized(light, free.shape), there), np.float32)
        return cls(levels, free.view(np.uint8), np.asarray(cost, np.float32))


def _wholly(picture: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells of which every pixel is set."""
    least = cv2.erode(picture.view(np.uint8), np.ones((2, 2), np.uint8), anchor=(0, 0))
    return least[_CELLS].view(np.bool_)


def _is_off(copies: Sequence[_Copy], told: NDArray[np.bool_], variance: float, options: CopyOptions) -> bool:
    """Whether even the best shift for each cell leaves more than a pattern may."""
    least = reduce(np.minimum, [copy.cost for copy in copies])[told]
    least = least[least < _NOTHING]
    return bool(least.size) and float(least.mean()) > options.most_wrong * variance


def _elected(copies: Sequence[_Copy], options: CopyOptions) -> Floats:
    """Each cell from the copy that fits the seen ground and the other copies best; seams fade."""
    costs = np.stack([copy.cost for copy in copies])
    cells = np.stack([copy.levels[_CELLS] for copy in copies])
    middle = _middle(cells, costs)
    judged = np.where(costs < _NOTHING, costs, np.float32(np.inf))
    for cost, cell in zip(judged, cells, strict=True):
        apart = cv2.subtract(cell, middle)
        apart = cv2.transform(cv2.multiply(apart, apart), np.ones((1, 3), np.float32))
        cost += options.agreement * cv2.blur(apart, (3, 3))
    labels = judged.argmin(axis=0)
    total = np.zeros_like(copies[0].levels)
    weight = np.full(total.shape[:2], 1e-9, np.float32)
    for index in np.unique(labels).tolist():
        copy = copies[index]
        share = cv2.GaussianBlur((labels == index).astype(np.float32), (0, 0), _SEAM)
        share[costs[index] >= _NOTHING] = 0  # its own cells keep at least the blur's centre
        wide = cv2.copyTo(resized(share, weight.shape), copy.usable)
        cv2.accumulateProduct(copy.levels, cv2.merge([wide] * 3), total)
        cv2.accumulate(wide, weight)
    return np.asarray(cv2.divide(total, cv2.merge([weight] * 3)), np.float32)


def _middle(copies: Floats, costs: Floats) -> Floats:
    """For each cell the median of the copies that fit best."""
    few = min(len(costs), _FEW)
    order = np.argpartition(costs, few - 1, axis=0)[:few]
    best = np.take_along_axis(copies, order[..., None], axis=0)
    able = np.take_along_axis(costs, order, axis=0) < _NOTHING
    first = np.take_along_axis(copies, costs.argmin(axis=0)[None, ..., None], axis=0)
    ranked = np.partition(np.where(able[..., None], best, first), few // 2, axis=0)
    return np.asarray(ranked[few // 2], np.float32)
