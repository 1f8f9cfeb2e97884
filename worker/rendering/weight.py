"""How bold the source text is: its strokes against those of the same text in our own font."""

from __future__ import annotations

import math

import cv2
import numpy as np

from worker.rendering.colour import RGB, Pixels, dot, quantile
from worker.rendering.fonts import FontSet
from worker.rendering.look import Look
from worker.rendering.raster import rasterise

#: Weights at which the text is set for comparison, and how much of it.
_TRIAL_WEIGHTS = (500, 700, 300, 900)
_LONGEST_TRIAL = 5
#: Below this size (px) blur and resampling thicken strokes: the weight is kept to what such text has.
_SMALL, _SMALL_WEIGHTS = 16.0, (350, 600)
#: Distance (RGB) of fill and ground that shows how far each pixel is covered.
_CONTRAST = 64.0
_AROUND = np.ones((3, 3), np.uint8)


def measure_weight(look: Look, fill: RGB, text: str, fonts: FontSet) -> int:
    """The weight at which the same text in our font, at the same size, has strokes as wide as these.

    Args:
        look: The block's pixels.
        fill: The colour of its strokes.
        text: One line of it.
        fonts: To set it for comparison.
    """
    share, size, text = _stroke_width(_coverage(look, fill)), look.size, text[:_LONGEST_TRIAL]
    widths: dict[int, float] = {}
    for trial in _TRIAL_WEIGHTS:  # from the middle outward: two trials around the answer are enough
        shaped = fonts.shape(text, "zh", trial)
        room = (math.ceil(1.3 * size) + 2, math.ceil(shaped.advance * size) + 2)
        widths[trial] = _stroke_width(rasterise([(shaped, 1.0, size + 1.0)], size, room))
        if min(widths.values()) <= share <= max(widths.values()):
            break
    trials = sorted(widths)
    weight = float(np.interp(share, [widths[trial] for trial in trials], trials))
    if size < _SMALL:
        weight = min(max(weight, _SMALL_WEIGHTS[0]), _SMALL_WEIGHTS[1])
    return round(weight / 25) * 25


def _coverage(look: Look, fill: RGB) -> Pixels:
    """How far, 0..1, the strokes cover each pixel."""
    less = np.array([[-1, 0, 0, fill[0]], [0, -1, 0, fill[1]], [0, 0, -1, fill[2]]], np.float32)
    axis = np.asarray(cv2.transform(look.ground, less), np.float32)  # fill less ground
    length = dot(axis, axis)
    if float(quantile(length[look.strokes > 0], 0.5)) <= _CONTRAST**2:
        return look.strokes.astype(np.float32) / np.float32(255)  # white on white: only the outline tells
    near = cv2.bitwise_and(look.mask, cv2.dilate(look.strokes, _AROUND))
    along = np.clip(dot(look.departure, axis) / np.maximum(length, 1.0), 0, 1)
    return np.asarray(cv2.copyTo(along, near), np.float32)


def _stroke_width(coverage: Pixels) -> float:
    """Mean stroke width in px: twice the ink's area over the length of its contour."""
    horizontal = cv2.Sobel(coverage, cv2.CV_32F, 1, 0, ksize=1)
    vertical = cv2.Sobel(coverage, cv2.CV_32F, 0, 1, ksize=1)
    contour = 0.5 * float(cv2.magnitude(horizontal, vertical).sum())
    return 2 * float(coverage.sum()) / max(contour, 1.0)
