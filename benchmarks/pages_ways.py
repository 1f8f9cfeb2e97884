"""Three ways of erasing a page with one network: in the planner's tiles, whole, in a crop for each OCR line.

They differ in what they show the network. The ink to be erased is found the same way for all three, and that
is part of the time of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from worker.imaging.composite import composite
from worker.imaging.mask import find_regions
from worker.imaging.postprocess import restore
from worker.imaging.preprocess import prepare
from worker.imaging.regions import group_lines
from worker.job import Box, Image, Mask, Region, TextBlock, TextLine

#: Px around each line's box in a crop: what the best-known inpainting tool takes.
MARGIN = 128
#: Heights and widths that a LaMa takes are multiples of this many px.
STRIDE = 8

#: (H, W, 3) RGB uint8 and (H, W, 1) uint8, 255 = hole → (H, W, 3), changed in the hole only.
Network = Callable[[Image, Mask], Image]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A page and what is to be erased from it."""

    page: Image
    lines: tuple[TextLine, ...]
    #: For each block that the lines group into, whether it is erased.
    erased: tuple[bool, ...]

    def save(self, path: Path) -> None:
        """Write an .npz for another process."""
        np.savez(
            path,
            page=self.page,
            polygons=np.array([line.polygon for line in self.lines], np.float32),
            texts=np.array([line.text for line in self.lines]),
            scores=np.array([line.score for line in self.lines]),
            erased=np.array(self.erased, np.bool_),
        )

    @staticmethod
    def load(path: Path) -> Case:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            rows = zip(*(arrays[name] for name in ("polygons", "texts", "scores")), strict=True)
            lines = tuple(TextLine(polygon, str(text), float(score)) for polygon, text, score in rows)
            return Case(arrays["page"], lines, tuple(map(bool, arrays["erased"])))


@dataclass(frozen=True, slots=True)
class Ink:
    """What was found on a page."""

    blocks: tuple[TextBlock, ...]
    regions: tuple[Region, ...]
    staying: tuple[TextLine, ...]

    @staticmethod
    def of(case: Case) -> Ink:
        """Find it.

        Raises:
            ValueError: The lines group into other blocks than the case says.
        """
        blocks = group_lines(case.page, case.lines)
        flagged = tuple(zip(blocks, case.erased, strict=True))
        chosen = tuple(block for block, erased in flagged if erased)
        staying = tuple(line for block, erased in flagged if not erased for line in block.lines)
        return Ink(chosen, find_regions(case.page, chosen, staying), staying)

    def mask(self, page: Image) -> Mask:
        """All of it on the page, (H, W)."""
        mask = np.zeros(page.shape[:2], np.uint8)
        for region in self.regions:
            mask[region.box.slices] |= region.mask
        return mask


def in_tiles(case: Case, network: Network, sizes: Sequence[int]) -> Image:
    """As the worker does it: fills, and tiles of the served sizes for the rest; the plate."""
    ink = Ink.of(case)
    kept = [line.polygon for line in ink.staying]
    prepared = prepare(case.page, ink.blocks, ink.regions, sizes, kept=kept)
    patches = list(prepared.fills)
    for tile in prepared.tiles:
        patches += restore(tile, network(tile.image, tile.mask))
    return composite(case.page, patches)


def whole(case: Case, network: Network) -> Image:
    """The page in one piece; the plate."""
    return _padded(case.page, Ink.of(case).mask(case.page), network)


def in_crops(case: Case, network: Network) -> Image:
    """A crop of the page for each line, one after another; the plate."""
    ink = Ink.of(case)
    mask, plate = ink.mask(case.page), case.page.copy()
    for line in (line for block in ink.blocks for line in block.lines):
        place = crop_box(line, case.page).slices
        answer = _padded(case.page[place], mask[place], network)
        hole = mask[place] > 0
        plate[place][hole] = answer[hole]
    return plate


def crop_box(line: TextLine, page: Image) -> Box:
    """A line's box with `MARGIN` on each side, as far as the page goes."""
    left, top = np.maximum(np.floor(line.polygon.min(axis=0)) - MARGIN, 0)
    right, bottom = np.minimum(np.ceil(line.polygon.max(axis=0)) + MARGIN, page.shape[1::-1])
    return Box(int(left), int(top), int(right), int(bottom))


def _padded(image: Image, mask: Mask, network: Network) -> Image:
    """Through the network, mirrored below and beside up to a multiple of `STRIDE`."""
    height, width = mask.shape
    margins = (0, -height % STRIDE, 0, -width % STRIDE)
    mirrored = cv2.copyMakeBorder(image, *margins, cv2.BORDER_REFLECT).astype(np.uint8, copy=False)
    hole = cv2.copyMakeBorder(mask, *margins, cv2.BORDER_REFLECT).astype(np.uint8, copy=False)
    return network(mirrored, hole[..., np.newaxis])[:height, :width]
