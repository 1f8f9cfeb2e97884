"""A line of text and what lies around it, and how its ink is looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worker.imaging.quads import depth, filled, grown
from worker.job import Box, Image, Mask, Polygon


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """How far and how boldly ink is looked for. Shares are of the text's height."""

    #: How far outside a line's box its glyphs, outline and shadow may reach.
    reach: float = 0.35
    #: How far around it the ground is looked at; where other things stand there, only this tight rim.
    ring: float = 0.6
    rim: float = 0.12
    #: The mask is grown by this share, and at least this many px: JPEG smears colour by one 2×2 chroma cell.
    growth: float = 0.05
    least_growth: int = 2
    most_growth: int = 6
    #: On ground of so much noise (levels) the mask is grown by so many px more.
    noisy: float = 4.0
    noisy_growth: int = 2
    #: Beyond it a shadow's faint end goes on while the ground departs by so many levels on the mean (what
    #: departs by more than that counts as that), at most so many px.
    end_bias: float = 0.75
    end_levels: int = 10
    longest_end: int = 5
    #: A surface is the ground where at most this share of its ring, and at least that share of the line's own
    #: pixels, departs from it or lies on it.
    most_ring_departures: float = 0.3
    #: A ring full of other ink may depart more, but not more than the line's own pixels do.
    most_crowded_ring: float = 0.5
    least_crowded_ground: float = 0.4
    least_ground_inside: float = 0.05
    #: Share of the ink's own contrast from which on a departure is bold ink, the seed of a component.
    seed: float = 0.4
    #: How far around bold ink its outline and shadow go where they have run together with something else.
    halo: float = 0.12
    #: In a drawing (ground of at most so much noise) a line of less than this share of the strokes' width
    #: that runs out of the box by that is none of them.
    drawn: float = 1.0
    thin: float = 0.7
    leaving: float = 0.08
    #: Departures in levels below which nothing is ink: JPEG at quality 75 ripples by 6 to 8 around text.
    least_departure: float = 7.0
    #: Such ripples are wiped away with the ink, from this many levels on and this near to it (a JPEG block).
    ripple: float = 2.5
    ripple_px: int = 8
    #: Ink no deeper than this in the line (0 its edge, 1 its middle) may be a frame's or an icon's.
    core: float = 0.35
    #: What does not reach that far in is the line's own (a dot, an accent) where this share lies in its box.
    own_at_edge: float = 0.85
    #: A component of ink that leaves the box, and whole-polygon masks, go this far out.
    polygon_growth: float = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A line and what lies around it, cut out of the page. All arrays share the crop's shape."""

    crop: Box
    quad: Polygon
    text_height: float
    pixels: Image
    inside: Mask
    #: Lines of the same block, this one included.
    own: Mask
    #: Pixels that belong to lines of other blocks.
    foreign: Mask

    @classmethod
    def around(
        cls, rgb: Image, quad: Polygon, own: list[Polygon], others: list[Polygon], crop: Box, height: float
    ) -> Scene:
        return cls(
            crop,
            quad,
            height,
            rgb[crop.slices],
            filled([quad], crop),
            filled(own, crop),
            _foreign(quad, others, crop),
        )

    def grown(self, share: float) -> Mask:
        """The line's box grown by a share of the text's height, without what belongs to others."""
        px = max(3.0, share * self.text_height)
        mask = filled([grown(self.quad, px, px)], self.crop)
        mask[self.foreign > 0] = 0
        return mask


def _foreign(quad: Polygon, others: list[Polygon], crop: Box) -> Mask:
    """Pixels that belong to other lines: inside their box and nearer to their middle than to this line's."""
    foreign = np.zeros((crop.height, crop.width), np.uint8)
    if not others:
        return foreign
    own = depth(quad, crop)
    for other in others:
        theirs = depth(other, crop)
        foreign[(theirs > 0) & (theirs >= own)] = 255
    return foreign
