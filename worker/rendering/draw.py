"""Glyphs onto the plate: shadow, outline, fill, in that order; only the drawn box is touched.

HarfBuzz rasterises the outlines with exact coverage under any affine transform, so tilted text is drawn as
sharply as upright text and colour is only ever mixed with the ground it stands on: no blur, no dark fringe.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Box, Image, Mask
from worker.rendering.fonts import FontSet, Shaped
from worker.rendering.frame import Frame, page_box, shifted
from worker.rendering.layout import PlacedBlock
from worker.rendering.raster import levels_of
from worker.rendering.style import Fill

#: Outlines are widened on a raster this many times finer, so that their width need not be whole px.
_OUTLINE_SCALE = 2
#: From this font size (px) on an upright outline is wide enough to do without.
_LARGE = 64.0
#: Text that is laid onto the page in perspective is drawn this many times larger.
_WARP_SCALE = 4


def draw(rgb: Image, placed: PlacedBlock, fonts: FontSet) -> Box:
    """Draw one block in place.

    Args:
        rgb: The page, (H, W, 3); changed inside the returned box only.
        placed: What to draw where.
        fonts: The set the block was laid out with.

    Returns:
        The box that was drawn; empty where nothing of the text lies on the page.
    """
    lines = [
        (
            fonts.shape(line.text, placed.language, placed.style.weight, placed.style.serif),
            line.left,
            line.baseline,
        )
        for line in placed.lines
    ]
    style = placed.style
    height, width = rgb.shape[:2]
    box = page_box(placed.frame.quad(placed.rect), width, height, margin=style.margin + 2)
    if not (box.width and box.height):
        return box
    body = _coverage(lines, placed, box, 1)
    area, around = rgb[box.slices], body
    if style.outline is not None:
        around = _widened(lines, placed, box, style.outline.width, body)
    if style.shadow is not None:
        shadow = style.shadow
        shift = np.array([[1.0, 0.0, shadow.dx], [0.0, 1.0, shadow.dy]])
        below = cv2.warpAffine(around.astype(np.float32), shift, (box.width, box.height))
        if shadow.blur:
            side = 2 * math.ceil(3 * shadow.blur) + 1
            below = cv2.GaussianBlur(below, (side, side), shadow.blur)
        share = np.asarray(cv2.convertScaleAbs(below, alpha=shadow.opacity), np.uint8)
        area = _blended(area, np.array([[shadow.colour]], np.uint8), share)
    if style.outline is not None:
        area = _blended(area, np.array([[style.outline.colour]], np.uint8), around)
    rgb[box.slices] = _blended(area, _colours(style.fill, placed, box), body)
    return box


def _blended(area: Image, colours: Image, coverage: Mask) -> Image:
    """The area under a layer: of one colour (1, 1, 3), or one for each row, each column or each pixel."""
    height, width = coverage.shape
    layer = np.empty((height, width, 3), np.uint8)
    if colours.size == 3:
        cv2.rectangle(layer, (0, 0), (width, height), colours.ravel().tolist(), cv2.FILLED)
    else:
        cv2.resize(colours, (width, height), layer, interpolation=cv2.INTER_NEAREST)
    over = cv2.cvtColor(coverage, cv2.COLOR_GRAY2RGB)
    below = cv2.multiply(area, cv2.bitwise_not(over), scale=1 / 255)
    return np.asarray(cv2.add(below, cv2.multiply(layer, over, scale=1 / 255)), np.uint8)


def _coverage(
    lines: Iterable[tuple[Shaped, float, float]], placed: PlacedBlock, box: Box, scale: int
) -> Mask:
    if placed.frame.warp is not None:
        return _warped(lines, placed, box, scale)
    return levels_of(
        lines,
        placed.size,
        (box.height, box.width),
        placed.frame.along,
        (box.left, box.top),
        placed.style.slant,
        scale,
    )


def _warped(lines: Iterable[tuple[Shaped, float, float]], placed: PlacedBlock, box: Box, scale: int) -> Mask:
    """Coverage of text on a surface seen at an angle: drawn upright, larger, and laid onto the page.

    Only coverage is resampled, never colour, so edges have no fringe.
    """
    fine = _WARP_SCALE
    room = placed.rect.grown(1.0, 1.0)
    shape = (math.ceil(room.height), math.ceil(room.width))
    upright = levels_of(
        lines, placed.size, shape, origin=(room.left, room.top), slant=placed.style.slant, scale=fine
    )
    zoom = np.diag([1 / fine, 1 / fine, 1.0])
    to_page = shifted(-box.left, -box.top) @ placed.frame.matrix @ shifted(room.left, room.top) @ zoom
    matrix = shifted(-0.5, -0.5) @ np.linalg.inv(zoom) @ to_page @ shifted(0.5, 0.5)
    large = cv2.warpPerspective(upright, matrix, (box.width * fine, box.height * fine))
    size = (box.width * scale, box.height * scale)
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)


def _widened(
    lines: Iterable[tuple[Shaped, float, float]],
    placed: PlacedBlock,
    box: Box,
    width: float,
    body: Mask,
) -> Mask:
    """Coverage of the glyphs, at least `body`, grown by `width` px on all sides, with round corners."""
    scale = 1 if placed.size >= _LARGE and placed.frame.is_page else _OUTLINE_SCALE
    fine = _coverage(lines, placed, box, scale) if scale > 1 else body
    _, bare = cv2.threshold(fine, 127, 255, cv2.THRESH_BINARY_INV)
    away = cv2.distanceTransform(bare, cv2.DIST_L2, cv2.DIST_MASK_5)
    if scale == 1:
        away = cv2.GaussianBlur(away, (5, 5), 1.0)  # the field of whole px has steps along slanted edges
    reach = 255 * (width * scale + 0.5)
    grown = cv2.addWeighted(away, -255.0, away, 0.0, reach, dtype=cv2.CV_8U)  # 255 where well within it
    if scale > 1:
        grown = cv2.resize(grown, (box.width, box.height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.max(grown, body), np.uint8)


def _colours(fill: Fill, placed: PlacedBlock, box: Box) -> Image:
    """The fill's colour, (1, 1, 3); of a gradient one for each row, column or pixel of the box."""
    start, end = np.array(fill.start, np.float32), np.array(fill.end, np.float32)
    if fill.axis == "flat":
        return np.array([[fill.start]], np.uint8)
    u, v = _local_grid(placed.frame, box)
    if fill.axis == "horizontal":
        place = np.asarray((u - placed.rect.left) / max(placed.rect.width, 1.0), np.float32)
    else:
        place = _down_lines(v, placed)
    share = np.clip(place, 0, 1)[..., None]
    return np.asarray(np.rint(start + (end - start) * share), np.uint8)


def _local_grid(frame: Frame, box: Box) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where the pixels of a box lie in a frame, (u, v): arrays that broadcast to (height, width)."""
    x = np.arange(box.left, box.right, dtype=np.float32)[None, :] + np.float32(0.5)
    y = np.arange(box.top, box.bottom, dtype=np.float32)[:, None] + np.float32(0.5)
    if frame.is_page:
        return x, y
    columns, rows = np.broadcast_arrays(x, y)
    local = frame.to_local(np.stack([columns.ravel(), rows.ravel()], axis=1)).astype(np.float32)
    return local[:, 0].reshape(columns.shape), local[:, 1].reshape(columns.shape)


def _down_lines(v: NDArray[np.float32], placed: PlacedBlock) -> NDArray[np.float32]:
    """How far (0..1) down its own line each pixel lies."""
    baselines = np.array([line.baseline for line in placed.lines], np.float32)
    middles = baselines - 0.37 * placed.size
    nearest = np.abs(v[..., None] - middles).argmin(axis=-1)
    tops = baselines[nearest] - 0.82 * placed.size
    return np.asarray((v - tops) / (0.9 * placed.size), np.float32)
