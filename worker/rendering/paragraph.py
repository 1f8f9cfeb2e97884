"""A text measured once, in em, so that every question of layout becomes arithmetic."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from worker.rendering.fonts import FontSet, Shaped
from worker.rendering.segment import Strength, find_breaks

#: What ending a line at a break costs, in squared shares of the line's width.
_BREAK_COST = {Strength.FORCED: 0.0, Strength.FREE: 0.0, Strength.WEAK: 0.05, Strength.LAST_RESORT: 1.0}
#: A last line shorter than this share of the width looks like a leftover.
_SHORT_LAST_LINE = 0.2


@dataclass(frozen=True, eq=False)
class Paragraph:
    """One translation, shaped at one weight, with its possible line ends.

    Lines run from one boundary to a later one; boundary 0 is the text's start, the last its end.
    """

    text: str
    #: Character index of each boundary.
    boundaries: NDArray[np.int_]
    #: What ending a line at each boundary costs.
    costs: NDArray[np.float64]
    #: [i, j]: width (em) of the line from boundary i to j without the spaces at its end; inf if forbidden.
    widths: NDArray[np.float64]
    #: Ink above and below (negative) the baseline, in em.
    top: float
    bottom: float

    @cached_property
    def _narrowest(self) -> list[tuple[NDArray[np.float64], float]]:
        """By number of lines: [j], the least possible widest line up to boundary j, and up to the end.

        Grows on demand.
        """
        return [(self.widths[0], float(self.widths[0, -1]))]

    @cached_property
    def _ragged(self) -> dict[tuple[float, int], float]:
        """By width and number of lines, what raggedness() found."""
        return {}

    def lean(self, slant: float) -> float:
        """How much wider, in em, its lines are when they lean (tangent)."""
        return abs(slant) * max(self.top - self.bottom, 0.0)

    def narrowest(self, lines: int) -> float:
        """The widest line, in em, of the narrowest setting in exactly so many lines; inf if impossible."""
        table = self._narrowest
        while len(table) < lines:
            columns = np.maximum(table[-1][0][:, None], self.widths).min(axis=0)
            table.append((columns, float(columns[-1])))
        return table[lines - 1][1]

    @property
    def most_lines(self) -> int:
        """More lines than this cannot be made."""
        return len(self.boundaries) - 1

    def wrap(self, width: float, lines: int, balanced: bool) -> tuple[str, ...] | None:
        """Break into exactly so many lines with the least sum of squared slack.

        Args:
            width: Widest line allowed, em.
            lines: How many lines.
            balanced: Whether the last line should be as full as the others (centred text).

        Returns:
            The lines, or None where they do not fit.
        """
        stops = self._stops(width, lines, balanced)
        if stops is None:
            return None
        at = self.boundaries[stops]
        return tuple(self.text[start:end].strip() for start, end in itertools.pairwise(at))

    def raggedness(self, width: float, lines: int) -> float:
        """How empty, 0..1, balanced lines are beside the widest of them."""
        asked = (round(width, 3), lines)  # many rooms are filled by the same lines
        if asked not in self._ragged:
            stops = self._stops(width * (1 + 1e-6), lines, balanced=True)
            widths = [float(self.widths[start, end]) for start, end in itertools.pairwise(stops or ())]
            self._ragged[asked] = 1 - sum(widths) / max(len(widths) * max(widths, default=0.0), 1e-6)
        return self._ragged[asked]

    def _stops(self, width: float, lines: int, balanced: bool) -> list[int] | None:
        """The boundaries that such lines run between, first to last; None where they do not fit."""
        if lines == 1:
            return [0, self.most_lines] if self.widths[0, -1] <= width * (1 + 1e-9) else None
        slack = (width - self.widths) / max(width, 1e-6)
        cost = np.where(self.widths <= width * (1 + 1e-9), slack**2, math.inf) + self.costs[None, :]
        last = cost[:, -1]
        if not balanced:
            fits = np.isfinite(last)
            short = self.widths[:, -1] < _SHORT_LAST_LINE * width
            last = np.where(fits, np.where(short, 0.1, 0.0), math.inf)
        best = [cost[0]]
        came_from: list[NDArray[np.int_]] = []
        for line in range(1, lines):
            steps = best[-1][:, None] + cost
            if line == lines - 1:
                steps[:, -1] = best[-1] + last
            came_from.append(steps.argmin(axis=0))
            best.append(steps.min(axis=0))
        if not math.isfinite(float(best[-1][-1])):
            return None
        stops = [self.most_lines]
        for sources in reversed(came_from):
            stops.append(int(sources[stops[-1]]))
        stops.append(0)
        return stops[::-1]


def measure(text: str, shaped: Shaped, language: str, weakest: Strength) -> Paragraph:
    """Measure a cleaned text whose whole has been shaped as one line.

    Args:
        text: Cleaned text; line ends in it are kept.
        shaped: The text (line ends as spaces) shaped at the wanted weight.
        language: BCP-47.
        weakest: The weakest kind of break that may be used.
    """
    breaks = [mark for mark in find_breaks(text, language) if mark.strength <= weakest]
    boundaries = np.array([0, *(mark.index for mark in breaks), len(text)])
    costs = np.array([0.0, *(_BREAK_COST[mark.strength] for mark in breaks), 0.0])
    pens = np.concatenate([[0.0], np.cumsum(shaped.advances)])
    ends = [start + len(text[start:end].rstrip()) for start, end in itertools.pairwise(boundaries)]
    widths = np.full((len(boundaries), len(boundaries)), math.inf)
    widths[:, 1:] = np.maximum(pens[ends][None, :] - pens[boundaries][:, None], 0.0)
    order = np.arange(len(boundaries))
    widths[order[:, None] >= order[None, :]] = math.inf
    for at, mark in enumerate(breaks, start=1):
        if mark.strength is Strength.FORCED:
            widths[:at, at + 1 :] = math.inf
    return Paragraph(text, boundaries, costs, widths, shaped.top, shaped.bottom)


def shape_whole(fonts: FontSet, text: str, language: str, weight: int, serif: bool = False) -> Shaped:
    """Shape a text of several lines as if it were one, for its advances."""
    return fonts.shape(text.replace("\n", " "), language, weight, serif)
