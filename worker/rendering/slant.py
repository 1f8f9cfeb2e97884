"""How far the source text leans: the shear that stands its vertical strokes upright again."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from worker.job import Mask, Region
from worker.rendering.ink import Ink

#: Shears tried first, as tangents, farther ones where one of them sharpens the columns, and the finer ones
#: around the best; oblique type leans by 8 to 18 degrees.
_FIRST, _FARTHER, _FINER = (-0.12, 0.12), (-0.36, -0.24, 0.24, 0.36), (-0.08, -0.04, 0.04, 0.08)
#: A smaller lean is a measuring error; the columns must get so many times sharper by undoing it.
_LEAST_LEAN, _SHARPER = 0.1, 1.25
#: Height (px) that a line is measured at, and how much of it, in em.
_HEIGHT, _LONGEST = 24.0, 10.0


def measure_slant(region: Region, ink: Ink) -> float:
    """Tangent of the text's lean to the right, 0 for upright text.

    Args:
        region: The block's strokes (see strokes.find_bodies).
        ink: Its geometry.
    """
    if ink.vertical:
        return 0.0
    rect = ink.lines[ink.longest].rect
    rect = replace(rect, right=min(rect.right, rect.left + _LONGEST * ink.size))
    line, _ = ink.frame.cut(region.strokes, rect, (region.box.left, region.box.top))
    if min(line.shape) < 8:
        return 0.0
    scale = min(1.0, _HEIGHT / line.shape[0])
    small = np.asarray(cv2.resize(line, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    sharpness = {shear: _sharpness(small, shear) for shear in (0.0, *_FIRST)}
    if max(sharpness, key=lambda shear: sharpness[shear]) == 0.0:
        return 0.0
    sharpness |= {shear: _sharpness(small, shear) for shear in _FARTHER}
    coarse = max(sharpness, key=lambda shear: sharpness[shear])
    sharpness |= {coarse + step: _sharpness(small, coarse + step) for step in _FINER}
    lean = max(sharpness, key=lambda shear: sharpness[shear])
    steepest = abs(lean) >= max(_FARTHER)
    if abs(lean) < _LEAST_LEAN or steepest or sharpness[lean] < _SHARPER * sharpness[0.0]:
        return 0.0
    return lean


def _sharpness(line: Mask, lean: float) -> float:
    """How much neighbouring columns differ in ink once the lean is undone."""
    height, width = line.shape
    room = int(abs(lean) * height) + 1
    if lean:
        undo = np.array([[1.0, lean, room - lean * height / 2], [0.0, 1.0, 0.0]])
        upright = cv2.warpAffine(line, undo, (width + 2 * room, height))
    else:
        upright = cv2.copyMakeBorder(line, 0, 0, room, room, cv2.BORDER_CONSTANT, value=0)
    columns = np.asarray(cv2.reduce(upright, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F)).ravel()
    steps = columns[1:] - columns[:-1]
    return float(steps @ steps)
