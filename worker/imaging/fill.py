"""Erasing without a network: one colour or a smooth gradient is filled from its own surface."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import grain, ground
from worker.imaging.boxes import ink_box
from worker.imaging.crossing import crossings
from worker.imaging.curves import continued_curves, lines_beside
from worker.imaging.fill_options import FillOptions
from worker.imaging.ground import Floats, Surface
from worker.imaging.plain import one_colour
from worker.imaging.ring import Ring, candidates, is_flat, is_hopeless, px_away, roughness
from worker.imaging.site import Site, grown
from worker.job import Image, Mask

#: Neighbouring pixels of noise that is independent in each channel tell up to so much of its deviation.
_ROUGH = 1.5
#: Less of the ground beside the ink that unread letters hide is not what kept it from being filled.
_LETTERED = 0.05


def fill_ground(site: Site, options: FillOptions) -> Image | None:
    """The ground under a mask, or None where it is no smooth surface.

    Args:
        site: The ink; its box must leave room for the ring.
        options: Limits.

    Returns:
        (H, W, 3) of the site, meaningful under the mask only.
    """
    plain = one_colour(site, options)
    if plain is not None:
        return plain
    wide, near, rim = options.px_rings(site.text_height)
    away = px_away(site.mask)
    best = []
    for within, judged in ((wide, (near,)), (near, (near,)), (rim, (rim, options.edge))):
        tried = _tried(site, away, within, judged, options)
        if tried is None:
            return None
        if tried.filled is not None:
            return tried.filled
        if within == wide and (tried.is_texture(options) or is_hopeless(site, away, options)):
            return None
        best.append(tried.surface)
    alone = _without_lines(site, best[1], away, options)
    tried = None if alone is None else _tried(alone, away, near, (near,), options)
    return None if tried is None else tried.filled


@dataclass(frozen=True, slots=True, eq=False)
class _Tried:
    """What one ring told."""

    #: The surface that fits best, and whether the ring lies on it.
    surface: Surface
    holds: bool
    filled: Image | None
    #: Where it is no fill although the ring lies on it: how much structure there is, 1 as much as may be.
    structure: float = 0.0

    def is_texture(self, options: FillOptions) -> bool:
        """Whether a ground that is no fill will be none in a narrower ring."""
        loud = self.surface.sigma / options.most_noise
        if not self.holds:
            return self.surface.inliers > options.least_hope and loud > (
                1 if self.surface.inliers > 0.9 else 1.5
            )
        return self.structure > options.clear_structure or (loud > 0.5 and self.structure <= 1)


def _tried(
    site: Site, away: Floats, within: int, judged: tuple[int, ...], options: FillOptions
) -> _Tried | None:
    """The ground as a ring tells it; None where there is too little of it, or all is rough.

    Args:
        site: The ink.
        away: Px from it.
        within: Width of the ring in px.
        judged: How much of it must lie on a surface, in px; less may do, where more does not.
        options: Limits.
    """
    ring = Ring.within(site, away, within)
    if ring is None:
        return None
    points = ring.points(options.highest_order)
    plain = ground.fit(points, 0)
    surface, surfaces = None, [plain]
    level = is_flat(plain, points, options)
    if level:
        surface = ring.lies_on(surfaces, judged, options)
    if surface is None and not (level and plain.inliers > options.mostly):
        whole = within not in judged
        if whole and roughness(site, away, options.least_near) > options.most_roughness:
            return None
        surfaces = candidates(plain, points, options, again=not whole)
        surface = ring.lies_on(surfaces, judged, options)
    filled, structure = (None, 0.0) if surface is None else _filled(site, surface, away, within, options)
    # what a plainer surface leaves over may look like a pattern
    higher = surfaces[surfaces.index(surface) + 1 :] if surface is not None and structure > 1 else []
    curved = ring.lies_on(higher, judged, options)
    if curved is not None:
        surface = curved
        filled, structure = _filled(site, surface, away, within, options)
    if filled is None and _is_near(surfaces[-1], options):
        finest = ring.lies_on(
            [ground.fit(ring.points(options.finest_order), options.finest_order)], judged, options
        )
        filled = None if finest is None else _filled(site, finest, away, within, options)[0]
    held = surface is not None or filled is not None
    return _Tried(surface or surfaces[-1], held, filled, structure)


def _is_near(surface: Surface, options: FillOptions) -> bool:
    """Whether a quiet ground lies so near to the highest order that a finer one may hold."""
    return (
        surface.order == options.highest_order
        and surface.sigma <= options.quiet
        and surface.inliers >= options.nearly
    )


def _without_lines(site: Site, surface: Surface, away: Floats, options: FillOptions) -> Site | None:
    """A site whose ground leaves out thin lines that pass by near the ink; None where there are none."""
    if surface.sigma > options.most_noise or surface.inliers < options.least_hope:
        return None
    wide, near, _ = options.px_rings(site.text_height)
    limit = max(options.outlier_sigmas * min(surface.sigma, options.most_crossed), options.crossing_levels)
    departure = ground.departure(site.pixels, surface.levels(site.box.width, site.box.height))
    departing = (departure > limit) & site.free & (away <= wide)
    lines = lines_beside(departing, away <= near, site.mask, site.text_height, options.curves)
    return None if lines is None else replace(site, free=site.free & ~grown(lines.view(np.uint8), 1))


def fill_drawing(site: Site, options: FillOptions) -> Image | None:
    """As `fill_ground`, for a drawing: one clean colour under any number of lines."""
    wide, _, _ = options.px_rings(site.text_height)
    ring = Ring.within(site, px_away(site.mask), wide)
    if ring is None:
        return None
    surface = ground.fit(ring.points(0), 0)
    if surface.inliers < options.least_drawn or surface.sigma > options.least_noise:
        return None
    plain = surface.over(site.box.width, site.box.height)
    lines = continued_curves(
        surface.leaves(site.pixels, plain),
        site.mask,
        site.free,
        options.crossing_levels,
        site.text_height,
        options.curves,
    )
    return None if lines is None else _levels(plain + lines)


def fill_paper(site: Site, unread: Mask, options: FillOptions) -> Image | None:
    """As `fill_ground`, for paper with letters that were not read: no ground, nor is text that stays.

    Letters that touch the ink end as letters do; a drawn line, a frame or an edge goes on: that is no paper.

    Args:
        site: The ink; its box must leave room for `FillOptions.px_letters` around it.
        unread: Where such letters stand, (H, W).
        options: Limits.
    """
    paper = site.blank & (unread == 0)
    near = site.ring(options.px_rings(site.text_height)[1])
    if np.count_nonzero(near & paper) > (1 - _LETTERED) * np.count_nonzero(near):
        return None
    lettered = replace(site, free=paper, blank=paper)
    if roughness(lettered, px_away(site.mask), options.least_near) > _ROUGH * options.most_paper:
        return None
    levels = fill_ground(lettered, replace(options, most_noise=options.most_paper, most_crossed=0.0))
    if levels is None or _goes_on(site, ground.departure(site.pixels, levels), options):
        return None
    return levels


def _goes_on(site: Site, departure: Image, options: FillOptions) -> bool:
    """Whether something that touches the ink is larger than a letter."""
    side = round(options.letter / 2 * site.text_height) | 1
    boldest = cv2.dilate(cv2.copyTo(departure, site.blank.view(np.uint8)), np.ones((side, side), np.uint8))
    least = np.maximum(boldest * np.float32(options.bold), options.crossing_levels)
    things = ((departure > least) & site.blank).view(np.uint8)
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(things, connectivity=8)
    touching = np.unique(np.asarray(labels)[grown(site.mask, 2)])[1:]
    longest = sizes[touching][:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(initial=0)
    return bool(longest > options.letter * site.text_height)


def _filled(
    site: Site, surface: Surface, away: Floats, within: int, options: FillOptions
) -> tuple[Image | None, float]:
    """The ground that a surface tells, with its lines and grain; None where it is more than that.

    And how much structure there is, 1 as much as may be; 0 where it would not be seen.
    """
    noise, shape = surface.sigma, (site.box.width, site.box.height)
    plain = surface.over(*shape) if noise > options.least_noise else None
    levels = surface.levels(*shape) if plain is None else _levels(plain)
    departure = ground.departure(site.pixels, levels)
    touching, crossed = crossings(site, departure, noise, options, away)
    if noise <= options.least_noise and not crossed:
        return levels, 0.0
    plain = surface.over(*shape) if plain is None else plain
    residual, ring = surface.leaves(site.pixels, plain), (away <= within) & site.free
    structure = _structure(ground.grey(residual), ring, noise, options) if noise >= 1.0 else 0.0
    if structure > 1 or (crossed and noise > options.most_crossed):
        return None, structure
    if crossed or (touching and noise <= options.most_crossed):
        limit = max(options.outlier_sigmas * noise, options.crossing_levels)
        lines = continued_curves(residual, site.mask, site.free, limit, site.text_height, options.curves)
        if lines is None and crossed:
            return None, structure
        plain = plain if lines is None else plain + lines
        levels = _levels(plain)
    if options.grain:
        _, _, rim = options.px_rings(site.text_height)
        quiet = (departure < math.ceil(4 * max(noise, 0.5))) & site.free
        calm = quiet & (away > rim)  # JPEG's ripples around ink are no grain
        source = calm if np.count_nonzero(calm) >= options.fewest_calm else ring & quiet
        random = np.random.default_rng((site.box.left, site.box.top, *shape))
        speckle = grain.grow(residual, source, site.mask, random)
        if speckle is not None:
            inner = ink_box(site.mask).slices
            levels[inner] = _levels(plain[inner] + speckle[inner])
    return levels, structure


def _levels(ground_levels: Floats) -> Image:
    return cv2.convertScaleAbs(np.maximum(ground_levels, 0)).astype(np.uint8, copy=False)


def _structure(residual: Floats, ring: NDArray[np.bool_], noise: float, options: FillOptions) -> float:
    """How much of what the surface leaves over is a pattern: more than 1 is no noise."""
    valid = (ring & (np.abs(residual) < options.outlier_sigmas * noise)).view(np.uint8)
    known = cv2.boxFilter(valid, cv2.CV_8U, (7, 7), normalize=False)
    whole = ((known > 0.7 * 7 * 7) & ring).view(np.uint8)
    if cv2.countNonZero(whole) < 50:
        return 0.0
    sums = cv2.boxFilter(cv2.copyTo(residual, valid), cv2.CV_32F, (7, 7), normalize=False)
    kept, spread = (
        float(cv2.meanStdDev(picture, mask=seen)[1][0, 0])
        for picture, seen in ((cv2.divide(sums, known, dtype=cv2.CV_32F), whole), (residual, valid))
    )
    most = options.most_weave if spread > options.loud else options.most_structure
    visible = options.quiet_structure if noise <= options.quiet else options.visible_structure
    return kept / max(most * spread, visible)
