"""Which shifts carry the ground around some ink onto itself: a pattern's periods and their multiples."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.ground import Floats
from worker.imaging.site import Site, shrunk
from worker.imaging.weave import resized
from worker.job import Box, Image

#: Px down and across.
Shift = tuple[int, int]

#: Pixels that the choice of shifts looks at.
_MOST_COVERED = 600
#: Pixels that tell in which direction a ground's colours differ.
_MOST_COLOURS = 2000
#: Squared levels by which misfits may differ and still count as equal.
_EQUAL = 4.0
#: Times smaller at which it is told how much ground a shift has, where there are so many px of it.
_THIN, _LARGE = 4, 40_000
#: Squared levels that rounding at reduced size leaves.
_ROUNDING = 0.5


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
    #: That it does not is seen at reduced size, text of so many px and at most so many times smaller, where
    #: this share of its variance is left: even the best shift misses this share of that, or there are fewer
    #: than so many periods.
    coarse_height: float = 11.0
    most_coarse: int = 6
    least_kept: float = 0.15
    most_missed: float = 0.012
    least_coarse: int = 2
    #: From so many times further away a share is seen that ends most searches: cloth and pictures mostly
    #: miss 0.1 to 1, patterns at most 0.05, whatever their periods have to do with these px.
    glance: int = 2
    most_missed_at_a_glance: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Shades:
    """The colours of a ground: their variance, and the direction in which they differ most."""

    variance: float
    #: Along the direction.
    contrast: float
    #: The direction, and what centres the colours on it, (1, 4).
    direction: Floats

    @classmethod
    def of(cls, site: Site, ring: NDArray[np.bool_]) -> Shades:
        """Those of some pixels of a ring."""
        places = np.flatnonzero(ring)
        places = places[ground.thinned(len(places), _MOST_COLOURS)]
        colours = site.pixels[places // ring.shape[1], places % ring.shape[1]].astype(np.float32)
        share = np.float32(1 / max(len(colours), 1))
        mean = np.full(len(colours), share) @ colours
        colours -= mean
        spread = colours.T @ colours * share
        _, values, vectors = cv2.eigen(spread)
        direction = np.append(vectors[0], -float(mean @ vectors[0])).astype(np.float32)[None]
        return cls(float(np.trace(spread)), float(values[0, 0]), direction)


def find_shifts(
    site: Site, ring: NDArray[np.bool_], inner: Box, shades: Shades, options: ShiftOptions
) -> list[Shift]:
    """Shifts under which the ring looks like itself and that have ground for the ink, the best first.

    Args:
        site: The ink; its box must leave room for the shifts.
        ring: Ground that is compared.
        inner: The part of the site that holds ink and ring.
        shades: The ring's colours.
        options: What counts as a pattern.

    Returns:
        Empty where the ground does not repeat.
    """
    factor = min(int(site.text_height // options.coarse_height), options.most_coarse)
    for times, missed in ((options.glance, options.most_missed_at_a_glance), (1, options.most_missed)):
        if factor > 1 and times * factor <= min(site.mask.shape):
            coarse = _Seen.shrunk(site, ring, inner, shades.direction, times * factor)
            if _is_alone(coarse, shades.contrast, missed, options, glanced=times > 1):
                return []
    seen = _Seen(_along(site.pixels, shades.direction), site.free, ring, site.mask > 0, inner)
    typical, usable = _misfits(seen, options)
    candidates, scores = _best(typical, usable, inner, options)
    periods = _periods(typical, candidates, scores, _limit(seen, scores, options), inner, options)
    if periods < options.least_periods:
        return []
    return _covering(site, ring, candidates, scores, options)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A ground in one channel, and what of it is known, compared and wanted; all of one shape."""

    grey: Floats
    free: NDArray[np.bool_]
    ring: NDArray[np.bool_]
    ink: NDArray[np.bool_]
    #: The part that holds ring and ink.
    inner: Box

    @property
    def contrast(self) -> float:
        """Variance of the ring."""
        return float(self.grey[self.ring].var()) if self.ring.any() else 0.0

    @classmethod
    def shrunk(cls, site: Site, ring: NDArray[np.bool_], inner: Box, direction: Floats, factor: int) -> _Seen:
        """The same at 1 / factor of the size; what is not wholly known counts as unknown."""
        height, width = (side // factor for side in site.mask.shape)
        low = (inner.left // factor, inner.top // factor)
        part = Box(*low, min(-(-inner.right // factor), width), min(-(-inner.bottom // factor), height))
        cut = Box(*(factor * edge for edge in (part.left, part.top, part.right, part.bottom))).slices

        def most(picture: NDArray[np.bool_]) -> NDArray[np.bool_]:
            cells = np.zeros((height, width), np.bool_)
            cells[part.slices] = shrunk(picture[cut] * np.uint8(255), factor) > 127
            return cells

        whole = np.ones((factor, factor), np.uint8)
        least = cv2.erode(site.free.view(np.uint8), whole, anchor=(0, 0))[::factor, ::factor]
        free = np.asarray(least[:height, :width] > 0)
        grey = _along(shrunk(site.pixels, factor), direction)
        return cls(grey, free, free & most(ring), most(site.mask > 0), part)


def _summed(picture: Floats, weights: Floats) -> Floats:
    return np.asarray(cv2.matchTemplate(picture, weights, cv2.TM_CCORR), np.float32)


def _covered(wanted: Floats, free: Floats) -> Floats:
    """How much of what is wanted lies on free ground, for every shift: it changes slowly with it."""
    if free.size < _LARGE:
        return _summed(free, wanted)
    few, ground_ = (
        cv2.resize(each, (each.shape[1] // _THIN, each.shape[0] // _THIN), interpolation=cv2.INTER_AREA)
        for each in (wanted, free)
    )
    covered = _summed(np.asarray(ground_, np.float32), np.asarray(few, np.float32))
    covered *= np.float32(float(wanted.sum()) / max(float(few.sum()), 1e-6))
    return resized(covered, (free.shape[0] - wanted.shape[0] + 1, free.shape[1] - wanted.shape[1] + 1))


def _misfits(seen: _Seen, options: ShiftOptions) -> tuple[Floats, NDArray[np.bool_]]:
    """For every shift the mean squared difference it leaves, and whether it has enough ground to tell."""
    inner = seen.inner
    free = seen.free.astype(np.float32)
    there, here = seen.grey * free, (seen.grey * seen.ring)[inner.slices]
    compared = seen.ring[inner.slices].astype(np.float32)
    count = _covered(compared, free)
    misfit = _summed(there * there, compared) - 2 * _summed(there, here) + _summed(free, here * here)
    ink = seen.ink[inner.slices].astype(np.float32)
    usable = count > options.least_compared * compared.sum()
    usable &= _covered(ink, free) > options.least_cover * ink.sum()
    return np.asarray(np.maximum(misfit, 0) / np.maximum(count, 1), np.float32), usable


def _best(
    typical: Floats, usable: NDArray[np.bool_], inner: Box, options: ShiftOptions
) -> tuple[list[Shift], Floats]:
    """The shifts that fit better than all around them, the best first, and their misfits."""
    misfit = np.where(usable, typical, np.inf).astype(np.float32)
    side = 2 * options.apart + 1
    lowest = (cv2.erode(misfit, np.ones((side, side), np.uint8)) == misfit) & usable
    downs, acrosses = np.nonzero(lowest)
    # exactly repeated patterns have many equal shifts: any order but the scan's, which is one corner's
    drawn = np.random.default_rng(len(downs)).permutation(len(downs))
    drawn = drawn[np.argsort(misfit[downs[drawn], acrosses[drawn]], kind="stable")][: options.candidates]
    candidates = [(int(downs[i]) - inner.top, int(acrosses[i]) - inner.left) for i in drawn]
    return candidates, misfit[downs[drawn], acrosses[drawn]]


def _limit(seen: _Seen, scores: Floats, options: ShiftOptions) -> float:
    """Misfit up to which a shift counts as one that carries the ground onto itself."""
    best = options.nearly_best * float(scores.min(initial=np.inf))
    return max(best, options.surely_good * float((seen.grey * seen.ring)[seen.inner.slices].var()))


def _is_alone(coarse: _Seen, contrast: float, missed: float, options: ShiftOptions, *, glanced: bool) -> bool:
    """Whether a look from afar, in which the ground keeps its contrast, shows that it does not repeat.

    At a glance only what the best shift misses tells, not the number of periods.
    """
    kept = coarse.contrast
    if kept < options.least_kept * contrast or not coarse.ink.any():
        return False
    typical, usable = _misfits(coarse, options)
    if float(typical[usable].min(initial=np.inf)) > missed * kept + _ROUNDING:
        return True
    if glanced:
        return False
    candidates, scores = _best(typical, usable, coarse.inner, options)
    limit = _limit(coarse, scores, options)
    return _periods(typical, candidates, scores, limit, coarse.inner, options) < options.least_coarse


def _along(pixels: Image, direction: Floats) -> Floats:
    """Pixels along a direction, (H, W, 3) → (H, W)."""
    return np.asarray(cv2.transform(pixels.astype(np.float32), direction), np.float32)


def _periods(
    misfit: Floats,
    candidates: list[Shift],
    scores: Floats,
    limit: float,
    inner: Box,
    options: ShiftOptions,
) -> int:
    """How many of the best shifts fit better than shorter ones of the same direction."""
    good = scores <= limit + _EQUAL
    shifts = np.array(candidates, np.float32).reshape(-1, 2)[good]
    steps = np.linspace(0.15, 0.85, 15, dtype=np.float32)[:, None, None]
    way = np.rint(steps * shifts + (inner.top, inner.left)).astype(np.intp)
    rise = misfit[way[..., 0], way[..., 1]].max(axis=0, initial=0)
    return int((rise > options.least_rise * scores[good] + _EQUAL).sum())


def _covering(
    site: Site, ring: NDArray[np.bool_], candidates: list[Shift], misfits: Floats, options: ShiftOptions
) -> list[Shift]:
    """Of the candidates those that have ground for all ink and ring several times over, good ones first."""
    rows, columns = np.nonzero((site.mask > 0) | ring)
    few = ground.thinned(len(rows), _MOST_COVERED)
    width = ring.shape[1]
    places = rows[few] * width + columns[few]
    away = np.array(candidates, np.intp).reshape(-1, 2) @ (width, 1)
    has = site.free.ravel()[away[:, None] + places].astype(np.float32)
    worth = 1 / (misfits - misfits.min(initial=0) + _EQUAL)
    votes = np.zeros(len(places), np.float32)
    chosen: list[Shift] = []
    for _ in range(min(options.shifts, len(candidates))):
        best = int(((has @ (1 / (1 + votes) ** 2)) * worth).argmax())
        chosen.append(candidates[best])
        votes += has[best]
        worth[best] = 0
    return chosen
