"""Punctuation at the end of a vertical column that the OCR did not read: dots, a stop, an exclamation mark.

Left alone it would stay on the page below, or in, the translation that has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from worker.imaging.overlaps import boxes_of, near
from worker.imaging.rows import Row, Vector
from worker.job import Image, TextLine

#: How far below a column is looked, and how far to its sides from its middle, in widths of the column.
_REACH, _SIDES = 2.6, 0.75
#: Share of the way from the ground to the ink that counts as ink.
_INKED = 0.4
#: In widths of the column: the widest gap before a sign, a sign's greatest height, the ground there must be
#: below the last, and what a sign is wide at most, or its box large (a character is larger).
_GAP, _HIGHEST, _CLEAR, _NARROW, _SMALL = 0.8, 1.0, 0.12, 0.4, 0.25
#: Least contrast of ink and ground (RGB, Euclidean) to look at all.
_CONTRAST = 60.0


def with_unread_signs(rgb: Image, rows: list[Row], look: Callable[[Row], tuple[Vector, Vector]]) -> list[Row]:
    """The rows, each column grown down to the end of small signs that stand free below it.

    Args:
        rgb: The page, (H, W, 3).
        rows: All rows of the page.
        look: Tells a row's ink and ground.
    """
    if not any(row.vertical for row in rows):
        return rows
    boxes = boxes_of([row.line for row in rows])
    return [
        _grown(row, _unread(rgb, row, *look(row), others=boxes[near(boxes, index, _REACH * row.size)]))
        if row.vertical
        else row
        for index, row in enumerate(rows)
    ]


def _unread(rgb: Image, row: Row, ink: Vector, ground: Vector, others: NDArray[np.float32]) -> float:
    """How many px below the column the last of its unread signs ends; 0 where there is none."""
    contrast = float(np.linalg.norm(ink - ground))
    if contrast < _CONTRAST:
        return 0.0
    size = row.size
    v = np.arange(round(-_SIDES * size), round(_SIDES * size) + 1, dtype=np.float32)
    u = np.arange(1, round(_REACH * size), dtype=np.float32)
    points = row.centre + (row.length / 2 + u)[:, None, None] * row.along + v[None, :, None] * row.across
    height, width = rgb.shape[:2]
    x, y = points[..., 0].astype(np.intp), points[..., 1].astype(np.intp)
    seen = rgb[y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.float32)
    inked = np.linalg.norm(seen - ground, axis=2) > _INKED * contrast
    inked |= (x < 0) | (y < 0) | (x >= width) | (y >= height)
    for left, top, right, bottom in others.tolist():
        inked |= (x >= left) & (x < right) & (y >= top) & (y < bottom)
    return _end_of_signs(inked, np.abs(v) <= size / 2, size)


def _end_of_signs(inked: NDArray[np.bool_], inside: NDArray[np.bool_], size: float) -> float:
    """The row behind the last small sign of a strip, (rows, columns), whose column's own are `inside`."""
    filled = np.flatnonzero(inked.any(axis=1))
    end = 0
    for sign in np.split(filled, np.flatnonzero(np.diff(filled) > 1) + 1) if filled.size else ():
        first, last = int(sign[0]), int(sign[-1]) + 1
        pixels = inked[first:last]
        across = np.flatnonzero(pixels.any(axis=0))
        broad, high = float(across[-1] - across[0] + 1), last - first
        small = broad <= _NARROW * size or broad * high <= _SMALL * size**2
        own = not pixels[:, ~inside].any() and high <= _HIGHEST * size
        if not (own and small and first - end <= _GAP * size and last + _CLEAR * size < len(inked)):
            below = first - end
            return float(end) if end and below > _CLEAR * size else 0.0
        end = last
    return float(end)


def _grown(row: Row, down: float) -> Row:
    """A column with so many px more at its end."""
    if down <= 0:
        return row
    moved = np.asarray((down + 1) * row.along, np.float32)
    corners = row.line.polygon.copy()
    corners[2:] += moved
    line = TextLine(corners, row.line.text, row.line.score)
    centre, length = np.asarray(row.centre + moved / 2, np.float32), row.length + down + 1
    return replace(
        row, line=line, frame=replace(row.frame, centre=centre, height=length), centre=centre, length=length
    )
