"""When a surface is good enough to replace the network."""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.imaging.cells import CellOptions
from worker.imaging.line_ends import CurveOptions


@dataclass(frozen=True, slots=True)
class FillOptions:
    """When a surface is good enough to replace the network. Lengths are shares of the text's height."""

    #: Ring of ground around the ink that the surface is fitted to, and least and most px of it; where other
    #: things stand in it (a badge around the text), only the part next to the ink, or the rim alone.
    ring: float = 0.6
    least_ring: int = 8
    most_ring: int = 40
    #: The part of it, next to the ink, in which the surface must hold; further off other things may lie, in a
    #: narrow button all but so many px next to the ink.
    near: float = 0.25
    least_near: int = 4
    edge: int = 2
    most_near: int = 20
    #: Highest order tried; a cubic follows a radial gradient under a headline within a level.
    highest_order: int = 3
    #: The order tried where a ground of at most so much noise lies near that, yet not on it: a gradient that
    #: ends in one colour.
    finest_order: int = 5
    quiet: float = 1.6
    nearly: float = 0.97
    #: Mean misfit in levels at which one colour needs no gradient (or no trend of `level` is left), and
    #: a quadratic no cubic (rounding leaves 0.25 for one channel and 0.38 for the worst of three).
    flat: float = 0.08
    mostly: float = 0.7  #: share of one colour from which on no other surface is tried
    level: float = 0.2
    clean: float = 0.42
    #: Departures beyond this many sigmas, and levels, are something else than ground.
    outlier_sigmas: float = 3.5
    outlier_levels: float = 10.0
    #: What else may depart.
    cells: CellOptions = field(default_factory=CellOptions)
    #: Share of the rim that must lie on some curve, and its deviation there, in the most noise there may be.
    least_hope: float = 0.6
    most_hope: float = 1.05
    #: A line or an edge that enters the ink from outside `near` (and this many px) departs by so many levels;
    #: JPEG's ripples end within a block of 8 px.
    least_crossing: int = 6
    crossing_levels: float = 7.0
    longest_contact: float = 0.3
    #: Even what stays within that may be the rim of something that lies under the ink.
    longest_hidden: float = 0.8
    #: Share of one clean colour in the ring of a drawing, whose lines may be many.
    least_drawn: float = 0.55
    #: On ground of at most so much noise thin lines among them go on under the ink.
    most_crossed: float = 3.0
    curves: CurveOptions = field(default_factory=CurveOptions)
    #: Most noise of paper that unread letters stand on, the length of what may be one of them and touches the
    #: ink (boxes are higher than their letters), and the share of the boldest departure near by at which
    #: letters that blur into each other are told apart.
    most_paper: float = 3.0
    letter: float = 1.0
    bold: float = 0.6
    #: Off for measuring: the bare surface.
    grain: bool = True
    #: The grain is learned from the ring beyond its rim where that holds so many px of the same ground.
    fewest_calm: int = 200
    #: Quieter ground has no grain, noisier ground is texture.
    least_noise: float = 0.3
    most_noise: float = 9.0
    most_roughness: float = 7.8
    #: Share of the noise's deviation that a 7×7 mean may keep (1/7 for white noise): more is structure.
    most_structure: float = 0.42
    #: The same for noise of more than `loud` levels: a weave.
    most_weave: float = 0.28
    loud: float = 6.0
    #: Levels; structure of a smaller deviation is not seen, on a quiet ground and under noise.
    quiet_structure: float = 0.9
    visible_structure: float = 1.2
    #: So many times as much is structure whatever the ring.
    clear_structure: float = 1.2

    def px_rings(self, text_height: float) -> tuple[int, int, int]:
        """Px around the ink of the wide ring, of the part next to the ink, and of the rim."""
        wide, near = round(self.ring * text_height), round(self.near * text_height)
        return (
            min(max(self.least_ring, wide), self.most_ring),
            min(max(self.least_near, near), self.most_near),
            self.least_near,
        )

    def px_letters(self, text_height: float) -> int:
        """Px around the ink in which a letter beside it ends."""
        return max(round(1.5 * self.letter * text_height), self.px_rings(text_height)[0])

    def limit(self, noise: float) -> float:
        """Levels from which on a departure is something else than ground of so much noise."""
        return max(self.outlier_sigmas * noise, self.outlier_levels)
