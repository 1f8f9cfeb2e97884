"""How bold the source text is: its strokes against those of the same text in our own font."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np

from worker.rendering.colour import RGB, Pixels, dot, inked, quantile, some
from worker.rendering.fonts import FontSet
from worker.rendering.look import Look
from worker.rendering.raster import rasterise_alone
from worker.rendering.serif import stem_width

#: Weights at which our font is measured, on what text, and from one size (px) to the next; the weight at
#: which texts are compared with one another.
_WEIGHTS, _ANY_TEXT, _SIZE_STEP = (300, 400, 500, 600, 700, 800, 900), "品牌名称：花研生活，容量1.7L", 1.05
_REGULAR = 500
#: Below this size (px) blur and resampling thicken strokes: the weight is kept to what such text has.
_SMALL, _SMALL_WEIGHTS = 16.0, (400, 600)
#: Distance (RGB) of fill and ground that shows how far each pixel is covered.
_CONTRAST = 64.0
#: Pixels that tell it.
_SAMPLES = 1000
_AROUND = np.ones((3, 3), np.uint8)


def measure_weight(look: Look, coverage: Pixels | None, text: str, fonts: FontSet) -> int:
    """The weight at which this text in our font, at the same size, has strokes as wide as these.

    Args:
        look: The block's pixels.
        coverage: See coverage_of.
        text: What they spell, one line.
        fonts: To compare with.
    """
    size = _step(look.size)
    width = _stroke_width(_of_strokes(look, coverage)) / _density(fonts, text, size)
    return _weight_of(width, look.size, _own_widths(fonts, size))


def measure_serif_weight(coverage: Pixels, size: float, fonts: FontSet) -> int | None:
    """The same by the vertical strokes alone: hairlines tell no weight; None where there are too few."""
    stem = stem_width(coverage, size)
    return None if stem is None else _weight_of(stem, size, _own_stems(fonts, _step(size)))


def _weight_of(width: float, size: float, widths: Sequence[float]) -> int:
    """The weight of strokes so wide, px, where those of our font have `widths` at _WEIGHTS."""
    weight = float(np.interp(width / size, widths, _WEIGHTS))
    if size < _SMALL:
        weight = min(max(weight, _SMALL_WEIGHTS[0]), _SMALL_WEIGHTS[1])
    return round(weight / 25) * 25


@lru_cache(maxsize=256)
def _own_widths(fonts: FontSet, size: float) -> tuple[float, ...]:
    """How wide, em, strokes of our font are at _WEIGHTS."""
    return tuple(_stroke_width(text) / size for text in _in_our_font(fonts, size))


@lru_cache(maxsize=4096)  # the same labels come again and again on product pages
def _density(fonts: FontSet, text: str, size: float) -> float:
    """How many times as wide as in any text its strokes seem: close ones run together where it is small."""
    usual = _own_widths(fonts, size)[_WEIGHTS.index(_REGULAR)] * size
    return _stroke_width(rasterise_alone(fonts.shape(text, "zh", _REGULAR), size)) / usual or 1.0


@lru_cache(maxsize=256)
def _own_stems(fonts: FontSet, size: float) -> tuple[float, ...]:
    """How wide, em, vertical strokes of our font are at _WEIGHTS."""
    return tuple((stem_width(text, size) or 0.0) / size for text in _in_our_font(fonts, size))


def _in_our_font(fonts: FontSet, size: float) -> Iterator[Pixels]:
    for weight in _WEIGHTS:
        yield rasterise_alone(fonts.shape(_ANY_TEXT, "zh", weight), size)


def _step(size: float) -> float:
    """The nearest size that our font is measured at."""
    return float(_SIZE_STEP ** round(math.log(size, _SIZE_STEP)))


def coverage_of(look: Look, fill: RGB) -> Pixels | None:
    """How far, 0..1, the text covers each pixel, hairlines too; None where fill and ground are one colour."""
    axis = np.asarray(cv2.subtract(np.array([*fill, 0.0]), look.ground, dtype=cv2.CV_32F), np.float32)
    length = dot(axis, axis)
    if float(quantile(length.take(some(inked(look.strokes), _SAMPLES)), 0.5)) <= _CONTRAST**2:
        return None
    along = dot(look.departure, axis)
    along /= np.maximum(length, 1.0, out=length)
    np.minimum(np.maximum(along, 0, out=along), 1, out=along)
    return np.asarray(cv2.copyTo(along, look.mask), np.float32)


def _of_strokes(look: Look, coverage: Pixels | None) -> Pixels:
    """The coverage by the strokes and their edges; white on white the strokes themselves, all that tells."""
    left, top, width, height = cv2.boundingRect(look.strokes)  # with room for the edges and their slopes
    around = np.s_[max(top - 3, 0) : top + height + 3, max(left - 3, 0) : left + width + 3]
    strokes = look.strokes[around]
    if coverage is None:
        return strokes.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.copyTo(coverage[around], cv2.dilate(strokes, _AROUND)), np.float32)


def _stroke_width(coverage: Pixels) -> float:
    """Mean stroke width in px: twice the ink's area over the length of its contour."""
    across = cv2.Sobel(coverage, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    down = cv2.Sobel(coverage, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
    (area, *_), (contour, *_) = cv2.sumElems(coverage), cv2.sumElems(cv2.magnitude(across, down))
    return 2 * area / max(contour, 1.0)
