"""Where thin lines go under the ink: their place, their direction and what they add across their way."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.contacts import Contacts, merged, passes_by
from worker.imaging.ground import Floats
from worker.imaging.pixels import pieces
from worker.imaging.sections import (
    Axes,
    Flags,
    Numbers,
    Pixels,
    attached,
    bends,
    numbered,
    profiles,
    starts,
    straightened,
)
from worker.imaging.site import grown
from worker.imaging.traces import Complex, End
from worker.job import Mask


@dataclass(frozen=True, slots=True)
class CurveOptions:
    """What counts as a line, and which ends belong together. Shares are of the text's height."""

    #: How far outside the ink a line is looked at, and at least and at most so many px.
    run: float = 0.5
    least_run: int = 12
    most_run: int = 38
    #: Widest line, and at least so many px; a line is so many times as long as wide, and this many px.
    thickest: float = 0.12
    least_thickest: float = 6.0
    elongation: float = 2.0
    shortest: float = 6.0
    #: Px that an end may touch the ink for each px of the line's width: more lies along the ink.
    longest_contact: float = 8.0
    #: What touches the ink and is no line may do so over this, each and all together.
    widest_other: float = 0.15
    most_other: float = 0.5
    #: Ends are joined over so much, where both point at each other within this cosine (nearer than so many px
    #: a direction says little) and differ in contrast by at most this share.
    farthest: float = 4.0
    least_cosine: float = 0.82
    close: float = 6.0
    most_difference: float = 0.6
    #: Sines by which one may turn into the way more than the other out of it: more is no arc, but winds.
    most_winding: float = 0.4
    #: Long lines that wind by no more than this are joined over so much.
    hardly_winding: float = 0.1
    farthest_sure: float = 10.0
    #: An end without a partner fades over this, if the line is so many times as long as wide.
    fade: float = 0.3
    lone: float = 5.0
    #: So many lines, each longer than this share, may pass by near the ink.
    most_beside: int = 3
    longest_speck: float = 0.5
    #: More ends are no lines but a pattern or a drawing.
    most_ends: int = 60


#: Share of its length by which a nearly straight line bends at most.
_MOST_BEND = 0.25
#: A direction that turns by less is known.
_STRAIGHT = 0.02
#: Contacts that are looked at together.
_AT_ONCE = 64
#: Fewer pixels than this have no direction.
_FEWEST = 4
#: Share of a line's length over which its contact may reach along it.
_ALONG = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What a surface leaves over around some ink."""

    #: (H, W, 3), and how far it departs from 0, (H, W); 0 where it is not seen or too far from the ink.
    residual: Floats
    departure: Floats
    #: 1 where it is.
    known: Mask
    #: Px from the ink that are looked at.
    run: int

    @classmethod
    def around(cls, residual: Floats, mask: Mask, free: NDArray[np.bool_], run: int) -> _Seen:
        known = cv2.copyTo(within(mask, run), free.view(np.uint8)).astype(np.uint8, copy=False)
        departure = np.asarray(cv2.copyTo(ground.departure(residual), known), np.float32)
        return cls(residual, departure, known, run)


def find_ends(
    residual: Floats,
    mask: Mask,
    free: NDArray[np.bool_],
    limit: float,
    text_height: float,
    options: CurveOptions,
) -> list[End] | None:
    """Where lines touch the ink; None where something touches it that is no thin line.

    Args:
        residual: What the surface leaves over, (H, W, 3).
        mask: The ink.
        free: Where the ground is seen.
        limit: Levels from which on a departure is a line.
        text_height: In px.
        options: What counts as a line.
    """
    run = min(max(options.least_run, round(options.run * text_height)), options.most_run)
    seen = _Seen.around(residual, mask, free, run)
    departing = (seen.departure > limit).view(np.uint8)
    lines, sizes = pieces(departing)
    long = sizes[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(axis=1) >= options.shortest
    touching = cv2.copyTo(departing, within(mask, 1)).astype(np.uint8, copy=False)
    place = np.flatnonzero(touching.view(np.bool_))
    touching.ravel()[place] = long[lines.ravel()[place]]  # no specks
    if not touching.any():
        return []
    contacts = Contacts.between(touching, lines)
    leaving = np.zeros(len(sizes), np.bool_)
    leaving[lines.ravel()[np.flatnonzero(departing.view(np.bool_) & ~grown(mask, run - 2))]] = True
    widths = np.where(leaving[contacts.line], np.bincount(contacts.of), 0)
    # an edge or a stripe; a neighbour only touches the ink
    too_wide = widths > max(options.shortest, options.widest_other * text_height)
    found = _ends(seen, contacts, lines, too_wide, text_height, options)
    if found is None:
        return None
    ends, others = merged(found, contacts)
    strange = [other for other in others if widths[other] and not passes_by(contacts, other, lines, run)]
    if too_wide[strange].any() or widths[strange].sum() > options.most_other * text_height:
        return None
    return ends


def _ends(
    seen: _Seen,
    contacts: Contacts,
    lines: NDArray[np.int32],
    too_wide: Flags,
    text_height: float,
    options: CurveOptions,
) -> list[End | None] | None:
    """The line's end that each contact is, if it is one; None where one is too wide and of no such line."""
    ends: list[End | None] = [None] * len(contacts.line)
    is_end = np.zeros(len(ends), np.bool_)
    for first in range(0, len(ends), _AT_ONCE):
        few = contacts.few(first, first + _AT_ONCE)
        of, pixels = _leading_away(seen, few, lines, text_height, options)
        axes = Axes.of(pixels)
        low, high = few.extents(axes.axis, of)
        fits = high - low <= _ALONG * axes.long  # else it lies along the ink
        fits &= np.bincount(few.of)[of] <= options.longest_contact * axes.thick + 4
        of = of[fits]
        is_end[first + of] = True
        strange = too_wide & ~np.isin(contacts.line, contacts.line[is_end])
        for contact in np.flatnonzero(strange[first : first + _AT_ONCE]).tolist():
            if not passes_by(few, contact, lines, seen.run):
                return None
        if len(of):
            followed = _followed(seen, few, of, axes.take(fits), pixels.take(fits), options)
            for contact, end in zip(of.tolist(), followed, strict=True):
                ends[first + contact] = end
    return ends


def _leading_away(
    seen: _Seen, contacts: Contacts, lines: NDArray[np.int32], text_height: float, options: CurveOptions
) -> tuple[Numbers, Pixels]:
    """The lines that departing pixels make near contacts, and which contacts those are."""
    of, place = _near(lines, contacts, seen.run)
    weights = seen.departure[place.imag.astype(np.intp), place.real.astype(np.intp)].astype(np.float64)
    away = np.abs(place - contacts.middle[of])
    thickest = max(options.least_thickest, options.thickest * text_height)
    chosen = np.zeros(len(of), np.bool_)
    left = np.arange(len(of))
    for reach in (seen.run, 0.6 * seen.run, max(0.3 * seen.run, options.shortest + 2)):
        left = left[away[left] <= reach]  # further out it may meet others
        if not len(left):
            break
        line = numbered(of[left])
        hanging = attached(place[left], away[left], line)
        left, line = left[hanging], line[hanging]
        axes, many = Axes.of(Pixels.of(place[left], weights[left], line)), np.bincount(line) >= _FEWEST
        fits = many & (axes.thick <= thickest)
        fits &= axes.long >= np.maximum(options.shortest, options.elongation * axes.thick)
        chosen[left[fits[line]]] = True
        left = left[(many & ~fits)[line]]
    of, place, weights = of[chosen], place[chosen], weights[chosen]
    line = numbered(of)
    return of[starts(line)], Pixels.of(place, weights, line)


def _near(lines: NDArray[np.int32], contacts: Contacts, run: int) -> tuple[Numbers, Complex]:
    """The pixels of their lines that lie around contacts: which contact each one is near, and its place."""
    side = 2 * run + 1
    corner = np.rint(contacts.middle) - (1 + 1j) * run
    wider = cv2.copyMakeBorder(lines, run, run, run, run, cv2.BORDER_CONSTANT, value=0)
    every = np.lib.stride_tricks.sliding_window_view(wider, (side, side))
    around = every[corner.imag.astype(np.intp) + run, corner.real.astype(np.intp) + run]
    of, rest = np.divmod(np.flatnonzero(around == contacts.line[:, None, None]), side * side)
    rows, columns = np.divmod(rest, side)
    return of, corner[of] + columns + 1j * rows


def _followed(
    seen: _Seen, contacts: Contacts, of: Numbers, axes: Axes, pixels: Pixels, options: CurveOptions
) -> Iterator[End]:
    """The ends of lines that lead away from contacts, which are given."""
    every, touch = np.arange(len(of)), contacts.middle[of]
    middles, straight = straightened(axes, pixels, seen.known)
    turned = np.abs((straight.axis * axes.axis.conj()).imag) >= _STRAIGHT
    if turned.any():
        axes = axes.but(straight, turned)
        middles, straight = straightened(axes, pixels, seen.known)
    trace, axes = axes.at(middles.place, middles.line), straight.towards(touch)
    ahead = axes.along(touch, every).real
    first, halves = ahead - np.maximum(axes.long, 4), np.ceil(axes.thick / 2 + 2)
    a, b, c = bends(axes.along(trace, middles.line), middles.line)
    bend = np.maximum(*(np.abs(a + x * (b + x * c)) for x in (first, ahead)))
    a, b, c, bend = np.where(bend <= _MOST_BEND * axes.long, (a, b, c, bend), 0.0)
    place, line = axes.strip(first, ahead, halves + bend, seen.known.shape)
    along = axes.along(place, line)
    across = along.imag - a[line] - along.real * (b[line] + along.real * c[line])
    rows, columns = place.imag.astype(np.intp), place.real.astype(np.intp)
    used = (along.real > first[line]) & (along.real <= ahead[line] - 2) & (np.abs(across) < halves[line])
    used &= seen.known[rows, columns] > 0
    colours = seen.residual[rows[used], columns[used]]
    shown = profiles(across[used], colours, line[used], halves.astype(np.intp))
    point = axes.at(ahead + 1j * (a + ahead * (b + ahead * c)), every)
    direction = axes.axis * (1 + 1j * (b + 2 * c * ahead))
    direction = direction / np.abs(direction)
    cut = (touch * direction.conj()).real - contacts.extents(direction, of)[0]
    traces = np.split(trace, middles.starts[1:])
    is_long = axes.long > options.lone * axes.thick
    lines, cuts = contacts.line[of].tolist(), cut.tolist()
    ends = zip(point.tolist(), direction.tolist(), shown, traces, lines, cuts, is_long.tolist(), strict=True)
    return itertools.starmap(End, ends)


def within(mask: Mask, px: int) -> Mask:
    """1 for what lies within so many px (diagonally too) of a mask, 0 elsewhere."""
    return grown(mask, px).view(np.uint8)
