"""A column of rows that follow each other closely: how it is aligned, where it ends, whether it is a list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np
from numpy.typing import NDArray

from worker.imaging.rows import Row, Vector

#: Edges count as aligned within this many em.
ALIGNED = 0.7
#: A wrapped line may stop this many em before the column's edge: what would have come next did not fit.
WRAP_SLACK = 1.6
#: Rows are centred where both edges waver by more than this many em, and the middles by less than this share
#: of it.
_OFF, _MIDDLED = 0.3, 0.5
#: What fills half of its body.
_HALF_EMPTY = tuple("。！？，、；：")


@dataclass(frozen=True, eq=False)
class Column:
    """Rows from the first to the last; what is asked about all of them is measured once."""

    rows: tuple[Row, ...]
    #: Their middles, (N, 2), and half their lengths, (N,).
    centres: Vector
    halves: Vector

    @classmethod
    def of(cls, rows: list[Row]) -> Column:
        centres = np.array([row.centre for row in rows], np.float32)
        return cls(tuple(rows), centres, np.array([row.length / 2 for row in rows], np.float32))

    def beyond(self, row: Row) -> float:
        """How far (px) the row that ends last does so behind the end of one of them."""
        return float(self._ends(row).max())

    @cached_property
    def is_flush(self) -> bool:
        """Whether the rows share a left edge (most of them) rather than a centre."""
        if self._is_centred:
            return False
        first = self.rows[0]
        centres = self._along(first)
        starts = centres - self.halves
        slack = ALIGNED * median(row.em for row in self.rows)
        at_left, at_centre = (
            np.mean(np.abs(places - np.median(places)) <= slack) for places in (starts, centres)
        )
        return bool(at_left >= 0.6 or at_left >= at_centre)

    @cached_property
    def _is_centred(self) -> bool:
        """Whether middles agree far better than either edge does: in a column set flush left they cannot."""
        em = median(row.em for row in self.rows)
        middles = self._along(self.rows[0])
        # full-width punctuation has its ink in one half of its body: a box around the ink ends before it
        hidden = np.array([row.line.text.rstrip().endswith(_HALF_EMPTY) for row in self.rows]) * em / 2
        for unseen in (0.0, hidden):
            starts, ends = middles - self.halves, middles + self.halves + unseen
            edges = min(float(np.ptp(starts)), float(np.ptp(ends)))
            if edges > _OFF * em and float(np.ptp(starts + ends)) / 2 < _MIDDLED * edges:
                return True
        return False

    @cached_property
    def is_list(self) -> bool:
        """Whether most unlabelled rows stand alone: neither full nor the end of a full one."""
        ends = self._ends(self.rows[0])
        full = ends >= ends.max() - WRAP_SLACK * np.array([row.em for row in self.rows])
        ends_a_full_one = np.append(False, full[:-1])
        labelled = np.array([row.starts_block for row in self.rows])
        entries = int(np.count_nonzero(~(labelled | full | ends_a_full_one)))
        return entries > max(1, int(np.count_nonzero(full)))

    def _along(self, row: Row) -> NDArray[np.floating]:
        return (self.centres - row.centre) @ row.along

    def _ends(self, row: Row) -> NDArray[np.floating]:
        return self._along(row) + (self.halves - row.length / 2)
