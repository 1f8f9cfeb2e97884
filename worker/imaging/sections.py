"""Thin lines as their cross sections tell them, many at once.

Places and directions are complex numbers, as in `traces`. Pixels of K lines stand in one array, line after
line (each has some); beside it stands the number of the line that each one is of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.ground import Floats
from worker.imaging.traces import FINE, Complex, Doubles
from worker.job import Mask

Numbers = NDArray[np.intp]
Flags = NDArray[np.bool_]

#: Px beside a line that belong to its cross section.
_BESIDE = 1.5
#: Squared px along a line below which its pixels tell little about its direction.
_STIFF = 1.5
#: Fewer whole cross sections than this tell no direction.
_FEWEST = 4
#: A curve is seen in so many cross sections, and leaves at most this share of what a straight line does.
_CURVED, _CLEARER = 12, 0.5
#: Pixels that tell a place of a cross section.
_TOLD = 0.1
#: Which powers' sums the least squares of a parabola take.
_NORMAL = np.add.outer(np.arange(3), np.arange(3))


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Some pixels of each of K lines."""

    place: Complex
    #: How far each departs from the ground.
    weights: Doubles
    #: Its line, 0 … K - 1, never falling, and where each line begins.
    line: Numbers
    starts: Numbers

    @classmethod
    def of(cls, place: Complex, weights: Doubles, line: Numbers) -> Pixels:
        return cls(place, weights, line, starts(line))

    def take(self, lines: Flags) -> Pixels:
        """Those of some lines."""
        some = lines[self.line]
        return Pixels.of(self.place[some], self.weights[some], numbered(self.line[some]))


def numbered(line: Numbers) -> Numbers:
    """The same where some lines have no pixels: 0 … K - 1 are those that have."""
    return np.cumsum(np.diff(line, prepend=line[:1]) > 0)


def starts(line: Numbers) -> Numbers:
    """Where each line begins in an array of them."""
    return line.searchsorted(np.arange(line[-1] + 1 if len(line) else 0))


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Centres and directions of K lines, and their lengths and widths in px."""

    centre: Complex
    axis: Complex
    long: Doubles
    thick: Doubles

    @classmethod
    def of(cls, pixels: Pixels) -> Axes:
        """Those of lines."""
        weights, line, first = pixels.weights, pixels.line, pixels.starts
        total = np.add.reduceat(weights, first)
        centre = np.asarray(np.add.reduceat(weights * pixels.place, first) / total, np.complex128)
        apart = pixels.place - centre[line]
        turned = weights * apart
        spread = np.add.reduceat(turned.real * apart.real + turned.imag * apart.imag, first)
        moment = np.add.reduceat(turned * apart, first)  # xx - yy + 2 xy i
        rest = np.maximum(total - np.add.reduceat(weights * weights, first) / total, 1e-6)  # of single ones
        axis = np.asarray(np.exp(0.5j * np.angle(moment)), np.complex128)
        along = (apart * axis.conj()[line]).real
        low, high = np.minimum.reduceat(along, first), np.maximum.reduceat(along, first)
        least = (spread - np.abs(moment)) / (2 * rest)
        thick = np.sqrt(12 * np.maximum(least, 1 / 12))
        return cls(centre, axis, high - low + 1, thick)

    def take(self, lines: Flags) -> Axes:
        """Some of them."""
        return Axes(self.centre[lines], self.axis[lines], self.long[lines], self.thick[lines])

    def but(self, others: Axes, these: Flags) -> Axes:
        """The same, some of them where others lie."""
        centre, axis = np.where(these, others.centre, self.centre), np.where(these, others.axis, self.axis)
        return replace(self, centre=centre, axis=axis)

    def along(self, place: Complex, line: Numbers) -> Complex:
        """How far along (real) and to the right of its line (imaginary) each place lies, in px."""
        return np.asarray((place - self.centre[line]) * self.axis.conj()[line], np.complex128)

    def at(self, along: Complex, line: Numbers) -> Complex:
        """The places that lie so far along and to the right."""
        return np.asarray(self.centre[line] + along * self.axis[line], np.complex128)

    def towards(self, place: Complex) -> Axes:
        """The same lines, each in the direction of its place."""
        ahead = ((place - self.centre) * self.axis.conj()).real
        return replace(self, axis=np.where(ahead > 0, self.axis, -self.axis))

    def strip(
        self, low: Doubles, high: Doubles, px: Doubles, shape: tuple[int, ...]
    ) -> tuple[Complex, Numbers]:
        """The pixels of a picture at most so far beside the lines, and which line each one is beside.

        Args:
            low: Where each line begins, in px along it from its centre, (K,).
            high: Where it ends; pixels a little further off may come too.
            px: How far beside it.
            shape: Of the picture.
        """
        # it goes from column to column, else from row to row
        flat = np.abs(self.axis.real) >= np.abs(self.axis.imag)
        axis = np.where(flat, self.axis, self.axis.imag + 1j * self.axis.real)
        centre = np.where(flat, self.centre, self.centre.imag + 1j * self.centre.real)
        start, end = (centre.real + each * axis.real for each in (low, high))
        margin, wide = int(0.71 * px.max()) + 2, int(1.42 * px.max()) + 1  # for lines aslant
        first = np.floor(np.minimum(start, end)) - margin
        count = int(np.abs(end - start).max()) + 2 * margin + 1
        along = first[:, None] + np.arange(count)
        exact = centre.imag[:, None] + (along - centre.real[:, None]) * (axis.imag / axis.real)[:, None]
        beside = np.rint(exact)[..., None] + np.arange(-wide, wide + 1)
        near = np.abs(beside - exact[..., None]) <= (px / np.abs(axis.real))[:, None, None]
        chosen = np.flatnonzero(near)
        major, minor = along.ravel()[chosen // near.shape[2]], beside.ravel()[chosen]
        line = chosen // near[0].size
        swapped = ~flat[line]
        x, y = np.where(swapped, minor, major), np.where(swapped, major, minor)
        inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
        return (x + 1j * y)[inside], line[inside]


def attached(place: Complex, away: Doubles, line: Numbers) -> Flags:
    """Which pixels of each line hang together with the nearest one."""
    first = starts(line)
    columns, rows = place.real.astype(np.intp), place.imag.astype(np.intp)
    low, high = np.minimum.reduceat(rows, first), np.maximum.reduceat(rows, first)
    columns -= columns.min()
    rows += (np.cumsum(high - low + 2) - high)[line]  # one above the other, an empty row between
    picture = np.zeros((int(rows.max()) + 1, int(columns.max()) + 1), np.uint8)
    picture[rows, columns] = 1
    labels = np.asarray(cv2.connectedComponents(picture, connectivity=8)[1])[rows, columns]
    nearest = np.flatnonzero(away == np.minimum.reduceat(away, first)[line])[::-1]
    start = np.zeros(len(first), np.intp)
    start[line[nearest]] = labels[nearest]
    return np.asarray(labels == start[line], np.bool_)


def sections(axes: Axes, pixels: Pixels, seen: Mask) -> Pixels:
    """The middles of lines' whole cross sections, one for each px along them, and what each weighs.

    Args:
        axes: The lines.
        pixels: Theirs.
        seen: Not 0 where the ground is seen: what is hidden cuts cross sections off aslant.

    Returns:
        Places in px along and to the right of the lines.
    """
    line = pixels.line
    along = axes.along(pixels.place, line)
    low, high = (each.reduceat(along.real, pixels.starts) for each in (np.minimum, np.maximum))
    first, sizes = np.floor(low), (high - low).astype(np.intp) + 2
    begin = np.cumsum(sizes) - sizes
    of = np.repeat(np.arange(len(sizes)), sizes)
    section = begin[line] + (along.real - first[line]).astype(np.intp)
    total = np.bincount(section, pixels.weights, len(of)).astype(np.float64, copy=False)
    whole = total > 0
    place, beside = axes.strip(low, high, axes.thick / 2 + _BESIDE, seen.shape)
    hidden = seen[place.imag.astype(np.intp), place.real.astype(np.intp)] == 0
    place, beside = place[hidden], beside[hidden]
    cut = np.floor(axes.along(place, beside).real - first[beside]).astype(np.intp)
    cutting = (cut >= 0) & (cut < sizes[beside])
    whole[(begin[beside] + cut)[cutting]] = False
    few = np.add.reduceat(whole, begin, dtype=np.intp) < _FEWEST
    if few.any():  # all but the ends
        at = np.arange(len(of)) - begin[of] + 0.5
        margin = np.minimum(axes.thick / 2, sizes / 3)[of]
        whole = np.where(few[of], (total > 0) & (at > margin) & (at < sizes[of] - margin), whole)
        whole |= (total > 0) & ~np.logical_or.reduceat(whole, begin)[of]
    weighed = pixels.weights * along
    x, y = (np.bincount(section, each, len(of))[whole] for each in (weighed.real, weighed.imag))
    weights = total[whole]
    return Pixels.of(np.asarray((x + 1j * y) / weights, np.complex128), weights, of[whole])


def straightened(axes: Axes, pixels: Pixels, seen: Mask) -> tuple[Pixels, Axes]:
    """The `sections` of lines, and the lines through their middles."""
    middles = sections(axes, pixels, seen)
    weights, line, first = middles.weights, middles.line, middles.starts
    total = np.add.reduceat(weights, first)
    mean = np.add.reduceat(weights * middles.place, first) / total
    apart = middles.place - mean[line]
    ahead = weights * apart.real
    rising, level = (np.add.reduceat(ahead * each, first) for each in (apart.imag, apart.real))
    turn = 1 + 1j * rising / (level + _STIFF * total)
    return middles, replace(axes, centre=axes.centre + mean * axes.axis, axis=axes.axis * turn / np.abs(turn))


def bends(middles: Complex, line: Numbers) -> Doubles:
    """How nearly straight lines bend: a, b and c of their px aside, a + b x + c x², x px along; (3, K)."""
    first, off = starts(line), middles.imag
    powers = middles.real ** np.arange(5)[:, None]
    sums = np.add.reduceat(np.concatenate([powers, off * powers[:3]]), first, axis=1)
    normal = sums[_NORMAL].transpose(2, 0, 1)
    normal[:, range(3), range(3)] += 1e-7 * sums[:1].T
    known = sums[5:].T[..., None]
    curve, straight = (np.linalg.solve(normal[:, :n, :n], known[:, :n])[..., 0].T for n in (3, 2))
    left, most = (
        np.add.reduceat(np.square(off - (each[:, line] * powers[: len(each)]).sum(axis=0)), first)
        for each in (curve, straight)
    )
    return np.where((sums[0] >= _CURVED) & (left <= _CLEARER * most), curve, 0.0)


def profiles(across: Doubles, colours: Floats, line: Numbers, halves: Numbers) -> list[Floats]:
    """The means of lines' cross sections, from each pixel at its own distance from its line's middle.

    Args:
        across: That distance in px.
        colours: What each pixel adds, (N, 3).
        line: Of each pixel.
        halves: Px of the cross sections on each side.

    Returns:
        For each line (2 * half * `FINE` + 1, 3).
    """
    sizes = 2 * halves * FINE + 1
    begin = np.cumsum(sizes) - sizes
    at = across * FINE + (halves * FINE + begin)[line]
    before = at.astype(np.intp)
    share = at - before  # between two places, each has a share
    places, shares = np.concatenate([before, before + 1]), np.concatenate([1 - share, share])
    added = np.concatenate([colours, colours]).T
    weight, *sums = (np.bincount(places, shares * each, int(sizes.sum())) for each in (1, *added))
    means = np.stack(sums, axis=1) / np.maximum(weight, 1e-6)[:, None]
    for start, size in zip(begin.tolist(), sizes.tolist(), strict=True):
        _complete(means[start : start + size], weight[start : start + size] > _TOLD)
    last, line = begin + sizes - 1, np.repeat(np.arange(len(sizes)), sizes)
    rising = ((np.arange(len(line)) - begin[line]) / (sizes - 1)[line])[:, None]
    # what is left at its sides is none of the line
    means -= means[begin][line] + rising * (means[last] - means[begin])[line]
    return np.split(means.astype(np.float32), begin[1:])


def _complete(profile: Doubles, told: Flags) -> None:
    """Fills in what a profile lacks from what lies beside it."""
    if not told.all():
        every = np.arange(len(profile))
        for one in profile.T:
            one[:] = np.interp(every, every[told], one[told]) if told.any() else 0
