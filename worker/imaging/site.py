"""One piece of ink and the ground around it, which every way of erasing looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.ground import Floats
from worker.job import Box, Image, Mask

#: Pairs of neighbouring pixels that tell the noise.
_MOST_COMPARED = 1500
#: Shades of a channel that are told apart, the share of the ground near the ink that makes one usual, and
#: px around each of which most must show usual ones.
_SHADES, _LEAST_USUAL, _AROUND = 16, 0.0005, (5, 5)


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """Ink to be replaced and the ground around it, cut out of the page; all arrays share rows and columns."""

    box: Box
    #: (H, W, 3)
    pixels: Image
    mask: Mask
    #: What is no text to be erased, (H, W), and what of it is no text that stays either.
    free: NDArray[np.bool_]
    blank: NDArray[np.bool_]
    text_height: float

    def ring(self, px: int) -> NDArray[np.bool_]:
        """Ground within so many px of the mask."""
        return grown(self.mask, px) & self.free

    def unlettered(self, mask: Mask) -> Site:
        """The same for a mask, its ground only where nothing is written: what may be copied."""
        return replace(self, mask=mask, free=self.blank & (mask == 0))

    def multiple(self, factor: int) -> Site:
        """The same, as many px more to the right and below as make its sides multiples; no ground there."""
        height, width = self.mask.shape
        below, beside = -height % factor, -width % factor
        if not below and not beside:
            return self

        def wider(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return np.asarray(cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_CONSTANT), np.uint8)

        pixels, mask = wider(self.pixels), wider(self.mask)
        free, blank = (wider(each.view(np.uint8)).view(np.bool_) for each in (self.free, self.blank))
        return replace(self, pixels=pixels, mask=mask, free=free, blank=blank)


def roughness(pixels: Image, ring: NDArray[np.bool_]) -> float:
    """Deviation of the ground's noise as neighbouring pixels tell it, in levels; high on any pattern."""
    deviations = [0.0]
    for down, across in ((1, 0), (0, 1)):
        height, width = ring.shape[0] - down, ring.shape[1] - across
        pairs = np.flatnonzero(ring[:height, :width] & ring[down:, across:])
        pairs = pairs[ground.thinned(len(pairs), _MOST_COMPARED)]
        rows, columns = pairs // max(width, 1), pairs % max(width, 1)
        if len(rows):
            steps = pixels[rows + down, columns + across].astype(np.int16) - pixels[rows, columns]
            typical = ground.quantile(np.abs(steps).mean(axis=1, dtype=np.float32), 0.5)
            deviations.append(typical * ground.MAD_TO_SIGMA / 2**0.5)
    return max(deviations)


def grown(mask: Mask, px: int) -> NDArray[np.bool_]:
    """What lies within so many px (diagonally too) of a mask."""
    return cv2.dilate(mask, np.ones((2 * px + 1, 2 * px + 1), np.uint8)) > 0


def alike(pixels: Floats, known: NDArray[np.bool_], near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the colours are those seen near the ink: beyond a cloth's edge lies something else.

    Args:
        pixels: (H, W, 3) levels.
        known: Where they are ground, (H, W).
        near: The ground near the ink, (H, W).
    """
    side = _SHADES + 2  # nothing in the outermost, so that no shade neighbours across the ends
    red, green, blue = cv2.split((pixels * (_SHADES / 256)).astype(np.uint16) + 1)
    shades = (red * side + green) * side + blue
    counts = np.bincount(shades[near], minlength=side**3).reshape(side, side, side)
    usual = counts > _LEAST_USUAL * counts.sum()
    for axis in range(3):
        usual |= np.roll(usual, 1, axis) | np.roll(usual, -1, axis)
    strange = known & ~usual.ravel()[shades]
    around = [
        cv2.boxFilter(each.view(np.uint8), cv2.CV_16U, _AROUND, normalize=False) for each in (strange, known)
    ]
    return np.asarray(known & (2 * around[0] < around[1]), np.bool_)
