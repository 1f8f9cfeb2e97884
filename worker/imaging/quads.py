"""Quadrilaterals of OCR lines: clean them, measure them, fill them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.boxes import common, inside
from worker.job import Box, Mask, Polygon

#: A side shorter than this many px holds no text.
_SHORTEST_SIDE = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A line of text in its own axes: u along the reading direction, v across it."""

    #: Unit vector of the reading direction, float32 (2,).
    along: NDArray[np.float32]
    #: Unit vector at a right angle to it (down the page for upright text), float32 (2,).
    across: NDArray[np.float32]
    centre: NDArray[np.float32]
    #: Full extents in px along and across.
    length: float
    height: float

    @property
    def angle(self) -> float:
        """Degrees of `along`, clockwise on screen, in (-90, 90]."""
        return float(np.degrees(np.arctan2(self.along[1], self.along[0])))


def clean_quad(polygon: NDArray[np.floating], width: int, height: int) -> Polygon | None:
    """Clips a quad to the page and orders its corners; None where nothing of it can hold text.

    Self-crossing and counter-clockwise quads are re-ordered; the start corner is the given one where that
    leaves the text's angle in (-90, 90], else the corner opposite to it.
    """
    if polygon.shape != (4, 2) or not np.isfinite(polygon).all():
        return None
    quad = polygon.astype(np.float32).clip(0, np.array([width, height], np.float32))
    if not _is_convex_clockwise(quad):
        quad = np.clip(_reordered(quad), 0, np.array([width, height], np.float32))
    frame = frame_of(quad)
    if min(frame.length, frame.height) < _SHORTEST_SIDE or cv2.contourArea(quad) < _SHORTEST_SIDE**2:
        return None
    if frame.along[0] < 0 or (frame.along[0] == 0 and frame.along[1] < 0):
        quad = np.roll(quad, 2, axis=0)
    return np.ascontiguousarray(quad)


def frame_of(quad: Polygon) -> Frame:
    """Axes and extents of an ordered quad: means of its opposite sides."""
    # plain numbers: a quad is too small for numpy to be quick
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = quad.tolist()
    x, y = (bx + cx - ax - dx) / 2, (by + cy - ay - dy) / 2
    length, height = math.hypot(x, y), math.hypot(dx + cx - ax - bx, dy + cy - ay - by) / 2
    if length > 0:
        x, y = x / length, y / length
    else:
        x, y = 1.0, 0.0
    centre = ((ax + bx + cx + dx) / 4, (ay + by + cy + dy) / 4)
    along, across, middle = np.array([(x, y), (-y, x), centre], np.float32)
    return Frame(along, across, middle, length, height)


def grown(quad: Polygon, along: float, across: float, frame: Frame | None = None) -> Polygon:
    """The quad moved outwards by px along and across its reading direction (that of its frame, if known)."""
    frame = frame or frame_of(quad)
    # plain numbers: a quad is too small for numpy to be quick
    (x, y), (u, v) = frame.along.tolist(), frame.across.tolist()
    x, y, u, v = x * along, y * along, u * across, v * across
    return quad + np.array([(-x - u, -y - v), (x - u, y - v), (x + u, y + v), (u - x, v - y)], np.float32)


def bounding_box(points: NDArray[np.floating], width: int, height: int, margin: float = 0.0) -> Box:
    """Smallest box of whole px around points, grown by a margin and clipped to the page."""
    x, y = points.T.tolist()  # plain numbers: a quad is too small for numpy to be quick
    left, top, right, bottom = min(x), min(y), max(x), max(y)
    return Box(
        min(max(math.floor(left - margin), 0), width),
        min(max(math.floor(top - margin), 0), height),
        min(max(math.ceil(right + margin), 0), width),
        min(max(math.ceil(bottom + margin), 0), height),
    )


def filled(quads: Sequence[Polygon], box: Box) -> Mask:
    """A mask of the box, 255 inside any of the quads."""
    mask = np.zeros((box.height, box.width), np.uint8)
    left, top = box.left + 0.5, box.top + 0.5
    for quad in quads if mask.size else ():
        # pixel centres: a quad over px 3..7 covers the indices 3 to 6
        corners = [(round((x - left) * 16), round((y - top) * 16)) for x, y in quad.tolist()]
        cv2.fillConvexPoly(mask, np.array(corners, np.int32), 255, shift=4)
    return mask


def depth(quad: Polygon, box: Box) -> NDArray[np.float32]:
    """How deep each pixel of a box lies in a line: 1 on its middle, 0 on its edge, negative outside."""
    frame = frame_of(quad)
    x = (np.arange(box.left, box.right, dtype=np.float32) + 0.5 - frame.centre[0])[None, :]
    y = (np.arange(box.top, box.bottom, dtype=np.float32) + 0.5 - frame.centre[1])[:, None]
    half = min(frame.length, frame.height) / 2
    u = frame.length / 2 - np.abs(x * frame.along[0] + y * frame.along[1])
    v = frame.height / 2 - np.abs(x * frame.across[0] + y * frame.across[1])
    depths: NDArray[np.float32] = (np.minimum(u, v) / half).astype(np.float32)
    return depths


def surroundings(quads: Sequence[Polygon], box: Box) -> list[Box]:
    """For each line of a block, where on the page its ink and the ink's rim may lie, of a box."""
    reach = 2 * max(frame_of(quad).height for quad in quads) + 24
    return [common(bounding_box(quad, box.right, box.bottom, reach), box) for quad in quads]


def line_labels(quads: Sequence[Polygon], windows: Sequence[Box], box: Box) -> NDArray[np.int32]:
    """For each pixel of a box, which line it is nearest to of those that have it in their window; else -1.

    Lines are asked one by one, each about its window: a paragraph has hundreds, on millions of pixels.
    """
    labels = np.full((box.height, box.width), -1, np.int32)
    deepest = np.full(labels.shape, -np.inf, np.float32)
    for index, (quad, window) in enumerate(zip(quads, windows, strict=True)):
        inner = inside(window, box).slices
        deeper = depth(quad, window)
        labels[inner][deeper > deepest[inner]] = index
        np.maximum(deepest[inner], deeper, out=deepest[inner])
    return labels


def upended(quad: Polygon, text: str) -> Polygon:
    """Starts the quad of a word set on end at the corner where its reading begins.

    OCR engines order the corners of tall boxes as if they were upright; Latin in one runs down the page.
    """
    if any(ord(char) > 0x2E7F for char in text) or sum(not char.isspace() for char in text) < 2:
        return quad
    return np.roll(quad, -1, axis=0) if _is_tall(frame_of(quad)) else quad


def is_vertical(text: str, frame: Frame) -> bool:
    """Whether the characters stand one under the other: a tall box with two or more of them, not Latin."""
    return _is_tall(frame) and sum(1 for char in text if ord(char) > 0x2E7F) >= 2


def _is_tall(frame: Frame) -> bool:
    return frame.height > 1.5 * frame.length and abs(frame.angle) < 45


def _is_convex_clockwise(quad: Polygon) -> bool:
    turns = []
    corners = quad.tolist()
    for (ax, ay), (bx, by), (cx, cy) in zip(
        corners, corners[1:] + corners[:1], corners[2:] + corners[:2], strict=True
    ):
        turns.append((bx - ax) * (cy - by) - (by - ay) * (cx - bx))
    return bool(min(turns) >= 0 and sum(turns) > 0)


def _reordered(quad: Polygon) -> Polygon:
    """Corners clockwise on screen around their centre, starting with the one nearest the top left."""
    offsets = quad - quad.mean(axis=0)
    clockwise = quad[np.argsort(np.arctan2(offsets[:, 1], offsets[:, 0]), kind="stable")]
    # a quad whose corners are no convex ring even so (one inside the others) becomes its smallest rectangle
    if not _is_convex_clockwise(clockwise):
        points = cv2.boxPoints(cv2.minAreaRect(quad)).astype(np.float32)
        offsets = points - points.mean(axis=0)
        clockwise = points[np.argsort(np.arctan2(offsets[:, 1], offsets[:, 0]), kind="stable")]
    start = int(np.argmin(clockwise.sum(axis=1)))
    return np.roll(clockwise, -start, axis=0).astype(np.float32)
