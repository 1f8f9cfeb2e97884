"""One piece of ink and the ground around it, which every way of erasing looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.boxes import on_page
from worker.job import Box, Image, Mask

#: Px from which on sums over squares take less time than dilation, which takes the longer the wider they are.
_FAR = 20
#: Shades of a channel that are told apart, the share of the ground near the ink that makes one usual, and
#: px around each of which most must show usual ones.
_SHADES, _COARSE, _LEAST_USUAL, _AROUND = 16, 4, 0.0005, (5, 5)


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

    def part(self, box: Box) -> Site:
        """What lies in a box of it."""
        pixels, mask = self.pixels[box.slices], self.mask[box.slices]
        free, blank = self.free[box.slices], self.blank[box.slices]
        return replace(self, box=on_page(box, self.box), pixels=pixels, mask=mask, free=free, blank=blank)

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


def shrunk(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Means over squares of so many px, (H, W) or (H, W, 3); less than a square at the ends is left out."""
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    picture = picture[: height * factor, : width * factor]
    for step in (2, factor // 2) if factor % 2 == 0 else (factor,):  # halves are made many times faster
        shape = (picture.shape[1] // step, picture.shape[0] // step)
        picture = np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), np.uint8)
    return picture


def grown(mask: Mask, px: int) -> NDArray[np.bool_]:
    """What lies within so many px (diagonally too) of a mask."""
    side = 2 * px + 1
    if px > _FAR:
        sums = cv2.boxFilter(mask, cv2.CV_8U, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(sums > 0, np.bool_)
    return cv2.dilate(mask, np.ones((side, side), np.uint8)) > 0


def alike(pixels: Image, known: NDArray[np.bool_], near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the colours are those seen near the ink: beyond a cloth's edge lies something else.

    Args:
        pixels: (H, W, 3)
        known: Where they are ground, (H, W).
        near: The ground near the ink, (H, W).
    """
    side = _SHADES + 2  # nothing in the outermost, so that no shade neighbours across the ends
    red, green, blue = cv2.split(pixels >> _COARSE)
    shades = (red.astype(np.uint16) * side + green) * side + blue + (side * side + side + 1)
    counts = np.bincount(shades[near], minlength=side**3).reshape(side, side, side)
    usual = counts > _LEAST_USUAL * counts.sum()
    for axis in range(3):
        shifted = np.moveaxis(usual, axis, 0)
        before = shifted.copy()
        shifted[1:] |= before[:-1]
        shifted[:-1] |= before[1:]
    strange = known & ~usual.ravel()[shades]
    around = [
        cv2.boxFilter(each.view(np.uint8), cv2.CV_16U, _AROUND, normalize=False) for each in (strange, known)
    ]
    return np.asarray(known & (2 * around[0] < around[1]), np.bool_)
