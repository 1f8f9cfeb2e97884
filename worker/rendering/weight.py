"""How bold the source text is: its strokes against those of the same text in our own font."""

from __future__ import annotations

import math

import cv2
import numpy as np

from worker.rendering.colour import RGB, Pixels, coverage_of, length
from worker.rendering.fonts import FontSet
from worker.rendering.look import Look
from worker.rendering.raster import rasterise

#: Weights at which the text is set for comparison, and how much of it.
_TRIAL_WEIGHTS = (300, 500, 700, 900)
_LONGEST_TRIAL = 8
#: Below this size (px) blur and resampling thicken strokes: the weight is kept to what such text has.
_SMALL, _SMALL_WEIGHTS = 16.0, (350, 600)
#: Distance (RGB) of fill and ground that shows how far each pixel is covered.
_CONTRAST = 64.0


def measure_weight(look: Look, fill: RGB, text: str, fonts: FontSet) -> int:
    """The weight at which the same text in our font, at the same size, has strokes as wide as these.

    Args:
        look: The block's pixels.
        fill: The colour of its strokes.
        text: One line of it.
        fonts: To set it for comparison.
    """
    axis = np.array(fill, np.float32) - look.ground
    coverage: Pixels = look.strokes.astype(np.float32) / np.float32(255)
    if (
        float(np.median(length(axis)[look.strokes > 0])) > _CONTRAST
    ):  # else white on white: only the outline tells
        near = cv2.dilate(look.strokes, np.ones((3, 3), np.uint8))
        inked = (look.mask > 0) & (near > 0)
        coverage = coverage_of(look.page - look.ground, axis) * inked.astype(np.float32)
    share, size = _stroke_width(coverage), look.size
    widths, text = [], text[:_LONGEST_TRIAL]
    for trial in _TRIAL_WEIGHTS:
        shaped = fonts.shape(text, "zh", trial)
        room = (math.ceil(1.3 * size) + 2, math.ceil(shaped.advance * size) + 2)
        widths.append(_stroke_width(rasterise([(shaped, 1.0, size + 1.0)], size, room)))
    weight = float(np.interp(share, widths, _TRIAL_WEIGHTS))
    if size < _SMALL:
        weight = min(max(weight, _SMALL_WEIGHTS[0]), _SMALL_WEIGHTS[1])
    return round(weight / 25) * 25


def _stroke_width(coverage: Pixels) -> float:
    """Mean stroke width in px: twice the ink's area over the length of its contour."""
    horizontal = cv2.Sobel(coverage, cv2.CV_32F, 1, 0, ksize=1)
    vertical = cv2.Sobel(coverage, cv2.CV_32F, 0, 1, ksize=1)
    contour = 0.5 * float(cv2.magnitude(horizontal, vertical).sum())
    return 2 * float(coverage.sum()) / max(contour, 1.0)
