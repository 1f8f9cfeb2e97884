"""Which edge the source lines share: what the designer aligned, the translation aligns too."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from worker.rendering.frame import Rect
from worker.rendering.ground import Neighbourhood
from worker.rendering.ink import Ink

#: Edges agree within this many em.
_AGREES = 0.45
#: Blocks further apart than this many em are no witnesses for one another.
_WITNESS = 6.0
#: What the page's margins and its middle count beside a neighbour's vote of 1, and what texts of another
#: size (beyond this ratio) count.
_MARGIN_VOTE, _MIDDLE_VOTE = 1.0, 0.5
_OTHER_SIZE, _OTHER_SIZE_VOTE = 1.35, 0.4
#: A text stands in the middle of a button or balloon no more than this many em wider on each side, ...
_PANEL = 5.0
#: ... if the gaps to its left and right differ by no more em, or by this share of their sum.
_PANEL_OFF, _PANEL_OFF_SHARE = 0.35, 0.12
#: Flush left unless something else has clearly more votes: equal lines share all their edges.
_CLEARLY = 1.15


class Alignment(StrEnum):
    """The edge that lines share."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


def infer_alignment(
    ink: Ink, around: Neighbourhood, others: Sequence[Rect], margin: float, width: int
) -> Alignment:
    """The alignment of one block.

    Its own lines tell, else the panel it stands in the middle of, else the texts above and below it and
    the page's margins.

    Args:
        ink: The block's geometry.
        around: What surrounds it.
        others: Extents of all other text, in the block's frame.
        margin: Between the page's edges and its text, px.
        width: Of the page, px.
    """
    if ink.vertical:
        return Alignment.CENTRE
    own = _of_lines(ink)
    if own is not None:
        return own
    left, right = around.gaps(_PANEL * ink.size)
    if max(left, right) < _PANEL * ink.size and abs(left - right) <= max(
        _PANEL_OFF * ink.size, _PANEL_OFF_SHARE * (left + right)
    ):
        return Alignment.CENTRE
    return _of_votes(ink, others, margin, width)


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


def _of_votes(ink: Ink, others: Sequence[Rect], margin: float, width: int) -> Alignment:
    """The edge that most texts above and below share with this one, the nearest counting most."""
    own, tolerance = np.array(_edges(ink.rect)), _AGREES * ink.size
    votes = np.zeros(3)
    for rect in others:
        gap = max(rect.top - ink.rect.bottom, ink.rect.top - rect.bottom)
        if -0.5 * ink.size <= gap <= _WITNESS * ink.size:
            agreement = np.clip(1 - np.abs(own - _edges(rect)) / tolerance, 0, None)
            ratio = rect.height / ink.rect.height if len(ink.lines) == 1 else 1.0
            alike = 1 / _OTHER_SIZE <= ratio <= _OTHER_SIZE
            votes += agreement * (1 if alike else _OTHER_SIZE_VOTE) / (1 + max(gap, 0.0) / ink.size)
    if ink.frame.angle == 0:
        page = np.array([margin, width / 2, width - margin])
        worth = np.array([_MARGIN_VOTE, _MIDDLE_VOTE, _MARGIN_VOTE])
        votes += worth * np.clip(1 - np.abs(own - page) / tolerance, 0, None)
    left, centre, right = votes
    if max(centre, right) <= _CLEARLY * left or not votes.any():
        return Alignment.LEFT
    return Alignment.CENTRE if centre >= right else Alignment.RIGHT
