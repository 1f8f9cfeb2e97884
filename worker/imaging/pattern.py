"""Erasing text from stripes, plaid, checks and dots: the pattern is continued from periods away.

Which shifts carry the picture onto itself is read off the ground around the ink. Several of them foretell
each pixel under the ink; the one that agrees best with what is seen near by and with the others is copied,
corrected by the small change of light between here and there. A ground that does not repeat (it only grows
stranger with the distance) and one that the shifts do not foretell is left to others.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import ink_box, padded
from worker.imaging.copies import CopyOptions, copied_ground
from worker.imaging.crossing import is_crossed
from worker.imaging.fill_options import FillOptions
from worker.imaging.ground import Floats
from worker.imaging.shifts import Shades, ShiftOptions, find_shifts
from worker.imaging.site import Site, grown
from worker.job import Image, Mask

#: Fewer pixels of seen ground than this tell nothing about a pattern.
_FEWEST = 200


@dataclass(frozen=True, slots=True)
class PatternOptions:
    """How a pattern is sought and when it is believed. Shares are of the text's height."""

    #: Ground around the ink that is compared, and at least so many px.
    margin: float = 0.35
    least_margin: int = 12
    #: How far around the ink more of it may have been missed (a broad outline in one of its colours:
    #: the second where something runs into the first); it shows by a share of a crossing's departure.
    halos: tuple[float, ...] = (0.1, 0.25)
    least_halo: int = 3
    missed_share: float = 0.25
    #: How far away the pattern may be taken from, in text heights and px.
    reach: float = 4.0
    least_reach: int = 96
    most_reach: int = 240
    #: Spots on a smooth ground are looked for this far around the ink; they depart by so many levels, cover
    #: this share. There are so many of at least so many px that fill this share of their bounding boxes (a
    #: curve does not), and they are most of what departs.
    spots_within: float = 0.5
    spot_levels: float = 16.0
    least_spotted: float = 0.04
    fewest_spots: int = 6
    least_spot: int = 4
    roundness: float = 0.5
    most_spots: float = 0.8
    #: Deviation of the ground in levels below which there is no pattern.
    least_contrast: float = 4.0
    #: How shifts are found.
    shifts: ShiftOptions = field(default_factory=ShiftOptions)
    #: Pixels times shifts that are held at once, 12 bytes each; a large hole is foretold by fewer shifts.
    most_held: int = 1_500_000
    #: How they are copied.
    copies: CopyOptions = field(default_factory=CopyOptions)
    #: Share of the ground's variance that may stay unexplained around any piece of ink.
    most_wrong_anywhere: float = 0.45
    #: A line or an edge that runs into the ink is one where it departs by this share of the contrast from
    #: everything that was copied within `misplaced`: cloth stretches, printed patterns do not.
    crossing_share: float = 1.0
    misplaced: float = 0.06
    least_misplaced: int = 2

    def px_margin(self, text_height: float) -> int:
        """How much ground around the ink is compared, in px."""
        return max(self.least_margin, round(self.margin * text_height))

    def px_reach(self, text_height: float) -> int:
        """How far away the pattern is sought, in px."""
        return min(max(self.least_reach, round(self.reach * text_height)), self.most_reach)


def is_spotted(site: Site, filled: Image, options: PatternOptions) -> bool:
    """Whether a smooth ground bears so many separate spots that they may be a pattern of it (polka dots)."""
    ring = site.unlettered(site.mask).ring(
        max(options.least_margin, round(options.spots_within * site.text_height))
    )
    departure = ground.departure(site.pixels, filled)
    spots = ((departure > options.spot_levels) & ring).astype(np.uint8)
    if np.count_nonzero(spots) < options.least_spotted * np.count_nonzero(ring):
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(spots, connectivity=8)
    width, height, area = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA]].T
    alike = (area >= options.least_spot) & (area > options.roundness * width * height)
    if np.count_nonzero(alike) < options.fewest_spots or area[alike].sum() < options.most_spots * area.sum():
        return False
    return bool(max(width.max(initial=0), height.max(initial=0)) < 2 * site.text_height)


def continue_pattern(site: Site, options: PatternOptions, limits: FillOptions) -> tuple[Image, Mask] | None:
    """The ground under a mask, continued from where the same pattern is seen; None where there is none.

    Args:
        site: The ink; its box must leave room for the reach.
        options: How to seek, what to believe.
        limits: What counts as a line that must not be interrupted.

    Returns:
        The pixels of the site, (H, W, 3), meaningful under the mask only; and the mask with what was missed
        of the ink: an outline in one of the pattern's own colours shows only against what is foretold.
    """
    for share in options.halos:
        found = _continued(site, max(options.least_halo, round(share * site.text_height)), options, limits)
        if found is None:
            return None
        filled, mask, crossed = found
        if not crossed:
            return filled, mask
    return None


def _continued(
    site: Site, grow: int, options: PatternOptions, limits: FillOptions
) -> tuple[Image, Mask, bool] | None:
    """As `continue_pattern`, with a halo of so many px, and whether something strange runs into it."""
    ink = site.mask
    margin = options.px_margin(site.text_height)
    inner = padded(ink_box(ink), grow + margin, ink)
    halo = np.zeros_like(ink)
    halo[inner.slices] = cv2.dilate(ink[inner.slices], _square(grow))
    site = site.unlettered(halo)
    ring = np.zeros(ink.shape, np.bool_)
    ring[inner.slices] = grown(halo[inner.slices], margin) & site.free[inner.slices]
    if np.count_nonzero(ring) < _FEWEST:
        return None
    shades = Shades.of(site, ring)
    if (variance := shades.variance) < options.least_contrast**2:
        return None
    most = options.most_held // (inner.width * inner.height)
    shifts = find_shifts(site, ring, inner, shades, options.shifts)[:most]
    if not shifts:
        return None
    pixels = site.pixels.astype(np.float32)
    found = copied_ground(site, pixels, ring, inner, shifts, variance, margin, options.copies)
    if found is None:
        return None
    copied, known = found
    ring[inner.slices] &= known
    wrong = pixels[inner.slices] - copied
    if not _is_believable(wrong, ring[inner.slices], ink[inner.slices], variance, site.text_height, options):
        return None
    misplaced = max(options.least_misplaced, round(options.misplaced * site.text_height))
    strange = np.zeros(halo.shape, np.float32)
    strange[inner.slices] = ground.departure(_outside(pixels[inner.slices], copied, misplaced))
    limit = options.crossing_share * variance**0.5
    crossed = is_crossed(site, strange * ring, limit / limits.outlier_sigmas, limits)
    least = max(options.missed_share * limit, 12.0)
    missed = (halo > 0) & (strange > least)
    # next to an edge of the pattern an outline in its colours is no stranger than a misplaced edge
    beside = (cv2.dilate(missed.astype(np.uint8), _square(misplaced)) > 0) & (halo > 0)
    missed[inner.slices] |= beside[inner.slices] & (ground.departure(pixels[inner.slices], copied) > least)
    filled, mask = site.pixels.copy(), ink.copy()
    filled[inner.slices] = cv2.convertScaleAbs(np.maximum(copied, 0))
    mask[inner.slices] = _joined(ink[inner.slices], missed[inner.slices])
    return filled, mask, crossed


def _joined(ink: Mask, missed: NDArray[np.bool_]) -> Mask:
    """The ink and the missed pixels that hang together with it."""
    candidates = cv2.dilate((missed | (ink > 0)).astype(np.uint8), _square(1))
    count, labels = cv2.connectedComponents(candidates, connectivity=8)
    touches = np.bincount(labels[ink > 0], minlength=count) > 0
    touches[0] = False
    more = cv2.dilate((missed & touches[labels]).astype(np.uint8), _square(1)) > 0
    return np.where(more | (ink > 0), 255, 0).astype(np.uint8)


def _square(px: int) -> Mask:
    return np.ones((2 * px + 1, 2 * px + 1), np.uint8)


def _outside(pixels: Floats, copied: Floats, px: int) -> Floats:
    """How far pixels lie outside the range of what was copied within some px of them."""
    around = _square(px)
    above = pixels - cv2.dilate(copied, around)
    below = cv2.erode(copied, around) - pixels
    return np.asarray(np.maximum(np.maximum(above, below), 0), np.float32)


def _is_believable(
    wrong: Floats,
    ring: NDArray[np.bool_],
    ink: Mask,
    variance: float,
    text_height: float,
    options: PatternOptions,
) -> bool:
    """Whether the copies foretell the seen ground, on the whole and around every piece of ink."""
    squared = np.asarray(cv2.transform(cv2.multiply(wrong, wrong), np.ones((1, 3), np.float32)), np.float32)
    if float(squared[ring].mean()) > options.copies.most_wrong * variance:
        return False
    around = ground.local_mean(squared, ring, 2 * round(text_height) + 1)[ink > 0]
    return ground.quantile(around, 0.99) <= options.most_wrong_anywhere * variance
