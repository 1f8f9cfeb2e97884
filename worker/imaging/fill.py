"""Erasing without a network: one colour or a smooth gradient is filled from its own surface."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import grain, ground
from worker.imaging.curves import CurveOptions, continued_curves
from worker.imaging.ground import Floats, Surface
from worker.imaging.site import Site, grown, roughness
from worker.job import Image, Mask

#: Ring points a surface is judged on.
_MOST_JUDGED = 4000


@dataclass(frozen=True, slots=True)
class FillOptions:
    """When a surface is good enough to replace the network. Lengths are shares of the text's height."""

    #: Ring of ground around the ink that the surface is fitted to, and at least this many px; where other
    #: things stand in it (a badge around the text), only the part next to the ink, or the rim alone.
    ring: float = 0.6
    least_ring: int = 8
    #: The part of it, next to the ink, in which the surface must hold; further off other things may lie.
    near: float = 0.25
    least_near: int = 4
    #: Highest order tried; a cubic follows a radial gradient under a headline within a level.
    highest_order: int = 3
    #: Mean misfit in levels at which one colour needs no gradient (or no trend of `level` is left), and
    #: a quadratic no cubic (rounding leaves 0.25 for one channel and 0.38 for the worst of three).
    flat: float = 0.08
    level: float = 0.2
    clean: float = 0.42
    #: Side of the cells in which the surface must hold everywhere, not only on average.
    cell: float = 1.5
    #: Mean departure of a cell, in levels beside this share of the noise; more shows as a flat spot.
    cell_bias: float = 1.0
    cell_bias_noise: float = 0.35
    #: Departures beyond this many sigmas, and levels, are something else than ground.
    outlier_sigmas: float = 3.5
    outlier_levels: float = 10.0
    #: Share of such pixels in the ring, and in a cell.
    most_outliers: float = 0.1
    most_cell_outliers: float = 0.35
    #: Share of the rim that must lie on some curve, and its deviation there, in the most noise there may be.
    least_hope: float = 0.6
    most_hope: float = 1.05
    #: A line or an edge that enters the ink from outside `near` (and this many px) departs by so many levels;
    #: JPEG's ripples end within a block of 8 px.
    least_crossing: int = 6
    crossing_levels: float = 7.0
    longest_contact: float = 0.3
    #: Even what stays within that may be the rim of something that lies under the ink.
    longest_hidden: float = 0.8
    #: Share of one clean colour in the ring of a drawing, whose lines may be many.
    least_drawn: float = 0.55
    #: On ground of at most so much noise thin lines among them go on under the ink.
    most_crossed: float = 3.0
    curves: CurveOptions = field(default_factory=CurveOptions)
    #: Off for measuring: the bare surface.
    grain: bool = True
    #: The grain is learned from the ring beyond its rim where that holds so many px of the same ground.
    fewest_calm: int = 200
    #: Quieter ground has no grain, noisier ground is texture.
    least_noise: float = 0.3
    most_noise: float = 9.0
    most_roughness: float = 7.8
    #: Share of the noise's deviation that a 7×7 mean may keep (1/7 for white noise): more is structure.
    most_structure: float = 0.42
    #: The same for noise of more than `loud` levels: a weave.
    most_weave: float = 0.28
    loud: float = 6.0
    visible_structure: float = 1.2  #: levels; structure of a smaller deviation is not seen


def fill_ground(site: Site, options: FillOptions) -> Image | None:
    """The ground under a mask, or None where it is no smooth surface.

    Args:
        site: The ink; its box must leave room for the ring.
        options: Limits.

    Returns:
        (H, W, 3) of the site, meaningful under the mask only.
    """
    rim = site.ring(options.least_near)
    if roughness(site.pixels, rim) > options.most_roughness or _is_hopeless(site, rim, options):
        return None
    wide = site.ring(max(options.least_ring, round(options.ring * site.text_height)))
    near = site.ring(max(options.least_near, round(options.near * site.text_height)))
    for ring, judged in ((wide, near), (near, near), (rim, rim)):
        surface = _fit_ring(site, ring, judged, options)
        if surface is None:
            continue
        levels = surface.levels(site.box.width, site.box.height)
        departure = ground.departure(site.pixels, levels)
        crossed = is_crossed(site, departure, surface.sigma, options)
        if crossed and surface.sigma > options.most_crossed:
            return None
        if surface.sigma <= options.least_noise and not crossed:
            return levels
        plain = surface.over(site.box.width, site.box.height)
        residual = np.asarray(site.pixels - plain, np.float32)
        if crossed:
            limit = max(options.outlier_sigmas * surface.sigma, options.crossing_levels)
            lines = continued_curves(residual, site.mask, site.free, limit, site.text_height, options.curves)
            if lines is None:
                return None
            plain = plain + lines
            levels = _levels(plain)
        if surface.sigma >= 1.0 and _has_structure(ground.grey(residual), ring, surface.sigma, options):
            continue
        if not options.grain:
            return levels
        random = np.random.default_rng((site.box.left, site.box.top, site.box.width, site.box.height))
        calm = wide & ~grown(site.mask, options.least_near)  # JPEG's ripples around ink are no grain
        calm &= departure < 4 * max(surface.sigma, 0.5)
        source = calm if np.count_nonzero(calm) >= options.fewest_calm else ring
        noise = grain.grow(residual, source, site.mask, random)
        return levels if noise is None else _levels(plain + noise)
    return None


def fill_drawing(site: Site, options: FillOptions) -> Image | None:
    """As `fill_ground`, for a drawing: one clean colour under any number of lines."""
    ring = site.ring(max(options.least_ring, round(options.ring * site.text_height)))
    rows, columns = np.nonzero(ring)
    if len(rows) < 60:
        return None
    few = ground.thinned(len(rows))
    colours = site.pixels[rows[few], columns[few]].astype(np.float32)
    surface = ground.fit(ground.Points.of(columns[few], rows[few], colours, 0), 0)
    if surface.inliers < options.least_drawn or surface.sigma > options.least_noise:
        return None
    plain = surface.over(site.box.width, site.box.height)
    residual = np.asarray(site.pixels - plain, np.float32)
    lines = continued_curves(
        residual, site.mask, site.free, options.crossing_levels, site.text_height, options.curves
    )
    return None if lines is None else _levels(plain + lines)


def _levels(ground_levels: Floats) -> Image:
    return cv2.convertScaleAbs(np.maximum(ground_levels, 0)).astype(np.uint8, copy=False)


def _is_hopeless(site: Site, rim: NDArray[np.bool_], options: FillOptions) -> bool:
    """Whether so much of the ink's rim lies off every curve, or so far, that no ring around it can hold."""
    rows, columns = np.nonzero(rim)
    few = ground.thinned(len(rows), 400)
    if len(rows) < 60:
        return False
    rows, columns = rows[few], columns[few]
    colours = site.pixels[rows, columns].astype(np.float32)
    points = ground.Points.of(columns, rows, colours, 2)
    surface = ground.fit(points, 0)
    if surface.inliers < options.least_hope or surface.sigma > options.most_noise:
        surface = ground.fit(points, 2)
    if surface.sigma > options.most_hope * options.most_noise:
        return True
    distance = ground.largest(surface.residuals(columns, rows, colours))
    limit = max(options.outlier_sigmas * min(surface.sigma, options.most_noise), options.outlier_levels)
    return bool(np.count_nonzero(distance <= limit) < options.least_hope * len(rows))


def _fit_ring(
    site: Site, ring: NDArray[np.bool_], judged: NDArray[np.bool_], options: FillOptions
) -> Surface | None:
    """The lowest surface on which the judged part of the ring lies."""
    rows, columns = np.nonzero(ring)
    if len(rows) < 60:
        return None
    thin = ground.thinned(len(rows), _MOST_JUDGED)
    rows, columns = rows[thin], columns[thin]
    colours = site.pixels[rows, columns].astype(np.float32)
    few = ground.thinned(len(rows))
    side = max(8.0, options.cell * site.text_height)
    cells = _Cells.under(site.mask, side, rows, columns, judged[rows, columns])
    beside = (columns[cells.near], rows[cells.near], colours[cells.near])
    points = ground.Points.of(columns[few], rows[few], colours[few], options.highest_order)
    for surface in _candidates(points, options):
        if _holds(surface, surface.residuals(*beside), cells, options):
            return surface
    return None


def _candidates(points: ground.Points, options: FillOptions) -> list[Surface]:
    """Surfaces of rising order that leave no more than the noise; a lower order's misfit is no noise."""
    surfaces = [ground.fit(points, 0)]
    if surfaces[0].misfit <= options.flat or (
        surfaces[0].inliers > 0.9 and points.is_level(surfaces[0], options.level)
    ):
        return surfaces
    curved = ground.fit(points, 2)
    if not _as_good(surfaces[0], curved):
        surfaces = [ground.fit(points, 1)]
    surfaces.append(curved)
    if curved.misfit > options.clean and options.highest_order > 2:
        surfaces.append(ground.fit(points, options.highest_order))
    least = min(surfaces, key=lambda surface: surface.misfit)
    return [surface for surface in surfaces if _as_good(surface, least)]


def _as_good(surface: Surface, best: Surface) -> bool:
    """Whether a lower order leaves hardly more than a higher one."""
    return surface.sigma <= 1.1 * best.sigma + 0.1 and surface.misfit <= 1.1 * best.misfit + 0.08


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """A grid over the box; only cells that touch the mask are judged."""

    #: Which ring points lie next to the mask, and the cell of each of those.
    near: NDArray[np.bool_]
    of_near: NDArray[np.intp]
    #: Which cells touch the mask.
    judged: NDArray[np.bool_]

    @classmethod
    def under(
        cls,
        mask: Mask,
        side: float,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        near: NDArray[np.bool_],
    ) -> _Cells:
        across = int(mask.shape[1] / side) + 1
        count = across * (int(mask.shape[0] / side) + 1)
        of_near = (rows[near] / side).astype(np.intp) * across + (columns[near] / side).astype(np.intp)
        masked_rows, masked_columns = np.nonzero(mask[::2, ::2])
        of_mask = (masked_rows * 2 / side).astype(np.intp) * across + (masked_columns * 2 / side).astype(
            np.intp
        )
        return cls(near, of_near, np.bincount(of_mask, minlength=count) > 0)


def _holds(surface: Surface, residuals: Floats, cells: _Cells, options: FillOptions) -> bool:
    """Whether the ground next to the ink lies on the surface, as a whole and in every cell under the mask."""
    noise = surface.sigma
    if noise > options.most_noise or residuals.shape[1] < 30:
        return False
    outlying = ground.largest(residuals) > max(options.outlier_sigmas * noise, options.outlier_levels)
    if outlying.mean() > options.most_outliers:
        return False
    count = len(cells.judged)
    points = np.maximum(np.bincount(cells.of_near, minlength=count), 1)
    outliers = np.bincount(cells.of_near[outlying], minlength=count)
    # clipped: JPEG's ripples around ink are one-sided on white, and are no bias of the ground
    settled = np.clip(residuals, -2 * noise - 1.5, 2 * noise + 1.5)
    bias = np.stack([np.bincount(cells.of_near, channel, minlength=count) for channel in settled])
    limit = options.cell_bias + options.cell_bias_noise * noise + 3 * noise / np.sqrt(points)
    too_biased = (np.abs(bias / points) > limit).any(axis=0)
    too_mixed = outliers > options.most_cell_outliers * points
    return not bool((cells.judged & (points >= 12) & (too_biased | too_mixed)).any())


def is_crossed(site: Site, departure: Floats | Image, noise: float, options: FillOptions) -> bool:
    """Whether a line or an edge runs into the ink from outside: a fill would interrupt it.

    Args:
        site: The ink and its surroundings.
        departure: How far each pixel departs from what the fill assumes there, (H, W).
        noise: The departures' usual deviation, in levels.
        options: Limits.
    """
    beyond = max(options.least_crossing, round(options.near * site.text_height))
    limit = max(options.outlier_sigmas * noise, options.crossing_levels)
    departing = ((departure > limit) & site.ring(beyond + 2)).astype(np.uint8)
    touching = grown(site.mask, 1)
    if not departing[touching].any():
        return False
    count, labels = cv2.connectedComponents(departing, connectivity=8)
    contact = np.bincount(labels[touching], minlength=count)[1:]
    leaves = np.bincount(labels[~grown(site.mask, beyond)], minlength=count)[1:] > 0
    # a line goes in and comes out again, an edge lies along the ink; a neighbour only touches it
    if bool((contact > options.longest_hidden * site.text_height).any()):
        return True  # most of it lies under the ink
    contact = contact[leaves]
    if np.count_nonzero(contact) >= 2:
        return True
    return bool((contact > options.longest_contact * site.text_height).any())


def _has_structure(residual: Floats, ring: NDArray[np.bool_], noise: float, options: FillOptions) -> bool:
    """Whether what the surface leaves over is a pattern rather than noise."""
    valid = (ring & (np.abs(residual) < options.outlier_sigmas * noise)).astype(np.float32)
    share = cv2.blur(valid, (7, 7))
    mean = cv2.blur(residual * valid, (7, 7)) / np.maximum(share, 1e-6)
    whole = (share > 0.7) & ring
    if np.count_nonzero(whole) < 50:
        return False
    spread = float(residual[valid > 0].std())
    most = options.most_weave if spread > options.loud else options.most_structure
    return float(mean[whole].std()) > max(most * spread, options.visible_structure)
