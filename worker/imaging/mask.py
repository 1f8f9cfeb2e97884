"""Where the ink of a block lies: the pixels to be erased, and among them the glyphs' own bodies.

Each line's ink is looked for by itself (`ink.py`); where it cannot be told from the ground, the line's whole
polygon is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.ink import Ink, departures, unlike_ring
from worker.imaging.pixels import (
    beyond,
    both,
    box_of,
    disc,
    either,
    less,
    level_at,
    level_counts,
    reaching,
    some_of,
    square,
    those,
    widened,
)
from worker.imaging.quads import bounding_box
from worker.imaging.scene import MaskOptions, Neighbours, Scene
from worker.job import Box, Image, Mask, Region, TextBlock, TextLine

#: Pixels that tell a colour, and the fineness of depths, in parts of a px.
_FEW, _EIGHTHS = 300, 8
#: Share of the ink that departs from the ground by no more than its bodies do.
_STRONG = 0.95
#: An outline is looked for so deep in the ink, from and to, in these parts.
_RIND = (15, 25)


def find_region(
    rgb: Image,
    block: TextBlock,
    others: Sequence[TextLine] = (),
    options: MaskOptions | None = None,
    erased: Sequence[TextLine] = (),
) -> Region:
    """Finds the ink of one block.

    Args:
        rgb: The page, (H, W, 3).
        block: The block to be erased.
        others: The lines that stay on the page; their ink is not touched.
        options: Limits; the defaults fit posters, photographs and scans.
        erased: The lines of other blocks that are erased too; where boxes overlap, each takes its part.
    """
    options = options or MaskOptions()
    height, width = rgb.shape[:2]
    reach = max(6.0, options.ring * block.text_height) + options.most_growth + options.noisy_growth
    box = bounding_box(np.concatenate([line.polygon for line in block.lines]), width, height, reach)
    mask = np.zeros((box.height, box.width), np.uint8)
    strokes, unread = np.zeros_like(mask), np.zeros_like(mask)
    if not mask.size:  # the block lies beyond the page
        return Region(block.id, box, mask, strokes)
    own = [line.polygon for line in block.lines]
    near = Neighbours(own, *([line.polygon for line in lines] for lines in (others, erased))).reaching(box)
    for line in block.lines:
        crop = bounding_box(line.polygon, width, height, options.farthest(block.text_height))
        beside = near.reaching(crop) if len(own) > 1 else near
        scene = Scene.around(rgb, line.polygon, beside, crop, block.text_height)
        line_mask, line_strokes, line_others = _line_ink(scene, options)
        rows, columns = _within(crop, box)
        mask[rows, columns] |= line_mask
        strokes[rows, columns] |= line_strokes
        unread[rows, columns] |= line_others
    return Region(block.id, box, mask, strokes, _letters(less(unread, mask), block.text_height, options))


def _line_ink(scene: Scene, options: MaskOptions) -> tuple[Mask, Mask, Mask]:
    """Mask and strokes of one line, and ink of other things, in its crop."""
    if not scene.inside.size:
        return scene.inside, scene.inside, scene.inside
    ink = None
    if cv2.countNonZero(scene.inside):
        ink = departures(scene, options.ring, options.reach, options)
        ink = ink or departures(scene, options.rim, options.rim, options)
        if ink is None or ink.doubtful:
            ink = unlike_ring(scene, options) or ink
    if ink is None:
        nothing = np.zeros_like(scene.inside)
        return scene.grown(options.polygon_growth), nothing, nothing
    growth = options.px_growth(scene.text_height)
    if ink.noise > options.noisy:
        growth += options.noisy_growth  # the faint end of a shadow drowns in the ground's own noise
    outlined = ink.rim >= options.outline
    mask = either(widened(ink.mask, disc(max(growth, ink.rim + (2 if outlined else 1)))), ink.ripples)
    end = ink.faint_end(scene.pixels, mask, options)
    if end:
        mask = widened(mask, disc(end))
    others = ink.others
    if outlined:  # nothing but the outline lies as near to the ink as that
        others = less(others, widened(ink.mask, disc(ink.rim + 3)))
    spared = either(ink.foreign, others)
    mask = less(mask, spared)
    # on busy ground they are the ground
    beside = others if ink.plain is not None else np.zeros_like(mask)
    if ink.noise > options.drawn:
        mask = _closed(mask, spared, scene, options)
    return mask, _bodies(scene.pixels, ink), beside


def _closed(mask: Mask, spared: Mask, scene: Scene, options: MaskOptions) -> Mask:
    """A mask without gaps too small to show clean ground: what they show is the ink's soft edge."""
    box = box_of(mask, 1)
    inner, free = mask[box.slices], cv2.bitwise_not(mask[box.slices]).astype(np.uint8)
    thin = less(free, cv2.morphologyEx(free, cv2.MORPH_OPEN, square(1)).astype(np.uint8))
    inner = either(inner, less(thin, spared[box.slices]))
    _, components, sizes, _ = cv2.connectedComponentsWithStats(cv2.bitwise_not(inner), connectivity=4)
    labels = np.asarray(components, np.int32)
    small = sizes[:, cv2.CC_STAT_AREA] <= (options.gap * scene.text_height) ** 2
    small[0] = False
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        small[edge] = False
    if cv2.countNonZero(foreign := scene.foreign[box.slices]):
        small[labels[foreign > 0]] = False
    closed = mask.copy()
    closed[box.slices] = either(inner, those(small, labels))
    return closed


def _letters(others: Mask, text_height: float, options: MaskOptions) -> Mask | None:
    """What of the other things is no higher than a letter, with its soft edge; not what the box cuts off."""
    box = box_of(others, options.least_growth + 1)
    small = _small_things(others[box.slices], box, others.shape, options.letter * text_height)
    if small is None:
        return None
    letters = np.zeros_like(others)
    letters[box.slices] = widened(small, square(options.least_growth + 1))
    return letters


def _small_things(things: Mask, box: Box, shape: tuple[int, ...], limit: float) -> Mask | None:
    """Components of which the lesser side is within a limit, and that do not reach a picture's edge."""
    if not cv2.countNonZero(things):
        return None
    _, components, sizes, _ = cv2.connectedComponentsWithStats(things, connectivity=8)
    left, top, width, height = sizes[:, :4].T
    small = np.minimum(width, height) <= limit
    small &= (left + box.left > 0) & (left + width + box.left < shape[1])
    small &= (top + box.top > 0) & (top + height + box.top < shape[0])
    small[0] = False
    return those(small, np.asarray(components, np.int32)) if small.any() else None


def _bodies(pixels: Image, ink: Ink) -> Mask:
    """The glyphs' own colour inside the ink: not their anti-aliased edge, outline or shadow."""
    left, top, width, height = cv2.boundingRect(ink.mask)
    inner = (slice(top, top + height), slice(left, left + width))
    bodies = np.zeros_like(ink.mask)
    smooth = ink.plain is not None
    bodies[inner] = _bodies_of(pixels[inner], ink.mask[inner], ink.departure[inner], smooth=smooth)
    return bodies


def _bodies_of(pixels: Image, mask: Mask, departure: Image, *, smooth: bool) -> Mask:
    apart = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
    depth = np.asarray(cv2.convertScaleAbs(apart[1:-1, 1:-1], alpha=_EIGHTHS), np.uint8)
    deepest = level_at(level_counts(depth, mask), 0.9)
    ridge = both(reaching(depth, widened(depth, square(1))), beyond(depth, 0.6 * deepest))
    if not cv2.countNonZero(ridge):
        return mask
    rind = cv2.inRange(depth, *_RIND).astype(np.uint8, copy=False)
    if cv2.countNonZero(rind):
        body, outline = _median_colour(pixels, ridge), _median_colour(pixels, rind)
        if smooth and np.abs(body - outline).max() <= 60:
            # a wide shadow has no ridge of the body's colour, but it is much fainter than the body
            strong = level_at(level_counts(departure, mask), _STRONG)
            if level_at(level_counts(departure, rind), 0.5) < 0.5 * strong:
                body = _median_colour(pixels, both(beyond(departure, 0.9 * strong), mask))
        if np.abs(body - outline).max() > 60:  # outlined: the body is what is nearer to the ridge's colour
            towards = (body - outline) / float((body - outline) @ (body - outline))
            place = (pixels - outline.astype(np.float32)) @ towards.astype(np.float32)
            return np.where(place > 0.5, mask, 0).astype(np.uint8)
    departure = both(departure, mask)
    near = cv2.convertScaleAbs(widened(departure, square(2)), alpha=0.8).astype(np.uint8, copy=False)
    core = both(reaching(departure, near), mask)
    usual = level_at(level_counts(departure, core), 0.5)
    return both(core, beyond(departure, 0.3 * usual))  # what is fainter is a speck of the ground


def _median_colour(pixels: Image, mask: Mask | NDArray[np.bool_]) -> NDArray[np.float64]:
    columns, rows = some_of(mask, _FEW)
    colours, middle = np.ascontiguousarray(pixels[rows, columns].T), len(rows) // 2
    # numpy's own median takes three times as long for so few
    return np.partition(colours, middle, axis=1)[:, middle].astype(np.float64)


def _within(inner: Box, outer: Box) -> tuple[slice, slice]:
    """Rows and columns of one box inside another."""
    top, left = inner.top - outer.top, inner.left - outer.left
    return slice(top, top + inner.height), slice(left, left + inner.width)
