"""Outline and shadow of the source text: the ink around its strokes that is neither fill nor ground."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Mask
from worker.rendering.colour import RGB, Pixels, as_rgb, coverage_of, dominant, largest, length

#: How far (RGB, Euclidean) a pixel lies off the line from ground to fill to be ink of another colour; JPEG's
#: chroma subsampling moves edges by up to 40.
_OFF_AXIS = 48.0
#: Share of the strokes' surroundings an outline covers; a shadow covers one side only.
_OUTLINE_COVERS = 0.6
#: Widest outline and farthest shadow, in em.
_REACH = 0.3
#: Least departure from the ground (levels) of a shadow's darkest pixels.
_SHADOW_DEPTH = 24.0
#: ... and as a share of the strokes' own: less is what anti-aliasing and JPEG leave beside them.
_SHADOW_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Outline:
    """A band of one colour around the glyphs; `width` in px."""

    colour: RGB
    width: float


@dataclass(frozen=True, slots=True)
class Shadow:
    """The glyphs once more underneath: moved by (dx, dy) px of the page, blurred by `blur` px (sigma)."""

    colour: RGB
    dx: float
    dy: float
    blur: float
    opacity: float


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
    """The shadow of the strokes, if it is plain to see: ink beside them that repeats their shape."""
    reach = max(2, round(_REACH * size))
    clear = int(2 + (outline.width if outline else 0))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * clear + 1, 2 * clear + 1))
    body = np.asarray(cv2.dilate(strokes, disc), np.uint8)
    departure = largest(page - ground)
    rest = np.where((body == 0) & (mask > 0), departure, 0).astype(np.float32)
    contrast = float(np.median(departure[strokes > 0]))
    shaded = rest > max(_SHADOW_DEPTH, _SHADOW_SHARE * contrast)
    if np.count_nonzero(shaded) < 0.25 * np.count_nonzero(strokes):
        return None
    dx, dy = _offset(rest, strokes, body, reach)
    if abs(dx) + abs(dy) < 2:
        return None
    colour = dominant(page[shaded])
    deepest = float(np.percentile(rest[shaded], 90))
    against = np.abs(np.array(colour, np.float32) - np.median(ground.reshape(-1, 3)[::7], axis=0)).max()
    blur = 0.0 if deepest > 0.85 * float(against) and _is_crisp(rest, deepest) else max(1.0, 0.04 * size)
    return Shadow(as_rgb(np.array(colour)), float(dx), float(dy), blur, 1.0)


def _offset(rest: NDArray[np.float32], strokes: Mask, body: Mask, reach: int) -> tuple[int, int]:
    """The shift of the strokes that explains most of the rest for its visible area; (0, 0) if none does."""
    shape = (strokes > 0).astype(np.float32)
    free = (body == 0).astype(np.float32)
    padded_rest = cv2.copyMakeBorder(rest, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    padded_free = cv2.copyMakeBorder(free, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    hit = cv2.matchTemplate(padded_rest, shape, cv2.TM_CCORR)
    seen = cv2.matchTemplate(padded_free, shape, cv2.TM_CCORR)
    score = hit / np.maximum(seen, 0.1 * float(shape.sum()))
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    if float(score.max()) < 1.6 * float(np.median(score)) or float(score.max()) < _SHADOW_DEPTH:
        return 0, 0
    return int(column) - reach, int(row) - reach


def _is_crisp(rest: NDArray[np.float32], deepest: float) -> bool:
    """Whether a shadow's pixels are mostly at full depth: a soft one spends most of its area on the way."""
    shaded = rest > 0.2 * deepest
    return bool(np.count_nonzero(rest > 0.7 * deepest) > 0.6 * np.count_nonzero(shaded))
