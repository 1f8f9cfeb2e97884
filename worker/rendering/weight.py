"""How bold the source text is: its strokes against those of the same text in our own font."""

from __future__ import annotations

import cv2
import numpy as np

from worker.rendering.colour import RGB, Pixels, dot, inked, quantile, some
from worker.rendering.fonts import FontSet
from worker.rendering.look import Look
from worker.rendering.raster import rasterise_alone
from worker.rendering.serif import stem_width

#: Weights at which the text is set for comparison: the first, those above and those below; how much of it.
_MIDDLE, _BOLDER, _LIGHTER = 500, (700, 900), (300,)
_LONGEST_TRIAL = 5
#: Below this size (px) blur and resampling thicken strokes: the weight is kept to what such text has.
_SMALL, _SMALL_WEIGHTS = 16.0, (400, 600)
#: Distance (RGB) of fill and ground that shows how far each pixel is covered.
_CONTRAST = 64.0
#: Pixels that tell it.
_SAMPLES = 1000
_AROUND = np.ones((3, 3), np.uint8)


def measure_weight(
    look: Look, coverage: Pixels | None, text: str, fonts: FontSet, serif: bool = False
) -> int:
    """The weight at which the same text in our font, at the same size, has strokes as wide as these.

    Args:
        look: The block's pixels.
        coverage: See coverage_of.
        text: One line of it.
        fonts: To set it for comparison.
        serif: Whether it has serifs: then only vertical strokes are compared: hairlines tell no weight.
    """
    size, text = look.size, text[:_LONGEST_TRIAL]

    def width_of(coverage: Pixels) -> float:
        return (stem_width(coverage, size) if serif else None) or _stroke_width(coverage)

    share = width_of(coverage if serif and coverage is not None else _of_strokes(look, coverage))

    def width_at(weight: int) -> float:
        return width_of(rasterise_alone(fonts.shape(text, "zh", weight), size))

    widths = {_MIDDLE: width_at(_MIDDLE)}
    for trial in _BOLDER if share > widths[_MIDDLE] else _LIGHTER:  # two around the answer are enough
        widths[trial] = width_at(trial)
        if min(widths.values()) <= share <= max(widths.values()):
            break
    trials = sorted(widths)
    weight = float(np.interp(share, [widths[trial] for trial in trials], trials))
    if size < _SMALL:
        weight = min(max(weight, _SMALL_WEIGHTS[0]), _SMALL_WEIGHTS[1])
    return round(weight / 25) * 25


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
    horizontal, vertical = np.zeros((2, *coverage.shape), np.float32)
    np.subtract(coverage[:, 2:], coverage[:, :-2], out=horizontal[:, 1:-1])
    np.subtract(coverage[2:], coverage[:-2], out=vertical[1:-1])
    contour = 0.5 * float(cv2.magnitude(horizontal, vertical).sum())
    return 2 * float(coverage.sum()) / max(contour, 1.0)
