"""A block on its way through the layout, and the layout's limits."""

from __future__ import annotations

from dataclasses import dataclass

from worker.rendering.align import Alignment
from worker.rendering.ground import Neighbourhood
from worker.rendering.ink import Ink
from worker.rendering.style import Style

#: Line pitch in em where the source has one line.
PITCH = 1.3


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """What the layout may do. Sizes in px or as shares of the source's size."""

    #: Below this size Korean is hard to read on screen; never asked of a source that was smaller itself.
    legible_size: float = 11.0
    #: Below this share of the source's size the look of the page suffers.
    legible_share: float = 0.6
    #: Below these nothing is drawn at all.
    least_size: float = 5.0
    least_share: float = 0.3
    #: A member that would drag its style group below this share of its size is left out of the group.
    outlier_share: float = 0.75
    #: Most lines a translation may have beyond its source's.
    most_extra_lines: int = 3

    def floor(self, size: float) -> float:
        """The least size that counts as legible for a source of `size`."""
        return max(min(size, self.legible_size), self.legible_share * size)

    def least(self, size: float) -> float:
        """The size below which a translation does not fit at all."""
        return max(min(size, self.least_size), self.least_share * size)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One block on its way through the layout."""

    block_id: int
    text: str
    language: str
    ink: Ink
    style: Style
    alignment: Alignment
    around: Neighbourhood
    #: Where flush-left lines start (u).
    start: float

    @property
    def source_lines(self) -> int:
        """How many horizontal lines the source takes; as many as fit, where it stands vertically."""
        if self.ink.vertical:
            return max(1, int(self.ink.rect.height / (PITCH * self.ink.size)))
        return len(self.ink.lines)


def is_anchored_in_the_middle(candidate: Candidate) -> bool:
    """Whether a setting with fewer or more lines keeps the source's middle, not its first line."""
    return candidate.source_lines == 1 or candidate.alignment is Alignment.CENTRE
