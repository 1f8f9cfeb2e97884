"""Which edge the source lines share: what the designer aligned, the translation aligns too."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from worker.rendering.frame import Rect
from worker.rendering.ground import Neighbourhood
from worker.rendering.ink import BESIDE, Ink

#: Edges agree within this many em.
_AGREES = 0.45
#: Middles that differ by no more em are meant to be one where both edges differ by twice that.
_HAIR = 0.1
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
#: Votes for its left edge, and those of texts of another width, from which on a text is a row of a list,
#: whatever stands beside it; for its middle, a row of a centred one.
_LISTED, _TELLING = 0.4, 0.05
#: Texts that make a row, em that their middles may lie apart in height, and em by which the spacing of their
#: left edges may be more even than that of their middles.
_ROW, _SAME_ROW, _EVENLY = 3, 0.35, 0.2
#: Flush left unless something else has clearly more votes: so many times as many, since equal lines share all
#: their edges, and so many beyond that, since any two edges may agree by chance.
_CLEARLY, _CHANCE = 1.15, 0.16
#: Degrees from which on a line that shares no edge is a stamp or a ribbon, which is centred.
_TILTED = 4.0


class Alignment(StrEnum):
    """The edge that lines share."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


def infer_alignment(
    ink: Ink, around: Neighbourhood, others: Sequence[Rect], margin: float, width: int
) -> Alignment:
    """The alignment of one block.

    Its own lines tell, else the list it is a row of, else the texts beside it (captions under a row of
    pictures), else the panel it stands in the middle of, else the texts above and below it and the page's
    margins.

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
    extents = np.array([(o.left, o.top, o.right, o.bottom) for o in others]).reshape(-1, 4)
    votes, telling = _votes(ink, extents)
    if votes[0] >= _LISTED and telling[0] > max(_TELLING, 1.5 * telling[1]):
        return Alignment.LEFT
    if _is_of_even_row(ink, extents, margin, width):
        return Alignment.CENTRE
    left, right = around.gaps(_PANEL * ink.size)
    bounded = max(left, right) < _PANEL * ink.size
    off = ink.axis - ink.rect.centre[0]
    left, right = left + off, right - off
    if bounded and abs(left - right) <= max(_PANEL_OFF * ink.size, _PANEL_OFF_SHARE * (left + right)):
        return Alignment.CENTRE
    return _of_votes(ink, votes, telling, margin, width)


def _edges(rect: Rect) -> tuple[float, float, float]:
    return rect.left, rect.centre[0], rect.right


def _of_lines(ink: Ink) -> Alignment | None:
    """The edge a block's own lines share; a paragraph whose full lines share all of them is flush left."""
    if len(ink.lines) < 2:
        return None
    edges = np.array([(*_edges(line.rect), line.axis) for line in ink.lines])
    left, middle, right, axis = (edges.max(axis=0) - edges.min(axis=0)) / ink.size
    centre = min(middle, axis)
    if left <= _AGREES and not (centre < _HAIR < 2 * _HAIR < min(left, right)):
        return Alignment.LEFT
    if centre <= 2 * _AGREES and centre < right:
        return Alignment.CENTRE
    return Alignment.RIGHT if right <= _AGREES else Alignment.LEFT


def _edges_in(extents: NDArray[np.float64], ink: Ink) -> NDArray[np.float64]:
    """Left edges, middles and right edges, (N, 3), of the ink of other texts."""
    left, right = extents[:, 0] + BESIDE * ink.size, extents[:, 2] - BESIDE * ink.size
    return np.stack([left, (left + right) / 2, right], axis=1)


def _is_of_even_row(ink: Ink, extents: NDArray[np.float64], margin: float, width: int) -> bool:
    """Whether it stands in a row of texts whose middles are as evenly spaced as their left edges, or more.

    Texts of equal length have both: then what stands above and below, or the page's margin, tells.
    """
    if len(ink.lines) > 1:
        return False
    tops, bottoms = extents[:, 1], extents[:, 3]
    beside = np.abs((tops + bottoms) / 2 - ink.rect.centre[1]) <= _SAME_ROW * ink.size
    ratio = (bottoms - tops) / (ink.rect.height + 2 * BESIDE * ink.size)
    beside &= (ratio >= 1 / _OTHER_SIZE) & (ratio <= _OTHER_SIZE)
    if np.count_nonzero(beside) + 1 < _ROW:
        return False
    edges = np.sort(np.vstack([_own_edges(ink), _edges_in(extents[beside], ink)]), axis=0)
    left, middle, _ = np.ptp(np.diff(edges, axis=0), axis=0) / ink.size
    if middle > min(_AGREES, left + _EVENLY):
        return False
    return bool(middle < left - _EVENLY) or not _starts_flush(ink, edges, extents[~beside], margin, width)


def _starts_flush(
    ink: Ink, edges: NDArray[np.float64], others: NDArray[np.float64], margin: float, width: int
) -> bool:
    """Whether a row of texts with these edges, (N, 3), starts where the others, or the page's margin, do."""
    near = _AGREES * ink.size
    before, after = edges[0, 0], width - edges[-1, 2]
    if ink.frame.is_page and abs(before - margin) <= near / 2 and abs(before - after) > near:
        return True
    gaps = np.maximum(others[:, 1] - ink.rect.bottom, ink.rect.top - others[:, 3])
    witnesses = _edges_in(others[gaps <= _WITNESS * ink.size], ink)
    shared = np.abs(edges[:, None, :2] - witnesses[None, :, :2]) <= near
    flush, centred = shared[..., 0] & ~shared[..., 1], shared[..., 1] & ~shared[..., 0]
    return bool(flush.any(axis=1).sum() > max(centred.any(axis=1).sum(), 1))


def _own_edges(ink: Ink) -> NDArray[np.float64]:
    return np.array([ink.rect.left, ink.axis, ink.rect.right])


def _votes(ink: Ink, extents: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many texts above and below share its left edge, axis and right edge, the nearest counting most.

    Returned once more without what texts of equal width say, which share them all.
    """
    own, rect, size = _own_edges(ink), ink.rect, ink.size
    gaps = np.maximum(extents[:, 1] - rect.bottom, rect.top - extents[:, 3])
    near = (gaps >= -0.5 * size) & (gaps <= _WITNESS * size)
    if not near.any():
        return np.zeros(3), np.zeros(3)
    gaps, extents = gaps[near], extents[near]
    agreement = np.maximum(1 - np.abs(own - _edges_in(extents, ink)) / (_AGREES * size), 0.0)
    worth = np.ones(len(gaps))
    if len(ink.lines) == 1:
        ratio = (extents[:, 3] - extents[:, 1]) / rect.height
        worth[(ratio < 1 / _OTHER_SIZE) | (ratio > _OTHER_SIZE)] = _OTHER_SIZE_VOTE
    votes = agreement * (worth / (1 + np.maximum(gaps, 0.0) / size))[:, None]
    return votes.sum(axis=0), (votes * (1 - agreement[:, [1, 0, 1]])).sum(axis=0)


def _of_votes(
    ink: Ink, votes: NDArray[np.float64], telling: NDArray[np.float64], margin: float, width: int
) -> Alignment:
    """The edge most witnesses share, the page's margins and its middle among them."""
    if ink.frame.is_page:
        page = np.array([margin, width / 2, width - margin])
        worth = np.array([_MARGIN_VOTE, _MIDDLE_VOTE, _MARGIN_VOTE])
        own = _own_edges(ink)
        own[0], own[2] = max(own[0], margin), min(own[2], width - margin)  # beyond a margin is at it
        agreement = 1 - np.abs(own - page) / (_AGREES * ink.size)
        votes = votes + worth * np.clip(agreement, 0, None) ** 2  # a near miss is no margin
    left, centre, right = votes
    if abs(ink.frame.angle) >= _TILTED and left <= max(centre, _CHANCE) >= right and len(ink.lines) == 1:
        return Alignment.CENTRE
    if centre >= max(left, right, _LISTED) and telling[1] > max(_CHANCE, 2 * telling[0]):
        return Alignment.CENTRE
    if max(centre + _CHANCE / 2, right) <= _CLEARLY * left + _CHANCE:
        return Alignment.LEFT
    return Alignment.CENTRE if centre >= right else Alignment.RIGHT
