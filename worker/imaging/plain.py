"""Flat ground, known at a glance: most of what lies around the ink has exactly one colour."""

from __future__ import annotations

import cv2
import numpy as np

from worker.imaging import ground
from worker.imaging.cells import CellOptions, grid
from worker.imaging.crossing import is_crossed
from worker.imaging.fill_options import FillOptions
from worker.imaging.pixels import beyond, both
from worker.imaging.site import Site
from worker.job import Image, Mask

#: Share of the ring that may have another colour: less than half, so that every channel's median is the one.
_MOST = 0.5
#: Rows and columns of the site that tell which colour that may be, and the share of them that must have it.
_LOOKED_AT, _LEAST = 16, 0.35
#: Half levels that a departure of 0, 1 and more levels counts for: JPEG's ripples are no bias of the ground.
_COUNTED = np.array([0, 2] + [3] * 254, np.uint8)


def one_colour(site: Site, options: FillOptions) -> Image | None:
    """The one colour around some ink, (H, W, 3) of the site; None where it must be looked at more closely.

    Args:
        site: The ink; its box must leave room for the ring.
        options: Limits; what holds here, holds for a surface of order 0 too.
    """
    wide, near, rim = options.px_rings(site.text_height)
    colour = _guessed(site)
    if colour is None:
        return None
    ring = _ring(site, wide)
    levels = ground.sheet(colour, site.box.width, site.box.height)
    departure = ground.departure(site.pixels, levels)
    if cv2.countNonZero(cv2.copyTo(departure, ring)) >= _MOST * cv2.countNonZero(ring):
        return None
    beside, outlying = _ring(site, near), beyond(departure, options.limit(0.0))
    if not _holds(departure, beside, both(outlying, beside), site.text_height, options.cells):
        return None
    rim_ring = _ring(site, rim)
    if cv2.countNonZero(both(outlying, rim_ring)) > (1 - options.least_hope) * cv2.countNonZero(rim_ring):
        return None
    return None if is_crossed(site, departure, 0.0, options) else levels


def _ring(site: Site, px: int) -> Mask:
    """1 where ground lies within so many px of the ink, 0 elsewhere."""
    return site.ring(px).view(np.uint8)


def _guessed(site: Site) -> Image | None:
    """The colour that many of the site's pixels may have, told from some of them."""
    down, across = (max(1, side // _LOOKED_AT) for side in site.mask.shape)
    some = site.pixels[::down, ::across][site.free[::down, ::across]]
    if not len(some):
        return None
    colour = np.partition(some, len(some) // 2, axis=0)[len(some) // 2]
    same = np.count_nonzero((some == colour).all(axis=1))
    return colour if same >= _LEAST * len(some) else None


def _holds(departure: Image, ring: Mask, outlying: Mask, text_height: float, options: CellOptions) -> bool:
    """As `Cells.hold` without noise, or more strictly: departures count without their sign."""
    size = cv2.countNonZero(ring)
    if size < options.fewest_whole or cv2.countNonZero(outlying) > options.most_outliers * size:
        return False
    rows, columns = grid(ring.shape, text_height, options.side)
    planes = cv2.merge([ring, cv2.copyTo(cv2.LUT(departure, _COUNTED), ring), outlying & 1])
    corners = cv2.integral(planes)[rows][:, columns]
    sums = corners[1:, 1:] - corners[1:, :-1] - corners[:-1, 1:] + corners[:-1, :-1]
    sizes, counted, outliers = sums.reshape(-1, 3)[sums[..., 0].ravel() >= options.fewest].T
    fails = (counted > 2 * options.bias * sizes) | (outliers > options.most_cell_outliers * sizes)
    return not bool(fails.any())
