"""Text on a surface that is seen at an angle: how its own upright plane lies on the page."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import TextBlock

#: A homography, row by row: points of an upright plane → page.
Warp = tuple[float, ...]

#: A quad is no parallelogram where its diagonals' middles lie apart by this share of its height, and by so
#: many px (OCR boxes have whole-pixel corners, which leave it in doubt by about 3).
_SHARE, _LEAST = 0.2, 5.0
#: Points behind the plane's horizon have no place on it: depth (1 in its middle) is kept above this.
_LEAST_DEPTH = 0.2


def warp_of(block: TextBlock, angle: float) -> Warp | None:
    """How the plane of a block's text lies on the page; None where it faces the camera.

    Told by the quad of its longest line, which is clearly no parallelogram then. In the middle of that line
    lengths are those of the page.

    Args:
        block: The block.
        angle: Degrees, clockwise on screen, that the plane's own x axis is turned by.
    """
    if block.vertical:
        return None
    sides = ((0, 1), (1, 2), (3, 2), (0, 3))
    quad = max(block.lines, key=lambda line: len(line.text)).polygon.astype(np.float64)
    corners = quad.tolist()
    top, right, bottom, left = (math.dist(corners[start], corners[end]) for start, end in sides)
    width, height = (top + bottom) / 2, (left + right) / 2
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners
    off = math.hypot(ax + cx - bx - dx, ay + cy - by - dy) / 2
    if off < max(_LEAST / 2, _SHARE / 2 * height) or not cv2.isContourConvex(quad.astype(np.float32)):
        return None
    radians = np.radians(angle)
    turn = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    centre = quad.mean(axis=0) @ turn.T
    upright = centre + np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    found = cv2.getPerspectiveTransform(upright.astype(np.float32), quad.astype(np.float32))
    matrix = np.asarray(found, np.float64)
    depth = float(matrix[2] @ np.array([*centre, 1.0]))
    return tuple(float(value) for value in (matrix / depth).ravel())


def matrix_of(warp: Warp) -> NDArray[np.float64]:
    """The homography as (3, 3)."""
    return np.array(warp, np.float64).reshape(3, 3)


def project(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points (N, 2) through a homography."""
    flat = np.asarray(points, np.float64)
    mapped = np.concatenate([flat, np.ones((len(flat), 1))], axis=1) @ matrix.T
    return np.asarray(mapped[:, :2] / np.maximum(mapped[:, 2:], _LEAST_DEPTH))
