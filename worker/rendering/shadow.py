"""The shadow of the source text: ground beside the strokes that is darker than it should be, in their shape.

Texture, and what a plate gets wrong, differ from the ground too, but without regard to the strokes: averaged
along their contour they vanish, and they do not fade with the distance from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import attrgetter

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Mask
from worker.rendering.colour import Pixels, as_rgb, inked, quantile, taken
from worker.rendering.effects import Outline, Shadow
from worker.rendering.look import Look

#: Distance (px) from the strokes within which darkening may be anti-aliasing or JPEG's ringing.
_FRINGE = 2.0
#: Rings around that, in em: where a shadow shows best, and where it has faded.
_NEAR_RING, _FAR_RING = (0.0, 0.08), (0.22, 0.34)
#: Mean darkening (levels) of the near ring from which on a shadow is seen, and most of it in the far one.
_LEAST_DARKENING, _MOST_LEFT = 3.5, 0.5
#: Farthest shadow and widest sample around the strokes, in em.
_REACH, _SAMPLED = 0.15, 0.25
#: Blurs tried, in em: the first, sharper and softer ones; the offset downward that the search starts from.
_MIDDLE, _SHARPER, _SOFTER, _START = 0.06, (0.03, 0.0), (0.1, 0.15), 0.05
#: Texture is averaged over this many em before the shadow found is judged.
_GRAIN = 0.06
#: Pixels a shadow is fitted to, and fewest.
_SAMPLES, _FEWEST = 700, 50
#: Sigmas to each side that a blur is tried with.
_WIDE = 2.5
_MEAN = np.full((1, 3), 1 / 3, np.float32)
#: Share of the darkening, texture and all, that a first guess explains of a true shadow (on the samples 0.57
#: and more, others' up to 0.4): below it no better one is looked for.
_LEAST_EXPLAINED = 0.2
#: Share of the change beside the strokes that a shadow may leave unexplained (true ones leave up to 0.22,
#: JPEG's ringing and faults of the plate 0.34 and more), and the opacity below which it is not seen.
_MOST_UNEXPLAINED, _LEAST_OPACITY = 0.28, 0.12


def find_shadow(look: Look, outline: Outline | None) -> Shadow | None:
    """The shadow of the strokes, if it is plain to see.

    Args:
        look: The block's pixels.
        outline: The strokes' outline.
    """
    away, size = look.away, look.size
    clear = np.float32(max(_FRINGE, (outline.width if outline else 0.0) + 1.0))
    if not _fades(_darkening(look.departure[::2, ::2]), away[::2, ::2] - clear, size):
        return None
    darkening = _darkening(look.departure)
    beside = cv2.inRange(away, float(np.nextafter(clear, np.float32(np.inf))), float(clear) + _SAMPLED * size)
    shown = np.asarray(cv2.bitwise_and(beside, look.mask), np.uint8)
    visible = inked(shown)
    if len(visible) < _FEWEST:
        return None
    thrown_by = cv2.inRange(away, 0.0, outline.width) if outline else look.strokes
    solid = np.asarray(thrown_by, np.float32) / np.float32(255)
    reach = max(2, round(_REACH * size))
    fit = _Fit.on(darkening, solid, visible[:: len(visible) // _SAMPLES + 1], reach + 1)
    first = _downhill(fit, (0, round(_START * size)), _MIDDLE * size, reach)
    if first.explained < _LEAST_EXPLAINED * float(fit.darkening @ fit.darkening):
        return None
    found = [first]
    for blurs in (_SHARPER, _SOFTER):
        for blur in blurs:  # as long as it gets better
            guess = _downhill(fit, first.shift, blur * size, reach)
            if guess.explained <= found[-1].explained:
                break
            found.append(guess)
        if len(found) > 1:  # what is better sharper is no better softer
            break
    shadow, mean = _coloured(look, fit, visible, found[-1])
    if shadow.opacity < _LEAST_OPACITY:
        return None
    change, some = fit.share_of(found[-1]) * np.float32(mean), visible[:: len(visible) // (4 * _SAMPLES) + 1]
    left = _unexplained(darkening, change, shown, some, _GRAIN * size)
    return shadow if left <= _MOST_UNEXPLAINED else None


def _darkening(departure: Pixels) -> Pixels:
    """How much darker than its ground each pixel is, the mean of its channels."""
    return np.asarray(cv2.transform(departure, -_MEAN), np.float32)


def _fades(darkening: Pixels, beyond: Pixels, size: float) -> bool:
    """Whether the ground is darker close to the strokes than farther away."""
    near = _ring(darkening, beyond, _NEAR_RING, size)
    shade = float(near.mean()) if near.size else 0.0
    if shade < _LEAST_DARKENING:
        return False
    far = _ring(darkening, beyond, _FAR_RING, size)
    left = abs(float(quantile(far, 0.5))) if far.size else 0.0  # its mean would count the next line's ink
    return left <= _MOST_LEFT * shade


def _ring(darkening: Pixels, beyond: Pixels, ring: tuple[float, float], size: float) -> Pixels:
    return darkening[(beyond > ring[0] * size) & (beyond <= ring[1] * size)]


@dataclass(frozen=True, slots=True, eq=False)
class _Guess:
    """A shadow's shape: moved by (dx, dy) px, blurred by a sigma, and how much darkening that explains."""

    shift: tuple[int, int]
    blur: float
    explained: float
    #: Coverage of what throws it, blurred, with room around it.
    soft: Pixels


_explained = attrgetter("explained")


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Least squares: which shadow explains what lies beside the strokes."""

    #: Coverage of what throws the shadow, 0..1, with `room` px around it for every shift.
    solid: Pixels
    room: int
    #: Where a shadow would be seen: places in `solid` of sample pixels, and how much darker they are.
    places: NDArray[np.intp]
    darkening: Pixels

    @classmethod
    def on(cls, darkening: Pixels, solid: Pixels, samples: NDArray[np.intp], room: int) -> _Fit:
        """Take the samples, places in `darkening`; `room` is the farthest shift in px."""
        roomy = cv2.copyMakeBorder(solid, room, room, room, room, cv2.BORDER_REPLICATE)
        places = _with_room(samples, darkening.shape[1], room)
        return cls(np.asarray(roomy, np.float32), room, places, darkening.take(samples))

    def of(self, soft: Pixels, shift: tuple[int, int], blur: float) -> _Guess:
        """How much a shadow explains, at its best opacity."""
        share = soft.take(self.places - (shift[1] * soft.shape[1] + shift[0]))
        explained = max(float(share @ self.darkening), 0.0) ** 2 / (float(share @ share) + 1e-3)
        return _Guess(shift, blur, explained, soft)

    def share_of(self, guess: _Guess) -> Pixels:
        """How much of each pixel a shadow covers, at opacity 1."""
        height, width = self.solid.shape
        left, top = self.room - guess.shift[0], self.room - guess.shift[1]
        return guess.soft[top : top + height - 2 * self.room, left : left + width - 2 * self.room]


def _with_room(places: NDArray[np.intp], width: int, room: int) -> NDArray[np.intp]:
    """Places in a field so many px wide, in that field with room around it."""
    rows, columns = np.divmod(places, width)
    return np.asarray((rows + room) * (width + 2 * room) + columns + room, np.intp)


def _downhill(fit: _Fit, shift: tuple[int, int], blur: float, reach: int) -> _Guess:
    """The best shadow of one blur, over whole px from a first guess; what it explains is bounded."""
    side = 2 * math.ceil(_WIDE * blur) + 1
    soft = np.asarray(cv2.GaussianBlur(fit.solid, (side, side), blur) if blur else fit.solid, np.float32)
    best = fit.of(soft, shift, blur)
    while True:
        x, y = best.shift
        around = [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
        better = max((fit.of(soft, step, blur) for step in around), key=_explained)
        if better.explained <= best.explained or max(map(abs, better.shift)) > reach:
            return best
        best = better


def _coloured(look: Look, fit: _Fit, visible: NDArray[np.intp], guess: _Guess) -> tuple[Shadow, float]:
    """A shadow with its colour and opacity, and the mean change (levels) of what lies wholly in it."""
    some = visible[:: len(visible) // (4 * _SAMPLES) + 1]
    seen = fit.share_of(guess)[np.divmod(some, look.page.shape[1])]
    full = seen @ taken(look.departure, some) / (float(seen @ seen) + 1e-3)
    beneath = quantile(taken(look.ground, some).astype(np.float32), 0.5)
    opacity = float(np.clip((-full / np.maximum(beneath, 1.0)).max(), 0.02, 1.0))
    dx, dy = guess.shift
    colour = as_rgb(beneath + full / opacity)
    return Shadow(colour, float(dx), float(dy), guess.blur, opacity), float(full.mean())


def _unexplained(
    darkening: Pixels, change: Pixels, shown: Mask, places: NDArray[np.intp], sigma: float
) -> float:
    """Share of the darkening beside the strokes, texture averaged away, that a shadow's change leaves.

    Args:
        darkening: How much darker each pixel is than its ground.
        change: How much the shadow makes it (negative where darker).
        shown: Where a shadow is seen beside the strokes.
        places: Some of these places.
        sigma: How far, px, texture is averaged.
    """
    side = round(math.sqrt(12 * sigma**2 + 1))  # of a box that averages as much
    before, after, weight = (
        np.asarray(cv2.blur(layer, (side, side)), np.float32).take(places)
        for layer in (
            cv2.copyTo(darkening, shown),
            cv2.copyTo(darkening + change, shown),
            np.asarray(shown, np.float32) / np.float32(255),
        )
    )
    left, whole = after / weight, before / weight
    return float(left @ left) / max(float(whole @ whole), 1.0)
