"""The pixels a block's style is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from worker.job import Image, Mask, Region
from worker.rendering.colour import Pixels

#: Font size (px) that shows all there is to measure.
_ENOUGH = 32.0


@dataclass(frozen=True, eq=False)
class Look:
    """The region's pixels, reduced where the text is large: no measure needs more px than this keeps."""

    page: Image
    #: The ground under every pixel.
    ground: Image
    mask: Mask
    strokes: Mask
    #: Font size in reduced px.
    size: float
    #: Page px per reduced px.
    reduction: int

    @cached_property
    def departure(self) -> Pixels:
        """Page less ground."""
        return np.asarray(cv2.subtract(self.page, self.ground, dtype=cv2.CV_32F), np.float32)

    @cached_property
    def away(self) -> Pixels:
        """How far (px) each pixel is from the strokes; 0 inside them."""
        return np.asarray(cv2.distanceTransform(cv2.bitwise_not(self.strokes), cv2.DIST_L2, 3), np.float32)


def look_at(rgb: Image, plate: Image | None, region: Region, size: float) -> Look:
    """Cut a region out of its page and bring it to a size at which measuring is cheap.

    Args:
        rgb: The original page, (H, W, 3).
        plate: The page with this text erased, same shape; None to take one ground colour around the text.
        region: Its ink.
        size: Its font size in px.
    """
    page = np.ascontiguousarray(rgb[region.box.slices])
    ground = np.ascontiguousarray(ground_of(page, plate, region))
    mask, strokes = region.mask, region.strokes
    reduction = max(min(int(size / _ENOUGH), *mask.shape), 1)
    if reduction > 1:
        rows, columns = mask.shape[0] // reduction, mask.shape[1] // reduction
        whole = np.s_[: rows * reduction, : columns * reduction]  # ten times as fast as with a rest
        page, ground, mask, strokes = (
            np.asarray(cv2.resize(layer[whole], (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
            for layer in (page, ground, mask, strokes)
        )
        strokes = np.asarray(cv2.threshold(strokes, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)
    return Look(page, ground, mask, strokes, size / reduction, reduction)


def ground_of(page: Image, plate: Image | None, region: Region) -> Image:
    """The ground under every pixel of the region, same shape as the page's cut-out."""
    if plate is not None:
        return plate[region.box.slices]
    around = page[region.mask == 0]
    colour = np.median(around if len(around) else page.reshape(-1, 3), axis=0)
    return np.broadcast_to(colour.astype(np.uint8), page.shape)
