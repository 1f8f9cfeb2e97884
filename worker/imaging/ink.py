"""What is ink around one line of text, and what is ground.

Not the ink's colour is modelled but the ground's: a smooth surface is fitted to the line's surroundings, and
ink is what departs from it: bodies, anti-aliasing, outlines and shadows alike. Where the ground is too busy
for a surface, ink is what has a colour that the surroundings lack.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from worker.imaging import ground
from worker.imaging.components import STRONG, Looks, components
from worker.imaging.halo import all_along, plain_rim, shade, without_lights
from worker.imaging.ownership import shared_out
from worker.imaging.pixels import (
    beyond,
    both,
    colour_cells,
    colour_density,
    either,
    less,
    level_at,
    level_counts,
    some_of,
    square,
    widened,
)
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Image, Mask

#: Ink of one colour is no thicker than twice this share of the text's height; and steps of so many levels
#: from pixel to pixel part two colours.
_THICKEST, _STEP = 0.3, 60
#: Points that the ground's surface is fitted to: more change what departs from it by less than its rounding.
_POINTS = 700
#: Growth by one px, in turn without the diagonals and with them: together about a disc.
_RIM = (np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8), np.ones((3, 3), np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    mask: Mask
    #: How far each pixel departs from the ground, in levels.
    departure: Image
    #: JPEG's ripples around the ink.
    ripples: Mask
    #: Deviation of the ground's noise, in levels.
    noise: float
    #: Pixels that belong to other lines.
    foreign: Mask
    #: Ink of other things: neighbours the OCR engine did not read, frames, icons.
    others: Mask
    #: The ground's surface, where there is one.
    plain: Image | None = None
    #: Px of an outline in one of the ground's own colours, and of a shadow that a busy ground hides.
    rim: int = 0
    shade: int = 0
    #: Whether more of the line departs from the ground than was taken for ink.
    doubtful: bool = False
    #: Levels up to which a departure may be the ground's noise.
    faint: float = 0.0

    def faint_end(self, scene: Scene, mask: Mask, options: MaskOptions) -> int:
        """How many px of a shadow's end lie outside a mask: no pixel shows it, all together do."""
        if self.plain is None or self.noise > options.noisy:
            return 0
        for px in range(options.longest_end):
            wider = widened(mask, _RIM[px % 2])
            columns, rows = some_of(less(less(wider, mask), self.others), _POINTS)
            off = scene.pixels[rows, columns].astype(np.int16) - self.plain[rows, columns]
            # what crosses it is not the shadow's
            off = off.clip(-options.end_levels, options.end_levels)
            mean = off.mean(axis=0) if off.size else np.zeros(3)
            if np.abs(mean).max() <= options.end_bias:
                return px
            if px == 0 and not all_along(scene, columns, rows, off @ mean):
                return 0  # the ground's own shades, which the surface does not quite fit
            mask = wider
        return 0


def departures(scene: Scene, ring_reach: float, ink_reach: float, options: MaskOptions) -> Ink | None:
    """Ink on smooth ground: what departs from the surface; None where the ground is not smooth."""
    ring = less(scene.grown(ring_reach), scene.own)
    ring_size, size = cv2.countNonZero(ring), cv2.countNonZero(scene.inside)
    around_and_in = either(ring, scene.inside)
    columns, rows = some_of(ring if ring_size >= 0.5 * size else around_and_in, _POINTS)
    if len(rows) < 30:
        return None
    surface = ground.surface_of(columns, rows, scene.pixels[rows, columns], options.flat)
    height, width = scene.inside.shape
    plain = surface.levels(width, height)
    departure = ground.departure(scene.pixels, plain)
    sigma = surface.sigma
    if sigma:
        # anti-aliasing and neighbours widen the fit's sigma; the calmest third of the pixels is ground alone
        calm = level_at(level_counts(departure, around_and_in), 0.3)
        sigma = min(sigma, calm * ground.PERCENTILE_30_TO_SIGMA)
    faint = max(3.5 * sigma, options.least_departure)
    departs = beyond(departure, max(faint, 10.0))
    around = cv2.countNonZero(both(departs, ring)) / max(ring_size, 1)
    within = cv2.countNonZero(both(departs, scene.inside)) / size
    crowded = around > options.most_ring_departures
    if crowded and (around > options.most_crowded_ring or around > within + 0.05):
        return None
    if 1 - within < (options.least_crowded_ground if crowded else options.least_ground_inside):
        return None
    contrast = level_at(level_counts(departure, scene.inside), 0.97)
    if contrast < 2 * faint:
        return None
    bold = beyond(departure, max(options.seed * contrast, faint))
    candidates = beyond(departure, faint)
    scene = replace(scene, foreign=shared_out(scene, candidates, bold, options))
    candidates = less(candidates, scene.foreign)
    allowed = scene.grown(ink_reach)
    looks = Looks(candidates, bold, allowed, plain, departure, sigma, drawn=sigma <= options.drawn)
    found = components(scene, looks, options)
    if found is None:
        return None
    mask, others = found
    if sigma > options.drawn:
        mask = without_lights(scene, mask, bold, allowed, options)
    ripples = _ripples(scene, mask, departure, candidates, sigma, options)
    behind = cv2.countNonZero(both(less(bold, mask), scene.inside))
    rim = plain_rim(scene, mask, scene.inside, options) if behind > options.printed * size else 0
    if not rim:
        rim = _outline_beside(scene, mask, both(bold, others), options)
    doubtful = sigma > options.busy or behind > cv2.countNonZero(both(mask, scene.inside))
    return Ink(mask, departure, ripples, sigma, scene.foreign, others, plain, rim, 0, doubtful, faint)


def _outline_beside(scene: Scene, ink: Mask, things: Mask, options: MaskOptions) -> int:
    """Px of an outline that only what it covers beside the line shows; 0 where it may be ground as well."""
    least = options.printed * cv2.countNonZero(scene.inside)
    if cv2.countNonZero(things) <= least:
        return 0
    area = either(scene.inside, less(scene.grown(options.polygon_growth), scene.own))
    if cv2.countNonZero(both(things, area)) <= least:
        return 0
    rim = plain_rim(scene, ink, area, options)
    return rim if rim >= options.outline else 0


def _ripples(
    scene: Scene, ink: Mask, departure: Image, candidates: Mask, sigma: float, options: MaskOptions
) -> Mask:
    """Faint departures near the ink on clean ground, as far as they are not the ripples of something else."""
    weakest = max(3.5 * sigma, options.ripple)
    if weakest >= options.least_departure:
        return np.zeros_like(ink)
    faint = less(less(beyond(departure, weakest), beyond(departure, STRONG - 1)), scene.foreign)
    if not cv2.countNonZero(faint):
        return faint
    faint = both(faint, widened(ink, square(options.ripple_px)))
    other = widened(less(candidates, ink), square(2))
    strong = widened(less(beyond(departure, STRONG), ink), square(3))
    return less(faint, both(other, strong))


def unlike_ring(scene: Scene, options: MaskOptions) -> Ink | None:
    """Ink on busy ground: colours frequent inside the line and rare around it; None where they mix."""
    inside = scene.inside > 0
    ring = less(scene.grown(options.ring), scene.own) > 0
    if np.count_nonzero(ring) < 50 or np.count_nonzero(inside) < 50:
        return None
    index = colour_cells(scene.pixels)
    around = colour_density(index[ring])
    unlike = (colour_density(index[inside]) > 4 * around + 1e-5)[index]
    share = float(unlike[inside].mean())
    if not (0.06 <= share <= 0.8) or unlike[ring].mean() > min(0.06, 0.25 * share):
        return None
    candidates = np.where(unlike, 255, 0).astype(np.uint8)
    candidates = cv2.morphologyEx(candidates, cv2.MORPH_CLOSE, square(1)).astype(np.uint8)
    bold = cv2.erode(candidates, np.ones((2, 2), np.uint8)).astype(np.uint8)
    scene = replace(scene, foreign=shared_out(scene, candidates, bold, options))
    candidates = less(candidates, scene.foreign)
    found = components(scene, Looks(candidates, bold, scene.grown(options.reach)), options)
    if found is None:
        return None
    mask, others = found
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    thickest = max(3.0, _THICKEST * scene.text_height)
    if depth.max() > thickest:
        # outlines run together, but neither they nor the bodies are that thick; a sign or a light is
        plain = less(mask, _edges(scene.pixels))
        if cv2.distanceTransform(plain, cv2.DIST_L2, 3).max() > thickest:
            return None
    grown_mask = widened(mask, square(1))
    return Ink(
        grown_mask,
        depth.astype(np.uint8),
        np.zeros_like(mask),
        options.noisy,
        scene.foreign,
        others,
        rim=plain_rim(scene, grown_mask, scene.inside, options),
        shade=shade(scene, grown_mask, options),
    )


def _edges(pixels: Image) -> Mask:
    """Where one colour meets another."""
    steps = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, square(1)).astype(np.uint8)
    return beyond(ground.departure(steps), _STEP)
