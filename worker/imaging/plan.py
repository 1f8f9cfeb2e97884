"""Which way each line is erased, and which tiles the network gets.

A line on smooth ground is filled from its surface (`fill.py`), one on fine texture from its surface and
copied texture (`texture.py`), one on a pattern from the pattern's other periods (`pattern.py`).
Everything else goes to the network in square windows of the served sizes at the page's own resolution: lines
that lie close share a window, every window keeps `context` px of page around its ink on each side that has
them. A line longer than the largest window is cut at its emptiest columns where
its strokes leave ground between them, and shrunk where the hole is thick (whole polygons of display type),
since there a cut would fall into the middle of the hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.fill import FillOptions
from worker.imaging.pattern import PatternOptions
from worker.imaging.texture import TextureOptions
from worker.job import Box, Mask


class Route(StrEnum):
    """How a line is erased."""

    FILL = "fill"
    NETWORK = "network"
    #: From its shading and a texture copied from beside it.
    TEXTURE = "texture"
    #: From the same pattern one or several periods away.
    PATTERN = "pattern"
    #: Network at less than the page's resolution.
    SHRUNK = "shrunk"


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What the planner may do."""

    fill: FillOptions = field(default_factory=FillOptions)
    texture: TextureOptions = field(default_factory=TextureOptions)
    pattern: PatternOptions = field(default_factory=PatternOptions)
    #: Px of page around the ink in a tile: LaMa's local receptive field at 1/8 resolution spans 8 cells.
    context: int = 64
    #: A larger window is preferred up to this much more work: it shows the network more of the page.
    larger_window_bonus: float = 1.25
    #: Holes of a larger inscribed radius than this share of the tile are shrunk rather than cut.
    thickest_hole: float = 0.12
    #: Px over which patches fade into each other where a hole is cut, and into the page.
    cut_overlap: int = 12
    feather: int = 1
    #: Bilateral filter of the context: diameter in px, sigma in levels and px; 0 levels switches it off.
    denoise_diameter: int = 5
    denoise_levels: float = 12.0
    denoise_px: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Hole:
    """Ink of one line (or a cut of it) that the network must replace."""

    block_id: int
    #: Which of the block's lines.
    line: int
    box: Box
    #: (box.height, box.width)
    mask: Mask
    #: How much of each pixel is replaced, 0..255, same shape.
    alpha: NDArray[np.uint8]
    #: Whether it was cut off in the middle of ink and fades into the piece before it.
    faded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A square of the page that becomes one tile."""

    #: Side of the tile in px.
    size: int
    #: The page's part of it; smaller than the tile on pages smaller than the tile.
    box: Box
    #: Tile px for each page px, at most 1.
    scale: float
    holes: tuple[Hole, ...]


def plan_windows(
    holes: Sequence[Hole], page: Box, sizes: Sequence[int], options: PlanOptions
) -> tuple[Window, ...]:
    """Covers all holes with windows, at the least work.

    Args:
        holes: Ink of the lines that need the network.
        page: The whole page.
        sizes: Served tile sizes in px, at least one.
        options: Context and preferences.
    """
    windows: list[Window] = []
    for cluster in _clusters(holes, options.context):
        best: tuple[Window, ...] = ()
        least = np.inf
        for size in sorted(sizes, reverse=True):
            cover = _cover(cluster, page, size, options, last=size == max(sizes))
            if cover is None:
                continue
            work = sum(window.size**2 for window in cover)
            if work * options.larger_window_bonus < least or not best:
                best, least = cover, float(work)
        windows += best
    return tuple(windows)


def _clusters(holes: Sequence[Hole], reach: int) -> list[list[Hole]]:
    """Groups of holes whose boxes come within reach of each other."""
    boxes = np.array([(h.box.left, h.box.top, h.box.right, h.box.bottom) for h in holes]).reshape(-1, 4)
    free = np.ones(len(holes), bool)
    clusters: list[list[Hole]] = []
    for start in range(len(holes)):
        if not free[start]:
            continue
        free[start] = False
        members, frontier = [start], [start]
        while frontier:
            left, top, right, bottom = boxes[frontier.pop()]
            near = free & (boxes[:, 0] <= right + reach) & (boxes[:, 2] >= left - reach)
            near &= (boxes[:, 1] <= bottom + reach) & (boxes[:, 3] >= top - reach)
            found = np.flatnonzero(near)
            free[found] = False
            members += found.tolist()
            frontier += found.tolist()
        clusters.append([holes[index] for index in sorted(members)])
    return clusters


def _cover(
    holes: list[Hole], page: Box, size: int, options: PlanOptions, *, last: bool
) -> tuple[Window, ...] | None:
    """Windows of one size over a cluster; None where a larger one that is served would lose less."""
    context = min(options.context, size // 4)
    windows: list[Window] = []
    pieces: list[Hole] = []
    for hole in holes:
        if _fits(hole.box, page, size, context):
            pieces.append(hole)
        elif _radius(hole.mask) > options.thickest_hole * size:
            if not last:
                return None
            windows.append(_shrunk(hole, page, size, context))
        else:
            cuts = _cut(hole, page, size, context, options.cut_overlap)
            if not last and any(cut.faded for cut in cuts):
                return None
            pieces += cuts
    pieces.sort(key=lambda piece: (piece.box.top, piece.box.left))
    while pieces:
        chosen, pieces = _gathered(pieces, page, size, context)
        box = reduce(_union, (piece.box for piece in chosen))
        windows.append(Window(size, _placed(box, page, size), 1.0, tuple(chosen)))
    return tuple(windows)


def _gathered(pieces: list[Hole], page: Box, size: int, context: int) -> tuple[list[Hole], list[Hole]]:
    """The first piece and those that fit a window with it, nearest first; and the rest.

    The pieces come sorted by their top, so only those within a window's height are looked at.
    """
    chosen, box = [pieces[0]], pieces[0].box
    reach = sum(piece.box.top < box.top + size for piece in pieces)
    near, far = pieces[1:reach], pieces[reach:]
    while near:
        unions = [_union(box, piece.box) for piece in near]
        fitting = [i for i, union in enumerate(unions) if _fits(union, page, size, context)]
        if not fitting:
            break
        nearest = min(fitting, key=lambda i: unions[i].width * unions[i].height)
        box = unions[nearest]
        chosen.append(near.pop(nearest))
    return chosen, near + far


def _fits(box: Box, page: Box, size: int, context: int) -> bool:
    """Whether a box with its context (as far as the page has it) fits a window."""
    width = min(box.right + context, page.right) - max(box.left - context, page.left)
    height = min(box.bottom + context, page.bottom) - max(box.top - context, page.top)
    return width <= size and height <= size


def _placed(box: Box, page: Box, size: int) -> Box:
    """A window of the page around a box, centred, moved inside where it would leave the page."""
    left = _start(box.left, box.right, page.right, size)
    top = _start(box.top, box.bottom, page.bottom, size)
    return Box(left, top, min(left + size, page.right), min(top + size, page.bottom))


def _start(low: int, high: int, end: int, size: int) -> int:
    return max(0, min((low + high - size) // 2, end - size))


def _shrunk(hole: Hole, page: Box, size: int, context: int) -> Window:
    """One window at reduced resolution around a hole too thick to be cut."""
    longest = max(hole.box.width, hole.box.height)
    scale = min(1.0, (size - 2 * context) / longest)
    return Window(size, _placed(hole.box, page, int(size / scale)), scale, (hole,))


def _cut(hole: Hole, page: Box, size: int, context: int, overlap: int) -> list[Hole]:
    """Cuts a hole into pieces that fit, each time at the emptiest place of the last quarter.

    Neighbouring pieces share `overlap` px where the cut meets ink; there one fades into the other.
    """
    if _fits(hole.box, page, size, context):
        return [hole]
    wide = hole.box.width >= hole.box.height
    ink = np.count_nonzero(hole.mask, axis=0 if wide else 1)
    length, room = len(ink), size - 2 * context
    low, high = (3 * room) // 4, min(room, length - 1)
    place = low + int(np.argmin(ink[low:high])) if low < high else max(1, length // 2)
    shared = min(overlap, place // 2) if ink[place] else 0
    first = _part(hole, 0, place, wide)
    second = _part(hole, place - shared, length, wide, fade=shared)
    return [first, *_cut(second, page, size, context, overlap)]


def _part(hole: Hole, start: int, end: int, wide: bool, fade: int = 0) -> Hole:
    """Columns (rows where the hole is tall) of a hole; the first `fade` of them fade in."""
    box, inner = hole.box, (slice(None), slice(start, end))
    if wide:
        box = Box(box.left + start, box.top, box.left + end, box.bottom)
        mask, alpha = hole.mask[inner], hole.alpha[inner]
    else:
        box = Box(box.left, box.top + start, box.right, box.top + end)
        mask, alpha = hole.mask.T[inner].T, hole.alpha.T[inner].T
    if fade:
        ramp = np.ones(end - start, np.float32)
        ramp[:fade] = (np.arange(fade) + 1) / (fade + 1)
        alpha = np.rint(alpha * (ramp[None, :] if wide else ramp[:, None])).astype(np.uint8)
    return Hole(hole.block_id, hole.line, box, mask, alpha, faded=fade > 0)


def _radius(mask: Mask) -> float:
    return float(cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3).max())


def _union(one: Box, two: Box) -> Box:
    return Box(
        min(one.left, two.left),
        min(one.top, two.top),
        max(one.right, two.right),
        max(one.bottom, two.bottom),
    )
