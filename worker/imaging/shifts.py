"""Which shifts carry the ground around some ink onto itself: a pattern's periods and their multiples."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.fill import Site
from worker.imaging.ground import Floats
from worker.job import Box

#: Px down and across.
Shift = tuple[int, int]

#: Pixels that the choice of shifts looks at.
_MOST_COVERED = 600
#: Squared levels by which misfits may differ and still count as equal.
_EQUAL = 4.0


@dataclass(frozen=True, slots=True)
class ShiftOptions:
    """What counts as a pattern, and how many shifts are used."""

    #: A shift is tried where it has ground for this share of the ink and of the compared pixels.
    least_cover: float = 0.15
    least_compared: float = 0.4
    #: Of so many candidates (the best, no two within so many px of each other) so many shifts are tried.
    candidates: int = 300
    shifts: int = 24
    apart: int = 1
    #: A pattern repeats: on the way to some of the shifts that fit nearly as well as the best (or within this
    #: share of the variance), the misfit rises to so many times their own.
    nearly_best: float = 3.0
    surely_good: float = 0.1
    least_rise: float = 3.2
    least_periods: int = 3


def find_shifts(site: Site, ring: NDArray[np.bool_], inner: Box, options: ShiftOptions) -> list[Shift]:
    """Shifts under which the ring looks like itself and that have ground for the ink, the best first.

    Args:
        site: The ink; its box must leave room for the shifts.
        ring: Ground that is compared.
        inner: The part of the site that holds ink and ring.
        options: What counts as a pattern.

    Returns:
        Empty where the ground does not repeat.
    """
    grey = _principal(site.pixels.astype(np.float32), ring)
    free = site.free.astype(np.float32)
    there, here = grey * free, (grey * ring)[inner.slices]
    compared = ring[inner.slices].astype(np.float32)
    ink = (site.mask[inner.slices] > 0).astype(np.float32)

    def summed(picture: Floats, weights: Floats) -> Floats:
        return np.asarray(cv2.matchTemplate(picture, weights, cv2.TM_CCORR), np.float32)

    count = summed(free, compared)
    cover = summed(free, ink) / ink.sum()
    misfit = summed(there * there, compared) - 2 * summed(there, here) + summed(free, here * here)
    usable = (count > options.least_compared * compared.sum()) & (cover > options.least_cover)
    typical = np.asarray(misfit / np.maximum(count, 1), np.float32)
    misfit = np.where(usable, typical, np.inf).astype(np.float32)
    side = 2 * options.apart + 1
    lowest = (cv2.erode(misfit, np.ones((side, side), np.uint8)) == misfit) & usable
    downs, acrosses = np.nonzero(lowest)
    # exactly repeated patterns have many equal shifts: any order but the scan's, which is one corner's
    drawn = np.random.default_rng(len(downs)).permutation(len(downs))
    drawn = drawn[np.argsort(misfit[downs[drawn], acrosses[drawn]], kind="stable")][: options.candidates]
    candidates = [(int(downs[i]) - inner.top, int(acrosses[i]) - inner.left) for i in drawn]
    scores = misfit[downs[drawn], acrosses[drawn]]
    good = max(
        options.nearly_best * float(scores.min(initial=np.inf)), options.surely_good * float(here.var())
    )
    if not _repeats(typical, candidates, scores, good, inner, options):
        return []
    return _covering(site, ring, candidates, scores, options)


def _principal(pixels: Floats, ring: NDArray[np.bool_]) -> Floats:
    """The pixels along the direction in which the ring's colours differ most, (H, W), centred."""
    seen = pixels[ring]
    mean = seen.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov((seen - mean).T))
    return np.asarray((pixels - mean) @ vectors[:, -1].astype(np.float32), np.float32)


def _repeats(
    misfit: Floats, candidates: list[Shift], scores: Floats, limit: float, inner: Box, options: ShiftOptions
) -> bool:
    """Whether some of the best shifts fit better than shorter ones of the same direction."""
    good = scores <= limit + _EQUAL
    shifts = np.array(candidates, np.float32).reshape(-1, 2)[good]
    steps = np.linspace(0.15, 0.85, 15, dtype=np.float32)[:, None, None]
    way = np.rint(steps * shifts + (inner.top, inner.left)).astype(np.intp)
    rise = misfit[way[..., 0], way[..., 1]].max(axis=0, initial=0)
    return int((rise > options.least_rise * scores[good] + _EQUAL).sum()) >= options.least_periods


def _covering(
    site: Site, ring: NDArray[np.bool_], candidates: list[Shift], misfits: Floats, options: ShiftOptions
) -> list[Shift]:
    """Of the candidates those that have ground for all ink and ring several times over, good ones first."""
    rows, columns = np.nonzero((site.mask > 0) | ring)
    few = ground.thinned(len(rows), _MOST_COVERED)
    rows, columns = rows[few], columns[few]
    has = np.array([site.free[rows + down, columns + across] for down, across in candidates], np.float32)
    worth = 1 / (misfits - misfits.min(initial=0) + _EQUAL)
    votes = np.zeros(len(rows), np.float32)
    chosen: list[Shift] = []
    for _ in range(min(options.shifts, len(candidates))):
        best = int(((has @ (1 / (1 + votes) ** 2)) * worth).argmax())
        chosen.append(candidates[best])
        votes += has[best]
        worth[best] = 0
    return chosen
