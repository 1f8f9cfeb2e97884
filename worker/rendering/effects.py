"""Outline and shadow: what text may have around its strokes, and how to measure the outline.

The outline is ink around the strokes that is neither fill nor ground; the shadow is measured in shadow.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.rendering.colour import RGB, Pixels, dominant, inked, shares_along, taken
from worker.rendering.look import Look

#: How far (RGB, Euclidean) a pixel lies off the line from ground to fill to be ink of another colour; JPEG's
#: chroma subsampling moves edges by up to 40.
_OFF_AXIS = 48.0
#: Share of the strokes' surroundings an outline covers where the ground lets it be seen (a shadow covers one
#: side only), and the least share that must be seen at all: stripes of the outline's own colour hide most.
_OUTLINE_COVERS, _LEAST_SEEN = 0.6, 0.12
#: Share of the pixels at one distance that have the outline's colour while they lie within it.
_MOST_OF_RING = 0.7
#: Pixels around the strokes that tell whether there may be an outline, and that tell which.
_FIRST_SAMPLES, _SAMPLES = 600, 2000
#: Pixels this near (px) lie right beside the strokes.
_RING = 2.1
#: Widest outline, in em.
_REACH = 0.3


@dataclass(frozen=True, slots=True)
class Outline:
    """A band of one colour around the glyphs; `width` in px."""

    colour: RGB
    width: float

    def scaled(self, factor: float) -> Outline:
        """The same for text so many times as large."""
        return replace(self, width=self.width * factor)


@dataclass(frozen=True, slots=True)
class Shadow:
    """The glyphs once more underneath: moved by (dx, dy) px of the page, blurred by `blur` px (sigma)."""

    colour: RGB
    dx: float
    dy: float
    blur: float
    opacity: float

    def scaled(self, factor: float) -> Shadow:
        """The same for text so many times as large."""
        return replace(self, dx=self.dx * factor, dy=self.dy * factor, blur=self.blur * factor)


def find_outline(look: Look, fill: RGB) -> Outline | None:
    """The outline of the strokes, if they have one.

    Args:
        look: The block's pixels.
        fill: The strokes' colour.
    """
    away, reach = look.away, _REACH * look.size
    closest = _beside(look, away, _RING)
    closest = closest[:: len(closest) // _FIRST_SAMPLES + 1]
    if not len(closest) or _foreign(look, closest, fill).mean() < _LEAST_SEEN:
        return None
    near = _beside(look, away, max(_RING, reach))
    pixels, beneath = _both_at(look, near)
    ring = away.ravel()[near] <= _RING
    foreign, least = _foreign(look, near, fill), _LEAST_SEEN * np.count_nonzero(ring)
    colour = dominant(pixels[foreign].astype(np.uint8))
    apart = _squares(beneath, colour)
    shows = apart > _OFF_AXIS**2  # elsewhere the ground itself has the outline's colour
    seen = ring & shows
    if np.count_nonzero(foreign & seen) < max(_OUTLINE_COVERS * np.count_nonzero(seen), least):
        return None
    unlike = _squares(pixels, colour)
    alike = (unlike < 0.16 * apart) & (unlike < _squares(pixels, fill))
    width = _width(alike[shows], away, near[shows])
    return Outline(colour, float(np.clip(width, 1.0, reach)))


def _beside(look: Look, away: Pixels, reach: float) -> NDArray[np.intp]:
    """Places of pixels beside the strokes, as far as they are erased; some of them where there are many."""
    places = inked(np.asarray(cv2.bitwise_and(look.mask, cv2.inRange(away, 0.9, reach)), np.uint8))
    return places[:: len(places) // _SAMPLES + 1]


def _foreign(look: Look, places: NDArray[np.intp], fill: RGB) -> NDArray[np.bool_]:
    """Which of the pixels are no mixture of fill and ground."""
    pixels, beneath = _both_at(look, places)
    return np.asarray(_off_axis(pixels, beneath, fill) > _OFF_AXIS**2)


def _both_at(look: Look, places: NDArray[np.intp]) -> tuple[Pixels, Pixels]:
    """Page and ground, (N, 3) each, at places of the look."""
    return taken(look.page, places).astype(np.float32), taken(look.ground, places).astype(np.float32)


def _squares(pixels: Pixels, colour: RGB) -> Pixels:
    """Squared distance of (N, 3) pixels to a colour."""
    offset = pixels - np.array(colour, np.float32)
    return np.asarray(np.einsum("ij,ij->i", offset, offset), np.float32)


def _off_axis(pixels: Pixels, beneath: Pixels, fill: RGB) -> Pixels:
    """Squared distance of each pixel to the line from the ground beneath it to the fill, (N,)."""
    axis, departure = np.array(fill, np.float32) - beneath, pixels - beneath
    departure -= shares_along(departure, axis)[:, None] * axis
    return np.asarray(np.einsum("ij,ij->i", departure, departure), np.float32)


def _width(alike: NDArray[np.bool_], away: Pixels, near: NDArray[np.intp]) -> float:
    """The distance from the strokes up to which most of the pixels `near` them have the outline's colour.

    Taken on the side where it is least: on another a shadow of the same colour may lengthen it. A side that
    lacks the colour right beside the strokes says nothing: the ground was guessed wrong there.
    """
    rightward = cv2.Sobel(away, cv2.CV_32F, 1, 0, ksize=1).ravel()[near] > 0
    downward = cv2.Sobel(away, cv2.CV_32F, 0, 1, ksize=1).ravel()[near] > 0
    sides = [across & along for across in (rightward, ~rightward) for along in (downward, ~downward)]
    distance = away.ravel()[near]
    widths = [_width_at(alike[side], distance[side]) for side in sides if side.any()]
    return min((width for width in widths if width >= _RING), default=min(widths, default=0.0))


def _width_at(alike: NDArray[np.bool_], away: Pixels) -> float:
    rings = np.ceil(away - 0.5).astype(np.intp)
    share = np.bincount(rings, alike) / np.maximum(np.bincount(rings), 1)
    beyond = np.flatnonzero(share[2:] < _MOST_OF_RING)
    last = int(beyond[0]) + 1 if len(beyond) else len(share) - 1
    following = float(share[last + 1]) if last + 1 < len(share) else 0.0
    return last + min(following, 0.5)
