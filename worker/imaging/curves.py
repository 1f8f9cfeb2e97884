"""Thin lines that run under the ink: a ring on a gradient, a rule, a speed line.

What such a line adds to the surface is seen where it goes in and where it comes out again. Ends that point at
each other are joined by the circle or straight line that both, and what else is seen of the line, lie on;
where there is none, by a cubic curve. It carries the line's own profile across; an end without a partner
fades out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.ground import Floats
from worker.imaging.line_ends import CurveOptions, find_ends, within
from worker.imaging.traces import FINE, Complex, End, axis_of, beside, circle, places
from worker.job import Mask

#: Px by which the halves of two ends' cross sections may differ.
_MOST_WIDER = 2


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
    ends = find_ends(residual, mask, free, limit, text_height, options)
    if not ends or len(ends) > options.most_ends:
        return None
    added = np.zeros_like(residual)
    pairs = [(ends[one], ends[two]) for one, two in _pairs(ends, text_height, options)]
    joined = {id(end) for pair in pairs for end in pair}
    for start, stop in pairs:
        lines = {start.line, stop.line}
        beyond = [end.trace for pair in pairs if lines & {pair[0].line, pair[1].line} for end in pair]
        _draw(added, start, stop, np.concatenate(beyond))
    for end in ends:
        if end.is_long and id(end) not in joined:
            _draw(added, end, end.ahead(options.fade * text_height), end.trace[:0])
    return added


def _pairs(ends: list[End], text_height: float, options: CurveOptions) -> Iterator[tuple[int, int]]:
    """Ends that belong together, the surest first."""
    points, directions = (np.array([getattr(end, name) for end in ends]) for name in ("point", "direction"))
    strengths = np.stack([np.abs(end.profile).sum(axis=0) for end in ends])
    signs = np.stack([end.profile.sum(axis=0) for end in ends])
    one, two = np.triu_indices(len(ends), 1)
    way = points[two] - points[one]
    distance = np.maximum(np.abs(way), 1e-6)
    cosines = np.stack([(directions[one].conj() * way).real, -(directions[two].conj() * way).real]) / distance
    most = np.maximum(np.maximum(strengths[one].sum(axis=1), strengths[two].sum(axis=1)), 1)
    unlike = np.abs(strengths[one] - strengths[two]).sum(axis=1) / most
    least = np.where(distance > options.close, options.least_cosine, 0.0)
    together = (cosines.min(axis=0) >= least) & (unlike <= options.most_difference)
    together &= (signs[one] * signs[two]).sum(axis=1) > 0
    halves, long = (np.array([getattr(end, name) for end in ends]) for name in ("half", "is_long"))
    together &= np.abs(halves[one] - halves[two]) <= _MOST_WIDER
    winding = np.abs(((directions[one] - directions[two]).conj() * way).imag) / distance
    together &= (winding <= options.most_winding) | (distance <= options.close)
    sure = long[one] & long[two] & (winding <= options.hardly_winding)
    together &= distance <= np.where(sure, options.farthest_sure, options.farthest) * text_height
    cost = 2 - cosines.sum(axis=0) + 0.1 * distance / text_height + 0.3 * unlike
    taken: set[int] = set()
    for pair in np.flatnonzero(together)[np.argsort(cost[together], kind="stable")]:
        first, second = int(one[pair]), int(two[pair])
        if not taken & {first, second}:
            taken |= {first, second}
            yield first, second


def _draw(added: Floats, start: End, stop: End, beyond: Complex) -> None:
    """Carries a line from one end to the other; the middles of what is seen of it elsewhere may guide it."""
    half = max(start.half, stop.half)
    way, t = _way(start, stop, half, beyond)
    heading = np.concatenate([way[1:2] - way[:1], way[2:] - way[:-2], way[-1:] - way[-2:-1]])
    heading /= np.maximum(np.abs(heading), 1e-6)
    rows, columns, nearest = _beside(way, half, added.shape[:2])
    apart = (columns + 1j * rows - way[nearest]) * heading.conj()[nearest]
    line = _across(start.profile, stop.profile[::-1], half, apart.imag, t[nearest])
    line[((nearest == 0) | (nearest == len(way) - 1)) & (np.abs(apart.real) >= 1)] = 0
    there = added[rows, columns]
    added[rows, columns] = np.where(np.abs(line) > np.abs(there), line, there)


def _way(start: End, stop: End, half: int, beyond: Complex) -> tuple[Complex, NDArray[np.float64]]:
    """The way between two ends and a little beyond, and each point's share of it.

    The ink's edge lies aslant: what it hides of a line begins before its point.
    """
    chord = stop.point - start.point
    length = max(abs(chord), 1.0)
    before, after = (half + 1 + math.ceil(end.cut) for end in (start, stop))
    along = np.linspace(0, length, max(int(length), 2))
    along = np.concatenate([np.arange(-before, 0), along, length + np.arange(1, after + 1)])
    t = np.minimum(np.maximum(along / length, 0), 1)
    frame = chord / length
    for seen in (beyond, np.concatenate([start.trace, stop.trace])):
        round_ = circle((seen - start.point) * frame.conjugate(), length) if len(beyond) else None
        aside = None if round_ is None else beside(round_, along)
        if aside is not None:
            return start.point + (along + 1j * aside) * frame, t
    turn = ((start.direction - stop.direction) * chord.conjugate()).real / (2 * length)
    handle = 2 * length / (3 * max(1 + turn, 1.0))  # so long that even ends make an arc
    one, two = start.point + start.direction * handle, stop.point + stop.direction * handle
    way = (
        (1 - t) ** 3 * start.point + 3 * (1 - t) ** 2 * t * one + 3 * (1 - t) * t**2 * two + t**3 * stop.point
    )
    way[:before] = start.point + along[:before] * start.direction
    way[-after:] = stop.point - (along[-after:] - length) * stop.direction
    return way, t


def _beside(
    way: Complex, px: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of a picture within so many px of a way, and each one's nearest point of it."""
    reach = px + 2
    columns, rows = np.rint(way.real).astype(np.intp), np.rint(way.imag).astype(np.intp)
    left, top = int(columns.min()) - reach, int(rows.min()) - reach
    columns, rows = columns - left, rows - top
    apart = np.full((int(rows.max()) + reach + 1, int(columns.max()) + reach + 1), 255, np.uint8)
    apart[rows, columns] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        apart, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    point_of = np.zeros(int(labels.max()) + 1, np.intp)
    point_of[labels[rows, columns]] = np.arange(len(way))
    near = np.flatnonzero(distance <= px + 1)
    rows, columns = np.divmod(near, apart.shape[1])
    rows, columns = rows + top, columns + left
    inside = (rows >= 0) & (columns >= 0) & (rows < shape[0]) & (columns < shape[1])
    return rows[inside], columns[inside], point_of[labels.ravel()[near[inside]]]


def _across(
    first: Floats, second: Floats, half: int, offset: NDArray[np.float64], share: NDArray[np.float64]
) -> Floats:
    """What a mix of two profiles (of so many px to a side at most) adds beside a line's middle, (N, 3)."""
    lacking = [half * FINE - len(profile) // 2 for profile in (first, second)]  # they end in 0 on both sides
    profiles = [
        np.pad(profile, ((px, px), (0, 0))) if px else profile
        for profile, px in zip((first, second), lacking, strict=True)
    ]
    both = np.concatenate(profiles, axis=1)
    at = np.minimum(np.maximum(offset + half, 0) * FINE, len(both) - 1)
    before = np.minimum(at.astype(np.intp), len(both) - 2)
    further = (at - before).astype(np.float32)[:, None]
    found = both[before] + further * (both[1:] - both[:-1])[before]
    one, other = found[:, :3], found[:, 3:]
    return np.asarray(one + share.astype(np.float32)[:, None] * (other - one), np.float32)


def lines_beside(
    departing: NDArray[np.bool_],
    near: NDArray[np.bool_],
    mask: Mask,
    text_height: float,
    options: CurveOptions,
) -> NDArray[np.bool_] | None:
    """Thin lines that pass by near the ink, (H, W): a frame, a rule, a ring; None where there is none.

    Args:
        departing: Where the ground departs from its surface.
        near: Where it is near enough to the ink to matter.
        mask: The ink.
        text_height: In px.
        options: What counts as a line.
    """
    side = round(max(options.least_thickest, options.thickest * text_height)) + 2
    departed = departing.view(np.uint8)
    thick = cv2.morphologyEx(departed, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    thin = cv2.bitwise_and(departed, cv2.bitwise_not(within(np.asarray(thick, np.uint8), 1)))
    _, components, sizes, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    lines = np.asarray(components, np.int32)
    long = sizes[:, (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT)].max(axis=1)
    is_line = (long >= options.longest_speck * text_height) & (
        np.bincount(lines[near], minlength=len(sizes)) > 0
    )
    is_line[0] = False
    if not 0 < np.count_nonzero(is_line) <= options.most_beside:
        return None
    touching = is_line[lines] & (within(mask, 1) > 0)
    count, contacts, stats, _ = cv2.connectedComponentsWithStats(touching.view(np.uint8), connectivity=8)
    for contact in range(1, count):
        left, top, width, height, _ = stats[contact].tolist()
        touch = places(np.asarray(contacts), contact, left, top, left + width, top + height)
        reach = max(width, height) + side
        line = int(lines[int(touch[0, 1]), int(touch[0, 0])])
        box = (max(left - reach, 0), max(top - reach, 0), left + width + reach, top + height + reach)
        if not _lies_aside(touch, places(lines, line, *box)):
            return None
    return np.asarray(is_line[lines], np.bool_)


def _lies_aside(touch: Floats, place: Floats) -> bool:
    """Whether a thin line touches the ink with its side, not with its end: it goes on both ways."""
    shape = axis_of(place, np.ones(len(place), np.float32))
    if shape is None:
        return False
    _, axis, long, thick = shape
    along, contact = place @ axis, touch @ axis
    least = max(2.0, thick)
    return long >= 2 * thick and bool(
        contact.min() - along.min() >= least and along.max() - contact.max() >= least
    )
