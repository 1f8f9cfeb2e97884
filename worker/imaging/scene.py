"""A line of text and what lies around it, and how its ink is looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from worker.imaging.boxes import common
from worker.imaging.pixels import less
from worker.imaging.quads import Frame, bounding_box, depth, filled, frame_of, grown
from worker.job import Box, Image, Mask, Polygon, TextLine

#: Boxes of lines, (N, 4, 2).
Polygons = NDArray[np.float32]


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
    #: Round ink on ground with shapes of its own the mask goes as far as the ground departs there by so many
    #: levels on the mean, and by such a share of its noise.
    halo_levels: float = 1.0
    halo_noise: float = 0.25
    #: Ground of so much noise may as well be a pattern, in which ink is rather found by its colour.
    busy: float = 18.0
    #: Beyond it a shadow's faint end goes on while the ground departs by so many levels on the mean (what
    #: departs by more than that counts as that), at most so many px.
    end_bias: float = 0.75
    end_levels: int = 10
    longest_end: int = 5
    #: Ground is one colour, and no surface is fitted, where at least this share of it has exactly that.
    flat: float = 0.6
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
    #: Nor is what departs by no more than so many deviations of the ground's noise.
    noise_sigmas: float = 3.5
    #: Such ripples are wiped away with the ink, from this many levels on and this near to it (a JPEG block).
    ripple: float = 2.5
    ripple_px: int = 8
    #: Ink no deeper than this in the line (0 its edge, 1 its middle) may be a frame's or an icon's.
    core: float = 0.35
    #: Things that hold a square of half a side of this share of the text's height are no strokes.
    broad: float = 0.25
    #: What does not reach that far in is the line's own (a dot, an accent) where this share lies in its box.
    own_at_edge: float = 0.85
    #: Bold ink just outside the box, as a share of that in it, from which on it may be another row of text.
    neighbours: float = 0.02
    #: What is no larger than this beside the line may be letters that the OCR engine did not read.
    letter: float = 1.5
    #: Ground that the mask encloses is masked too where its area is that of a square of so much.
    gap: float = 0.2
    #: Share of the box from which on bold things behind the ink may hide an outline.
    printed: float = 0.05
    #: What is at least so many px wide round the ink on such ground is an outline for certain.
    outline: int = 3
    #: A component of ink that leaves the box, and whole-polygon masks, go this far out.
    polygon_growth: float = 0.12

    def px_growth(self, text_height: float) -> int:
        """By how many px a mask on quiet ground is grown."""
        return min(max(round(self.growth * text_height), self.least_growth), self.most_growth)

    def faint(self, sigma: float) -> float:
        """Up to how many levels a departure may be the noise of such a deviation, or a ripple."""
        return max(self.noise_sigmas * sigma, self.least_departure)

    def farthest(self, text_height: float) -> float:
        """How many px around a line are looked at."""
        growth = self.px_growth(text_height) + self.noisy_growth + self.longest_end
        return max(6.0, self.ring * text_height, self.reach * text_height + growth)


@dataclass(frozen=True, slots=True, eq=False)
class Quads:
    """The boxes of some lines, and how far they reach."""

    corners: Polygons
    #: Left, top, and right and bottom negated, (N, 4).
    edges: NDArray[np.float32]

    @classmethod
    def of(cls, lines: Sequence[TextLine]) -> Quads:
        corners = np.array([line.polygon for line in lines], np.float32).reshape(-1, 4, 2)
        return cls(corners, np.concatenate([corners.min(axis=1), -corners.max(axis=1)], axis=1))

    def meet(self, box: Box) -> NDArray[np.bool_]:
        """Which of them meet a box."""
        limits = np.array([box.right, box.bottom, -box.left, -box.top], np.float32)
        return np.asarray((self.edges < limits).all(axis=1), np.bool_)

    def those(self, chosen: NDArray[np.bool_]) -> Quads:
        """Some of them."""
        return Quads(self.corners[chosen], self.edges[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The lines around one: of its own block (itself included), that stay, and that are erased too."""

    own: Polygons
    staying: Quads
    erased: Quads

    def reaching(self, box: Box) -> Neighbours:
        """Without those of other blocks whose bounding boxes do not meet a box."""
        near = (quads.those(quads.meet(box)) for quads in (self.staying, self.erased))
        return Neighbours(self.own, *near)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A line and what lies around it, cut out of the page. All arrays but the page share the crop's shape."""

    page: Image
    crop: Box
    quad: Polygon
    frame: Frame
    text_height: float
    pixels: Image
    inside: Mask
    #: Lines of the same block, this one included.
    own: Mask
    neighbours: Neighbours
    #: Pixels that belong to lines of other blocks: in their boxes, and nearer to their middle than to this
    #: line's.
    foreign: Mask
    #: The same of the lines that stay on the page, and their whole boxes.
    nearer: Mask
    staying: Mask

    @classmethod
    def around(
        cls, rgb: Image, quad: Polygon, neighbours: Neighbours, crop: Box, text_height: float
    ) -> Scene:
        inside = filled([quad], crop)
        staying, erased = neighbours.staying.corners, neighbours.erased.corners
        nearer = _nearer(quad, staying, crop)
        return cls(
            rgb,
            crop,
            quad,
            frame_of(quad),
            text_height,
            rgb[crop.slices],
            inside,
            filled(list(neighbours.own), crop) if len(neighbours.own) > 1 else inside,
            neighbours,
            _nearer(quad, erased, crop, nearer) if len(erased) else nearer,
            nearer,
            filled(list(staying), crop),
        )

    def within(self, box: Box) -> Scene:
        """A part of the scene; the box is in the crop's pixels."""
        left, top = self.crop.left, self.crop.top
        cut = Box(left + box.left, top + box.top, left + box.right, top + box.bottom)
        names = ("pixels", "inside", "own", "foreign", "nearer", "staying")
        return replace(self, crop=cut, **{name: getattr(self, name)[box.slices] for name in names})

    def grown(self, share: float) -> Mask:
        """The line's box grown by a share of the text's height, without what belongs to others."""
        px = max(3.0, share * self.text_height)
        return less(filled([grown(self.quad, px, px, self.frame)], self.crop), self.foreign)


def _nearer(quad: Polygon, others: Polygons, crop: Box, known: Mask | None = None) -> Mask:
    """Pixels that belong to other lines: inside their box and nearer to their middle than to this line's."""
    nearer = np.zeros((crop.height, crop.width), np.uint8) if known is None else known.copy()
    for other in others:
        box = bounding_box(other - (crop.left, crop.top), crop.width, crop.height)
        on_page = Box(crop.left + box.left, crop.top + box.top, crop.left + box.right, crop.top + box.bottom)
        theirs = depth(other, on_page)
        inside = theirs > 0
        shared = common(bounding_box(quad, crop.right, crop.bottom), on_page)
        if shared.width and shared.height:
            inside &= theirs >= depth(quad, on_page)
        nearer[box.slices][inside] = 255
    return nearer
