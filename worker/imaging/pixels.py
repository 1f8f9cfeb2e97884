"""Small operations on masks and on the pixels under them."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.job import Box, Image, Mask

#: Pixels that tell how often levels occur.
_MOST_COUNTED = 8_000
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


def beyond(levels: Image, limit: float) -> Mask:
    """Where levels exceed a limit."""
    return cv2.threshold(levels, limit, 255, cv2.THRESH_BINARY)[1].astype(np.uint8, copy=False)


def reaching(levels: Image, limits: Image) -> Mask:
    """Where levels are no less than others."""
    return cv2.compare(levels, limits, cv2.CMP_GE).astype(np.uint8, copy=False)


def both(one: Mask, two: Mask) -> Mask:
    """Where two masks overlap."""
    return cv2.bitwise_and(one, two).astype(np.uint8, copy=False)


def either(one: Mask, two: Mask) -> Mask:
    """Two masks as one."""
    return cv2.bitwise_or(one, two).astype(np.uint8, copy=False)


def less(mask: Mask, other: Mask) -> Mask:
    """A mask without another."""
    return cv2.subtract(mask, other).astype(np.uint8, copy=False)


def inverted(mask: Mask) -> Mask:
    """Where a mask is not."""
    return cv2.bitwise_not(mask).astype(np.uint8, copy=False)


def widened(mask: Mask, element: Mask) -> Mask:
    """A mask with its surroundings."""
    return cv2.dilate(mask, element).astype(np.uint8, copy=False)


def parts(mask: Mask) -> tuple[int, NDArray[np.int32]]:
    """Connected components, diagonally too: their number with the ground (0), and each pixel's."""
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    return count, np.asarray(labels, np.int32)


def pieces(mask: Mask, connectivity: int = 8) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Connected components: each pixel's; and left, top, width, height and area of each (0: the ground)."""
    # the algorithm that OpenCV takes by itself needs twice the time here
    _, components, sizes, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask, connectivity, cv2.CV_32S, cv2.CCL_GRANA
    )
    return np.asarray(components, np.int32), np.asarray(sizes, np.int32)


def those(chosen: NDArray[np.bool_], labels: NDArray[np.integer]) -> Mask:
    """The pixels of the chosen components."""
    if not chosen.any():
        return np.zeros(labels.shape, np.uint8)
    levels = np.zeros(max(len(chosen), 256), np.uint8)
    levels[: len(chosen)][chosen] = 255
    if len(chosen) <= 256:  # labels of one byte are looked up much faster
        return np.asarray(cv2.LUT(labels.astype(np.uint8), levels), np.uint8)
    return np.asarray(np.take(levels, labels), np.uint8)


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
    flat, width = mask.view(np.uint8).ravel(), mask.shape[1]
    step = max(1, cv2.countNonZero(flat) // most)
    while math.gcd(step, width) > 1:  # columns in turn
        step -= 1
    places = np.flatnonzero(flat[::step] != 0) * step
    rows = places // width
    return places - rows * width, rows


def level_at(counts: NDArray[np.integer], share: float) -> int:
    """A quantile of whole levels, from how often each of them occurs; 0 of none."""
    so_far = np.cumsum(counts)
    return int(np.searchsorted(so_far, int(share * so_far[-1]), side="right")) if so_far[-1] else 0


def level_counts(levels: Image, mask: NDArray[np.uint8]) -> NDArray[np.integer]:
    """How often each level occurs under a mask, (256,); where there are many pixels, in some rows only."""
    every = max(1, levels.size // _MOST_COUNTED)
    levels, mask = levels[::every], mask[::every]
    return cv2.calcHist([levels], [0], mask, [256], [0, 256]).ravel().astype(np.intp)


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
