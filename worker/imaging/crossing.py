"""What leads from outside into the ink: a line or an edge, which a fill would interrupt."""

from __future__ import annotations

import numpy as np

from worker.imaging.boxes import ink_box, padded
from worker.imaging.fill_options import FillOptions
from worker.imaging.ground import Floats
from worker.imaging.pixels import parts
from worker.imaging.ring import px_away
from worker.imaging.site import Site, grown
from worker.job import Image


def is_crossed(site: Site, departure: Floats | Image, noise: float, options: FillOptions) -> bool:
    """Whether a line or an edge runs into the ink from outside: a fill would interrupt it.

    Args:
        site: The ink and its surroundings.
        departure: How far each pixel departs from what the fill assumes there, (H, W).
        noise: The departures' usual deviation, in levels.
        options: Limits.
    """
    return crossings(site, departure, noise, options)[1]


def crossings(
    site: Site,
    departure: Floats | Image,
    noise: float,
    options: FillOptions,
    away: Floats | None = None,
) -> tuple[int, bool]:
    """As `is_crossed`, and how many things lead from outside to the ink; `away`: px from it, if known."""
    beyond = max(options.least_crossing, options.px_rings(site.text_height)[1])
    box = padded(ink_box(site.mask), beyond + 2, site.mask).slices
    mask, limit = site.mask[box], max(options.outlier_sigmas * noise, options.crossing_levels)
    departing = departure[box] > departure.dtype.type(min(limit, 255.0))  # whole levels are compared as such
    departing &= site.free[box]
    touching = np.flatnonzero(departing & grown(mask, 1))
    if not len(touching):
        return 0, False
    away = px_away(mask) if away is None else away[box]
    near = departing & (away <= beyond + 2)
    count, labels = parts(near.view(np.uint8))
    labels = labels.ravel()
    contact = np.bincount(labels[touching], minlength=count)[1:]
    leaves = np.bincount(labels[np.flatnonzero(near & (away > beyond))], minlength=count)[1:] > 0
    # a line goes in and comes out again, an edge lies along the ink; a neighbour only touches it
    if bool((contact > options.longest_hidden * site.text_height).any()):
        return 1, True  # most of it lies under the ink
    contact = contact[leaves]
    count = int(np.count_nonzero(contact))
    return count, count >= 2 or bool((contact > options.longest_contact * site.text_height).any())
