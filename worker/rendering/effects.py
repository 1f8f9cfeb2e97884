"""Outline and shadow of the source text: the ink around its strokes that is neither fill nor ground."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Mask
from worker.rendering.colour import RGB, Pixels, as_rgb, coverage_of, dominant, dot, length

#: How far (RGB, Euclidean) a pixel lies off the line from ground to fill to be ink of another colour; JPEG's
#: chroma subsampling moves edges by up to 40.
_OFF_AXIS = 48.0
#: Share of the strokes' surroundings an outline covers; a shadow covers one side only.
_OUTLINE_COVERS = 0.6
#: Widest outline and farthest shadow, in em.
_REACH, _SHADOW_REACH = 0.3, 0.15
#: Mean darkening (levels) under the best offset, and how many times that on the opposite side.
_LEAST_DARKENING, _ONE_SIDED = 9.0, 1.7
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
    away = cv2.distanceTransform(255 - strokes, cv2.DIST_L2, 3)
    near = (away > 0) & (away <= max(2.0, _REACH * size)) & (mask > 0)
    ring = (away > 0.9) & (away <= 2.1) & (mask > 0)
    axis = np.array(fill, np.float32) - ground
    departure = page - ground
    off_axis = length(departure - coverage_of(departure, axis)[..., None] * axis)
    foreign = near & (off_axis > _OFF_AXIS)
    if not ring.any() or np.count_nonzero(foreign & ring) < _OUTLINE_COVERS * np.count_nonzero(ring):
        return None
    colour = dominant(page[foreign])
    alike = near & (length(page - np.array(colour, np.float32)) <= 60)
    edge = np.count_nonzero((away > 0) & (away <= 1.0) & (mask > 0))
    # Anti-aliasing hides half a px of it.
    width = int(np.count_nonzero(alike)) / max(int(edge), 1) + 0.5
    return Outline(colour, float(np.clip(width, 1.0, _REACH * size)))


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
    shifted = cv2.warpAffine(solid, np.array([[1.0, 0, dx], [0, 1.0, dy]]), solid.shape[::-1])
    best: tuple[float, Shadow] | None = None
    for blur in (0.0, 0.03 * size, 0.07 * size, 0.12 * size):
        cover = shifted.astype(np.float32) / 255
        soft = np.asarray(cv2.GaussianBlur(cover, (0, 0), blur) if blur else cover, np.float32)
        error, shadow = _fitted(page, ground, soft, visible, (dx, dy), blur)
        if best is None or error < best[0]:
            best = error, shadow
    return best[1] if best is not None and best[1].opacity >= _LEAST_OPACITY else None


def _fitted(
    page: Pixels,
    ground: Pixels,
    shape: Pixels,
    visible: NDArray[np.bool_],
    offset: tuple[int, int],
    blur: float,
) -> tuple[float, Shadow]:
    """Colour and opacity that explain the darkening best (least squares), and what they leave unexplained."""
    cover = shape[visible][:, None]
    change = (page - ground)[visible]
    full = (cover * change).sum(axis=0) / max(float((cover * cover).sum()), 1.0)
    error = float(((change - cover * full) ** 2).sum())
    beneath = np.median(ground[visible], axis=0)
    opacity = float(np.clip((-full / np.maximum(beneath, 1.0)).max(), 0.02, 1.0))
    colour = as_rgb(beneath + full / opacity)
    return error, Shadow(colour, float(offset[0]), float(offset[1]), blur, opacity)


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
