"""Lights, folds and edges of the ground that text stands on: shapes broader than its strokes.

A surface cannot follow them, but between thin strokes the ground itself shows: opened by an element broader
than a stroke, a picture with light text is its ground (closed, one with dark text).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.halo import hugged
from worker.imaging.pixels import (
    beyond,
    both,
    contrast_of,
    fine_level_at,
    less,
    level_counts,
    some_of,
    square,
    widened,
)
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Image, Mask

#: Half the width of the heaviest strokes, as a share of the text's height.
_HALF_STROKE = 0.11
#: Side of the median that takes the grain away before shapes are looked for.
_GRAIN = 5
#: Pixels that depart by this share of the contrast are ink for certain; so much of them must still be bold
#: over the shapes, else the ink is as broad as they are.
_CERTAIN, _STILL_BOLD = 0.8, 0.95
#: Shapes count where they take at least this share of the line, and of its ring as much departs from the
#: surface by so many levels.
_LEAST_SHAPED, _LEAST_AROUND, _SHAPE = 0.05, 0.03, 10.0
#: Ground that is darker than a light by this share of the contrast is not lit; so much of it, and none is.
_RUN_TOGETHER, _THROUGH = 0.35, 0.2
#: Pixels that tell a colour.
_COUNTED = 1000
#: A share of the deviation from the surface that grain leaves where shapes are the rest of it.
_GRAINY = 0.4
#: Px round thin strokes that their own soft edge may take.
_EDGE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What lies under a line of text, and how the crop's pixels depart from it."""

    #: Its colours, (H, W, 3).
    plain: Image
    #: In levels, (H, W).
    departure: Image
    #: Deviation of its noise, and up to where a departure may be that, in levels.
    sigma: float
    faint: float
    #: Whether it has shapes of its own, and is no surface.
    shaped: bool = False


def with_shapes(scene: Scene, surface: Ground, ring: Mask, area: Mask, options: MaskOptions) -> Ground | None:
    """The ground with its shapes; None where it has none, or where the ink cannot be told from them.

    Args:
        scene: The line.
        surface: Its ground as a surface.
        ring: Ground around the line.
        area: The ring and the line itself.
        options: Limits.
    """
    departs = beyond(surface.departure, _SHAPE)
    if cv2.countNonZero(both(departs, ring)) <= _LEAST_AROUND * cv2.countNonZero(ring):
        return None
    contrast = contrast_of(surface.departure, scene.inside)
    certain = both(beyond(surface.departure, _CERTAIN * contrast), scene.inside)
    darkest = _darkest(scene, surface.plain, certain)
    plain = _opened(scene, darkest, ring)
    departure = ground.departure(scene.pixels, plain)
    bold = beyond(departure, options.seed * contrast)
    if cv2.countNonZero(both(certain, bold)) < _STILL_BOLD * cv2.countNonZero(certain):
        return None
    calm = fine_level_at(level_counts(departure, area), 0.3) * ground.PERCENTILE_30_TO_SIGMA
    sigma = min(surface.sigma, calm)
    if sigma > max(options.noisy, _GRAINY * surface.sigma):  # a weave: no thread of it is a shape
        return None
    faint = options.faint(sigma)
    shapes = beyond(ground.departure(plain, surface.plain), max(options.noise_sigmas * sigma, _SHAPE))
    shapes = both(less(shapes, widened(bold, square(2))), scene.inside)
    if cv2.countNonZero(shapes) < _LEAST_SHAPED * cv2.countNonZero(scene.inside):
        return None
    departs = less(beyond(surface.departure, surface.faint), scene.foreign)
    if hugged(scene, both(bold, scene.inside), departs, scene.grown(options.reach), options) > _EDGE:
        return None  # an outline or a shadow is no shape of the ground
    plain = _without_letters(scene, plain, darkest, contrast)
    return Ground(plain, ground.departure(scene.pixels, plain), sigma, faint, shaped=True)


def _darkest(scene: Scene, plain: Image, certain: Mask) -> NDArray[np.float64]:
    """What, taken from a picture, leaves the ink light in all channels: 0 or 255 for each, and a fourth."""
    columns, rows = some_of(certain, _COUNTED)
    off = scene.pixels[rows, columns].astype(np.int16) - plain[rows, columns]
    lighter = np.median(off, axis=0) > 0 if len(rows) else np.ones(3, bool)
    return np.append(np.where(lighter, 0.0, 255.0), 0.0)


def _broader(scene: Scene) -> Mask:
    """An element broader than a stroke."""
    return square(int(np.ceil(_HALF_STROKE * scene.text_height)) + 1)


def _opened(scene: Scene, darkest: NDArray[np.float64], ring: Mask) -> Image:
    """The crop without what is thinner than strokes are, and lighter or darker as the ink is."""
    calm = cv2.absdiff(cv2.medianBlur(scene.pixels, _GRAIN), darkest)
    opened = cv2.absdiff(cv2.morphologyEx(calm, cv2.MORPH_OPEN, _broader(scene)), darkest)
    columns, rows = some_of(ring, _COUNTED)
    # an opening keeps to the lower side of the grain
    lower = np.median(scene.pixels[rows, columns].astype(np.int16) - opened[rows, columns], axis=0)
    return cv2.add(opened, np.append(lower, 0.0)).astype(np.uint8)


def _without_letters(scene: Scene, plain: Image, darkest: NDArray[np.float64], contrast: int) -> Image:
    """Without letters of many strokes that the median has run together: their ground shows through."""
    light, element = cv2.absdiff(scene.pixels, darkest), _broader(scene)
    darker = cv2.subtract(cv2.absdiff(plain, darkest), light).max(axis=2).astype(np.uint8)
    through = cv2.blur(beyond(darker, _RUN_TOGETHER * contrast), element.shape).astype(np.uint8)
    letters = widened(beyond(through, 255 * _THROUGH), element)
    if not cv2.countNonZero(letters):
        return plain
    opened = cv2.absdiff(cv2.morphologyEx(light, cv2.MORPH_OPEN, element), darkest)
    return np.where(letters[..., None] > 0, opened, plain).astype(np.uint8)
