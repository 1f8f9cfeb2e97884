"""Whether a surface holds next to some ink: on the whole, and in every cell of a grid over the ink."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.ground import Floats
from worker.job import Mask


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What may depart from a surface."""

    #: Side of the cells in which it must hold everywhere, not only on average, in text heights.
    side: float = 1.5
    #: Mean departure of a cell, in levels beside this share of the noise; more shows as a flat spot.
    bias: float = 1.0
    bias_noise: float = 0.35
    #: On ground of at most so much noise such a share of the cells may depart by up to twice that: a block of
    #: a JPEG beside the text lies a level or two off.
    clean: float = 0.3
    most_biased: float = 0.1
    #: Share of pixels that are something else than ground, on the whole and in a cell.
    most_outliers: float = 0.1
    most_cell_outliers: float = 0.35
    #: So few pixels say nothing about a cell, or about the whole.
    fewest: int = 12
    fewest_whole: int = 30


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A grid over a site, and which cell each of some pixels next to the ink lies in."""

    of_pixels: NDArray[np.integer]
    #: Which cells hold ink: only those are judged.
    judged: NDArray[np.bool_]

    @classmethod
    def under(
        cls,
        mask: Mask,
        rows: NDArray[np.integer],
        columns: NDArray[np.integer],
        text_height: float,
        side: float,
    ) -> Cells:
        """A grid for pixels at some rows and columns."""
        height, width = mask.shape
        down, across = cells_of(mask.shape, text_height, side)
        of_pixels = (rows * down // height) * across + columns * across // width
        share = cv2.resize(mask, (across, down), interpolation=cv2.INTER_AREA)
        return cls(of_pixels, np.asarray(share.ravel() > 0, np.bool_))

    def hold(
        self, residuals: Floats, outlying: NDArray[np.bool_], noise: float, options: CellOptions
    ) -> bool:
        """Whether the pixels lie on a surface.

        Args:
            residuals: Their departures from it, (3, N).
            outlying: Which are something else than ground.
            noise: The ground's deviation in levels.
            options: What may depart.
        """
        count = len(self.judged)
        if (
            outlying.size < options.fewest_whole
            or np.count_nonzero(outlying) > options.most_outliers * outlying.size
        ):
            return False
        pixels = np.bincount(self.of_pixels, minlength=count)
        told = self.judged & (pixels >= options.fewest)
        pixels = pixels[told]
        limit = options.bias + options.bias_noise * noise + 3 * noise / np.sqrt(pixels)
        # clipped: JPEG's ripples around ink are one-sided on white, and are no bias of the ground
        most = 2 * noise + 1.5
        biased = self._bias(residuals, most)[told] / pixels > limit
        if np.count_nonzero(biased) > (options.most_biased if noise <= options.clean else 0) * len(pixels):
            return False
        if biased.any() and (self._bias(residuals, 2 * most)[told] / pixels > 2 * limit).any():
            return False
        outliers = np.bincount(self.of_pixels[outlying], minlength=count)[told]
        return not bool((outliers > options.most_cell_outliers * pixels).any())

    def _bias(self, residuals: Floats, most: float) -> NDArray[np.float64]:
        """Sum of the departures in each cell, each at most so large, of the channel that departs most."""
        settled = np.clip(residuals, -most, most)
        sums = [np.bincount(self.of_pixels, one, len(self.judged)) for one in settled]
        return np.asarray(np.abs(sums).max(axis=0))


def cells_of(shape: tuple[int, ...], text_height: float, side: float) -> tuple[int, int]:
    """How many cells a site has down and across."""
    px = max(8.0, side * text_height)
    return max(1, round(shape[0] / px)), max(1, round(shape[1] / px))


def grid(shape: tuple[int, ...], text_height: float, side: float) -> tuple[list[int], list[int]]:
    """The rows and columns at which a site's cells begin, and those at which the last ones end."""
    down, across = (
        [-(-size * cell // count) for cell in range(count + 1)]
        for size, count in zip(shape, cells_of(shape, text_height, side), strict=False)
    )
    return down, across
