"""Thin lines that run under the ink: a ring on a gradient, a rule, a speed line.

What such a line adds to the surface is seen where it goes in and where it comes out again. Ends that point at
each other are joined by a cubic curve that carries the line's own profile across; an end without a partner
fades out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.ground import Floats
from worker.job import Mask


@dataclass(frozen=True, slots=True)
class CurveOptions:
    """What counts as a line, and which ends belong together. Shares are of the text's height."""

    #: How far outside the ink a line is looked at, and at least so many px.
    run: float = 0.5
    least_run: int = 12
    #: Widest line, and at least so many px; a line is so many times as long as wide, and this many px.
    thickest: float = 0.12
    least_thickest: float = 6.0
    elongation: float = 2.0
    shortest: float = 6.0
    #: Px that an end may touch the ink for each px of the line's width: more lies along the ink.
    longest_contact: float = 4.0
    #: What touches the ink and is no line may do so over this, each and all together.
    widest_other: float = 0.15
    most_other: float = 0.5
    #: Ends are joined over so much, where both point at each other within this cosine (nearer than so many px
    #: a direction says little) and differ in contrast by at most this share.
    farthest: float = 4.0
    least_cosine: float = 0.82
    close: float = 6.0
    most_difference: float = 0.6
    #: An end without a partner fades over this, if the line is so many times as long as wide.
    fade: float = 0.3
    lone: float = 5.0
    #: More ends are no lines but a pattern or a drawing.
    most_ends: int = 60


#: A line's side touches the ink in a contact no wider than so many px.
_SIDE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """Where a line goes under the ink."""

    #: x, y in px, and the unit vector into the ink.
    point: Floats
    direction: Floats
    #: What the line adds across its way, (2 h + 1, 3), left to right as it goes in.
    profile: Floats
    #: Whether it is long enough to be followed without a partner.
    is_long: bool = False

    def ahead(self, px: float) -> _End:
        """A vanishing partner so far ahead."""
        return _End(self.point + px * self.direction, -self.direction, np.zeros_like(self.profile))


def continued_curves(
    residual: Floats,
    mask: Mask,
    free: NDArray[np.bool_],
    limit: float,
    text_height: float,
    options: CurveOptions,
) -> Floats | None:
    """What thin lines add to a surface under the ink, (H, W, 3); None where something else runs into it.

    Args:
        residual: What the surface leaves over, (H, W, 3).
        mask: The ink.
        free: Where the ground is seen.
        limit: Levels from which on a departure is a line.
        text_height: In px.
        options: What counts as a line.
    """
    run = max(options.least_run, round(options.run * text_height))
    around = cv2.dilate(mask, np.ones((2 * run + 1, 2 * run + 1), np.uint8)) > 0
    departure = ground.departure(residual) * (around & free)
    ends = _ends(residual, departure, mask, limit, run, text_height, options)
    if not ends or len(ends) > options.most_ends:
        return None
    added = np.zeros_like(residual)
    partners = dict(_pairs(ends, text_height, options))
    joined = set(partners.values())
    for index, end in enumerate(ends):
        if index in partners:
            _draw(added, end, ends[partners[index]])
        elif index not in joined and end.is_long:
            _draw(added, end, end.ahead(options.fade * text_height))
    return added


def _ends(
    residual: Floats,
    departure: Floats,
    mask: Mask,
    limit: float,
    run: int,
    text_height: float,
    options: CurveOptions,
) -> list[_End] | None:
    """Where lines touch the ink; None where something touches it that is no thin line."""
    departing = (departure > limit).astype(np.uint8)
    touching = departing & (cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0)
    count, contacts, stats, _ = cv2.connectedComponentsWithStats(touching, connectivity=8)
    _, lines = cv2.connectedComponents(departing, connectivity=8)
    far = cv2.dilate(mask, np.ones((2 * run - 3, 2 * run - 3), np.uint8)) == 0
    leaving = set(np.unique(lines[far & (departing > 0)]).tolist())
    ends, other = [], 0
    for contact in range(1, count):
        left, top, width, height, area = stats[contact]
        box = (slice(max(top - run, 0), top + height + run), slice(max(left - run, 0), left + width + run))
        corner = np.array((box[1].start, box[0].start), np.float32)
        touch = np.argwhere(contacts[box] == contact)[:, ::-1] + corner
        line = int(lines[int(touch[0, 1]), int(touch[0, 0])])
        place = np.argwhere(lines[box] == line)[:, ::-1] + corner
        end = _end(residual, departure, touch, place, run, text_height, options)
        if end is not None:
            ends.append(end)
        elif line in leaving and not _passes_by(touch, place):
            if area > max(options.shortest, options.widest_other * text_height):
                return None  # an edge or a stripe; a neighbour only touches the ink
            other += area
    return ends if other <= options.most_other * text_height else None


def _passes_by(touch: Floats, place: Floats) -> bool:
    """Whether a line only touches the ink with its side: it goes straight on at both ends of the contact."""
    shape = _axis(touch, np.ones(len(touch), np.float32))
    if shape is None:
        return False
    centre, axis, long, thick = shape
    if thick > _SIDE or long < 3 * thick:
        return False
    along, off = np.array([axis, (-axis[1], axis[0])], np.float32) @ (place - centre).T
    straight = along[np.abs(off) <= thick]
    return bool(straight.min() < -long and straight.max() > long)


def _end(
    residual: Floats,
    departure: Floats,
    touch: Floats,
    place: Floats,
    run: int,
    text_height: float,
    options: CurveOptions,
) -> _End | None:
    """The line that some departing pixels make near where they touch the ink, if they make one."""
    contact, touch = touch, touch.mean(axis=0)
    thickest = max(options.least_thickest, options.thickest * text_height)
    for reach in (run, 0.6 * run, max(0.3 * run, options.shortest + 2)):  # further out it may meet others
        near = place[np.hypot(*(place - touch).T) <= reach]
        shape = _axis(near, departure[near[:, 1].astype(int), near[:, 0].astype(int)])
        if shape is None:
            return None
        centre, axis, long, thick = shape
        if thick > thickest or long < max(options.shortest, options.elongation * thick):
            continue
        if len(contact) > options.longest_contact * thick + 4 or np.ptp(contact @ axis) > 0.5 * long:
            return None  # it lies along the ink
        axis = axis if axis @ (touch - centre) > 0 else -axis
        point = np.asarray(centre + axis * float(axis @ (touch - centre)), np.float32)
        half = int(np.ceil(thick / 2 + 2))
        return _End(
            point,
            axis,
            _profile(residual, departure > 0, point, axis, long, half),
            long > options.lone * thick,
        )
    return None


def _axis(place: Floats, weights: Floats) -> tuple[Floats, Floats, float, float] | None:
    """Centre, direction, length and width of some pixels; None of too few."""
    if len(place) < 4:
        return None
    centre = np.average(place, axis=0, weights=weights).astype(np.float32)
    spread, axes = np.linalg.eigh(np.cov((place - centre).T, aweights=weights))
    axis = axes[:, 1].astype(np.float32)
    thick = float(np.sqrt(12 * max(spread[0], 1 / 12)))
    return centre, axis, float(np.ptp(place @ axis)) + 1, thick


def _profile(
    residual: Floats, seen: NDArray[np.bool_], point: Floats, axis: Floats, long: float, half: int
) -> Floats:
    """The mean of a line's cross sections."""
    back = np.arange(2, max(long, 4), dtype=np.float32)[:, None]
    across = np.arange(-half, half + 1, dtype=np.float32)[None, :]
    x = point[0] - back * axis[0] - across * axis[1]
    y = point[1] - back * axis[1] + across * axis[0]
    values = cv2.remap(residual, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    known = cv2.remap(seen.astype(np.float32), x, y, cv2.INTER_NEAREST)
    profile = (values * known[..., None]).sum(axis=0) / np.maximum(known.sum(axis=0), 1)[:, None]
    # what is left at its sides is none of the line
    sides = np.linspace(profile[0], profile[-1], len(profile))
    return np.asarray(profile - sides, np.float32)


def _pairs(ends: list[_End], text_height: float, options: CurveOptions) -> Iterator[tuple[int, int]]:
    """Ends that belong together, the surest first."""
    found = []
    for one, first in enumerate(ends):
        for two in range(one + 1, len(ends)):
            second = ends[two]
            way = second.point - first.point
            distance = float(np.hypot(*way))
            if not 0 < distance <= options.farthest * text_height:
                continue
            cosines = float(first.direction @ way) / distance, -float(second.direction @ way) / distance
            strength = [np.abs(end.profile).sum(axis=0) for end in (first, second)]
            unlike = float(
                np.abs(strength[0] - strength[1]).sum() / max(strength[0].sum(), strength[1].sum(), 1)
            )
            same_sign = float((first.profile.sum(axis=0) * second.profile.sum(axis=0)).sum()) > 0
            least = options.least_cosine if distance > options.close else 0.0
            if min(cosines) >= least and unlike <= options.most_difference and same_sign:
                cost = 2 - sum(cosines) + 0.1 * distance / text_height + 0.3 * unlike
                found.append((cost, one, two))
    taken: set[int] = set()
    for _, one, two in sorted(found):
        if not taken & {one, two}:
            taken |= {one, two}
            yield one, two


def _draw(added: Floats, start: _End, stop: _End) -> None:
    """Carries a line from one end to the other."""
    length = float(np.hypot(*(stop.point - start.point)))
    steps = max(int(length), 2)
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    one, two = start.point + start.direction * length / 3, stop.point + stop.direction * length / 3
    way = (
        (1 - t) ** 3 * start.point + 3 * (1 - t) ** 2 * t * one + 3 * (1 - t) * t**2 * two + t**3 * stop.point
    )
    half = max(len(start.profile), len(stop.profile)) // 2
    back = np.arange(1, half + 2, dtype=np.float32)[:, None]  # the ink's edge lies aslant
    way = np.concatenate(
        [start.point - back[::-1] * start.direction, way, stop.point - back * stop.direction]
    )
    t = np.concatenate([np.zeros_like(back), t, np.ones_like(back)])
    heading = np.gradient(way, axis=0)
    heading /= np.maximum(np.hypot(heading[:, 0], heading[:, 1]), 1e-6)[:, None]
    band = np.zeros(added.shape[:2], np.uint8)
    cv2.polylines(band, [np.rint(way).astype(np.int32)], isClosed=False, color=1, thickness=2 * half + 2)
    rows, columns = np.nonzero(band)
    apart = np.stack([columns, rows], axis=1).astype(np.float32)[:, None] - way[None]
    nearest = (apart**2).sum(axis=2).argmin(axis=1)
    offset, along = apart[np.arange(len(rows)), nearest], heading[nearest]
    across = along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0]
    beside = np.abs((along * offset).sum(axis=1)) < 1.0
    share = t[nearest]
    line = (1 - share) * _across(start.profile, across) + share * _across(stop.profile[::-1], across)
    line[~beside] = 0
    there = added[rows, columns]
    added[rows, columns] = np.where(np.abs(line) > np.abs(there), line, there)


def _across(profile: Floats, offset: Floats) -> Floats:
    """A profile's values at signed distances from the line's middle, (N, 3)."""
    half = len(profile) // 2
    at = np.arange(-half, half + 1)
    values = [np.interp(offset, at, profile[:, channel], 0, 0) for channel in range(3)]
    return np.stack(values, axis=-1).astype(np.float32)
