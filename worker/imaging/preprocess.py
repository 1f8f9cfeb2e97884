"""From page and regions to what goes out, fills and tiles: in one call for the pixel thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from worker.imaging.boxes import ink_box, inside, moved, on_page, padded
from worker.imaging.composite import feathered
from worker.imaging.fill import fill_drawing, fill_ground, fill_paper
from worker.imaging.ground import sheet
from worker.imaging.pattern import continue_pattern, is_spotted
from worker.imaging.placed import PageText
from worker.imaging.plan import Hole, PlanOptions, Route
from worker.imaging.quads import line_labels, surroundings
from worker.imaging.texture import Cloth
from worker.imaging.tiles import Tiles
from worker.imaging.windows import plan_windows
from worker.job import Box, Image, Patch, Polygon, Region, TextBlock


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A page's erasing, as far as it goes without the network."""

    fills: tuple[Patch, ...]
    tiles: Tiles
    #: For each block id, the route of each of its lines.
    routes: Mapping[int, tuple[Route, ...]]


def prepare(
    rgb: Image,
    blocks: Sequence[TextBlock],
    regions: Sequence[Region],
    tile_sizes: Sequence[int],
    options: PlanOptions | None = None,
    kept: Sequence[Polygon] = (),
) -> Prepared:
    """Decides each line's route, fills what needs no network and plans the tiles for the rest.

    Args:
        rgb: The page, (H, W, 3).
        blocks: The blocks to be erased.
        regions: Their ink, one for each block, in the same order.
        tile_sizes: Sides of the served tiles in px.
        options: Limits of the planner.
        kept: Boxes of the text that stays: no ground is copied from there.

    Raises:
        ValueError: Regions and blocks do not match, or no tile size is served.
    """
    options = options or PlanOptions()
    if len(blocks) != len(regions) or any(b.id != r.block_id for b, r in zip(blocks, regions, strict=False)):
        raise ValueError("each block needs its own region, in the same order")
    if not tile_sizes:
        raise ValueError("no tile size is served")
    text = PageText.of(regions, kept)
    fills: list[Patch] = []
    holes: list[Hole] = []
    routes: dict[int, tuple[Route, ...]] = {}
    for block, region in zip(blocks, regions, strict=True):
        patches, rest, routes[block.id] = _erase_block(rgb, block, region, text, options)
        fills += patches
        holes += rest
    page = Box(0, 0, rgb.shape[1], rgb.shape[0])
    windows = plan_windows(holes, page, tile_sizes, options)
    for window in windows:
        if window.scale < 1:
            hole = window.holes[0]
            lines = list(routes[hole.block_id])
            lines[hole.line] = Route.SHRUNK
            routes[hole.block_id] = tuple(lines)
    return Prepared(tuple(fills), Tiles(rgb, windows, holes, fills, options), routes)


def _erase_block(
    rgb: Image, block: TextBlock, region: Region, text: PageText, options: PlanOptions
) -> tuple[list[Patch], list[Hole], tuple[Route, ...]]:
    """Patches, holes for the network, and the route of each line.

    A block is filled as a whole where one surface holds under all of it, else line by line.
    """
    routes = [Route.FILL] * len(block.lines)
    inner = ink_box(region.mask)
    if not inner.width:
        return [], [], tuple(routes)
    # where two erased lines touch, nothing fades: the edge of their union is what is feathered
    box = on_page(inner, region.box)
    rim = padded(box, options.feather + 1, rgb)
    alpha = moved(feathered(text.ink.over(rim), options.feather), rim, region.box)
    alpha[region.mask == 0] = 0
    whole = Hole(block.id, 0, region.box, region.mask, alpha)
    if region.badge is not None:
        badge = sheet(np.array(region.badge, np.uint8), region.box.width, region.box.height)
        return [_patch(block.id, badge, region.box, region.mask)], [], tuple(routes)
    found = _fill(rgb, whole, block.text_height, text, options, several=len(block.lines) > 1)
    if found is not None:
        return [found[0]], [], (found[1],) * len(block.lines)
    lines = _lines_of(whole, block)
    patches: list[Patch] = []
    holes: list[Hole] = []
    for hole in lines:
        found = _fill(rgb, hole, block.text_height, text, options) if len(lines) > 1 else None
        if found is None:
            holes.append(replace(hole, alpha=hole.mask))  # the answer goes on where the page begins
            routes[hole.line] = Route.NETWORK
        else:
            patches.append(found[0])
            routes[hole.line] = found[1]
    return patches, holes, tuple(routes)


def _lines_of(whole: Hole, block: TextBlock) -> list[Hole]:
    """A block's ink, each pixel with the line it is nearest to."""
    quads = [line.polygon for line in block.lines]
    windows = surroundings(quads, whole.box)
    labels = line_labels(quads, windows, whole.box)
    holes: list[Hole] = []
    for line, window in enumerate(windows):
        place = inside(window, whole.box).slices
        own = labels[place] == line
        mask = np.where(own, whole.mask[place], 0).astype(np.uint8)
        if mask.any():
            inner = ink_box(mask)
            alpha = np.where(own, whole.alpha[place], 0)[inner.slices].astype(np.uint8)
            # A view would keep the window alive.
            holes.append(Hole(block.id, line, on_page(inner, window), mask[inner.slices].copy(), alpha))
    return holes


def _fill(
    rgb: Image,
    hole: Hole,
    text_height: float,
    text: PageText,
    options: PlanOptions,
    *,
    several: bool = False,
) -> tuple[Patch, Route] | None:
    """Fills a hole, of one or several lines, without the network, if its ground can be trusted."""
    inner = ink_box(hole.mask)
    ink = replace(
        hole, box=on_page(inner, hole.box), mask=hole.mask[inner.slices], alpha=hole.alpha[inner.slices]
    )
    site = text.site(rgb, ink, options.fill.px_rings(text_height)[0], text_height)
    ground = fill_ground(site, options.fill)
    if ground is not None:
        spotted = is_spotted(site, ground, options.pattern)
        dotted = _continued(rgb, hole, text_height, text, options) if spotted else None
        if spotted and dotted is None and several:
            return None  # each line hides less of the pattern
        return dotted or (_patch(hole.block_id, ground, site.box, site.mask), Route.FILL)
    continued = _continued(rgb, hole, text_height, text, options)
    if continued is not None:
        return continued
    ground = fill_drawing(site, options.fill)
    if ground is None:
        site = text.site(rgb, ink, options.fill.px_letters(text_height), text_height)
        ground = fill_paper(site, text.unread.over(site.box), options.fill)
        if ground is not None and is_spotted(site, ground, options.pattern):
            ground = None
    if ground is not None:
        return _patch(hole.block_id, ground, site.box, site.mask), Route.FILL
    site = text.site(rgb, hole, options.texture.px_reach(text_height), text_height)
    if site.mask.size > options.most_sought:
        return None
    cloth = Cloth.at(site, options.texture)
    if cloth.wrong <= options.texture.most_wrong:
        ground = cloth.continued(options.texture)
        return _patch(hole.block_id, ground, site.box, moved(hole.alpha, hole.box, site.box)), Route.TEXTURE
    return None


def _continued(
    rgb: Image, hole: Hole, text_height: float, text: PageText, options: PlanOptions
) -> tuple[Patch, Route] | None:
    """Fills a hole from the pattern it interrupts, if it interrupts one."""
    site = text.site(rgb, hole, options.pattern.px_reach(text_height), text_height)
    if site.mask.size > options.most_sought:
        return None
    continued = continue_pattern(site, options.pattern, options.fill)
    if continued is None:
        return None
    ground, mask = continued
    alpha = np.maximum(moved(hole.alpha, hole.box, site.box), feathered(mask, options.feather))
    return _patch(hole.block_id, ground, site.box, alpha), Route.PATTERN


def _patch(block_id: int, ground: Image, box: Box, alpha: NDArray[np.uint8]) -> Patch:
    """A patch no larger than its alpha."""
    inner = ink_box(alpha)
    return Patch(block_id, on_page(inner, box), ground[inner.slices].copy(), alpha[inner.slices].copy())
