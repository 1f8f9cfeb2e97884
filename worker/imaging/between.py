"""What lies between two rows: a rule, an edge, or ground that is neither's, as between two balloons."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from worker.imaging.rows import Row, Vector, offset
from worker.job import Image

#: A row's change of brightness between two lines that counts as a rule or an edge; and how many pixels on
#: either side of its middle one tell its brightness.
_RULE, _SAMPLES = 24.0, 16
#: Largest distance of two ink or ground colours (RGB, Euclidean) that count as one.
_COLOUR = 72.0
#: Share of a line's size that ground of neither row must fill to part them: more than a table's rule does.
_STRANGE = 0.4


def is_alike(one: Vector, other: Vector) -> bool:
    """Whether two colours count as one."""
    return math.dist(one, other) <= _COLOUR


def has_rule_between(rgb: Image, upper: Row, lower: Row) -> bool:
    """Whether a line or an edge of the ground runs between two rows, seen where both stand."""
    place = offset(upper, lower)
    if place.gap < 3:
        return False
    low = max(-upper.length / 2, place.start - upper.length / 2)
    high = min(upper.length / 2, place.end + upper.length / 2)
    u = np.linspace(low, high, 2 * _SAMPLES + 3, dtype=np.float32)[1:-1]
    v = upper.size / 2 + np.arange(1, int(place.gap), dtype=np.float32)
    pixels = _seen(rgb, upper.centre + u[None, :, None] * upper.along + v[:, None, None] * upper.across)
    levels = np.partition(pixels, _SAMPLES, axis=1)[:, _SAMPLES].astype(np.float32)
    return bool(np.abs(levels - np.median(levels, axis=0)).max() > _RULE)


def has_strange_ground_between(
    rgb: Image, left: Row, right: Row, grounds: tuple[Vector, Vector], size: float
) -> bool:
    """Whether the way from one row to the next on its right leads over ground that is neither's.

    Args:
        rgb: The page, (H, W, 3).
        left: The one row.
        right: The other.
        grounds: Theirs.
        size: Height of the smaller text, px.
    """
    start, end = left.centre + left.length / 2 * left.along, right.centre - right.length / 2 * right.along
    count = int(np.hypot(*(end - start))) + 1
    pixels = _seen(rgb, start + np.linspace(0, 1, count, dtype=np.float32)[:, None] * (end - start))
    strange = np.ones(count, bool)
    for ground in grounds:
        strange &= np.linalg.norm(pixels - ground, axis=1) > _COLOUR
    return bool(np.count_nonzero(strange) > max(_STRANGE * size, 4.0))


def _seen(rgb: Image, points: NDArray[np.floating]) -> Image:
    height, width = rgb.shape[:2]
    x = np.clip(points[..., 0].astype(np.intp), 0, width - 1)
    y = np.clip(points[..., 1].astype(np.intp), 0, height - 1)
    return np.asarray(rgb[y, x], np.uint8)
