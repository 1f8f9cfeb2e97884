"""Where thin lines go under the ink: their place, their direction and what they add across their way."""

from __future__ import annotations

import math
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
    #: So many lines, each longer than this share, may pass by near the ink.
    most_beside: int = 3
    longest_speck: float = 0.5
    #: More ends are no lines but a pattern or a drawing.
    most_ends: int = 60


#: A line's side touches the ink in a contact no wider than so many px.
_SIDE = 3.0
#: Share of a line's width over which its end may be cut off aslant.
_ASLANT = 0.5
#: Squared px along a line below which its pixels tell little about its direction.
_STIFF = 1.5
#: Parts of a px that a line's cross section is known at.
FINE = 2


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Where a line goes under the ink."""

    #: x, y in px, and the unit vector into the ink.
    point: Floats
    direction: Floats
    #: What the line adds across its way at every 1 / `FINE` px, (N, 3), left to right as it goes in.
    profile: Floats
    #: Whether it is long enough to be followed without a partner.
    is_long: bool = False

    @property
    def half(self) -> int:
        """Px of the profile on each side."""
        return len(self.profile) // (2 * FINE)

    def ahead(self, px: float) -> End:
        """A vanishing partner so far ahead."""
        return End(self.point + px * self.direction, -self.direction, np.zeros_like(self.profile))


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What a surface leaves over around some ink."""

    #: (H, W, 3), and how far it departs from 0, (H, W); 0 where it is not seen or too far from the ink.
    residual: Floats
    departure: Floats
    #: 255 where it is.
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
    touching = cv2.bitwise_and(departing, within(mask, 1))
    count, components, stats, _ = cv2.connectedComponentsWithStats(touching, connectivity=8)
    if count == 1:
        return []
    _, departed, sizes, _ = cv2.connectedComponentsWithStats(departing, connectivity=8)
    contacts, lines = np.asarray(components, np.int32), np.asarray(departed, np.int32)
    long = sizes[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(axis=1) >= options.shortest
    leaving = np.bincount(lines[(departing > 0) & (within(mask, run - 2) == 0)], minlength=len(sizes)) > 0
    ends, other = [], 0
    for contact in range(1, count):
        left, top, width, height, area = stats[contact].tolist()
        touch = places(contacts, contact, left, top, left + width, top + height)
        line = lines[int(touch[0, 1]), int(touch[0, 0])]
        if not long[line]:
            continue  # a speck
        place = places(
            np.asarray(lines),
            line,
            max(left - run, 0),
            max(top - run, 0),
            left + width + run,
            top + height + run,
        )
        end = _end(seen, touch, place, options)
        if end is not None:
            ends.append(end)
        elif leaving[line] and not _passes_by(touch, place):
            if area > max(options.shortest, options.widest_other * seen.text_height):
                return None  # an edge or a stripe; a neighbour only touches the ink
            other += area
    return ends if other <= options.most_other * seen.text_height else None


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
    contact, touch = touch, touch.mean(axis=0)
    thickest = max(options.least_thickest, options.thickest * seen.text_height)
    away = np.hypot(*(place - touch).T)
    weights = seen.departure[place[:, 1].astype(np.intp), place[:, 0].astype(np.intp)]
    for reach in (
        seen.run,
        0.6 * seen.run,
        max(0.3 * seen.run, options.shortest + 2),
    ):  # further out it may meet others
        near = away <= reach
        shape = axis_of(place[near], weights[near])
        if shape is None:
            return None
        centre, axis, long, thick = shape
        if thick > thickest or long < max(options.shortest, options.elongation * thick):
            continue
        if len(contact) > options.longest_contact * thick + 4 or np.ptp(contact @ axis) > 0.5 * long:
            return None  # it lies along the ink
        centre, axis = _straightened(place[near], weights[near], centre, axis, thick)
        axis = axis if axis @ (touch - centre) > 0 else -axis
        point = np.asarray(centre + axis * float(axis @ (touch - centre)), np.float32)
        half = int(np.ceil(thick / 2 + 2))
        return End(point, axis, _profile(seen, point, axis, long, half), long > options.lone * thick)
    return None


def _straightened(
    place: Floats, weights: Floats, centre: Floats, axis: Floats, thick: float
) -> tuple[Floats, Floats]:
    """A line's centre and direction from whole cross sections alone: the ink cuts it off aslant."""
    for _ in range(2):
        along, off = np.array([axis, (-axis[1], axis[0])], np.float32) @ (place - centre).T
        margin = min(_ASLANT * thick, float(np.ptp(along)) / 3)
        whole = weights * ((along > along.min() + margin) & (along < along.max() - margin))
        total = max(float(whole.sum()), 1e-6)
        middle, aside = float(whole @ along) / total, float(whole @ off) / total
        steep = float(whole @ ((along - middle) * (off - aside)))
        turn = steep / max(float(whole @ (along - middle) ** 2) + _STIFF * total, 1e-6)
        normal = np.array((-axis[1], axis[0]), np.float32)
        centre = np.asarray(centre + middle * axis + aside * normal, np.float32)
        axis = np.asarray((axis + turn * normal) / math.hypot(1, turn), np.float32)
    return centre, axis


def axis_of(place: Floats, weights: Floats) -> tuple[Floats, Floats, float, float] | None:
    """Centre, direction, length and width of some pixels; None of too few."""
    if len(place) < 4:
        return None
    total = float(weights.sum())
    centre = weights @ place / np.float32(total)
    apart = place - centre
    spread = (apart * weights[:, None]).T @ apart / (total - float(weights @ weights) / total)
    (xx, xy), (_, yy) = spread.tolist()
    angle = 0.5 * math.atan2(2 * xy, xx - yy)
    axis = np.array((math.cos(angle), math.sin(angle)), np.float32)
    least = (xx + yy) / 2 - math.hypot((xx - yy) / 2, xy)
    return centre, axis, float(np.ptp(apart @ axis)) + 1, math.sqrt(12 * max(least, 1 / 12))


def _profile(seen: _Seen, point: Floats, axis: Floats, long: float, half: int) -> Floats:
    """The mean of a line's cross sections, from each pixel at its own distance from the line's middle."""
    corners = np.stack([point, point - max(long, 4.0) * axis])
    left, top = np.maximum(np.floor(corners.min(axis=0)) - half - 1, 0).astype(int).tolist()
    right, bottom = (np.ceil(corners.max(axis=0)) + half + 2).astype(int).tolist()
    place = places(seen.known, 255, left, top, right, bottom)
    apart = place - point
    back, across = -(apart @ axis), apart @ np.array((-axis[1], axis[0]), np.float32)
    used = (back >= 2) & (back < max(long, 4.0)) & (np.abs(across) < half)
    columns, rows = place[used].astype(np.intp).T
    every = np.arange(-half * FINE, half * FINE + 1, dtype=np.float32)[:, None]
    shares = np.maximum(1 - np.abs(across[used] * FINE - every), 0)  # between two places, each has a share
    weight = shares.sum(axis=1)
    told = weight > 0.1
    if not told.any():
        return np.zeros((len(every), 3), np.float32)
    known = (shares[told] @ seen.residual[rows, columns]) / weight[told, None]
    profile = np.stack([np.interp(every[:, 0], every[told, 0], one) for one in known.T], axis=1)
    # what is left at its sides is none of the line
    sides = np.linspace(profile[0], profile[-1], len(profile))
    return np.asarray(profile - sides, np.float32)


def places(picture: NDArray[np.integer], value: int, left: int, top: int, right: int, bottom: int) -> Floats:
    """Columns and rows of the pixels in part of a picture that have a value, (N, 2)."""
    rows, columns = np.nonzero(picture[top:bottom, left:right] == value)
    return np.stack([columns + left, rows + top], axis=1).astype(np.float32)


def within(mask: Mask, px: int) -> Mask:
    """What lies within so many px (diagonally too) of a mask."""
    return cv2.dilate(mask, np.ones((2 * px + 1, 2 * px + 1), np.uint8)).astype(np.uint8, copy=False)
