"""How bold the source text is: its strokes against those of the same text in our own font."""

from __future__ import annotations

import cv2
import numpy as np

from worker.rendering.colour import RGB, Pixels, dot, quantile
from worker.rendering.fonts import FontSet
from worker.rendering.look import Look
from worker.rendering.raster import rasterise_alone
from worker.rendering.serif import stem_width

#: Weights at which the text is set for comparison, and how much of it.
_TRIAL_WEIGHTS = (500, 700, 300, 900)
_LONGEST_TRIAL = 5
#: Below this size (px) blur and resampling thicken strokes: the weight is kept to what such text has.
_SMALL, _SMALL_WEIGHTS = 16.0, (400, 600)
#: Distance (RGB) of fill and ground that shows how far each pixel is covered.
_CONTRAST = 64.0
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
    widths: dict[int, float] = {}
    for trial in _TRIAL_WEIGHTS:  # from the middle outward: two trials around the answer are enough
        shaped = fonts.shape(text, "zh", trial)
        widths[trial] = width_of(rasterise_alone(shaped, size))
        if min(widths.values()) <= share <= max(widths.values()):
            break
    trials = sorted(widths)
    weight = float(np.interp(share, [widths[trial] for trial in trials], trials))
    if size < _SMALL:
        weight = min(max(weight, _SMALL_WEIGHTS[0]), _SMALL_WEIGHTS[1])
    return round(weight / 25) * 25


def coverage_of(look: Look, fill: RGB) -> Pixels | None:
    """How far, 0..1, the text covers each pixel, hairlines too; None where fill and ground are one colour."""
    less = np.array([[-1, 0, 0, fill[0]], [0, -1, 0, fill[1]], [0, 0, -1, fill[2]]], np.float32)
    axis = np.asarray(cv2.transform(look.ground, less), np.float32)  # fill less ground
    length = dot(axis, axis)
    if float(quantile(length[look.strokes > 0], 0.5)) <= _CONTRAST**2:
        return None
    along = np.clip(dot(look.departure, axis) / np.maximum(length, 1.0), 0, 1)
    return np.asarray(cv2.copyTo(along, look.mask), np.float32)


def _of_strokes(look: Look, coverage: Pixels | None) -> Pixels:
    """The coverage by the strokes and their edges; white on white the strokes themselves, all that tells."""
    if coverage is None:
        return look.strokes.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.copyTo(coverage, cv2.dilate(look.strokes, _AROUND)), np.float32)


def _stroke_width(coverage: Pixels) -> float:
    """Mean stroke width in px: twice the ink's area over the length of its contour."""
    horizontal = cv2.Sobel(coverage, cv2.CV_32F, 1, 0, ksize=1)
    vertical = cv2.Sobel(coverage, cv2.CV_32F, 0, 1, ksize=1)
    contour = 0.5 * float(cv2.magnitude(horizontal, vertical).sum())
    return 2 * float(coverage.sum()) / max(contour, 1.0)
