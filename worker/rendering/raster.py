"""Glyph outlines → coverage, by HarfBuzz's rasteriser: exact areas under any affine transform."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import uharfbuzz as hb
from numpy.typing import NDArray

from worker.job import Mask
from worker.rendering.fonts import Shaped

Coverage = NDArray[np.float32]


def rasterise_alone(shaped: Shaped, size: float) -> Coverage:
    """Coverage, 0..1, of one line by itself, with a little room around it: to compare a source with.

    Args:
        shaped: The line.
        size: Font size in px.
    """
    room = (math.ceil(1.3 * size) + 2, math.ceil(shaped.advance * size) + 2)
    return rasterise([(shaped, 1.0, size + 1.0)], size, room)


def rasterise(
    lines: Iterable[tuple[Shaped, float, float]],
    size: float,
    shape: tuple[int, int],
    along: tuple[float, float] = (1.0, 0.0),
    origin: tuple[float, float] = (0.0, 0.0),
    slant: float = 0.0,
    scale: int = 1,
) -> Coverage:
    """Coverage, 0..1, of lines of glyphs, (rows * scale, columns * scale); see `levels_of`."""
    levels = levels_of(lines, size, shape, along, origin, slant, scale)
    return np.asarray(levels, np.float32) / np.float32(255)


def levels_of(
    lines: Iterable[tuple[Shaped, float, float]],
    size: float,
    shape: tuple[int, int],
    along: tuple[float, float] = (1.0, 0.0),
    origin: tuple[float, float] = (0.0, 0.0),
    slant: float = 0.0,
    scale: int = 1,
) -> Mask:
    """Coverage of lines of glyphs in levels.

    Args:
        lines: Each line with its pen's start (u, v) in the text's own frame, px, v downward.
        size: Font size in px.
        shape: Rows and columns of the wanted raster, in px.
        along: Cosine and sine of the text's direction on the page.
        origin: The page's (x, y) of the raster's top left corner.
        slant: Tangent of an added lean to the right.
        scale: How many times finer the raster is than a px.

    Returns:
        (rows * scale, columns * scale), 0..255.
    """
    cos, sin = along
    left, bottom = origin[0], origin[1] + shape[0]
    raster = hb.RasterDraw()
    # Font units, leaning → the text's frame (v downward) → page → raster, whose y axis points upward.
    for shaped, start, baseline in lines:
        for glyph in shaped.glyphs:
            u, v = start + (glyph.x + slant * glyph.y) * size, baseline - glyph.y * size
            unit = glyph.scale * size * scale
            raster.transform = (
                unit * cos,
                -unit * sin,
                unit * (sin + slant * cos),
                unit * (cos - slant * sin),
                (cos * u - sin * v - left) * scale,
                (bottom - sin * u - cos * v) * scale,
            )
            raster.draw_glyph(glyph.font, glyph.id)
    rows, columns = shape[0] * scale, shape[1] * scale
    raster.extents = hb.RasterExtents(0, 0, columns, rows, 0)
    image = raster.render()
    return np.frombuffer(image.buffer, np.uint8).reshape(rows, image.extents.stride)[::-1, :columns]
