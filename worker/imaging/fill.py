"""Erasing without a network: one colour or a smooth gradient is filled from its own surface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import grain, ground
from worker.imaging.boxes import ink_box
from worker.imaging.curves import continued_curves, lines_beside
from worker.imaging.fill_options import FillOptions
from worker.imaging.ground import Floats, Surface
from worker.imaging.ring import Ring, candidates, is_flat, is_hopeless, is_rough, px_away
from worker.imaging.site import Site, grown
from worker.job import Image


def fill_ground(site: Site, options: FillOptions) -> Image | None:
    """The ground under a mask, or None where it is no smooth surface.

    Args:
        site: The ink; its box must leave room for the ring.
        options: Limits.

    Returns:
        (H, W, 3) of the site, meaningful under the mask only.
    """
    away = px_away(site.mask)
    wide, near, rim = options.px_rings(site.text_height)
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
    one_colour = is_flat(plain, points, options)
    if one_colour:
        surface = ring.lies_on(surfaces, judged, options)
    if surface is None and not (one_colour and plain.inliers > options.mostly):
        if within not in judged and is_rough(site, away, options):
            return None
        surfaces = candidates(plain, points, options)
        surface = ring.lies_on(surfaces, judged, options)
    filled = None if surface is None else _filled(site, surface, away, within, options)
    if filled is None and _is_near(surfaces[-1], options):
        finest = ring.lies_on(
            [ground.fit(ring.points(options.finest_order), options.finest_order)], judged, options
        )
        filled = None if finest is None else _filled(site, finest, away, within, options)
    if surface is None or filled is not None:
        return _Tried(surface or surfaces[-1], filled is not None, filled)
    left = ground.grey(surface.leaves(site.pixels, surface.over(site.box.width, site.box.height)))
    structure = _structure(left, (away <= within) & site.free, surface.sigma, options)
    return _Tried(surface, holds=True, filled=None, structure=structure)


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
    ring = Ring.within(site, px_away(site.mask), options.px_rings(site.text_height)[0])
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


def _filled(site: Site, surface: Surface, away: Floats, within: int, options: FillOptions) -> Image | None:
    """The ground that a surface tells, with its lines and grain; None where it is more than that."""
    noise, shape = surface.sigma, (site.box.width, site.box.height)
    plain = surface.over(*shape) if noise > options.least_noise else None
    levels = surface.levels(*shape) if plain is None else _levels(plain)
    touching, crossed = _crossings(site, ground.departure(site.pixels, levels), noise, options)
    if noise <= options.least_noise and not crossed:
        return levels
    if crossed and noise > options.most_crossed:
        return None
    plain = surface.over(*shape) if plain is None else plain
    residual = surface.leaves(site.pixels, plain)
    if crossed or (touching and noise <= options.most_crossed):
        limit = max(options.outlier_sigmas * noise, options.crossing_levels)
        lines = continued_curves(residual, site.mask, site.free, limit, site.text_height, options.curves)
        if lines is None and crossed:
            return None
        plain = plain if lines is None else plain + lines
        levels = _levels(plain)
    ring = (away <= within) & site.free
    if noise >= 1.0 and _structure(ground.grey(residual), ring, noise, options) > 1:
        return None
    speckle = _grain(site, residual, ring, away, noise, options) if options.grain else None
    if speckle is not None:
        inner = ink_box(site.mask).slices
        levels[inner] = _levels(plain[inner] + speckle[inner])
    return levels


def _grain(
    site: Site, residual: Floats, ring: NDArray[np.bool_], away: Floats, noise: float, options: FillOptions
) -> Floats | None:
    """Noise like that of the ground around the ink."""
    wide, _, rim = options.px_rings(site.text_height)
    plain = (ground.departure(residual) < 4 * max(noise, 0.5)) & site.free
    calm = (away > rim) & (away <= wide) & plain  # JPEG's ripples around ink are no grain
    source = calm if np.count_nonzero(calm) >= options.fewest_calm else ring & plain
    random = np.random.default_rng((site.box.left, site.box.top, site.box.width, site.box.height))
    return grain.grow(residual, source, site.mask, random)


def _levels(ground_levels: Floats) -> Image:
    return cv2.convertScaleAbs(np.maximum(ground_levels, 0)).astype(np.uint8, copy=False)


def is_crossed(site: Site, departure: Floats | Image, noise: float, options: FillOptions) -> bool:
    """Whether a line or an edge runs into the ink from outside: a fill would interrupt it.

    Args:
        site: The ink and its surroundings.
        departure: How far each pixel departs from what the fill assumes there, (H, W).
        noise: The departures' usual deviation, in levels.
        options: Limits.
    """
    return _crossings(site, departure, noise, options)[1]


def _crossings(site: Site, departure: Floats | Image, noise: float, options: FillOptions) -> tuple[int, bool]:
    """How many things lead from outside to the ink, and whether one crosses it."""
    limit = max(options.outlier_sigmas * noise, options.crossing_levels)
    departing = (departure > limit) & site.free
    touching = grown(site.mask, 1)
    if not (departing & touching).any():
        return 0, False
    beyond = max(options.least_crossing, options.px_rings(site.text_height)[1])
    near = (departing & grown(site.mask, beyond + 2)).view(np.uint8)
    count, labels = cv2.connectedComponents(near, connectivity=8)
    contact = np.bincount(labels[touching], minlength=count)[1:]
    leaves = np.bincount(labels[~grown(site.mask, beyond)], minlength=count)[1:] > 0
    # a line goes in and comes out again, an edge lies along the ink; a neighbour only touches it
    if bool((contact > options.longest_hidden * site.text_height).any()):
        return 1, True  # most of it lies under the ink
    contact = contact[leaves]
    count = int(np.count_nonzero(contact))
    return count, count >= 2 or bool((contact > options.longest_contact * site.text_height).any())


def _structure(residual: Floats, ring: NDArray[np.bool_], noise: float, options: FillOptions) -> float:
    """How much of what the surface leaves over is a pattern: more than 1 is no noise."""
    valid = ring & (np.abs(residual) < options.outlier_sigmas * noise)
    known = cv2.boxFilter(valid.view(np.uint8), cv2.CV_8U, (7, 7), normalize=False)
    whole = (known > 0.7 * 7 * 7) & ring
    if np.count_nonzero(whole) < 50:
        return 0.0
    mean = ground.local_mean(residual, valid, 7)
    spread = float(residual[valid].std())
    most = options.most_weave if spread > options.loud else options.most_structure
    visible = options.quiet_structure if noise <= options.quiet else options.visible_structure
    return float(mean[whole].std()) / max(most * spread, visible)
