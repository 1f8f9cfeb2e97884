"""Whose ink it is where the box of a line that is erased and those of lines that stay overlap."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import paste
from worker.imaging.inks import Over, parted
from worker.imaging.pixels import (
    beyond,
    both,
    contrast_of,
    counted,
    either,
    inverted,
    less,
    pieces,
    reaching,
    some_of,
    square,
    those,
    widened,
)
from worker.imaging.quads import Frame, bounding_box, depth, filled, frame_of
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Box, Image, Mask, Polygon

#: A component no larger than this share of the text's height is a character or a part of one, and has one
#: owner, unless it has such a share of itself in either box alone; one no larger than that may be a dot.
_CHARACTER, _BOTH, _DOT = 1.6, 0.15, 0.4
#: Of lines that are erased both, a component is one character where it is no larger than so many times the
#: highest that lies in one line alone, and where what of it is nearer to the other line is no more than such
#: a share of what is nearer to its own.
_AS_HIGH, _ASTRIDE = 1.35, 0.35
#: Px between two lines up to which a character may lie across their border.
_BESIDE = 3
#: More lines than so many over one are no page's, and each pair costs a millisecond.
_HEAP = 6
#: Points that tell the ground, at most and at least.
_GROUND, _LEAST = 700, 30
#: So much deeper in one line than in the other (0 its edge, 1 its middle) a component's owner is plain.
_DEEPER = 0.15
#: Lines whose middles are so much of their characters' size apart are two rows.
_ROWS = 0.4
#: Inks that differ by so many levels in a channel tell the owner of what has run together.
_UNLIKE = 60.0
#: Pixels that tell a colour.
_FEW = 300


def shared_out(
    scene: Scene, candidates: Mask, bold: Mask, options: MaskOptions, over: Over | None = None
) -> Mask:
    """Pixels that belong to other lines, with the characters of those that stay, whole.

    A character goes to the line in whose middle it lies; where that does not tell, and for dots, to the line
    of the nearest character. What has run together is parted by its colours, or where these are alike by
    where the boxes' middles are.

    Args:
        scene: The line, and which pixels are nearer to other lines.
        candidates: Everything that may be ink.
        bold: What of it is so for certain.
        options: Limits.
        over: The page over its ground, where that is known.
    """
    foreign = _among_erased(scene, candidates, options)
    if not cv2.countNonZero(both(both(scene.staying, scene.inside), candidates)):
        return foreign
    if over is not None:
        told = _by_colour(scene, foreign, candidates, bold, options, over)
        if told is not None:
            return told
    count, components, boxes, centres = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    labels, size = np.asarray(components, np.int32), boxes[:, 2:4].max(axis=1)
    in_own, in_kept, inked = (
        np.bincount(labels[area > 0], minlength=count) > 0 for area in (scene.inside, scene.staying, bold)
    )
    in_own[0] = in_kept[0] = False
    alone = [less(one, two) for one, two in ((scene.inside, scene.staying), (scene.staying, scene.inside))]
    least = [np.bincount(labels[area > 0], minlength=count) for area in alone]
    large = (size > _CHARACTER * scene.text_height) | (np.min(least, axis=0) > _BOTH * boxes[:, 4])
    theirs, ours = in_kept & ~in_own, in_own & ~in_kept
    contested = np.flatnonzero(in_own & in_kept & ~large)
    if contested.size:
        on_page = np.asarray(centres, np.float32) + np.array([scene.crop.left, scene.crop.top]) + 0.5
        dot = size <= _DOT * _smallest(scene)
        lead = _lead(scene, on_page[contested])
        lead[dot[contested]] = 0
        theirs[contested], ours[contested] = lead > _DEEPER, lead < -_DEEPER
        known = (theirs | ours) & inked & ~large & ~dot
        unknown = contested[np.abs(lead) <= _DEEPER]
        lead = _lead_in_rows(scene, on_page, size, known & theirs, known & ours, unknown)
        theirs[unknown], ours[unknown] = lead > 0, lead < 0
        _follow(unknown[lead == 0], np.flatnonzero(known), np.asarray(boxes[:, :4], np.int32), theirs, ours)
    # what does not come into the line's box is none of its ink anyway
    kept, freed = those(theirs & in_own, labels), those(ours, labels)
    mixed = in_own & in_kept & large
    if mixed.any():
        of_theirs, of_ours = _parted(scene, those(mixed, labels), bold)
        kept, freed = either(kept, of_theirs), either(freed, of_ours)
    kept = widened(kept, square(1))
    reach = options.px_growth(scene.text_height) + options.noisy_growth
    freed = less(widened(freed, square(reach)), kept)
    return either(less(foreign, both(scene.nearer, freed)), kept)


def _by_colour(
    scene: Scene, foreign: Mask, candidates: Mask, bold: Mask, options: MaskOptions, over: Over
) -> Mask | None:
    """Pixels that belong to other lines, where the inks' colours tell those that stay; else None."""
    kept, freed = np.zeros_like(foreign), np.zeros_like(foreign)
    erased = either(scene.own, filled(list(scene.neighbours.erased.corners), scene.crop))
    for quad in scene.neighbours.staying.corners:
        theirs = filled([quad], scene.crop)
        if not cv2.countNonZero(both(both(theirs, scene.inside), candidates)):
            continue
        told = parted(over, candidates, bold, scene.inside, theirs, erased)
        if told is None:
            return None
        kept, freed = either(kept, told[0]), either(freed, told[1])
    kept = less(widened(kept, square(1)), freed)
    reach = options.px_growth(scene.text_height) + options.noisy_growth
    freed = less(widened(freed, square(reach)), kept)
    return either(less(foreign, both(scene.nearer, freed)), kept)


def _among_erased(scene: Scene, candidates: Mask, options: MaskOptions) -> Mask:
    """Pixels that belong to other lines, with the characters of those that are erased too, whole."""
    erased = scene.neighbours.erased
    height, width = scene.page.shape[:2]
    erased = erased.those(erased.meet(bounding_box(scene.quad, width, height, _BESIDE)))
    if not 0 < len(erased.corners) <= _HEAP:
        return scene.foreign
    foreign = less(scene.foreign, scene.nearer)
    ours = both(candidates, less(scene.inside, foreign))
    if not cv2.countNonZero(both(widened(ours, square(1)), both(candidates, foreign))):
        return scene.foreign
    taken, kept = np.zeros_like(foreign), np.zeros_like(foreign)
    for quad in erased.corners:
        # both lines ask the same question, lest both leave a character to the other
        first, second = sorted((scene.quad, quad), key=lambda corners: corners.ravel().tolist())
        box, owned = _characters(scene.page, first, second, options)
        own, others = owned if first is scene.quad else owned[::-1]
        paste(taken, own, box, scene.crop)
        paste(kept, others, box, scene.crop)
    kept = widened(kept, square(1))
    taken = less(widened(taken, square(options.px_growth(scene.text_height))), kept)
    return either(less(scene.foreign, both(taken, foreign)), kept)


def _characters(page: Image, first: Polygon, second: Polygon, options: MaskOptions) -> tuple[Box, list[Mask]]:
    """Characters across the border between two lines, of each that holds most of them; and the masks' box.

    What bridges the two lines is neither's, nor is anything on ground too busy to tell its ink at once.
    """
    quads, frames = (first, second), (frame_of(first), frame_of(second))
    reach = options.ring * max(min(frame.length, frame.height) for frame in frames)
    box = bounding_box(np.concatenate(quads), page.shape[1], page.shape[0], reach)
    inside, deep = [filled([quad], box) for quad in quads], [depth(quad, box) for quad in quads]
    bold = _bold(page[box.slices], inside, options)
    if bold is None:
        return box, [np.zeros_like(mask) for mask in inside]
    labels, boxes = pieces(bold)
    width, height, area = boxes.T[2:]
    held, nearer = [], []
    for mask, own, others in zip(inside, deep, deep[::-1], strict=True):
        ink = both(bold, mask)
        held.append(counted(labels, ink, len(boxes)))
        nearer.append(counted(labels, both(ink, reaching(own, others)), len(boxes)))
    most, least = np.max(nearer, axis=0), np.min(nearer, axis=0)
    # a character is about as high as those that lie in one line alone
    high = width if frames[0].height > frames[0].length else height
    highest = high[1:][(most[1:] > 0) & (least[1:] == 0)].max(initial=0)
    across = (least > 0) & (least <= _ASTRIDE * most) & (np.maximum(width, height) <= _AS_HIGH * highest)
    owned = [
        those(across & (count == most) & (ink >= options.own_at_edge * area), labels)
        for count, ink in zip(nearer, held, strict=True)
    ]
    return box, owned


def _bold(pixels: Image, inside: list[Mask], options: MaskOptions) -> Mask | None:
    """What departs from two lines' ground as boldly as the fainter one does; None where that is busy."""
    columns, rows = some_of(inverted(either(*inside)), _GROUND)
    if len(rows) < _LEAST:
        return None
    surface = ground.surface_of(columns, rows, pixels[rows, columns], options.flat)
    if surface.sigma > options.busy:
        return None
    departure = ground.departure(pixels, surface.levels(pixels.shape[1], pixels.shape[0]))
    contrast = min(contrast_of(departure, mask) for mask in inside)
    return beyond(departure, max(options.seed * contrast, options.faint(surface.sigma)))


def _lead(scene: Scene, points: NDArray[np.floating]) -> NDArray[np.floating]:
    """How much deeper points on the page, (N, 2), lie in any line that stays than in this one."""
    theirs = np.max([_row_depth(frame_of(quad), points) for quad in scene.neighbours.staying.corners], axis=0)
    return np.asarray(theirs - _row_depth(scene.frame, points))


def _lead_in_rows(
    scene: Scene,
    points: NDArray[np.floating],
    size: NDArray[np.integer],
    theirs: NDArray[np.bool_],
    ours: NDArray[np.bool_],
    unknown: NDArray[np.intp],
) -> NDArray[np.floating]:
    """How much nearer to the middle of their row than of this one's some components lie; 0 in one row.

    A row is where its known characters are.
    """
    if not ours.any():
        return np.zeros(len(unknown))
    frame = scene.frame
    across = points @ (frame.along if frame.height > frame.length else frame.across)
    own, high = float(np.median(across[ours])), float(size[ours].max())
    leads = []
    for quad in scene.neighbours.staying.corners:
        row = theirs & (_row_depth(frame_of(quad), points) > 0)
        if not row.any():
            continue
        middle, their_high = float(np.median(across[row])), float(size[row].max())
        if abs(middle - own) > _ROWS * max(high, their_high):
            away = np.abs(across[unknown] - own) / high - np.abs(across[unknown] - middle) / their_high
            leads.append(away)
    return np.max(leads, axis=0) if leads else np.zeros(len(unknown))


def _smallest(scene: Scene) -> float:
    """The least height of a line here."""
    frames = [scene.frame, *map(frame_of, scene.neighbours.staying.corners)]
    return min(min(frame.length, frame.height) for frame in frames)


def _row_depth(frame: Frame, points: NDArray[np.floating]) -> NDArray[np.floating]:
    """How near to a row's or column's middle points lie: 1 on it, 0 on its edge, -1 far off its ends."""
    u, v = np.abs((points - frame.centre) @ np.stack([frame.along, frame.across], axis=1)).T
    if frame.height > frame.length:
        inside, depth = v <= frame.height / 2, 1 - u / (frame.length / 2)
    else:
        inside, depth = u <= frame.length / 2, 1 - v / (frame.height / 2)
    return np.asarray(np.where(inside, depth.clip(-1, 1), -1.0))


def _follow(
    unknown: NDArray[np.intp],
    known: NDArray[np.intp],
    boxes: NDArray[np.integer],
    theirs: NDArray[np.bool_],
    ours: NDArray[np.bool_],
) -> None:
    """Gives each component to the owner of the one that it is nearest to, the nearest first."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    while unknown.size and known.size:
        apart = np.maximum(low[unknown][:, None] - high[known], low[known] - high[unknown][:, None])
        gaps = np.hypot(*np.moveaxis(np.maximum(apart, 0), 2, 0))
        one, other = np.unravel_index(int(gaps.argmin()), gaps.shape)
        index = unknown[one]
        theirs[index], ours[index] = theirs[known[other]], ours[known[other]]
        known, unknown = np.append(known, index), np.delete(unknown, one)


def _parted(scene: Scene, mixed: Mask, bold: Mask) -> tuple[Mask, Mask]:
    """What of the ink that has run together is the other lines', and what is this one's against the boxes."""
    middles = both(mixed, scene.nearer), np.zeros_like(mixed)
    here, there = both(bold, less(scene.inside, scene.staying)), both(bold, less(scene.staying, scene.inside))
    places = [some_of(area, _FEW) for area in (here, there)]
    if any(len(rows) < 9 for _, rows in places):
        return middles
    one, two = (np.median(scene.pixels[rows, columns], axis=0) for columns, rows in places)
    if np.abs(two - one).max() <= _UNLIKE:
        return middles
    towards = (two - one).astype(np.float32)
    like_theirs = scene.pixels @ towards > float(towards @ (one + two)) / 2
    theirs = both(both(mixed, bold), np.where(like_theirs, scene.staying, 0).astype(np.uint8))
    return theirs, less(both(mixed, bold), theirs)
