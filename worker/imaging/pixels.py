"""Small operations on masks and on the pixels under them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.job import Box, Image, Mask

#: Pixels that tell how often levels occur.
_MOST_COUNTED = 8_000
#: Quantile of departures that is the ink's contrast.
_CONTRAST = 0.97
#: Weights of a colour cell and of those beside it.
_SPREAD, _ALONE = np.array([0.25, 0.5, 0.25], np.float32), np.ones(1, np.float32)


@cache
def disc(radius: int) -> Mask:
    """A round structuring element."""
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    element.flags.writeable = False
    return element.astype(np.uint8, copy=False)


@cache
def square(radius: int) -> Mask:
    """A square structuring element."""
    element = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    element.flags.writeable = False
    return element


#: OpenCV's own operations on masks, with the types of masks: thousands of them make a page, and a call each
#: of Python around them would take as long as they do. Where two masks overlap; two as one; one without the
#: other; where a mask is not; a mask with its surroundings, which a structuring element gives.
both = cast("Callable[[Mask, Mask], Mask]", cv2.bitwise_and)
either = cast("Callable[[Mask, Mask], Mask]", cv2.bitwise_or)
less = cast("Callable[[Mask, Mask], Mask]", cv2.subtract)
inverted = cast("Callable[[Mask], Mask]", cv2.bitwise_not)
widened = cast("Callable[[Mask, Mask], Mask]", cv2.dilate)


def beyond(levels: Image, limit: float) -> Mask:
    """Where levels exceed a limit."""
    return cast("Mask", cv2.threshold(levels, limit, 255, cv2.THRESH_BINARY)[1])


def reaching(levels: Image | NDArray[np.float32], limits: Image | NDArray[np.float32]) -> Mask:
    """Where levels are no less than others."""
    return cast("Mask", cv2.compare(levels, limits, cv2.CMP_GE))


def parts(mask: Mask) -> tuple[int, NDArray[np.int32]]:
    """Connected components, diagonally too: their number with the ground (0), and each pixel's."""
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    return count, np.asarray(labels, np.int32)


def pieces(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """As `parts`: each pixel's component; and left, top, width, height and area of each (0: the ground)."""
    # the algorithm that OpenCV takes by itself needs twice the time here
    _, components, sizes, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask, 8, cv2.CV_32S, cv2.CCL_GRANA
    )
    return np.asarray(components, np.int32), np.asarray(sizes, np.int32)


def counted(labels: NDArray[np.int32], mask: Mask, count: int) -> NDArray[np.intp]:
    """How many of a mask's pixels each component has."""
    return np.bincount(labels.ravel()[(mask.ravel() != 0).nonzero()[0]], minlength=count)


def those(chosen: NDArray[np.bool_], labels: NDArray[np.integer]) -> Mask:
    """The pixels of the chosen components."""
    if not chosen.any():
        return np.zeros(labels.shape, np.uint8)
    levels = np.zeros(max(len(chosen), 256), np.uint8)
    levels[: len(chosen)][chosen] = 255
    if len(chosen) <= 256:  # labels of one byte are looked up much faster
        return cast("Mask", cv2.LUT(labels.astype(np.uint8), levels))
    return levels.take(labels, mode="clip")


def box_of(mask: Mask, margin: int) -> Box:
    """The smallest box around a mask's pixels, with a margin inside its array."""
    left, top, width, height = cv2.boundingRect(mask)
    return Box(
        max(left - margin, 0),
        max(top - margin, 0),
        min(left + width + margin, mask.shape[1]),
        min(top + height + margin, mask.shape[0]),
    )


def some_of(
    mask: Mask | NDArray[np.bool_], most: int = ground.MOST_POINTS
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns and rows of pixels of a mask, thinned evenly to about `most`, or up to thrice that."""
    width = mask.shape[1]
    step = max(1, cv2.countNonZero(mask.view(np.uint8)) // most)
    while math.gcd(step, width) > 1:  # columns in turn
        step -= 1
    places = (mask.ravel()[::step] != 0).nonzero()[0] * step
    rows = places // width
    return places - rows * width, rows


def level_at(counts: NDArray[np.number], share: float) -> int:
    """A quantile of whole levels, from how often each of them occurs; 0 of none."""
    so_far = counts.cumsum()
    return int(so_far.searchsorted(int(share * float(so_far[-1])), "right")) if so_far[-1] else 0


def fine_level_at(counts: NDArray[np.number], share: float) -> float:
    """A quantile of levels that were rounded, between them; 0 of none."""
    level, so_far = level_at(counts, share), np.cumsum(counts)
    if not so_far[-1]:
        return 0.0
    return float(max(level - 0.5 + (share * so_far[-1] - so_far[level] + counts[level]) / counts[level], 0.0))


def level_counts(levels: Image, mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How often each level occurs under a mask, (256,); where there are many pixels, in some rows only."""
    every = levels.size // _MOST_COUNTED
    if every > 1:
        levels, mask = levels[::every], mask[::every]
    return cast("NDArray[np.float32]", cv2.calcHist([levels], [0], mask, [256], [0, 256]).ravel())


def contrast_of(departure: Image, mask: NDArray[np.uint8]) -> int:
    """How many levels ink under a mask departs from its ground, a few pixels aside."""
    return level_at(level_counts(departure, mask), _CONTRAST)


def colour_cells(pixels: Image) -> NDArray[np.uint16]:
    """Which of 16³ cells each pixel's colour falls into, (H, W, 3) → (H, W)."""
    red, green, blue = (cv2.extractChannel(pixels, channel).astype(np.uint16) >> 4 for channel in range(3))
    return np.asarray((red << 8) | (green << 4) | blue, np.uint16)


def colour_density(cells: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Share of the pixels in each of 16³ colour cells, spread over the neighbouring cells."""
    counts = np.bincount(cells, minlength=4096).astype(np.float32).reshape(16, 16, 16)
    # two axes as those of a picture of sixteen channels, then the channels' own
    spread = cv2.sepFilter2D(counts, -1, _SPREAD, _SPREAD, borderType=cv2.BORDER_REPLICATE)
    spread = cv2.sepFilter2D(spread.reshape(256, 16), -1, _SPREAD, _ALONE, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(spread.ravel() / max(len(cells), 1), np.float32)
