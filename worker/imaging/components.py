"""Which components of what departs from the ground are a line's ink, and which are something else's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.boxes import on_page
from worker.imaging.halo import clinging
from worker.imaging.inks import Over, axis_between
from worker.imaging.joined import row_of, told_apart
from worker.imaging.pixels import (
    beyond,
    both,
    box_of,
    contrast_of,
    counted,
    either,
    less,
    parts,
    some_of,
    square,
    those,
    widened,
)
from worker.imaging.quads import filled, grown
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Box, Image, Mask

#: Which of the combinations of four bits count for what: all; those with the first bit, the second, both of
#: these, the third, the fourth.
_SUMS = np.array(
    [[(bits & wanted) == wanted for bits in range(16)] for wanted in (0, 1, 2, 3, 4, 8)], np.float32
)
#: Departures of so many levels are more than ripples, and of so many sigmas more than noise.
STRONG, _STRONG_SIGMAS = 30, 6.0
#: Pixels that tell the direction in which ink departs from its ground, and the share of a line's bold ink
#: that settled components must hold to tell the line's side of it.
_FEW, _SETTLED = 300, 0.1
#: What is so dense beside a line, in shares of its density in it, is no ink where what departs to the other
#: side takes at least such a share of the line and is at most so dense beside it.
_GOES_ON, _LEAST_IN_LINE, _ENDS = 0.75, 0.05, 0.25
#: A part of what had run together is ink where this share of it lies in the line's box, also at its edge.
_OF_ONE_PIECE = 0.4
#: What departs to the other side than the ink is its outline or shadow where this share of it does so boldly.
_LEAST_BOLD = 0.3
#: An outline has less than this share of itself further from the strokes than outlines reach.
_MOST_FAR = 0.3
#: A pixel has a thing's own colour where it departs by this share of what its surroundings do; right
#: beside the ink, by that.
_PURE, _PUREST = 0.85, 0.95
#: Levels below that which nobody sees: a faint thing's own noise is as much.
_DIM = 12


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What departs from a line's ground, and how. Masks of the scene's crop."""

    #: Everything that departs, and what of it does so boldly.
    candidates: Mask
    bold: Mask
    #: The line's reach.
    allowed: Mask
    #: The ground's surface where there is one, and how far pixels depart from it, in levels.
    plain: Image | None = None
    departure: Image | None = None
    #: Deviation of the ground's noise, in levels.
    noise: float = 0.0
    #: Whether this is a drawing, whose thin lines run on.
    drawn: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """Components of a line's surroundings: its ink, what has run together with it, and other things."""

    ink: Mask
    joined: Mask
    others: Mask
    #: Ink that sticks out of the box: on the ground's other side it is none of the line's.
    doubtful: Mask


def components(scene: Scene, looks: Looks, options: MaskOptions) -> tuple[Mask, Mask, Mask] | None:
    """The components that hold bold ink of the line, those that hold some of what stands beside it, and bold.

    What has run together with something else is told apart: first what is lighter than the ground from what
    is darker, where the line's own ink is only one of these. Where most of what is bold is on the other side,
    faint ink beside a strong thing, bold is what is so on the ink's.
    """
    looks = _in_row(scene, looks, options)
    found = _sorted(scene, looks, options)
    unsure = found.joined
    side = _side_of_ink(scene, looks, found.ink, unsure, options)
    ink, others, joined = found.ink, found.others, found.joined
    if side is not None:
        on_side = _on_side(scene, looks, less(looks.candidates, found.ink), side, options)
        mine = _sorted(scene, on_side, replace(options, own_at_edge=_OF_ONE_PIECE))
        ink, others = either(ink, mine.ink), either(others, mine.others)
        joined, bold = mine.joined, on_side.bold
        outdone = _density(both(looks.bold, side), scene.inside) < 0.5 * _density(looks.bold, scene.inside)
    else:
        bold, outdone = looks.bold, False
    if cv2.countNonZero(joined):
        taken, beside = told_apart(scene, joined, bold, looks.allowed, options, drawn=looks.drawn)
        ink, others = either(ink, taken), either(others, beside)
    if side is not None:
        taken, beside = _on_other_side(scene, replace(looks, candidates=less(unsure, side)), ink, options)
        ink, others = either(ink, taken), either(others, beside)
    share = cv2.countNonZero(ink) / max(cv2.countNonZero(scene.inside), 1)
    return (ink, others, bold if outdone else looks.bold) if 0.02 <= share <= 0.95 else None


def _in_row(scene: Scene, looks: Looks, options: MaskOptions) -> Looks:
    """With a reach that ends where another row of text begins."""
    near = less(both(looks.bold, looks.allowed), scene.own)
    if cv2.countNonZero(near) <= options.neighbours * cv2.countNonZero(both(looks.bold, scene.inside)):
        return looks
    of_others = less(looks.bold, less(scene.own, scene.inside))
    return replace(looks, allowed=both(looks.allowed, row_of(scene, of_others, options)))


def _sorted(scene: Scene, looks: Looks, options: MaskOptions, least_bold: float = 0.0) -> _Sorted:
    box = box_of(looks.candidates, 0)
    whole = [np.zeros_like(looks.candidates) for _ in range(4)]
    if box.width:
        labels, kinds = _kinds(scene, looks, box, options, least_bold)
        for mask, kind in zip(whole, kinds, strict=True):
            if kind.any():
                mask[box.slices] = those(kind, labels)
    return _Sorted(*whole)


def _kinds(
    scene: Scene, looks: Looks, box: Box, options: MaskOptions, least_bold: float
) -> tuple[NDArray[np.int32], tuple[NDArray[np.bool_], ...]]:
    """The components in a box, and which are ink, joined, others' and doubtful; see `_Sorted`."""
    candidates, bold, allowed, inside = (
        mask[box.slices] for mask in (looks.candidates, looks.bold, looks.allowed, scene.inside)
    )
    count, labels = parts(candidates)
    core = -options.core * min(scene.frame.length, scene.frame.height) / 2
    core_of_line = filled([grown(scene.quad, core, core, scene.frame)], on_page(box, scene.crop))
    # which of four areas a pixel lies in, as bits: one pass counts each component's pixels for all of them
    places = (both(inside, allowed) & 1) | (bold & 2) | (~allowed & 4) | (core_of_line & 8)
    inked = (candidates.ravel() != 0).nonzero()[0]
    cells = labels.ravel()[inked] * 16 + places.ravel()[inked]
    counts = np.bincount(cells, minlength=16 * count).reshape(count, 16)
    area, own, strong, own_strong, outside, in_core = _SUMS @ counts.T.astype(np.float32)
    seeded = own_strong > least_bold * area
    whole = seeded & (outside == 0) & (own >= np.where(in_core > 0, 0.5, options.own_at_edge) * area)
    # what leaves the line's reach has run together with something else; where it merely grazes the box, it
    # is none of the line's
    part = seeded & ~whole & (in_core > 0)
    others = (strong > 0) & ~whole & ~part
    return labels, (whole, part, others, whole & (own < options.own_at_edge * area))


def _side_of_ink(
    scene: Scene, looks: Looks, settled: Mask, unsure: Mask, options: MaskOptions
) -> Mask | None:
    """Where pixels depart from the ground as the line's ink does: darker, say, or redder; None if unknown.

    Args:
        scene: The line.
        looks: What departs.
        settled: Components that are the line's ink for certain.
        unsure: Those that stick out of the line.
        options: Limits.
    """
    if looks.plain is None or looks.departure is None or not cv2.countNonZero(unsure):
        return None
    within = both(both(looks.bold, scene.inside), looks.candidates)
    columns, rows = some_of(within, _FEW)
    if len(rows) < 2:
        return None
    over = Over(scene.pixels, looks.plain, looks.departure)
    off = scene.pixels[rows, columns].astype(np.float32) - looks.plain[rows, columns]
    outside = less(less(unsure, looks.allowed), either(scene.own, scene.foreign))
    axis = axis_between(np.concatenate([over.offsets(over.ridges(within)), over.pure(outside)]))
    certain = settled[rows, columns] > 0
    told = bool(np.count_nonzero(certain) >= _SETTLED * len(rows))
    if axis is None:
        # the first principal axis: ink on two sides of the ground lies at its two ends
        axis = np.asarray(cv2.eigen(off.T @ off)[2][0], np.float32)
        if not told:
            return _own_side(scene, looks, off, axis, over, options)
    elif not told:
        return _most_within(scene, looks, (over.side(axis), over.side(-axis)), options)
    if np.count_nonzero(off[certain] @ axis > 0) < 0.5 * np.count_nonzero(certain):
        axis = -axis
    return over.side(axis)


def _own_side(
    scene: Scene,
    looks: Looks,
    off: NDArray[np.float32],
    axis: NDArray[np.float32],
    over: Over,
    options: MaskOptions,
) -> Mask:
    """The side to which most bold ink departs, or the other where that goes on around the line."""
    if np.count_nonzero(off @ axis > 0) < 0.5 * len(off):
        axis = -axis
    side, other = over.side(axis), over.side(-axis)
    return other if _behind(scene, both(looks.bold, side), both(looks.candidates, other), options) else side


def _most_within(scene: Scene, looks: Looks, sides: tuple[Mask, Mask], options: MaskOptions) -> Mask:
    """The side on which ink, once parted, is more and lies in the line's box: what crosses it goes on."""
    scores = []
    for side in sides:
        found = _sorted(scene, _on_side(scene, looks, looks.candidates, side, options), options)
        ink = either(found.ink, found.joined)
        scores.append(cv2.countNonZero(both(ink, scene.inside)) ** 2 / max(cv2.countNonZero(ink), 1))
    return sides[int(scores[1] > scores[0])]


def _behind(scene: Scene, things: Mask, ink: Mask, options: MaskOptions) -> bool:
    """Whether things go on around the line as they stand in it, while ink ends with the line."""
    around = less(scene.grown(options.ring), scene.own)
    if _density(things, around) <= _GOES_ON * _density(things, scene.inside):
        return False
    inked = _density(ink, scene.inside)
    return inked > _LEAST_IN_LINE and _density(ink, around) < _ENDS * inked


def _density(part: Mask, area: Mask) -> float:
    return cv2.countNonZero(both(part, area)) / max(cv2.countNonZero(area), 1)


def _on_side(scene: Scene, looks: Looks, candidates: Mask, side: Mask, options: MaskOptions) -> Looks:
    """What departs to the ink's side, and what of it does so boldly beside the strongest there."""
    if looks.departure is None:
        return replace(looks, candidates=both(candidates, side), bold=both(looks.bold, side))
    contrast = contrast_of(looks.departure, both(scene.inside, side))
    bold = both(beyond(looks.departure, options.seed * contrast), both(looks.candidates, side))
    return replace(looks, candidates=both(candidates, side), bold=either(bold, both(looks.bold, side)))


def _on_other_side(scene: Scene, looks: Looks, ink: Mask, options: MaskOptions) -> tuple[Mask, Mask]:
    """What departs to the other side than the ink: its outline or shadow, and things that stay."""
    if looks.departure is None:
        return np.zeros_like(ink), np.zeros_like(ink)
    strong = max(STRONG, _STRONG_SIGMAS * looks.noise)
    found = _sorted(scene, replace(looks, bold=beyond(looks.departure, strong)), options, _LEAST_BOLD)
    taken = less(found.ink, found.doubtful)
    beside = either(either(found.joined, found.doubtful), found.others)
    strokes = both(either(ink, taken), looks.bold)
    halo = max(3, round(options.halo * scene.text_height))
    # what is faint everywhere is no thing, but it may be the end of an outline
    faint = both(less(less(looks.candidates, taken), beside), widened(strokes, square(halo)))
    hugging = either(faint, _hugging(strokes, beside, halo))
    taken, beside = either(taken, both(hugging, looks.allowed)), less(beside, hugging)
    taken = either(taken, clinging(scene, strokes, beside, looks.allowed, options))
    things = less(beside, taken)
    return taken, _own_colour(scene, looks.departure, things, either(ink, taken), options)


def _hugging(strokes: Mask, beside: Mask, halo: int) -> Mask:
    """Components beside the strokes that hardly reach further from them than an outline does."""
    outer = less(beside, widened(strokes, square(halo)))
    if not cv2.countNonZero(outer):
        return beside
    count, labels = parts(beside)
    area, far = (counted(labels, part, count) for part in (beside, outer))
    return those((area > 0) & (far < _MOST_FAR * area), labels)


def _own_colour(scene: Scene, departure: Image, things: Mask, ink: Mask, options: MaskOptions) -> Mask:
    """Things without what the ink beside them has mixed into, along its edge."""
    departs = both(departure, things)
    usual = widened(departs, square(max(2, round(options.halo * scene.text_height))))
    for px, share in ((options.least_growth + 1, _PURE), (1, _PUREST)):
        pure = cv2.min(cv2.convertScaleAbs(usual, alpha=share), usual - np.minimum(usual, _DIM))
        mixed = cv2.compare(departs, pure, cv2.CMP_LT)
        things = less(things, both(widened(ink, square(px)), np.asarray(mixed, np.uint8)))
    return things
