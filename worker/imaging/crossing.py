"""What leads from outside into the ink: a line or an edge, which a fill would interrupt."""

from __future__ import annotations

import cv2
import numpy as np

from worker.imaging.fill_options import FillOptions
from worker.imaging.ground import Floats
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


def crossings(site: Site, departure: Floats | Image, noise: float, options: FillOptions) -> tuple[int, bool]:
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
    leaves = np.bincount(labels[(near > 0) & ~grown(site.mask, beyond)], minlength=count)[1:] > 0
    # a line goes in and comes out again, an edge lies along the ink; a neighbour only touches it
    if bool((contact > options.longest_hidden * site.text_height).any()):
        return 1, True  # most of it lies under the ink
    contact = contact[leaves]
    count = int(np.count_nonzero(contact))
    return count, count >= 2 or bool((contact > options.longest_contact * site.text_height).any())
