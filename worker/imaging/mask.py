"""Where the ink of a block lies: the pixels to be erased, and among them the glyphs' own bodies.

Each line's ink is looked for by itself (`ink.py`); where it cannot be told from the ground, the line's whole
polygon is taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.ground import quantile
from worker.imaging.ink import Ink, departures, disc, unlike_ring
from worker.imaging.quads import bounding_box
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Box, Image, Mask, Polygon, Region, TextBlock, TextLine


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
    strokes = np.zeros_like(mask)
    near = _reaching([line.polygon for line in others], box)
    own = [line.polygon for line in block.lines]
    for line in block.lines:
        crop = bounding_box(line.polygon, width, height, reach)
        scene = Scene.around(rgb, line.polygon, own, _reaching(near, crop), crop, block.text_height)
        line_mask, line_strokes = _line_ink(scene, options)
        rows, columns = _within(crop, box)
        mask[rows, columns] |= line_mask
        strokes[rows, columns] |= line_strokes
    return Region(block.id, box, mask, strokes)


def _line_ink(scene: Scene, options: MaskOptions) -> tuple[Mask, Mask]:
    """Mask and strokes of one line, in its crop."""
    rim = scene.grown(options.polygon_growth)
    if not scene.inside.any():
        return rim, np.zeros_like(rim)
    ink = departures(scene, options.ring, options.reach, options)
    if ink is None:
        ink = departures(scene, options.rim, options.rim, options)
    if ink is None:
        ink = unlike_ring(scene, options)
    if ink is None:
        return rim, np.zeros_like(rim)
    growth = round(options.growth * scene.text_height)
    growth = int(np.clip(growth, options.least_growth, options.most_growth))
    if ink.noise > options.noisy:
        growth += options.noisy_growth  # the faint end of a shadow drowns in the ground's own noise
    mask = np.maximum(cv2.dilate(ink.mask, disc(growth)), ink.ripples)
    end = ink.faint_end(scene.pixels, mask, options)
    if end:
        mask = cv2.dilate(mask, disc(end))
    mask[(scene.foreign > 0) | ink.others] = 0
    return mask.astype(np.uint8), _bodies(scene.pixels, ink)


def _bodies(pixels: Image, ink: Ink) -> Mask:
    """The glyphs' own colour inside the ink: not their anti-aliased edge, outline or shadow."""
    left, top, width, height = cv2.boundingRect(ink.mask)
    inner = (slice(top, top + height), slice(left, left + width))
    bodies = np.zeros_like(ink.mask)
    bodies[inner] = _bodies_of(pixels[inner], ink.mask[inner], ink.departure[inner])
    return bodies


def _bodies_of(pixels: Image, mask: Mask, departure: NDArray[np.float32]) -> Mask:
    depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    deepest = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    ridge = (depth >= deepest) & (depth > 0.6 * quantile(depth[mask > 0], 0.9))
    rind = (depth > 1.9) & (depth < 3.1)
    if not ridge.any():
        return mask
    body = np.median(pixels[ridge], axis=0)
    if rind.any():
        outline = np.median(pixels[rind], axis=0)
        if np.abs(body - outline).max() > 60:  # outlined: the body is what is nearer to the ridge's colour
            towards = (body - outline) / float((body - outline) @ (body - outline))
            place = (pixels - outline.astype(np.float32)) @ towards.astype(np.float32)
            return np.where((place > 0.5) & (mask > 0), 255, 0).astype(np.uint8)
    near = cv2.dilate(departure * (mask > 0), np.ones((5, 5), np.uint8))
    core = (mask > 0) & (departure >= 0.8 * near)
    return np.where(core, 255, 0).astype(np.uint8)


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
