"""The page turned so that a block's text runs along +u, its lines following along +v.

The turn is about the page's origin, so for angle 0 the local frame is the page itself. Lengths stay in px.
Where the text lies on a surface seen at an angle, the frame is that surface, upright (see perspective.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Box, Image, Polygon, TextBlock
from worker.rendering.perspective import Warp, matrix_of, project, warp_of

#: Blocks within this many text heights steady each other's angle if it differs by no more degrees.
_NEAR, _LIKE = 4.0, 3.5


@dataclass(frozen=True, slots=True)
class Rect:
    """An upright rectangle of a local frame, in px."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle, (u, v)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlaps(self, other: Rect) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def overlaps_any(self, extents: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of many rectangles, (N, 4) as `Frame.extents_of` gives them, it overlaps."""
        left, top, right, bottom = extents.T
        found = (left < self.right) & (self.left < right) & (top < self.bottom) & (self.top < bottom)
        return np.asarray(found, np.bool_)

    def grown(self, horizontal: float, vertical: float) -> Rect:
        """The rectangle with each side moved outward (inward where negative)."""
        return Rect(
            self.left - horizontal, self.top - vertical, self.right + horizontal, self.bottom + vertical
        )

    def union(self, other: Rect) -> Rect:
        """The smallest rectangle around both."""
        return Rect(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2), clockwise from the top left."""
        return np.array(
            [
                (self.left, self.top),
                (self.right, self.top),
                (self.right, self.bottom),
                (self.left, self.bottom),
            ]
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """A local frame: the page turned by `angle` degrees, clockwise on screen."""

    angle: float
    #: How the frame lies on the page where it does not face the camera; it is turned already.
    warp: Warp | None = None

    @property
    def is_page(self) -> bool:
        """Whether the frame is the page itself."""
        return self.angle == 0 and self.warp is None

    @property
    def along(self) -> tuple[float, float]:
        """Cosine and sine of the angle: the page direction of +u."""
        if self.angle == 0:
            return 1.0, 0.0
        radians = math.radians(self.angle)
        return math.cos(radians), math.sin(radians)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Local (u, v, 1) → page, (3, 3)."""
        if self.warp is not None:
            return matrix_of(self.warp)
        cos, sin = self.along
        return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])

    def to_local(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Page points (N, 2) → (u, v)."""
        if self.warp is not None:
            return project(np.asarray(np.linalg.inv(matrix_of(self.warp)), np.float64), points)
        if self.angle == 0:
            return np.asarray(points, np.float64)
        cos, sin = self.along
        return np.asarray(np.asarray(points, np.float64) @ np.array([[cos, -sin], [sin, cos]]))

    def to_page(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Local points (N, 2) → page (x, y)."""
        if self.warp is not None:
            return project(matrix_of(self.warp), points)
        if self.angle == 0:
            return np.asarray(points, np.float64)
        cos, sin = self.along
        return np.asarray(np.asarray(points, np.float64) @ np.array([[cos, sin], [-sin, cos]]))

    def rect_around(self, points: NDArray[np.floating]) -> Rect:
        """The upright local rectangle around page points."""
        return Rect(*_extents(self.to_local(points)))

    def extents_of(self, polygons: Sequence[Polygon]) -> NDArray[np.float64]:
        """Left, top, right, bottom, (N, 4), of the upright local rectangles around page polygons (4, 2)."""
        if not polygons:
            return np.zeros((0, 4))
        local = self.to_local(np.concatenate(polygons)).reshape(len(polygons), -1, 2)
        return np.hstack([local.min(axis=1), local.max(axis=1)])

    def quad(self, rect: Rect) -> Polygon:
        """A local rectangle as a page polygon (4, 2), clockwise from the text's top left."""
        return self.to_page(rect.corners).astype(np.float32)

    def cut(self, image: Image, rect: Rect, origin: tuple[int, int] = (0, 0)) -> tuple[Image, Rect]:
        """The pixels of a local rectangle, upright, as far as the image has them.

        Args:
            image: (H, W) or (H, W, C); may be a whole page: only what is needed is touched.
            rect: What to cut; rounded outward to whole px.
            origin: The page's (x, y) of the image's first pixel.

        Returns:
            The pixels (what the image lacks repeats its edge) and the rectangle they cover.
        """
        height, width = image.shape[:2]
        left, top = math.floor(rect.left), math.floor(rect.top)
        right, bottom = math.ceil(rect.right), math.ceil(rect.bottom)
        if self.is_page:
            x, y = origin
            left, right = max(left, x), min(right, x + width)
            top, bottom = max(top, y), min(bottom, y + height)
            right, bottom = max(right, left), max(bottom, top)
            return image[top - y : bottom - y, left - x : right - x], Rect(left, top, right, bottom)
        whole = Rect(left, top, right, bottom)
        box = page_box(self.quad(whole) - np.array(origin), width, height, margin=2)
        if not (box.width and box.height):
            return image[:0, :0], Rect(left, top, left, top)
        # Pixel centres: local (i + 0.5 + left, j + 0.5 + top), page (x + 0.5, y + 0.5).
        matrix = (
            shifted(-0.5 - origin[0] - box.left, -0.5 - origin[1] - box.top)
            @ self.matrix
            @ shifted(left + 0.5, top + 0.5)
        )
        pixels = cv2.warpPerspective(
            np.ascontiguousarray(image[box.slices]),
            matrix,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(pixels, np.uint8), whole


def shifted(x: float, y: float) -> NDArray[np.float64]:
    """A shift as a homography."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def frames_of(blocks: Sequence[TextBlock]) -> list[Frame]:
    """Each block's own frame, steadied by the blocks above and below it.

    OCR boxes have whole-pixel corners, so the angle of a short line is a guess: it is averaged with those
    nearby that lean alike, the long and the close counting most. A tilt too small to be told from such
    rounding, or to be seen (a tenth of the text's height over its length), counts as none.
    """
    angles = np.array([_own_angle(block) for block in blocks])
    if not angles.any():
        return [Frame(0.0, warp_of(block, 0.0)) for block in blocks]
    lengths = np.array([_extent(block, angle) for block, angle in zip(blocks, angles, strict=True)])
    centres = np.array([block.polygon.mean(axis=0) for block in blocks]).reshape(-1, 2)
    frames = []
    for block, angle, length, centre in zip(blocks, angles, lengths, centres, strict=True):
        along, across = np.abs(Frame(float(angle)).to_local(centres - centre)).T
        near = (along <= length) & (across <= _NEAR * block.text_height) & (np.abs(angles - angle) <= _LIKE)
        # Whole-pixel corners leave the angle of a line of length l uncertain by about 1 / l.
        weights = lengths[near] ** 2 / (1 + (across[near] / block.text_height) ** 2)
        steady = float(np.average(angles[near], weights=weights))
        rise = abs(math.sin(math.radians(steady))) * float(length)
        turned = 0.0 if rise <= max(2.0, 0.1 * block.text_height) else steady
        frames.append(Frame(turned, warp_of(block, turned)))
    return frames


def _own_angle(block: TextBlock) -> float:
    if block.vertical and abs(block.angle) > 45:
        return block.angle - math.copysign(90, block.angle)
    return block.angle


def _extent(block: TextBlock, angle: float) -> float:
    rect = Frame(angle).rect_around(block.polygon)
    return max(rect.height if block.vertical else rect.width, 1.0)


def _extents(points: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a few points: faster without NumPy."""
    xs, ys = points.T.tolist()
    return min(xs), min(ys), max(xs), max(ys)


def page_box(points: NDArray[np.floating], width: int, height: int, margin: float = 0) -> Box:
    """The page's pixels around points, grown by a margin and cut to the page (empty if off it)."""
    low_x, low_y, high_x, high_y = _extents(points)
    left = min(max(math.floor(low_x - margin), 0), width)
    top = min(max(math.floor(low_y - margin), 0), height)
    right, bottom = math.ceil(high_x + margin), math.ceil(high_y + margin)
    return Box(left, top, max(left, min(right, width)), max(top, min(bottom, height)))
