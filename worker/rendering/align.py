"""Which edge the source lines share: what the designer aligned, the translation aligns too."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from worker.rendering.frame import Rect
from worker.rendering.ink import Ink

#: Edges agree within this many em.
_AGREES = 0.45
#: Blocks further apart than this many em are no witnesses for one another.
_WITNESS = 6.0


class Alignment(StrEnum):
    """The edge that lines share."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


def infer_alignments(inks: Sequence[Ink], page_width: int) -> list[Alignment]:
    """The alignment of each block: from its own lines, else from the blocks around it, else from the page."""
    return [_of_lines(ink) or _of_neighbours(ink, inks) or _of_page(ink, page_width) for ink in inks]


def _edges(rect: Rect) -> tuple[float, float, float]:
    return rect.left, rect.centre[0], rect.right


def _of_lines(ink: Ink) -> Alignment | None:
    """The edge a block's own lines share; a paragraph whose full lines share all of them is flush left."""
    if len(ink.lines) < 2:
        return None
    edges = np.array([_edges(line.rect) for line in ink.lines])
    left, centre, right = (edges.max(axis=0) - edges.min(axis=0)) / ink.size
    if left <= _AGREES:
        return Alignment.LEFT
    if centre <= 2 * _AGREES and centre < right:
        return Alignment.CENTRE
    return Alignment.RIGHT if right <= _AGREES else Alignment.LEFT


def _of_neighbours(ink: Ink, inks: Sequence[Ink]) -> Alignment | None:
    """The edge most blocks above and below share with this one."""
    votes = dict.fromkeys((Alignment.LEFT, Alignment.CENTRE, Alignment.RIGHT), 0.0)
    own = ink.rect
    for other in inks:
        if other is ink or abs(other.frame.angle - ink.frame.angle) > 5:
            continue
        rect = other.rect if other.frame == ink.frame else _turned(other, ink)
        gap = max(rect.top - own.bottom, own.top - rect.bottom)
        if not -0.5 * ink.size <= gap <= _WITNESS * ink.size:
            continue
        weight = 1.0 / (1.0 + max(gap, 0.0) / ink.size)
        for alignment, mine, theirs in zip(votes, _edges(own), _edges(rect), strict=True):
            if abs(mine - theirs) <= _AGREES * min(ink.size, other.size):
                votes[alignment] += weight
    best = max(votes, key=lambda alignment: votes[alignment])
    if votes[best] == 0:
        return None
    # `max` takes the first of equals: blocks of equal length share all edges, mostly for being flush left.
    return best


def _turned(other: Ink, ink: Ink) -> Rect:
    return ink.frame.rect_around(other.frame.quad(other.rect))


def _of_page(ink: Ink, page_width: int) -> Alignment:
    """Centred where the block stands in the page's middle, else flush left."""
    middle = ink.frame.to_page(np.array([ink.rect.centre]))[0, 0]
    return Alignment.CENTRE if abs(middle - page_width / 2) <= ink.size else Alignment.LEFT
