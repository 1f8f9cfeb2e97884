"""The colour of thin strokes in a JPEG, which stores colour at half the resolution of brightness.

A hairline shows its brightness but only a part of its colour; the rest tints the ground beside it. Blurring
keeps sums, so all pixels under the mask together depart from the ground in the colour's true direction.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Mask
from worker.rendering.colour import RGB, as_rgb
from worker.rendering.look import Look

#: What the channels count in a JPEG's luma (ITU-T T.871).
_LUMA = np.array([0.299, 0.587, 0.114])
#: Right beside the strokes: pixels farther away show no ink, only its colour.
_BESIDE = np.ones((3, 3), np.uint8)
#: Levels so near to black or white are cut off there; of what departs from there by less, noise is too much.
_CUT, _LITTLE = 5.0, 48.0
#: Cosine of the angle by which the hue may lie off the one that the strokes' middle shows; and the least
#: share of brightness in the departure, which tells how far to go.
_ALIKE, _LEAST_LUMA = 0.8, 0.17
#: Levels by which a channel goes beyond the brightness where anything of it is cut off.
_LEAST_HUE = 8.0


def undiluted(look: Look, fill: RGB) -> RGB:
    """The colour of flat strokes without outline or shadow, as it was before a JPEG spread it.

    Args:
        look: Their pixels.
        fill: The colour that their middle shows.
    """
    ground = np.array(cv2.mean(look.ground, mask=look.mask)[:3])
    core = np.array(fill) - ground
    hue = core - float(core @ _LUMA)
    whole = _mean_tint(look, look.mask) + _cut_off(look, ground, hue)
    luma = float(whole @ _LUMA)
    if abs(luma) <= _LEAST_LUMA * float(np.linalg.norm(whole)):
        return fill
    departure = whole * (float(core @ _LUMA) / luma)
    pure = departure - float(departure @ _LUMA)
    if float(pure @ hue) < _ALIKE * float(np.linalg.norm(pure) * np.linalg.norm(hue)):
        return fill
    colour, seen = ground + departure, np.array(fill)
    kept = _at_an_end(seen) | (_at_an_end(ground) & (np.abs(core) < _LITTLE))
    return as_rgb(np.where(kept, seen, colour))


def _at_an_end(levels: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(levels - 127.5) >= 127.5 - _CUT)


def _cut_off(look: Look, ground: NDArray[np.float64], hue: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the mean departure lacks since no channel goes beyond black or white.

    Beside the strokes the brightness is the ground's, so what was cut off follows from the other channels.

    Args:
        look: The strokes' pixels.
        ground: The colour under them.
        hue: How their middle departs from it, less its brightness.
    """
    lost = np.zeros(3)
    beside = np.asarray(cv2.subtract(look.mask, cv2.dilate(look.strokes, _BESIDE)), np.uint8)
    for end, sign in ((255.0, 1.0), (0.0, -1.0)):
        beyond = np.where(np.abs(ground - end) <= _CUT, np.maximum(sign * hue, 0.0), 0.0)
        channel = int(beyond.argmax())
        if beyond[channel] < _LEAST_HUE:
            continue
        limits = (255.0 - _CUT, 255.0) if sign > 0 else (0.0, _CUT)
        cut = np.asarray(cv2.inRange(cv2.extractChannel(look.page, channel), *limits), np.uint8)
        cut = np.asarray(cv2.bitwise_and(cut, beside), np.uint8)
        tint = _mean_tint(look, cut)
        missing = max(-sign * float((tint - tint[channel]) @ _LUMA) / float(beyond @ _LUMA), 0.0)
        lost += sign * missing * beyond * cv2.countNonZero(cut) / cv2.countNonZero(look.mask)
    return lost


def _mean_tint(look: Look, where: Mask) -> NDArray[np.float64]:
    return np.subtract(cv2.mean(look.page, mask=where)[:3], cv2.mean(look.ground, mask=where)[:3])
