"""The ground around some ink, and which smooth surface it lies on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import ink_box, padded
from worker.imaging.cells import Cells
from worker.imaging.fill_options import FillOptions
from worker.imaging.ground import Floats, Surface
from worker.imaging.pixels import level_at, level_counts
from worker.imaging.site import Site
from worker.job import Image, Mask

#: Ring pixels that a surface is judged on, and fewer that tell nothing.
_MOST_JUDGED, _FEWEST = 3000, 60
#: Such pixels that a surface is fitted to: more change it by less than a hundredth of a level.
_MOST_FITTED = 1000
#: Such pixels that tell whether there is any hope, and those whose neighbours tell the noise.
_HINTS, _MOST_COMPARED = 400, 8000


def px_away(mask: Mask) -> Floats:
    """Px (diagonal ones too) from each pixel to the ink."""
    return np.asarray(cv2.distanceTransform((mask == 0).view(np.uint8), cv2.DIST_C, 3), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """The ground around some ink, as a few thousand pixels tell it."""

    site: Site
    #: Places in the flattened site, their rows and columns; (N, 3), and px from the ink, (N,).
    places: NDArray[np.intp]
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    colours: Image
    away: Floats

    @classmethod
    def within(cls, site: Site, away: Floats, px: int, most: int = _MOST_JUDGED) -> Ring | None:
        """What is seen within so many px of the ink; None of too little."""
        places = np.flatnonzero((away <= px) & site.free)
        if len(places) < _FEWEST:
            return None
        places = places[ground.thinned(len(places), most)]
        rows, columns = np.divmod(places.astype(np.int32), np.int32(site.box.width))
        colours = np.ascontiguousarray(site.pixels).reshape(-1, 3).take(places, axis=0)
        return cls(site, places, rows, columns, colours, away.take(places))

    def points(self, order: int) -> ground.Points:
        """Some of it, for surfaces of that order and lower ones."""
        few = ground.thinned(len(self.places), _MOST_FITTED)
        colours = self.colours[few].astype(np.float32)
        return ground.Points.of(self.columns[few], self.rows[few], colours, order)

    def lies_on(
        self, surfaces: Sequence[Surface], judged: Iterable[int], options: FillOptions
    ) -> Surface | None:
        """The first surface on which everything so near to the ink lies; less of it, where not all does."""
        held = (self._first(surfaces, px, options) for px in judged if surfaces)
        return next((surface for surface in held if surface is not None), None)

    def _first(self, surfaces: Sequence[Surface], px: int, options: FillOptions) -> Surface | None:
        near = np.flatnonzero(self.away <= px)
        rows, columns = self.rows.take(near), self.columns.take(near)
        colours = self.colours.take(near, axis=0).astype(np.float32)
        rim = self.away.take(near) <= options.least_near
        cells = None
        for surface in surfaces:
            residuals = surface.residuals(columns, rows, colours)
            if surface.sigma > options.most_noise:
                continue
            cells = cells or Cells.under(
                self.site.mask, rows, columns, self.site.text_height, options.cells.side
            )
            outlying = ground.largest(residuals) > options.limit(surface.sigma)
            if np.count_nonzero(outlying & rim) > (1 - options.least_hope) * np.count_nonzero(rim):
                continue
            if cells.hold(residuals, outlying, surface.sigma, options.cells):
                return surface
        return None


def roughness(site: Site, away: Floats, px: int) -> float:
    """Deviation in levels of the noise so near to the ink, as neighbours tell it; high on patterns."""
    box = padded(ink_box(site.mask), px, site.mask).slices
    pixels, ring = site.pixels[box], (away[box] <= px) & site.free[box]
    every = max(1, ring.size // _MOST_COMPARED)
    most = 0
    for one, other in ((np.s_[:-1:every], np.s_[1::every]), (np.s_[::every, :-1], np.s_[::every, 1:])):
        pairs = (ring[one] & ring[other]).view(np.uint8)
        if not pairs.any():
            continue
        steps = cv2.transform(cv2.absdiff(pixels[one], pixels[other]), np.ones((1, 3), np.float32))
        most = max(most, level_at(level_counts(steps.astype(np.uint8, copy=False), pairs), 0.5))
    return most / 3 * ground.MAD_TO_SIGMA / 2**0.5


def is_hopeless(site: Site, away: Floats, options: FillOptions) -> bool:
    """Whether the ink's rim departs from every curve so far or so often that no ring around it can hold."""
    rim = Ring.within(site, away, options.least_near, _HINTS)
    if rim is None:
        return False
    points = rim.points(2)
    surface = ground.fit(points, 0)
    if surface.inliers < options.least_hope or surface.sigma > options.most_noise:
        surface = ground.fit(points, 2)
    if surface.sigma > options.most_hope * options.most_noise:
        return True
    distance = ground.largest(surface.residuals(rim.columns, rim.rows, rim.colours.astype(np.float32)))
    limit = options.limit(min(surface.sigma, options.most_noise))
    return bool(np.count_nonzero(distance <= limit) < options.least_hope * len(distance))


def is_flat(plain: Surface, points: ground.Points, options: FillOptions) -> bool:
    """Whether most of a ground has one colour, and the rest no trend."""
    return plain.misfit <= options.flat or (
        plain.sigma <= options.least_noise and points.is_level(plain, options.level)
    )


def candidates(
    plain: Surface, points: ground.Points, options: FillOptions, *, again: bool = True
) -> list[Surface]:
    """Surfaces of rising order that leave no more than the noise; a lower order's misfit is no noise.

    Args:
        plain: The one of order 0.
        points: What they are fitted to.
        options: Limits.
        again: Whether a second start is worth while where two grounds share the ring.
    """
    if plain.inliers > 0.9 and points.is_level(plain, options.level):
        return [plain]
    highest = ground.fit(points, options.highest_order, again=again)
    curved = ground.lowered(points, highest, 2)
    surfaces = [plain if _as_good(plain, curved) else ground.lowered(points, curved, 1), curved]
    if curved.misfit > options.clean:
        surfaces.append(highest)
    least = min(surfaces, key=lambda surface: surface.misfit)
    return [surface for surface in surfaces if _as_good(surface, least)]


def _as_good(surface: Surface, best: Surface) -> bool:
    """Whether a lower order leaves hardly more than a higher one."""
    return surface.sigma <= 1.1 * best.sigma + 0.1 and surface.misfit <= 1.03 * best.misfit + 0.05
