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
from worker.imaging.badge import Badge
from worker.imaging.components import STRONG, Looks, components
from worker.imaging.halo import all_along, ground_like, plain_rim, shade, without_lights
from worker.imaging.inks import Over
from worker.imaging.lights import Ground, with_shapes
from worker.imaging.ownership import shared_out
from worker.imaging.pixels import (
    beyond,
    both,
    colour_cells,
    colour_density,
    contrast_of,
    either,
    inverted,
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
#: Share of the ink's contrast that a JPEG's ripples on clean ground stay below, and by which factor a few
#: of them do not.
_RIPPLES, _BOLD_RIPPLES = 0.2, 1.3
#: Points that the ground's surface is fitted to: more change what departs from it by less than its rounding.
_POINTS = 700
#: Growth by one px, in turn without the diagonals and with them: together about a disc.
_RIM = (np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8), np.ones((3, 3), np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    mask: Mask
    #: How far each pixel departs from the ground, in levels.
    departure: Image
    #: Everything that departs from the ground, or is unlike it.
    candidates: Mask
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
    #: Whether the ground is no surface but has shapes of its own.
    shaped: bool = False

    def with_ripples(self, mask: Mask, options: MaskOptions) -> Mask:
        """A mask with JPEG's ripples: faint departures near the ink on clean ground.

        As far as they are not the ripples of something else.
        """
        weakest = max(options.noise_sigmas * self.noise, options.ripple)
        if weakest >= options.least_departure:
            return mask
        least = max(STRONG, round(_BOLD_RIPPLES * self.faint))
        faint = less(less(beyond(self.departure, weakest), beyond(self.departure, least - 1)), self.foreign)
        if not cv2.countNonZero(less(faint, mask)):
            return mask
        faint = both(faint, widened(self.mask, square(options.ripple_px)))
        if not cv2.countNonZero(less(faint, mask)):
            return mask
        other = widened(less(self.candidates, self.mask), square(2))
        strong = widened(less(beyond(self.departure, least), self.mask), square(3))
        return either(mask, less(faint, both(other, strong)))

    def faint_end(self, scene: Scene, mask: Mask, options: MaskOptions) -> int:
        """How many px of a shadow's end lie outside a mask: no pixel shows it, all together do."""
        if self.plain is None or self.shaped or self.noise > options.noisy:
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
    under = _ground_under(scene, less(scene.grown(ring_reach), scene.own), options)
    if under is None:
        return None
    return _ink_over(scene, under, ink_reach, options)


def on_badge(scene: Scene, badge: Badge, options: MaskOptions) -> Ink | None:
    """Ink on a badge: what departs from its colour; what lies beyond it is another's."""
    inside, own = both(scene.inside, badge.area), both(scene.own, badge.area)
    scene = replace(scene, inside=inside, own=own, foreign=either(scene.foreign, inverted(badge.area)))
    plain = ground.sheet(badge.colour, scene.crop.width, scene.crop.height)
    departure = ground.departure(scene.pixels, plain)
    under = Ground(plain, departure, badge.sigma, options.faint(badge.sigma))
    if contrast_of(departure, inside) < 2 * under.faint:
        return None
    return _ink_over(scene, under, options.reach, options)


def _ink_over(scene: Scene, under: Ground, reach: float, options: MaskOptions) -> Ink | None:
    ink = _departing(scene, under, reach, options)
    if ink is None and under.sigma <= options.drawn:  # a JPEG's ripples may fill the whole line
        faint = _RIPPLES * contrast_of(under.departure, scene.inside)
        ink = _departing(scene, replace(under, faint=max(faint, under.faint)), reach, options)
    return ink


def _departing(scene: Scene, under: Ground, reach: float, options: MaskOptions) -> Ink | None:
    """Ink among what departs from a ground; None where none can be told from other things."""
    drawn = under.sigma <= options.drawn
    contrast = contrast_of(under.departure, scene.inside)
    bold = beyond(under.departure, max(options.seed * contrast, under.faint))
    candidates = beyond(under.departure, under.faint)
    over = Over(scene.pixels, under.plain, under.departure)
    foreign = shared_out(scene, candidates, bold, options, over)
    scene = scene if foreign is scene.foreign else replace(scene, foreign=foreign)
    candidates = less(candidates, foreign)
    allowed = scene.grown(reach)
    looks = Looks(candidates, bold, allowed, under.plain, under.departure, under.sigma, drawn=drawn)
    found = components(scene, looks, options)
    if found is None:
        return None
    mask, others, own = found
    if not drawn and not under.shaped:
        mask = without_lights(scene, mask, either(bold, own), allowed, options)
    behind = cv2.countNonZero(both(less(bold, mask), scene.inside))
    rim = _outline(scene, mask, less(less(bold, mask), scene.foreign), options)
    doubtful = under.sigma > options.busy or behind > cv2.countNonZero(both(mask, scene.inside))
    return Ink(
        mask,
        under.departure,
        candidates,
        under.sigma,
        scene.foreign,
        others,
        plain=under.plain,
        rim=rim,
        doubtful=doubtful,
        faint=under.faint,
        shaped=under.shaped,
    )


def _ground_under(scene: Scene, ring: Mask, options: MaskOptions) -> Ground | None:
    """The ground that a line's ink departs from: a surface, or one with shapes; None where it is too busy."""
    size = cv2.countNonZero(scene.inside)
    area = either(ring, scene.inside)
    columns, rows = some_of(ring if cv2.countNonZero(ring) >= 0.5 * size else area, _POINTS)
    if len(rows) < 30:
        return None
    fitted = ground.surface_of(columns, rows, scene.pixels[rows, columns], options.flat)
    height, width = scene.inside.shape
    plain = fitted.levels(width, height)
    departure = ground.departure(scene.pixels, plain)
    sigma = fitted.sigma
    if sigma:
        # anti-aliasing and neighbours widen the fit's sigma; the calmest third of the pixels is ground alone
        sigma = min(sigma, level_at(level_counts(departure, area), 0.3) * ground.PERCENTILE_30_TO_SIGMA)
    surface = Ground(plain, departure, sigma, options.faint(sigma))
    shaped = with_shapes(scene, surface, ring, area, options) if sigma > options.drawn else None
    if shaped is not None and _shows_ink(scene, shaped, ring, options):
        return shaped
    return surface if _shows_ink(scene, surface, ring, options) else None


def _shows_ink(scene: Scene, under: Ground, ring: Mask, options: MaskOptions) -> bool:
    """Whether a line departs from its ground as ink does, and the surroundings do not."""
    departs = beyond(under.departure, max(under.faint, 10.0))
    around = cv2.countNonZero(both(departs, ring)) / max(cv2.countNonZero(ring), 1)
    within = cv2.countNonZero(both(departs, scene.inside)) / cv2.countNonZero(scene.inside)
    crowded = around > options.most_ring_departures
    if crowded and (around > options.most_crowded_ring or around > within + 0.05):
        return False
    if 1 - within < (options.least_crowded_ground if crowded else options.least_ground_inside):
        return False
    return contrast_of(under.departure, scene.inside) >= 2 * under.faint


def _outline(scene: Scene, ink: Mask, things: Mask, options: MaskOptions) -> int:
    """Px of an outline in one of the ground's own colours, which only the things that it covers show.

    In the line, or beside it, where it may be ground as well and has to be a wide one. Letters are no such
    things: where rows are near one another the gap between them would be an outline.
    """
    least = options.printed * cv2.countNonZero(scene.inside)
    wider = either(scene.inside, less(scene.grown(options.polygon_growth), scene.own))
    if cv2.countNonZero(both(things, wider)) <= least:
        return 0
    things = ground_like(things, scene, options)
    for area, narrowest in ((scene.inside, 1), (wider, options.outline)):
        if cv2.countNonZero(both(things, area)) > least:
            rim = plain_rim(scene, ink, area, options)
            if rim >= narrowest:
                return rim
    return 0


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
    mask, others, _ = found
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
        candidates,
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
