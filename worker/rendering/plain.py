"""Plain text, told at one look: one ink on even ground and nothing around it. Most text of any page is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from worker.job import Image
from worker.rendering.colour import RGB, Pixels, as_rgb
from worker.rendering.look import Look

#: Fill and ground lie at least so far (RGB) apart, and even ground deviates by no more of that.
_APART, _EVEN = 64.0, 0.07
#: How far (levels, in any channel) pixels beside plain strokes lie off the line from ground to fill.
_OFF_AXIS = 48.0
#: Share of the way to the fill that ground around the strokes may show, and how far beyond the ground what is
#: right beside them may lie: JPEG's ringing, not a dark outline of white text.
_TINGED, _BEYOND = 0.25, 0.2
#: Share of the pixels right beside the strokes, and of those farther away, that may not be as they should:
#: less than an outline, or a shadow, makes so.
_MOST_BESIDE, _MOST_AROUND = 0.12, 0.05
#: Mean darkening (levels) around plain strokes: JPEG's ringing on white makes up to 4.5, shadows 7 and more.
_MOST_DARKENING = 4.6
#: Every so many rows tell for all.
_ROWS = 3
#: Pixels so near are the strokes' own edges: 2 px around them.
_BESIDE = np.ones((5, 5), np.uint8)
#: Levels from ground to fill, and the ground's, in a sweep (see _swept).
_SPAN, _GROUND = 128.0, 64.0
#: How far, 0..1, the text covers a pixel, by the level that the sweep gives it.
_SHARES = np.clip((np.arange(256, dtype=np.float32) - _GROUND) / _SPAN, 0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """Plain text."""

    #: The colour of the ground under it.
    ground: RGB
    #: How far, 0..1, it covers each pixel.
    coverage: Pixels


def find_plain(look: Look, fill: RGB) -> Plain | None:
    """See plain text; None where there is more to see, or the ground is uneven.

    Args:
        look: The block's pixels.
        fill: The colour of its strokes.
    """
    ground, mask = look.ground[::_ROWS], look.mask[::_ROWS]
    if not cv2.countNonZero(mask):
        return None
    mean, deviation = (np.asarray(each, np.float64).ravel() for each in cv2.meanStdDev(ground, mask=mask))
    colour = mean.tolist()
    axis = [own - under for own, under in zip(fill, colour, strict=True)]
    length = math.hypot(*axis)
    if length < _APART or float(deviation.max()) > _EVEN * length:
        return None
    whole, beside = _swept(look.page, colour, axis), cv2.dilate(look.strokes, _BESIDE)[::_ROWS]
    swept, page, strokes = whole[::_ROWS], look.page[::_ROWS], look.strokes[::_ROWS]
    around = cv2.subtract(mask, beside)
    beside = cv2.subtract(cv2.bitwise_and(beside, mask), strokes)
    low, high = 128 - _OFF_AXIS, 128 + _OFF_AXIS
    mixed = cv2.inRange(swept, (_GROUND - _BEYOND * _SPAN, low, low), (255.0, high, high))
    if cv2.countNonZero(cv2.subtract(beside, mixed)) > _MOST_BESIDE * cv2.countNonZero(beside):
        return None
    tinge = _TINGED * _SPAN
    bare = cv2.inRange(swept, (_GROUND - tinge, low, low), (_GROUND + tinge, high, high))
    counted = max(cv2.countNonZero(around), 1)
    if cv2.countNonZero(cv2.subtract(around, bare)) > _MOST_AROUND * counted:
        return None
    bright, seen = (sum(cv2.sumElems(cv2.copyTo(layer, around))) for layer in (ground, page))
    if bright - seen > 3 * _MOST_DARKENING * counted:
        return None
    covered = cv2.copyTo(cv2.LUT(cv2.extractChannel(whole, 0), _SHARES), look.mask)
    return Plain(as_rgb(mean), np.asarray(covered, np.float32))


def _swept(page: Image, ground: list[float], axis: list[float]) -> Image:
    """Each pixel's place between ground and fill, and how far (levels, around 128) it lies off that line."""
    length = math.hypot(*axis)
    x, y, z = (channel / length for channel in axis)
    # Two directions across it: Duff et al., Building an Orthonormal Basis, Revisited, JCGT 2017.
    sign = math.copysign(1.0, z)
    a, b = -1 / (sign + z), -x * y / (sign + z)
    scale = _SPAN / length
    rows = (
        (x * scale, y * scale, z * scale),
        (1 + sign * x * x * a, sign * b, -sign * x),
        (b, sign + y * y * a, -y),
    )
    red, green, blue = ground
    sweep = [
        (*row, start - row[0] * red - row[1] * green - row[2] * blue)
        for row, start in zip(rows, (_GROUND, 128.0, 128.0), strict=True)
    ]
    return np.asarray(cv2.transform(page, np.array(sweep)), np.uint8)
