"""Thin lines that run under the ink: a ring on a gradient, a rule, a speed line.

What such a line adds to the surface is seen where it goes in and where it comes out again. Ends that point at
each other are joined by a cubic curve that carries the line's own profile across; an end without a partner
fades out.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.ground import Floats
from worker.imaging.line_ends import FINE, CurveOptions, End, axis_of, find_ends, places, within
from worker.job import Mask


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
    partners = dict(_pairs(ends, text_height, options))
    joined = set(partners.values())
    for index, end in enumerate(ends):
        if index in partners:
            _draw(added, end, ends[partners[index]])
        elif index not in joined and end.is_long:
            _draw(added, end, end.ahead(options.fade * text_height))
    return added


def _pairs(ends: list[End], text_height: float, options: CurveOptions) -> Iterator[tuple[int, int]]:
    """Ends that belong together, the surest first."""
    points, directions = (np.stack([getattr(end, name) for end in ends]) for name in ("point", "direction"))
    strengths = np.stack([np.abs(end.profile).sum(axis=0) for end in ends])
    signs = np.stack([end.profile.sum(axis=0) for end in ends])
    one, two = np.triu_indices(len(ends), 1)
    way = points[two] - points[one]
    distance = np.maximum(np.hypot(*way.T), 1e-6)
    cosines = np.stack([(directions[one] * way).sum(axis=1), -(directions[two] * way).sum(axis=1)]) / distance
    most = np.maximum(np.maximum(strengths[one].sum(axis=1), strengths[two].sum(axis=1)), 1)
    unlike = np.abs(strengths[one] - strengths[two]).sum(axis=1) / most
    least = np.where(distance > options.close, options.least_cosine, 0.0)
    together = (cosines.min(axis=0) >= least) & (distance <= options.farthest * text_height)
    together &= (unlike <= options.most_difference) & ((signs[one] * signs[two]).sum(axis=1) > 0)
    cost = 2 - cosines.sum(axis=0) + 0.1 * distance / text_height + 0.3 * unlike
    taken: set[int] = set()
    for pair in np.flatnonzero(together)[np.argsort(cost[together], kind="stable")]:
        first, second = int(one[pair]), int(two[pair])
        if not taken & {first, second}:
            taken |= {first, second}
            yield first, second


def _draw(added: Floats, start: End, stop: End) -> None:
    """Carries a line from one end to the other."""
    length = float(np.hypot(*(stop.point - start.point)))
    t = np.linspace(0, 1, max(int(length), 2), dtype=np.float32)[:, None]
    one, two = start.point + start.direction * length / 3, stop.point + stop.direction * length / 3
    way = (
        (1 - t) ** 3 * start.point + 3 * (1 - t) ** 2 * t * one + 3 * (1 - t) * t**2 * two + t**3 * stop.point
    )
    half = max(start.half, stop.half)
    back = np.arange(1, half + 2, dtype=np.float32)[:, None]  # the ink's edge lies aslant
    way = np.concatenate(
        [start.point - back[::-1] * start.direction, way, stop.point - back * stop.direction]
    )
    t = np.concatenate([np.zeros_like(back), t, np.ones_like(back)])
    heading = np.gradient(way, axis=0)
    heading /= np.maximum(np.hypot(heading[:, 0], heading[:, 1]), 1e-6)[:, None]
    rows, columns, nearest = _beside(way, half, added.shape[:2])
    offset = np.stack([columns, rows], axis=1) - way[nearest]
    heading = heading[nearest]
    across = heading[:, 0] * offset[:, 1] - heading[:, 1] * offset[:, 0]
    along = (heading * offset).sum(axis=1)
    share = t[nearest]
    line = (1 - share) * _across(start.profile, across) + share * _across(stop.profile[::-1], across)
    line[((nearest == 0) | (nearest == len(way) - 1)) & (np.abs(along) >= 1)] = 0
    there = added[rows, columns]
    added[rows, columns] = np.where(np.abs(line) > np.abs(there), line, there)


def _beside(
    way: Floats, px: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of a picture within so many px of a way, and each one's nearest point of it."""
    reach = px + 2
    at = np.rint(way).astype(np.intp)
    corner = at.min(axis=0) - reach
    columns, rows = (at - corner).T
    apart = np.full(at.max(axis=0)[::-1] - corner[::-1] + reach + 1, 255, np.uint8)
    apart[rows, columns] = 0
    distance, labels = cv2.distanceTransformWithLabels(
        apart, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    point_of = np.zeros(int(labels.max()) + 1, np.intp)
    point_of[labels[rows, columns]] = np.arange(len(way))
    rows, columns = np.nonzero(distance <= px + 1)
    nearest = point_of[labels[rows, columns]]
    rows, columns = rows + corner[1], columns + corner[0]
    inside = (rows >= 0) & (columns >= 0) & (rows < shape[0]) & (columns < shape[1])
    return rows[inside], columns[inside], nearest[inside]


def _across(profile: Floats, offset: Floats) -> Floats:
    """A profile's values at signed distances from the line's middle, (N, 3)."""
    half = len(profile) // 2
    at = np.arange(-half, half + 1) / FINE
    values = [np.interp(offset, at, profile[:, channel], 0, 0) for channel in range(3)]
    return np.stack(values, axis=-1).astype(np.float32)


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
