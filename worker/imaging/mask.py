"""Where the ink of a block lies: the pixels to be erased, and among them the glyphs' own bodies.

Each line's ink is looked for by itself (`ink.py`); where it cannot be told from the ground, the line's whole
polygon is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.badge import Badge, badge_under, one_colour
from worker.imaging.halo import ground_like, halo_width
from worker.imaging.ink import Ink, departures, on_badge, unlike_ring
from worker.imaging.pixels import (
    beyond,
    both,
    box_of,
    counted,
    disc,
    either,
    inverted,
    less,
    level_at,
    level_counts,
    pieces,
    reaching,
    some_of,
    square,
    those,
    widened,
)
from worker.imaging.quads import bounding_box
from worker.imaging.scene import MaskOptions, Neighbours, Quads, Scene
from worker.job import Box, Image, Mask, Region, TextBlock, TextLine

#: Pixels that tell a colour, and the fineness of depths, in parts of a px.
_FEW, _EIGHTHS = 300, 8
#: Share of the ink that departs from the ground by no more than its bodies do.
_STRONG = 0.95
#: An outline is looked for so deep in the ink, from and to, in these parts.
_RIND = (15, 25)
#: Levels by which an outline differs from what it surrounds, and by which their means do at least.
_OUTLINED, _ALIKE = 60.0, 12.0
#: Px around a mask in which gaps are told from what is open.
_MARGIN = 3


def find_regions(
    rgb: Image,
    blocks: Sequence[TextBlock],
    staying: Sequence[TextLine] = (),
    options: MaskOptions | None = None,
) -> tuple[Region, ...]:
    """Finds the ink of the blocks that are erased, one region for each.

    Args:
        rgb: The page, (H, W, 3).
        blocks: The blocks to be erased; where their lines' boxes overlap, each takes its part.
        staying: The lines that stay on the page; their ink is not touched.
        options: Limits; the defaults fit posters, photographs and scans.
    """
    lines, kept = Quads.of([line for block in blocks for line in block.lines]), Quads.of(staying)
    options, end, regions = options or MaskOptions(), 0, []
    height, width = rgb.shape[:2]
    for block in blocks:
        start, end = end, end + len(block.lines)
        own = lines.corners[start:end]
        reach = max(6.0, options.ring * block.text_height) + options.most_growth + options.noisy_growth
        box = bounding_box(own.reshape(-1, 2), width, height, reach)
        erased = lines.meet(box)
        erased[start:end] = False
        near = Neighbours(own, kept.those(kept.meet(box)), lines.those(erased))
        regions.append(_region(rgb, block, box, near, options))
    return tuple(regions)


def _region(rgb: Image, block: TextBlock, box: Box, near: Neighbours, options: MaskOptions) -> Region:
    height, width = rgb.shape[:2]
    mask = np.zeros((box.height, box.width), np.uint8)
    strokes, unread = np.zeros_like(mask), np.zeros_like(mask)
    badges: list[Badge | None] = []
    if not mask.size:  # the block lies beyond the page
        return Region(block.id, box, mask, strokes)
    for quad in near.own:
        crop = bounding_box(quad, width, height, options.farthest(block.text_height))
        beside = near.reaching(crop) if len(near.own) > 1 else near
        scene = Scene.around(rgb, quad, beside, crop, block.text_height)
        badge = badge_under(scene, options)
        ink = None if badge is None else on_badge(scene, badge, options)
        badges.append(None if ink is None else badge)
        line_mask, line_strokes, line_others = _line_ink(scene, ink, options)
        rows, columns = _within(crop, box)
        for whole, part in ((mask, line_mask), (strokes, line_strokes), (unread, line_others)):
            whole[rows, columns] |= part
    letters = _letters(less(unread, mask), block.text_height, options)
    return Region(block.id, box, mask, strokes, letters, one_colour(badges))


def _line_ink(scene: Scene, ink: Ink | None, options: MaskOptions) -> tuple[Mask, Mask, Mask]:
    """Mask and strokes of one line, of ink on a badge if it is that, and ink of other things, in its crop."""
    if not scene.inside.size:
        return scene.inside, scene.inside, scene.inside
    if ink is None and cv2.countNonZero(scene.inside):
        ink = departures(scene, options.ring, options.reach, options)
        ink = ink or departures(scene, options.rim, options.rim, options)
        if ink is None or ink.doubtful:
            ink = unlike_ring(scene, options) or ink
    if ink is None:
        nothing = np.zeros_like(scene.inside)
        return scene.grown(options.polygon_growth), nothing, nothing
    growth = _growth(scene, ink, options)
    mask = ink.with_ripples(widened(ink.mask, disc(growth)), options)
    end = ink.faint_end(scene, mask, options)
    if end:
        mask = widened(mask, disc(end))
    others = ink.others
    if ink.rim >= options.outline:  # nothing but the outline lies as near to the ink as that
        others = less(others, widened(ink.mask, disc(ink.rim + 4)))
    elif ink.noise > options.noisy:  # a stripe or a light behind the text need not be spared right beside it
        others = less(others, both(widened(ink.mask, disc(growth)), ground_like(others, scene, options)))
    spared = either(ink.foreign, others)
    mask = less(mask, spared)
    # on busy ground they are the ground
    beside = others if ink.plain is not None else np.zeros_like(mask)
    if ink.noise > options.drawn:
        # between strokes on shapes the ground shows best
        gap = 0.0 if ink.plain is None or ink.shaped else options.gap * scene.text_height
        mask = _closed(mask, spared, ink, gap)
    return mask, _bodies(scene.pixels, ink), beside


def _growth(scene: Scene, ink: Ink, options: MaskOptions) -> int:
    """How many px around its ink a line's mask takes."""
    growth = options.px_growth(scene.text_height)
    smooth = ink.plain is not None and not ink.shaped
    if not smooth or ink.noise > options.noisy:
        limit = options.halo_levels + options.halo_noise * ink.noise
        area = less(scene.grown(options.reach), either(ink.others, ink.foreign))
        width = halo_width(scene, ink.mask, area, limit, enough=growth if smooth else None)
        if ink.shaped:
            return max(width, 1)
        if not smooth and not width:
            return growth
        if smooth and width >= growth:
            growth += options.noisy_growth  # its faint end drowns in the ground's own noise
    return max(growth, ink.rim + (3 if ink.rim >= options.outline else 1), ink.shade + 1)


def _closed(mask: Mask, spared: Mask, ink: Ink, gap: float) -> Mask:
    """A mask without gaps as small as squares of so many px, or that show the ink's soft edge."""
    box = box_of(mask, _MARGIN)
    inner, free = mask[box.slices], cv2.bitwise_not(mask[box.slices]).astype(np.uint8)
    if ink.plain is not None:
        thin = less(free, cv2.morphologyEx(free, cv2.MORPH_OPEN, square(1)).astype(np.uint8))
        soft = beyond(ink.departure[box.slices], 0.5 * ink.faint)
        inner = either(inner, less(both(thin, soft), spared[box.slices]))
    closed = mask.copy()
    closed[box.slices] = either(inner, _gaps(inner, ink.foreign[box.slices], gap**2))
    return closed


def _gaps(mask: Mask, foreign: Mask, most: float) -> Mask:
    """Ground that a mask encloses, in pieces of at most so many px, without others' pixels."""
    free = cv2.copyMakeBorder(inverted(mask), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    cv2.floodFill(free, None, (0, 0), 0)
    enclosed = np.ascontiguousarray(free[1:-1, 1:-1], np.uint8)
    if not cv2.countNonZero(enclosed):
        return enclosed
    labels, sizes = pieces(enclosed)
    small = sizes[:, cv2.CC_STAT_AREA] <= most
    small &= counted(labels, foreign, len(sizes)) == 0
    small[0] = False
    return those(small, labels)


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
    labels, sizes = pieces(things)
    left, top, width, height = sizes[:, :4].T
    small = np.minimum(width, height) <= limit
    small &= (left + box.left > 0) & (left + width + box.left < shape[1])
    small &= (top + box.top > 0) & (top + height + box.top < shape[0])
    small[0] = False
    return those(small, labels) if small.any() else None


def _bodies(pixels: Image, ink: Ink) -> Mask:
    """The glyphs' own colour inside the ink: not their anti-aliased edge, outline or shadow."""
    left, top, width, height = cv2.boundingRect(ink.mask)
    inner = (slice(top, top + height), slice(left, left + width))
    bodies = np.zeros_like(ink.mask)
    smooth = ink.plain is not None
    bodies[inner] = _bodies_of(pixels[inner], ink.mask[inner], ink.departure[inner], smooth=smooth)
    return bodies


def _bodies_of(pixels: Image, mask: Mask, departure: Image, *, smooth: bool) -> Mask:
    body = _body_in_outline(pixels, mask, departure, smooth=smooth)
    if body is not None:
        return body
    departure = both(departure, mask)
    near = cast("Mask", cv2.convertScaleAbs(widened(departure, square(2)), alpha=0.8))
    core = both(reaching(departure, near), mask)
    usual = level_at(level_counts(departure, core), 0.5)
    return both(core, beyond(departure, 0.3 * usual))  # what is fainter is a speck of the ground


def _body_in_outline(pixels: Image, mask: Mask, departure: Image, *, smooth: bool) -> Mask | None:
    """What of the ink has the colour of its ridge, where an outline or a shadow has another; else None."""
    if not cv2.countNonZero(cv2.erode(mask, square(1), borderType=cv2.BORDER_CONSTANT, borderValue=0)):
        return None
    apart = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
    depth = cast("Image", cv2.convertScaleAbs(apart[1:-1, 1:-1], alpha=_EIGHTHS))
    deepest = level_at(level_counts(depth, mask), 0.9)
    ridge = both(reaching(depth, widened(depth, square(1))), beyond(depth, 0.6 * deepest))
    rind = cast("Mask", cv2.inRange(depth, *_RIND))
    strong = level_at(level_counts(departure, mask), _STRONG)
    # a wide shadow has no ridge of the body's colour, but it is much fainter than the body
    faint = smooth and level_at(level_counts(departure, rind), 0.5) < 0.5 * strong
    means = [cv2.mean(pixels, part) for part in (ridge, rind)]
    if not faint and max(abs(one - two) for one, two in zip(*means, strict=True)) < _ALIKE:
        return None
    body, outline = _median_colour(pixels, ridge), _median_colour(pixels, rind)
    if faint and np.abs(body - outline).max() <= _OUTLINED:
        body = _median_colour(pixels, both(beyond(departure, 0.9 * strong), mask))
    if np.abs(body - outline).max() <= _OUTLINED:
        return None
    towards = (body - outline) / float((body - outline) @ (body - outline))
    place = cv2.transform(pixels, 255 * np.append(towards, -towards @ outline)[None])
    return both(beyond(np.asarray(place, np.uint8), 127), mask)  # what is nearer to the ridge's colour


def _median_colour(pixels: Image, mask: Mask | NDArray[np.bool_]) -> NDArray[np.float64]:
    columns, rows = some_of(mask, _FEW)
    colours, middle = np.ascontiguousarray(pixels[rows, columns].T), len(rows) // 2
    # numpy's own median takes three times as long for so few
    return np.partition(colours, middle, axis=1)[:, middle].astype(np.float64)


def _within(inner: Box, outer: Box) -> tuple[slice, slice]:
    """Rows and columns of one box inside another."""
    top, left = inner.top - outer.top, inner.left - outer.left
    return slice(top, top + inner.height), slice(left, left + inner.width)
