"""Where thin lines go under the ink: their place, their direction and what they add across their way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.ground import Floats
from worker.imaging.pixels import pieces
from worker.imaging.site import grown
from worker.imaging.traces import FINE, End, axis_of, bend, middles, places, straightened
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


#: A line's side touches the ink in a contact no wider than so many px.
_SIDE = 3.0
#: A direction that turns by less is known.
_STRAIGHT = 0.02
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
    mask: Mask
    #: Px from the ink that are looked at.
    run: int
    text_height: float

    @classmethod
    def around(
        cls, residual: Floats, mask: Mask, free: NDArray[np.bool_], run: int, text_height: float
    ) -> _Seen:
        known = cv2.copyTo(within(mask, run), free.view(np.uint8)).astype(np.uint8, copy=False)
        departure = np.asarray(cv2.copyTo(ground.departure(residual), known), np.float32)
        return cls(residual, departure, known, mask, run, text_height)


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
    seen = _Seen.around(residual, mask, free, run, text_height)
    departing = (seen.departure > limit).view(np.uint8)
    touching = cv2.copyTo(departing, within(mask, 1)).astype(np.uint8, copy=False)
    if not touching.any():
        return []
    lines, sizes = pieces(departing)
    long = sizes[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(axis=1) >= options.shortest
    touching = cv2.copyTo(touching, long.take(lines).view(np.uint8)).astype(np.uint8, copy=False)  # no specks
    beyond = within(mask, run - 2) == 0
    ends: dict[int, list[End]] = {}
    other = 0
    for line, touch, (left, top, right, bottom) in _contacts(touching, lines):
        known = ends.setdefault(line, [])
        again = next((at for at, end in enumerate(known) if end.is_near(touch)), None)
        if again is not None:
            known[again] = known[again].reaching(touch)
            continue
        place = places(lines, line, max(left - run, 0), max(top - run, 0), right + run, bottom + run)
        end = _end(seen, touch, place, options)
        if end is not None:
            known.append(replace(end, line=line))
        elif (lines[beyond] == line).any() and not _passes_by(touch, place):
            if len(touch) > max(options.shortest, options.widest_other * seen.text_height):
                return None  # an edge or a stripe; a neighbour only touches the ink
            other += len(touch)
    if other > options.most_other * seen.text_height:
        return None
    return [end for each in ends.values() for end in _foremost(each)]


def _contacts(
    touching: Mask, lines: NDArray[np.int32]
) -> Iterator[tuple[int, Floats, tuple[int, int, int, int]]]:
    """Where something touches the ink: which line it is of, its pixels, and their box."""
    contacts, stats = pieces(touching)
    for contact, (left, top, width, height, _) in enumerate(stats[1:].tolist(), 1):
        box = (left, top, left + width, top + height)
        touch = places(contacts, contact, *box)
        yield int(lines[int(touch[0, 1]), int(touch[0, 0])]), touch, box


def _foremost(ends: list[End]) -> list[End]:
    """A line's ends, one for each time it goes under the ink: noise parts a contact in two."""
    found: list[End] = []
    for end in ends:
        behind = [other for other in found if end.continues(other)]
        before = next((index for index, other in enumerate(found) if other.continues(end)), None)
        if before is not None:
            found[before] = found[before].covering([end])
        else:
            found = [other for other in found if other not in behind] + [end.covering(behind)]
    return found


def _passes_by(touch: Floats, place: Floats) -> bool:
    """Whether a line only touches the ink with its side: it goes straight on at both ends of the contact."""
    shape = axis_of(touch, np.ones(len(touch), np.float32))
    if shape is None:
        return False
    centre, axis, long, thick = shape
    if thick > _SIDE or long < 3 * thick:
        return False
    along, off = np.array([axis, (-axis[1], axis[0])], np.float32) @ (place - centre).T
    straight = along[np.abs(off) <= thick]
    return bool(straight.min() < -long and straight.max() > long)


def _end(seen: _Seen, touch: Floats, place: Floats, options: CurveOptions) -> End | None:
    """The line that some departing pixels make near where they touch the ink, if they make one."""
    contact, touch = touch, _middle(touch)
    thickest = max(options.least_thickest, options.thickest * seen.text_height)
    apart = place - touch
    away = np.einsum("ij,ij->i", apart, apart)
    for reach in (
        seen.run,
        0.6 * seen.run,
        max(0.3 * seen.run, options.shortest + 2),
    ):  # further out it may meet others
        inner = away <= reach**2
        place, away = place.compress(inner, axis=0), away.compress(inner)
        if not len(place):
            return None
        attached = _attached(place, int(away.argmin()))
        place, away = place.compress(attached, axis=0), away.compress(attached)
        columns, rows = place.astype(np.intp).T
        weights = seen.departure[rows, columns]
        shape = axis_of(place, weights)
        if shape is None:
            return None
        _, axis, long, thick = shape
        if thick > thickest or long < max(options.shortest, options.elongation * thick):
            continue
        along = contact @ axis
        if len(contact) > options.longest_contact * thick + 4 or along.max() - along.min() > _ALONG * long:
            return None  # it lies along the ink
        return _followed(seen, contact, place, weights, shape, options)
    return None


def _middle(place: Floats) -> Floats:
    return np.asarray(np.add.reduce(place) / np.float32(len(place)), np.float32)


def _attached(place: Floats, start: int) -> NDArray[np.bool_]:
    """Which pixels hang together with one of them."""
    columns, rows = place.astype(np.intp).T
    columns, rows = columns - columns.min(), rows - rows.min()
    picture = np.zeros((int(rows.max()) + 1, int(columns.max()) + 1), np.uint8)
    picture[rows, columns] = 1
    labels = np.asarray(cv2.connectedComponents(picture, connectivity=8)[1])[rows, columns]
    return np.asarray(labels == labels[start], np.bool_)


def _followed(
    seen: _Seen,
    contact: Floats,
    place: Floats,
    weights: Floats,
    shape: tuple[Floats, Floats, float, float],
    options: CurveOptions,
) -> End:
    """The end of a line, whose pixels, weights, centre, direction, length and width are known."""
    centre, axis, long, thick = shape
    margin = int(thick) + 2
    low, high = place.min(axis=0).astype(int) - margin, place.max(axis=0).astype(int) + margin + 1
    hidden = places(seen.known, 0, *np.maximum(low, 0).tolist(), *high.tolist())
    trace = place[:0]
    for _ in range(2):
        middle, weight = middles(place, weights, hidden, centre, axis, thick)
        trace = centre + middle @ np.array((axis, (-axis[1], axis[0])), np.float32)
        centre, axis, turn = straightened(middle, weight, centre, axis)
        if abs(turn) < _STRAIGHT:
            break
    touch = _middle(contact)
    axis = axis if axis @ (touch - centre) > 0 else -axis
    frame = np.array((axis, (-axis[1], axis[0])), np.float32)
    curve = bend(np.asarray((trace - centre) @ frame.T, np.float32))
    ahead = float(axis @ (touch - centre))
    half = int(np.ceil(thick / 2 + 2))
    profile = _profile(seen, centre, frame, curve, (ahead - max(long, 4.0), ahead), half)
    a, b, c = curve
    point = centre + np.array((ahead, a + ahead * (b + ahead * c)), np.float32) @ frame
    slope = b + 2 * c * ahead
    direction = np.array((1, slope), np.float32) @ frame / np.float32(math.hypot(1, slope))
    cut = float(((touch - contact) @ direction).max())
    return End(point, direction, profile, trace, 0, cut, long > options.lone * thick)


def _profile(
    seen: _Seen,
    centre: Floats,
    frame: Floats,
    curve: tuple[float, float, float],
    ends: tuple[float, float],
    half: int,
) -> Floats:
    """The mean of a line's cross sections, from each pixel at its own distance from the line's middle."""
    a, b, c = curve
    corners = centre + np.array([(x, a + x * (b + x * c)) for x in ends], np.float32) @ frame
    left, top = np.maximum(np.floor(corners.min(axis=0)) - half - 1, 0).astype(int).tolist()
    right, bottom = (np.ceil(corners.max(axis=0)) + half + 2).astype(int).tolist()
    place = places(seen.known, 1, left, top, right, bottom)
    along, across = frame @ (place - centre).T
    across -= a + along * (b + along * c)
    used = (along > ends[0]) & (along <= ends[1] - 2) & (np.abs(across) < half)
    columns, rows = place[used].astype(np.intp).T
    every = np.arange(-half * FINE, half * FINE + 1, dtype=np.float32)[:, None]
    shares = np.maximum(1 - np.abs(across[used] * FINE - every), 0)  # between two places, each has a share
    weight = shares.sum(axis=1)
    told = weight > 0.1
    if not told.any():
        return np.zeros((len(every), 3), np.float32)
    profile = (shares @ seen.residual[rows, columns]) / np.maximum(weight, np.float32(1e-6))[:, None]
    if not told.all():
        known = profile[told].T
        profile = np.stack([np.interp(every[:, 0], every[told, 0], one) for one in known], axis=1)
    # what is left at its sides is none of the line
    rising = (every / np.float32(2 * half * FINE) + np.float32(0.5)) * (profile[-1] - profile[0])
    return np.asarray(profile - profile[0] - rising, np.float32)


def within(mask: Mask, px: int) -> Mask:
    """1 for what lies within so many px (diagonally too) of a mask, 0 elsewhere."""
    return grown(mask, px).view(np.uint8)
