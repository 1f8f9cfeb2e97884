"""Outline and shadow of the source text: the ink around its strokes that is neither fill nor ground."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from operator import itemgetter

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Mask
from worker.rendering.colour import RGB, Pixels, as_rgb, coverage_of, dominant, dot, length

#: How far (RGB, Euclidean) a pixel lies off the line from ground to fill to be ink of another colour; JPEG's
#: chroma subsampling moves edges by up to 40.
_OFF_AXIS = 48.0
#: Share of the strokes' surroundings an outline covers, where the ground lets it be seen, and in all; a
#: shadow covers one side only.
_OUTLINE_COVERS, _LEAST_SEEN = 0.6, 0.3
#: Share of the pixels at one distance that have the outline's colour while they lie within it.
_MOST_OF_RING = 0.7
#: Widest outline and farthest shadow, in em.
_REACH, _SHADOW_REACH = 0.3, 0.15
#: Mean darkening (levels) under the best offset, and how many times that on the opposite side.
_LEAST_DARKENING, _ONE_SIDED = 9.0, 1.7
#: Pixels a shadow is fitted to.
_SAMPLES = 3000
#: Blurs tried, in em.
_BLURS = (0.0, 0.03, 0.07, 0.12)
#: Share of the change beside the strokes that a shadow may leave unexplained.
_MOST_UNEXPLAINED = 0.5
#: Darkening per stroke pixel below which no shadow is looked for; opacity below which it is not seen.
_LEAST_SHADE, _LEAST_OPACITY = 5.0, 0.12


@dataclass(frozen=True, slots=True)
class Outline:
    """A band of one colour around the glyphs; `width` in px."""

    colour: RGB
    width: float

    def scaled(self, factor: float) -> Outline:
        """The same for text so many times as large."""
        return replace(self, width=self.width * factor)


@dataclass(frozen=True, slots=True)
class Shadow:
    """The glyphs once more underneath: moved by (dx, dy) px of the page, blurred by `blur` px (sigma)."""

    colour: RGB
    dx: float
    dy: float
    blur: float
    opacity: float

    def scaled(self, factor: float) -> Shadow:
        """The same for text so many times as large."""
        return replace(self, dx=self.dx * factor, dy=self.dy * factor, blur=self.blur * factor)


def find_outline(
    page: Pixels, ground: Pixels, mask: Mask, strokes: Mask, fill: RGB, size: float
) -> Outline | None:
    """The outline of the strokes, if they have one.

    Args:
        page: The region's pixels, (h, w, 3).
        ground: The ground under them, same shape.
        mask: All ink of the region.
        strokes: The glyph bodies.
        fill: Their colour.
        size: Font size in px.
    """
    away = np.asarray(cv2.distanceTransform(255 - strokes, cv2.DIST_L2, 3), np.float32)
    near = (away > 0) & (away <= max(2.0, _REACH * size)) & (mask > 0)
    ring = (away > 0.9) & (away <= 2.1) & (mask > 0)
    axis = np.array(fill, np.float32) - ground
    departure = page - ground
    off_axis = length(departure - coverage_of(departure, axis)[..., None] * axis)
    foreign = near & (off_axis > _OFF_AXIS)
    least = _LEAST_SEEN * np.count_nonzero(ring)
    if not ring.any() or np.count_nonzero(foreign & ring) < least:
        return None
    colour = dominant(page[foreign])
    distance = length(page - np.array(colour, np.float32))
    apart = length(ground - np.array(colour, np.float32))
    seen = ring & (apart > _OFF_AXIS)  # elsewhere the ground itself has the outline's colour
    if np.count_nonzero(foreign & seen) < max(_OUTLINE_COVERS * np.count_nonzero(seen), least):
        return None
    alike = near & (distance < 0.4 * apart) & (distance < length(page - np.array(fill, np.float32)))
    return Outline(colour, float(np.clip(_width(alike, away, near), 1.0, _REACH * size)))


def _width(alike: NDArray[np.bool_], away: Pixels, near: NDArray[np.bool_]) -> float:
    """The distance from the strokes up to which most pixels have the outline's colour.

    Taken on the side where it is least: on another a shadow of the same colour may lengthen it.
    """
    rightward = cv2.Sobel(away, cv2.CV_32F, 1, 0, ksize=1) > 0
    downward = cv2.Sobel(away, cv2.CV_32F, 0, 1, ksize=1) > 0
    sides = [near & across & along for across in (rightward, ~rightward) for along in (downward, ~downward)]
    return min((_width_at(alike[side], away[side]) for side in sides if side.any()), default=0.0)


def _width_at(alike: NDArray[np.bool_], away: Pixels) -> float:
    rings = np.ceil(away - 0.5).astype(np.intp)
    share = np.bincount(rings, alike) / np.maximum(np.bincount(rings), 1)
    beyond = np.flatnonzero(share[2:] < _MOST_OF_RING)
    last = int(beyond[0]) + 1 if len(beyond) else len(share) - 1
    following = float(share[last + 1]) if last + 1 < len(share) else 0.0
    return last + min(following, 0.5)


def find_shadow(
    page: Pixels, ground: Pixels, mask: Mask, strokes: Mask, outline: Outline | None, size: float
) -> Shadow | None:
    """The shadow of the strokes, if it is plain to see: ground beside them darkened in their shape.

    A shadow lies to one side, which tells it from anti-aliasing and from what a plate gets wrong.
    """
    reach = max(2, round(_SHADOW_REACH * size))
    clear = 1 + math.ceil(outline.width if outline else 0)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * clear + 1, 2 * clear + 1))
    body = np.asarray(cv2.dilate(strokes, disc), np.uint8)
    visible = (body == 0) & (mask > 0)
    darkening = np.where(visible, np.maximum(dot(ground - page, np.full_like(page, 1 / 3)), 0), np.float32(0))
    if float(darkening.sum()) < _LEAST_SHADE * np.count_nonzero(strokes):
        return None
    solid = body if outline else strokes
    dx, dy = _offset(darkening, solid, body, reach)
    if abs(dx) + abs(dy) < 2:
        return None
    fit = _Fit.on(page, ground, solid, visible)
    error, shadow = min((fit.of(dx, dy, share * size) for share in _BLURS), key=itemgetter(0))
    while True:  # downhill over whole px; the error is bounded below, so this ends
        x, y = int(shadow.dx), int(shadow.dy)
        around = [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
        less, nearer = min((fit.of(*step, shadow.blur) for step in around), key=itemgetter(0))
        if less >= error or max(abs(nearer.dx), abs(nearer.dy)) > reach:
            break
        error, shadow = less, nearer
    return shadow if error <= _MOST_UNEXPLAINED and shadow.opacity >= _LEAST_OPACITY else None


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Least squares: which shadow explains what lies beside the strokes."""

    solid: Mask
    #: Where a shadow would be seen: rows and columns of sample pixels, and how they differ from the ground.
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    change: Pixels
    #: Colour of the ground there.
    beneath: Pixels

    @classmethod
    def on(cls, page: Pixels, ground: Pixels, solid: Mask, visible: NDArray[np.bool_]) -> _Fit:
        """Take the samples."""
        rows, columns = np.nonzero(visible)
        step = max(1, len(rows) // _SAMPLES)
        rows, columns = rows[::step], columns[::step]
        beneath = ground[rows, columns]
        return cls(solid, rows, columns, page[rows, columns] - beneath, np.median(beneath, axis=0))

    def of(self, dx: int, dy: int, blur: float) -> tuple[float, Shadow]:
        """The share of the change such a shadow leaves unexplained, with its best colour and opacity."""
        height, width = self.solid.shape
        soft = cv2.GaussianBlur(self.solid, (0, 0), blur) if blur else self.solid
        rows, columns = np.clip(self.rows - dy, 0, height - 1), np.clip(self.columns - dx, 0, width - 1)
        share = np.asarray(soft[rows, columns], np.float32)[:, None] / 255
        full = (share * self.change).sum(axis=0) / max(float((share * share).sum()), 1.0)
        total = max(float((self.change**2).sum()), 1.0)
        error = float(((self.change - share * full) ** 2).sum()) / total
        opacity = float(np.clip((-full / np.maximum(self.beneath, 1.0)).max(), 0.02, 1.0))
        return error, Shadow(as_rgb(self.beneath + full / opacity), float(dx), float(dy), blur, opacity)


def _offset(darkening: Pixels, solid: Mask, body: Mask, reach: int) -> tuple[int, int]:
    """The shift of the strokes under which the visible ground is darkest; (0, 0) where no side stands out."""
    shape = (solid > 0).astype(np.float32)
    free = (body == 0).astype(np.float32)
    border = (reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    hit = cv2.matchTemplate(cv2.copyMakeBorder(darkening, *border), shape, cv2.TM_CCORR)
    seen = cv2.matchTemplate(cv2.copyMakeBorder(free, *border), shape, cv2.TM_CCORR)
    score = hit / np.maximum(seen, 0.1 * float(shape.sum()))
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    opposite = float(score[score.shape[0] - 1 - row, score.shape[1] - 1 - column])
    if float(score[row, column]) < max(_LEAST_DARKENING, _ONE_SIDED * opposite):
        return 0, 0
    return int(column) - reach, int(row) - reach
