"""From page and regions to what goes out: fills that are ready, and tiles for the network.

`prepare` is one synchronous call for a CPU thread; it reads the page and never writes to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.composite import blend, feathered
from worker.imaging.fill import Site, fill_ground
from worker.imaging.plan import Hole, PlanOptions, Route, Window, plan_windows
from worker.imaging.quads import line_labels
from worker.job import Box, Image, Mask, Patch, Region, TextBlock


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One request to the network, and where its answer belongs."""

    #: (S, S, 3) RGB uint8
    image: Image
    #: (S, S, 1) uint8, 255 = hole
    mask: NDArray[np.uint8]
    window: Window

    @property
    def size(self) -> int:
        return self.window.size


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A page's erasing, as far as it goes without the network."""

    fills: tuple[Patch, ...]
    tiles: tuple[Tile, ...]
    #: For each block id, the route of each of its lines.
    routes: Mapping[int, tuple[Route, ...]]


def prepare(
    rgb: Image,
    blocks: Sequence[TextBlock],
    regions: Sequence[Region],
    tile_sizes: Sequence[int],
    options: PlanOptions | None = None,
) -> Prepared:
    """Decides each line's route, fills what needs no network and cuts the tiles for the rest.

    Args:
        rgb: The page, (H, W, 3).
        blocks: The blocks to be erased.
        regions: Their ink, one for each block, in the same order.
        tile_sizes: Sides of the served tiles in px.
        options: Limits of the planner.

    Raises:
        ValueError: Regions and blocks do not match, or no tile size is served.
    """
    options = options or PlanOptions()
    if len(blocks) != len(regions) or any(b.id != r.block_id for b, r in zip(blocks, regions, strict=False)):
        raise ValueError("each block needs its own region, in the same order")
    if not tile_sizes:
        raise ValueError("no tile size is served")
    ink = _AllInk.of(regions)
    fills: list[Patch] = []
    holes: list[Hole] = []
    routes: dict[int, tuple[Route, ...]] = {}
    for block, region in zip(blocks, regions, strict=True):
        patches, rest = _fill_block(rgb, block, region, ink, options)
        fills += patches
        holes += rest
        network = {hole.line for hole in rest}
        routes[block.id] = tuple(
            Route.NETWORK if line in network else Route.FILL for line in range(len(block.lines))
        )
    page = Box(0, 0, rgb.shape[1], rgb.shape[0])
    windows = plan_windows(holes, page, tile_sizes, options)
    for window in windows:
        if window.scale < 1:
            hole = window.holes[0]
            lines = list(routes[hole.block_id])
            lines[hole.line] = Route.SHRUNK
            routes[hole.block_id] = tuple(lines)
    tiles = tuple(_tile(rgb, window, holes, fills, options) for window in windows)
    return Prepared(tuple(fills), tiles, routes)


@dataclass(frozen=True, slots=True, eq=False)
class _AllInk:
    """Everything on the page that is to be erased."""

    regions: Sequence[Region]
    #: (N, 4): left, top, right, bottom
    boxes: NDArray[np.intp]

    @classmethod
    def of(cls, regions: Sequence[Region]) -> _AllInk:
        boxes = [(r.box.left, r.box.top, r.box.right, r.box.bottom) for r in regions]
        return cls(regions, np.array(boxes, np.intp).reshape(-1, 4))

    def over(self, box: Box) -> Mask:
        """The ink inside a box."""
        mask = np.zeros((box.height, box.width), np.uint8)
        left, top, right, bottom = self.boxes.T
        near = (left < box.right) & (right > box.left) & (top < box.bottom) & (bottom > box.top)
        for index in np.flatnonzero(near).tolist():
            _paste(mask, self.regions[index].mask, self.regions[index].box, box)
        return mask


def _fill_block(
    rgb: Image, block: TextBlock, region: Region, ink: _AllInk, options: PlanOptions
) -> tuple[list[Patch], list[Hole]]:
    """Fills a block as a whole where one surface holds under all of it, else line by line."""
    if not region.mask.any():
        return [], []
    # where two erased lines touch, nothing fades: the edge of their union is what is feathered
    rim = _padded(region.box, options.feather + 1, rgb)
    alpha = _moved(feathered(ink.over(rim), options.feather), rim, region.box)
    alpha[region.mask == 0] = 0
    ring = max(options.fill.least_ring, round(options.fill.ring * block.text_height))
    box = _padded(region.box, ring, rgb)
    mask = _moved(region.mask, region.box, box)
    ground = fill_ground(Site.cut(rgb, box, mask, ink.over(box), block.text_height), options.fill)
    if ground is not None:
        return [_cropped_patch(block.id, ground, box, mask)], []
    labels = line_labels([line.polygon for line in block.lines], region.box)
    patches: list[Patch] = []
    holes: list[Hole] = []
    for line in range(len(block.lines)):
        own = np.where(labels == line, region.mask, 0).astype(np.uint8)
        if not own.any():
            continue
        inner = _ink_box(own)
        placed = Box(
            region.box.left + inner.left,
            region.box.top + inner.top,
            region.box.left + inner.right,
            region.box.top + inner.bottom,
        )
        own_mask = own[inner.slices]
        own_alpha = np.where(own_mask > 0, alpha[inner.slices], 0).astype(np.uint8)
        if len(block.lines) > 1:
            wide = _padded(placed, ring, rgb)
            inked = _moved(own_mask, placed, wide)
            ground = fill_ground(Site.cut(rgb, wide, inked, ink.over(wide), block.text_height), options.fill)
        if ground is not None:
            patches.append(_cropped_patch(block.id, ground, wide, inked))
        else:
            holes.append(Hole(block.id, line, placed, own_mask, own_alpha))
    return patches, holes


def _tile(
    rgb: Image, window: Window, holes: Sequence[Hole], fills: Sequence[Patch], options: PlanOptions
) -> Tile:
    """Cuts one window: what is filled is already clean in it, every line the network erases is a hole."""
    box, size = window.box, window.size
    image = rgb[box.slices].copy()
    for patch in fills:
        blend(image, patch, box.left, box.top)
    mask = np.zeros((box.height, box.width), np.uint8)
    for hole in holes:
        _paste(mask, hole.mask, hole.box, box)
    if options.denoise_levels > 0:
        image = cv2.bilateralFilter(
            image, options.denoise_diameter, options.denoise_levels, options.denoise_px
        ).astype(np.uint8)
    if window.scale < 1:
        shape = (max(1, round(box.width * window.scale)), max(1, round(box.height * window.scale)))
        image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA).astype(np.uint8)
        mask = (cv2.resize(mask, shape, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8) * 255
    return Tile(_square(image, size), _square(mask, size)[..., None], window)


def _square(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Mirrors a crop up to the tile's size: black padding would shift the network's global spectrum."""
    below, beside = size - pixels.shape[0], size - pixels.shape[1]
    return cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REFLECT).astype(np.uint8, copy=False)


def _padded(box: Box, margin: int, rgb: Image) -> Box:
    height, width = rgb.shape[:2]
    return Box(
        max(box.left - margin, 0),
        max(box.top - margin, 0),
        min(box.right + margin, width),
        min(box.bottom + margin, height),
    )


def _paste(target: Mask, mask: Mask, source: Box, box: Box) -> None:
    """Adds a mask that lies at `source` to one that covers `box`, as far as they meet."""
    left, right = max(source.left, box.left), min(source.right, box.right)
    top, bottom = max(source.top, box.top), min(source.bottom, box.bottom)
    if left < right and top < bottom:
        view = target[top - box.top : bottom - box.top, left - box.left : right - box.left]
        view |= mask[top - source.top : bottom - source.top, left - source.left : right - source.left]


def _moved(mask: Mask, source: Box, box: Box) -> Mask:
    """A mask of `source` as one of another box, as far as they meet."""
    target = np.zeros((box.height, box.width), np.uint8)
    _paste(target, mask, source, box)
    return target


def _ink_box(mask: Mask) -> Box:
    left, top, width, height = cv2.boundingRect(mask)
    return Box(left, top, left + width, top + height)


def _cropped_patch(block_id: int, ground: Image, box: Box, alpha: NDArray[np.uint8]) -> Patch:
    """A patch no larger than its alpha."""
    inner = _ink_box(alpha)
    placed = Box(box.left + inner.left, box.top + inner.top, box.left + inner.right, box.top + inner.bottom)
    return Patch(block_id, placed, ground[inner.slices].copy(), alpha[inner.slices].copy())
