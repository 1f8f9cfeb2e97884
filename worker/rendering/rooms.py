"""The ground a setting may use: the block's own place, and what is free around it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from worker.rendering.align import Alignment
from worker.rendering.candidate import PITCH, Candidate, is_anchored_in_the_middle
from worker.rendering.frame import Rect
from worker.rendering.ground import Neighbourhood
from worker.rendering.paragraph import Paragraph

#: A balloon or badge is widest in its middle and highest there too: shares of its home's height that are
#: tried for wider settings (of one line, and of more), and of its width for higher ones.
_FLATTER, _MIDDLES, _NARROWED = (0.8, 0.65), (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), (0.8, 0.6)
#: Em beyond which a line is never widened.
_WIDEST = 40.0
#: Em kept free sideways where more would make the text small.
_SNUG = 0.2
#: What growing costs, in shares of the source's size: sideways, sideways and snugly, downward.
_WIDER, _SNUGLY, GROWTH_DOWN = 0.005, 0.035, 0.03


def rooms_of(candidate: Candidate, size: float, paragraph: Paragraph) -> Iterator[tuple[Rect, float]]:
    """The rectangles a block may use and what each costs: its own, then grown sideways, down, and both.

    Args:
        candidate: The block.
        size: Font size wanted, px.
        paragraph: Its text.
    """
    around, home = candidate.around, candidate.around.home
    yield home, 0.0
    widest = paragraph.narrowest(1) if math.isfinite(paragraph.narrowest(1)) else _WIDEST
    extra = max(0.0, min(widest, _WIDEST) * size * 1.02 - home.width)
    left = {Alignment.LEFT: 0.0, Alignment.CENTRE: extra / 2, Alignment.RIGHT: extra}[candidate.alignment]
    sides = (left, extra - left)
    wide = _widened(candidate, around, sides)
    if wide.width > home.width:
        yield wide, _WIDER
    flattened = list(_flattened(candidate, size))
    for flat in flattened:
        yield _widened(candidate, flat, sides), _WIDER
    down = 2 * PITCH * size
    up = down if is_anchored_in_the_middle(candidate) else 0.0
    yield around.grown(0, up, 0, down), GROWTH_DOWN
    if candidate.alignment is Alignment.CENTRE:
        for share in _NARROWED:
            slim = home.grown(-(1 - share) / 2 * home.width, 0)
            yield replace(around, home=slim).grown(0, up, 0, down), GROWTH_DOWN
    if wide.width > home.width:
        both = around.grown(home.left - wide.left, up, wide.right - home.right, down)
        yield both, GROWTH_DOWN + _WIDER
    if around.clearance > _SNUG:
        for flat in (around, *flattened):
            yield _widened(candidate, replace(flat, clearance=_SNUG), sides), _SNUGLY


def _flattened(candidate: Candidate, size: float) -> Iterator[Neighbourhood]:
    """Lower homes in the middle of the block's own: what bounds them above and below may leave more room."""
    around = candidate.around
    if candidate.alignment is Alignment.CENTRE:
        for share in _MIDDLES if around.home.height > 2 * PITCH * size else _FLATTER:
            yield replace(around, home=around.home.grown(0, -(1 - share) / 2 * around.home.height))


def _widened(candidate: Candidate, around: Neighbourhood, sides: tuple[float, float]) -> Rect:
    """A home with so many px more to its left and right, as far as they are free."""
    wide = around.grown(sides[0], 0, sides[1], 0)
    if candidate.alignment is Alignment.CENTRE:
        return _evened(wide, candidate.ink.axis, around.home)
    return wide


def _evened(wide: Rect, centre: float, home: Rect) -> Rect:
    """The widest part of a rectangle that is centred where the source was."""
    half = min(centre - wide.left, wide.right - centre)
    return Rect(min(home.left, centre - half), wide.top, max(home.right, centre + half), wide.bottom)
