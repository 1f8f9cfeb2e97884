"""The ground a setting may use: the block's own place, and what is free around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

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


@dataclass(frozen=True, eq=False)
class Room:
    """Ground that a block may use, grown (a look at the plate) when it is asked for."""

    #: What using it costs, in shares of the source's size.
    cost: float
    grow: Callable[[], Rect]
    #: Whether it is no wider than the block's own, and so of use to several lines only.
    taller: bool = False

    @cached_property
    def rect(self) -> Rect:
        """The ground."""
        return self.grow()


def rooms_of(candidate: Candidate, size: float, paragraph: Paragraph) -> Iterator[Room]:
    """The rectangles a block may use: its own, then grown sideways, down, and both.

    Args:
        candidate: The block.
        size: Font size wanted, px.
        paragraph: Its text.
    """
    around, home = candidate.around, candidate.around.home
    yield Room(0.0, lambda: home)
    widest = paragraph.narrowest(1) if math.isfinite(paragraph.narrowest(1)) else _WIDEST
    extra = max(0.0, min(widest, _WIDEST) * size * 1.02 - home.width)
    left = {Alignment.LEFT: 0.0, Alignment.CENTRE: extra / 2, Alignment.RIGHT: extra}[candidate.alignment]
    sides = (left, extra - left)
    wide = Room(_WIDER, partial(_widened, candidate, around, sides))
    yield wide
    flattened = list(_flattened(candidate, size))
    for flat in flattened:
        yield Room(_WIDER, partial(_widened, candidate, flat, sides))
    down = 2 * PITCH * size
    up = down if is_anchored_in_the_middle(candidate) else 0.0
    yield Room(GROWTH_DOWN, lambda: around.grown(0, up, 0, down), taller=True)
    if candidate.alignment is Alignment.CENTRE:
        for share in _NARROWED:
            slim = replace(around, home=home.grown(-(1 - share) / 2 * home.width, 0))
            yield Room(GROWTH_DOWN, partial(slim.grown, 0, up, 0, down), taller=True)
    yield Room(
        GROWTH_DOWN + _WIDER,
        lambda: around.grown(home.left - wide.rect.left, up, wide.rect.right - home.right, down),
    )
    if around.clearance > _SNUG:
        for flat in (around, *flattened):
            yield Room(_SNUGLY, partial(_widened, candidate, replace(flat, clearance=_SNUG), sides))


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
