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
    disc,
    either,
    less,
    level_at,
    level_counts,
    some_of,
    square,
    those,
    widened,
)
from worker.imaging.quads import bounding_box
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Box, Image, Mask, Polygon, Region, TextBlock, TextLine

#: Pixels that tell a colour, and the fineness of depths, in parts of a px.
_FEW, _EIGHTHS = 300, 8


def find_region(
    rgb: Image,
    block: TextBlock,
    others: Sequence[TextLine] = (),
    options: MaskOptions | None = None,
) -> Region:
    """Finds the ink of one block.

    Args:
        rgb: The page, (H, W, 3).
        block: The block to be erased.
        others: Every other line on the page; their ink is not touched.
        options: Limits; the defaults fit posters, photographs and scans.
    """
    options = options or MaskOptions()
    height, width = rgb.shape[:2]
    reach = max(6.0, options.ring * block.text_height) + options.most_growth + options.noisy_growth
    box = bounding_box(np.concatenate([line.polygon for line in block.lines]), width, height, reach)
    mask = np.zeros((box.height, box.width), np.uint8)
    strokes, unread = np.zeros_like(mask), np.zeros_like(mask)
    if not mask.size:  # the block lies beyond the page
        return Region(block.id, box, mask, strokes)
    near = _reaching([line.polygon for line in others], box)
    own = [line.polygon for line in block.lines]
    for line in block.lines:
        crop = bounding_box(line.polygon, width, height, options.farthest(block.text_height))
        beside = _reaching(near, crop) if len(own) > 1 else near
        scene = Scene.around(rgb, line.polygon, own, beside, crop, block.text_height)
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
    if scene.inside.any():
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
    mask = either(widened(ink.mask, disc(max(growth, ink.rim + 1))), ink.ripples)
    end = ink.faint_end(scene.pixels, mask, options)
    if end:
        mask = widened(mask, disc(end))
    mask = less(mask, either(scene.foreign, ink.others))
    beside = (
        ink.others if ink.plain is not None else np.zeros_like(mask)
    )  # on busy ground they are the ground
    return mask, _bodies(scene.pixels, ink), beside


def _letters(others: Mask, text_height: float, options: MaskOptions) -> Mask | None:
    """What of the other things is as small as a letter, with its soft edge; not what the box cuts off."""
    if not others.any():
        return None
    _, components, sizes, _ = cv2.connectedComponentsWithStats(others, connectivity=8)
    labels = np.asarray(components, np.int32)
    small = sizes[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(axis=1) <= options.letter * text_height
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        small[edge] = False
    small[0] = False
    return widened(those(small, labels), square(options.least_growth + 1)) if small.any() else None


def _bodies(pixels: Image, ink: Ink) -> Mask:
    """The glyphs' own colour inside the ink: not their anti-aliased edge, outline or shadow."""
    left, top, width, height = cv2.boundingRect(ink.mask)
    inner = (slice(top, top + height), slice(left, left + width))
    bodies = np.zeros_like(ink.mask)
    bodies[inner] = _bodies_of(pixels[inner], ink.mask[inner], ink.departure[inner])
    return bodies


def _bodies_of(pixels: Image, mask: Mask, departure: Image) -> Mask:
    depth = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
    depth = depth[1:-1, 1:-1]
    deepest = level_at(level_counts(cv2.convertScaleAbs(depth, alpha=_EIGHTHS).astype(np.uint8), mask), 0.9)
    deep = depth > 0.6 * deepest / _EIGHTHS
    ridge = (depth >= cv2.dilate(depth, square(1))) & deep
    if not ridge.any():
        return mask
    rind = (depth > 1.9) & (depth < 3.1)
    body = _median_colour(pixels, ridge)
    if rind.any():
        outline = _median_colour(pixels, rind)
        if np.abs(body - outline).max() > 60:  # outlined: the body is what is nearer to the ridge's colour
            towards = (body - outline) / float((body - outline) @ (body - outline))
            place = (pixels - outline.astype(np.float32)) @ towards.astype(np.float32)
            return np.where(place > 0.5, mask, 0).astype(np.uint8)
    departure = both(departure, mask)
    near = widened(departure, square(2))
    core = np.where(departure >= np.float32(0.8) * near, mask, 0).astype(np.uint8)
    usual = level_at(level_counts(departure, core), 0.5)
    return both(core, beyond(departure, 0.3 * usual))  # what is fainter is a speck of the ground


def _median_colour(pixels: Image, mask: Mask | NDArray[np.bool_]) -> NDArray[np.float64]:
    columns, rows = some_of(mask, _FEW)
    colours, middle = np.ascontiguousarray(pixels[rows, columns].T), len(rows) // 2
    # numpy's own median takes three times as long for so few
    return np.partition(colours, middle, axis=1)[:, middle].astype(np.float64)


def _reaching(polygons: list[Polygon], box: Box) -> list[Polygon]:
    """Those polygons whose bounding boxes meet a box."""
    if not polygons:
        return []
    corners = np.array(polygons)
    low, high = corners.min(axis=1), corners.max(axis=1)
    hits = (low < (box.right, box.bottom)).all(axis=1) & (high > (box.left, box.top)).all(axis=1)
    return [polygons[index] for index in np.flatnonzero(hits)]


def _within(inner: Box, outer: Box) -> tuple[slice, slice]:
    """Rows and columns of one box inside another."""
    top, left = inner.top - outer.top, inner.left - outer.left
    return slice(top, top + inner.height), slice(left, left + inner.width)
