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
from worker.imaging.quads import filled, frame_of, grown
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Image, Mask


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
    #: The ground's surface, where there is one.
    plain: Image | None = None

    def faint_end(self, pixels: Image, mask: Mask, options: MaskOptions) -> int:
        """How many px of a shadow's end lie outside a mask: no pixel shows it, all together do."""
        if self.plain is None or self.noise > options.noisy:
            return 0
        apart = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, 3)
        rows, columns = np.nonzero((apart > 0) & (apart <= options.longest_end) & ~self.others)
        off = pixels[rows, columns].astype(np.int16) - self.plain[rows, columns]
        off = off.clip(-options.end_levels, options.end_levels)  # what crosses it is not the shadow's
        ring = np.ceil(apart[rows, columns]).astype(np.intp)
        count = np.maximum(np.bincount(ring, minlength=options.longest_end + 2), 1)
        bias = np.max([np.abs(np.bincount(ring, one, len(count)) / count) for one in off.T], axis=0)
        return int((bias[1 : options.longest_end + 1] <= options.end_bias).argmax())


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
    plain = surface.levels(width, height)
    departure = ground.departure(scene.pixels, plain).astype(np.float32)
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
    allowed = scene.grown(ink_reach)
    found = _components(scene, candidates, bold, allowed, options, drawn=sigma <= options.drawn)
    if found is None:
        return None
    mask, others = found
    ripples = _ripples(scene, mask, departure, candidates, sigma, options)
    return Ink(mask, departure, ripples, sigma, others, plain)


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
    scene: Scene,
    candidates: Mask,
    bold: NDArray[np.bool_],
    allowed: Mask,
    options: MaskOptions,
    *,
    drawn: bool = False,
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
        running = (
            _running_out(scene, np.asarray(labels, np.intp), bold, options)
            if drawn
            else np.zeros(bold.shape, bool)
        )
        near_bold = cv2.dilate((bold & ~running).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
        ink = (ink | (part[labels] & rim & near_bold)) & ~running
    share = int(np.count_nonzero(ink)) / max(int(np.count_nonzero(scene.inside)), 1)
    if not 0.02 <= share <= 0.95:
        return None
    bold_others = (pixels(bold) > 0) & ~whole & ~part
    bold_others[0] = False
    return np.where(ink, 255, 0).astype(np.uint8), bold_others[labels]


def _running_out(
    scene: Scene, components: NDArray[np.integer], bold: NDArray[np.bool_], options: MaskOptions
) -> NDArray[np.bool_]:
    """Lines much thinner than the strokes that run from the ink out of the line's box."""
    strokes = bold.astype(np.uint8)
    depth = cv2.distanceTransform(strokes, cv2.DIST_L2, 3)
    radius = round(options.thin * ground.quantile(depth[bold & (scene.inside > 0)], 0.9))
    if radius < 2:  # too thin to tell a line from a stroke
        return np.zeros(bold.shape, bool)
    solid = cv2.dilate(cv2.erode(strokes, disc(radius)), disc(radius + 1))
    thin = cv2.bitwise_and(strokes, 1 - solid)
    count, labels = cv2.connectedComponents(thin, connectivity=8)
    outside = scene.grown(options.leaving) == 0
    leaves = np.bincount(labels[outside], minlength=count) > 0
    leaves[0] = False
    lines = (cv2.dilate(leaves[labels].astype(np.uint8), disc(2)) > 0) & (solid == 0)
    # a component with no stroke in it that leaves the box is such a line as a whole
    count = int(components.max()) + 1
    alone = np.bincount(components[outside], minlength=count) > 0
    alone &= np.bincount(components[solid > 0], minlength=count) == 0
    return np.asarray(lines | alone[components], bool)


def disc(radius: int) -> Mask:
    """A round structuring element."""
    size = (2 * radius + 1, 2 * radius + 1)
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size).astype(np.uint8)


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
