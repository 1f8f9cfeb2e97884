"""Glyph outlines → coverage, by HarfBuzz's rasteriser: exact areas under any affine transform."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import uharfbuzz as hb
from numpy.typing import NDArray

from worker.job import Mask
from worker.rendering.fonts import Shaped

Coverage = NDArray[np.float32]

#: Rows above and below the baseline of a line set of cached glyphs, em.
_ABOVE, _BELOW = 1.0, 0.4


def rasterise_alone(shaped: Shaped, size: float) -> Coverage:
    """Coverage, 0..1, of one line by itself, with a little room around it: to compare a source with.

    Args:
        shaped: The line.
        size: Font size in px.
    """
    room = (math.ceil(1.3 * size) + 2, math.ceil(shaped.advance * size) + 2)
    return rasterise([(shaped, 1.0, size + 1.0)], size, room)


def set_line(shaped: Shaped, size: int) -> Mask:
    """Levels, 0..255, of one line by itself, its glyphs each on whole px: to compare a source with.

    A few hundred characters make most of any page's text, so their pictures are kept.

    Args:
        shaped: The line.
        size: Font size in px.

    Returns:
        As high as `size` above and 0.4 em below the baseline, as wide as the line's ink reaches.
    """
    pictures = [
        (round(glyph.x * size), _picture(glyph.font, glyph.id, glyph.scale, size)) for glyph in shaped.glyphs
    ]
    width = max((x + left + picture.shape[1] for x, (picture, left) in pictures), default=0)
    line = np.zeros((math.ceil(_ABOVE * size) + math.ceil(_BELOW * size), max(width, 1)), np.uint8)
    for x, (picture, left) in pictures:
        start = max(x + left, 0)
        under = line[:, start : x + left + picture.shape[1]]
        np.maximum(under, picture[:, start - x - left :], out=under)
    return line


@lru_cache(maxsize=1 << 13)
def _picture(font: hb.Font, glyph: int, scale: float, size: int) -> tuple[Mask, int]:
    """A glyph as a column of a line (see set_line), and where that begins beside its pen, px."""
    extents = font.get_glyph_extents(glyph)
    unit = scale * size
    left, right = (0, 0) if extents is None else (extents.x_bearing, extents.x_bearing + extents.width)
    start, end = math.floor(left * unit), math.ceil(right * unit)
    above, below = math.ceil(_ABOVE * size), math.ceil(_BELOW * size)
    if end <= start:
        return np.zeros((above + below, 0), np.uint8), 0
    raster = hb.RasterDraw()
    raster.transform = (unit, 0.0, 0.0, unit, -float(start), float(below))
    raster.draw_glyph(font, glyph)
    raster.extents = hb.RasterExtents(0, 0, end - start, above + below, 0)
    image = raster.render()
    levels = np.frombuffer(image.buffer, np.uint8).reshape(above + below, image.extents.stride)
    picture = np.ascontiguousarray(levels[::-1, : end - start])
    picture.flags.writeable = False  # whoever asks for the glyph again gets this one
    return picture, start


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
