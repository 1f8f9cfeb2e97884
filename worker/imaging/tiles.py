"""What goes to the network: a page's windows, cut into tiles one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import grain
from worker.imaging.composite import blend
from worker.imaging.placed import Placed, corners_of, meeting
from worker.imaging.plan import Hole, PlanOptions, Window
from worker.job import Image, Patch


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One request to the network, and where its answer belongs."""

    #: (S, S, 3) RGB uint8
    image: Image
    #: (S, S, 1) uint8, 255 = hole
    mask: NDArray[np.uint8]
    window: Window
    #: Noise in levels for the holes, of the window's box at the page's resolution: the network sees and
    #: answers without.
    grain: NDArray[np.int8] | None = None

    @property
    def size(self) -> int:
        return self.window.size


class Tiles:
    """The tiles of a page, each cut anew whenever it is asked for: all of a strip's would be a gigabyte.

    Args:
        rgb: The page, (H, W, 3); not changed, and kept.
        windows: Where they lie.
        holes: Every line that the network erases.
        fills: What is filled without it, and clean already in each tile.
        options: Limits of the planner.
    """

    def __init__(
        self,
        rgb: Image,
        windows: Sequence[Window],
        holes: Sequence[Hole],
        fills: Sequence[Patch],
        options: PlanOptions,
    ) -> None:
        self.windows = tuple(windows)
        self._rgb = rgb
        self._holes = Placed.of(holes)
        self._fills = fills
        self._filled = corners_of([patch.box for patch in fills])
        self._options = options

    def __len__(self) -> int:
        return len(self.windows)

    def __iter__(self) -> Iterator[Tile]:
        return map(self.cut, self.windows)

    def cut(self, window: Window) -> Tile:
        """The tile of one window; every hole that shows in it is one, its own or not."""
        box, size, options = window.box, window.size, self._options
        image = self._rgb[box.slices].copy()
        for index in meeting(self._filled, box):
            blend(image, self._fills[index], box.left, box.top)
        mask = self._holes.over(box)
        noise = None
        if options.denoise_levels > 0:
            noisy = image
            image = cv2.bilateralFilter(
                noisy, options.denoise_diameter, options.denoise_levels, options.denoise_px
            ).astype(np.uint8)
            noise = grain.removed(noisy, image, mask, (box.left, box.top, size))
        if window.scale < 1:
            shape = (max(1, round(box.width * window.scale)), max(1, round(box.height * window.scale)))
            image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA).astype(np.uint8)
            mask = (cv2.resize(mask, shape, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8) * 255
        return Tile(_square(image, size), _square(mask, size)[..., None], window, noise)


def _square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Mirrors a crop up to the tile's size: black padding would shift the network's global spectrum."""
    below, beside = size - pixels.shape[0], size - pixels.shape[1]
    return cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REFLECT).astype(np.uint8, copy=False)
