"""What is ink around one line of text, and what is ground.

Not the ink's colour is modelled but the ground's: a smooth surface is fitted to the line's surroundings, and
ink is what departs from it: bodies, anti-aliasing, outlines and shadows alike. Where the ground is too busy
for a surface, ink is what has a colour that the surroundings lack.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.quads import depth, filled, frame_of, grown
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


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    mask: Mask
    #: How far each pixel departs from the ground, in levels.
    departure: NDArray[np.float32]
    #: JPEG's ripples around the ink.
    ripples: Mask
    #: Deviation of the ground's noise, in levels.
    noise: float
    #: Ink of other things: neighbours the OCR engine did not read, frames, icons.
    others: NDArray[np.bool_]


def departures(scene: Scene, ring_reach: float, ink_reach: float, options: MaskOptions) -> Ink | None:
    """Ink on smooth ground: what departs from the surface; None where the ground is not smooth."""
    inside = scene.inside > 0
    ring = (scene.grown(ring_reach) > 0) & (scene.own == 0)
    enough = np.count_nonzero(ring) >= 0.5 * np.count_nonzero(inside)
    rows, columns = np.nonzero(ring if enough else ring | inside)
    thin = ground.thinned(len(rows))
    rows, columns = rows[thin], columns[thin]
    if len(rows) < 30:
        return None
    colours = scene.pixels[rows, columns].astype(np.float32)
    surface = ground.fit(ground.Points.of(columns, rows, colours, 2), 2)
    height, width = scene.inside.shape
    departure = ground.departure(scene.pixels, surface.levels(width, height)).astype(np.float32)
    # anti-aliasing and neighbours widen the fit's own sigma; the calmest third of the pixels is ground alone
    calm = ground.quantile(departure[ring | inside], 0.3) * ground.PERCENTILE_30_TO_SIGMA
    sigma = min(surface.sigma, calm)
    faint = max(3.5 * sigma, options.least_departure)
    departs = departure > max(faint, 10.0)
    around = float(departs[ring].mean()) if ring.any() else 0.0
    within = float(departs[inside].mean())
    crowded = around > options.most_ring_departures
    if crowded and (around > options.most_crowded_ring or around > within + 0.05):
        return None
    if 1 - within < (options.least_crowded_ground if crowded else options.least_ground_inside):
        return None
    contrast = ground.quantile(departure[inside], 0.97)
    if contrast < 2 * faint:
        return None
    bold = departure > max(options.seed * contrast, faint)
    candidates = (departure > faint).astype(np.uint8)
    found = _components(scene, candidates, bold, scene.grown(ink_reach), options)
    if found is None:
        return None
    mask, others = found
    ripples = _ripples(scene, mask, departure, candidates, sigma, options)
    return Ink(mask, departure, ripples, sigma, others)


def _ripples(
    scene: Scene,
    ink: Mask,
    departure: NDArray[np.float32],
    candidates: Mask,
    sigma: float,
    options: MaskOptions,
) -> Mask:
    """Faint departures near the ink on clean ground, as far as they are not the ripples of something else."""
    weakest = max(3.5 * sigma, options.ripple)
    if weakest >= options.least_departure:
        return np.zeros_like(ink)
    px = options.ripple_px
    near = cv2.dilate(ink, np.ones((2 * px + 1, 2 * px + 1), np.uint8)) > 0
    other = cv2.dilate(np.where(ink > 0, 0, candidates), np.ones((5, 5), np.uint8)) > 0
    strong = cv2.dilate(((departure > 30) & (ink == 0)).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    faint = (departure > weakest) & near & ~(other & strong) & (scene.foreign == 0)
    return np.where(faint & (departure < 30), 255, 0).astype(np.uint8)


def _components(
    scene: Scene, candidates: Mask, bold: NDArray[np.bool_], allowed: Mask, options: MaskOptions
) -> tuple[Mask, NDArray[np.bool_]] | None:
    """The components that hold bold ink of the line, and those that hold some of what stands beside it."""
    candidates = np.where(scene.foreign > 0, 0, candidates).astype(np.uint8)
    count, labels = cv2.connectedComponents(candidates, connectivity=8)
    inked = np.flatnonzero(candidates)
    of_inked = labels.ravel()[inked]

    def pixels(marked: Mask | NDArray[np.bool_]) -> NDArray[np.intp]:
        """How many marked pixels each component has."""
        return np.bincount(of_inked[marked.ravel()[inked] > 0], minlength=count)

    own = pixels(scene.inside)
    seeded = pixels(bold & (scene.inside > 0)) > 0
    leaves = pixels(allowed == 0) > 0
    core = -options.core * min(frame_of(scene.quad).length, frame_of(scene.quad).height) / 2
    in_core = pixels(filled([grown(scene.quad, core, core)], scene.crop)) > 0
    area = np.bincount(of_inked, minlength=count)
    whole = seeded & ~leaves & (own >= np.where(in_core, 0.5, options.own_at_edge) * area)
    # what leaves the line's reach has run together with something else: only bold ink in the box is taken,
    # with its halo, and nothing where it merely grazes the box
    part = seeded & ~whole & in_core
    ink = whole[labels]
    if part.any():
        rim = scene.grown(options.polygon_growth) > 0
        side = 2 * max(3, round(options.halo * scene.text_height)) + 1
        near_bold = cv2.dilate(bold.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
        ink |= part[labels] & rim & near_bold
    share = int(np.count_nonzero(ink)) / max(int(np.count_nonzero(scene.inside)), 1)
    if not 0.02 <= share <= 0.95:
        return None
    bold_others = (pixels(bold) > 0) & ~whole & ~part
    bold_others[0] = False
    return np.where(ink, 255, 0).astype(np.uint8), bold_others[labels]


def unlike_ring(scene: Scene, options: MaskOptions) -> Ink | None:
    """Ink on busy ground: colours frequent inside the line and rare around it; None where they mix."""
    inside = scene.inside > 0
    ring = (scene.grown(options.ring) > 0) & (scene.own == 0)
    if np.count_nonzero(ring) < 50 or np.count_nonzero(inside) < 50:
        return None
    bins = (scene.pixels >> 4).astype(np.intp)
    index = (bins[..., 0] * 16 + bins[..., 1]) * 16 + bins[..., 2]
    around = _density(index[ring])
    unlike = (_density(index[inside]) > 4 * around + 1e-5)[index]
    share = float(unlike[inside].mean())
    if not (0.06 <= share <= 0.8) or unlike[ring].mean() > min(0.06, 0.25 * share):
        return None
    candidates = cv2.morphologyEx(unlike.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    bold = cv2.erode(candidates, np.ones((2, 2), np.uint8)) > 0
    found = _components(scene, candidates.astype(np.uint8), bold, scene.grown(options.reach), options)
    if found is None:
        return None
    mask, others = found
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    if depth.max() > max(3.0, 0.3 * scene.text_height):
        return None
    grown_mask = cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(np.uint8)
    return Ink(grown_mask, depth.astype(np.float32), np.zeros_like(mask), options.noisy, others)


def _density(indices: NDArray[np.intp]) -> NDArray[np.float32]:
    """Share of the pixels in each of 16³ colour cells, spread over the neighbouring cells."""
    counts = np.bincount(indices, minlength=4096).reshape(16, 16, 16).astype(np.float32)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        low, high = np.take(padded, range(16), axis), np.take(padded, range(2, 18), axis)
        counts = 0.25 * low + 0.5 * counts + 0.25 * high
    shares: NDArray[np.float32] = (counts / counts.sum()).ravel()
    return shares


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
