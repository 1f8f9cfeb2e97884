"""Robust least squares of three channels: what does not lie on the surface has no say."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

_MAD_TO_SIGMA = 1.4826
#: Residuals within this many sigmas have full say in the fit, others none.
_INLIER_SIGMAS = 3.0
#: Smallest sigma in levels: a surface on 8-bit pixels is never nearer than rounding, 1 / sqrt(12).
_ROUNDING = 0.3
_SOFT_STEPS, _HARD_STEPS = 4, 3
#: A soft step that moves the coefficients by no more levels than this is the last one; outliers whose sum is
#: below so many levels for each point bend nothing.
_BENDING, _HARMLESS = 0.5, 0.03
#: No ground's noise is so many levels off.
_FARTHEST = 40.0
#: Levels the coefficients may still move when the fit ends.
_SETTLED = 0.05
#: A touch of ridge keeps degenerate point sets (one row of pixels) solvable.
_RIDGE = 1e-7


def reweighted(terms: Floats, channels: Floats, coefficients: Doubles) -> tuple[Doubles, Floats]:
    """Iteratively reweighted least squares: soft while outliers still bend the surface, then a clean cut."""
    left = channels - coefficients.T.astype(np.float32) @ terms
    distance = _largest(left)
    steps, soft = 0, True
    while steps < _SOFT_STEPS + _HARD_STEPS:
        limit, typical = spread(distance)
        outlying = distance > limit
        if not outlying.any() or (steps == 0 and distance[outlying].sum() < _HARMLESS * len(distance)):
            break
        sigma = max(_MAD_TO_SIGMA * typical, _ROUNDING)
        weights = 1 / (1 + (distance / np.float32(sigma)) ** 2) ** 2 if soft else ~outlying
        moved = _moved(terms, left, weights)
        coefficients = coefficients + moved
        left = channels - coefficients.T.astype(np.float32) @ terms
        distance = _largest(left)
        most = float(np.abs(moved).max())
        if not soft and most < _SETTLED:
            break
        steps += 1
        soft = soft and steps < _SOFT_STEPS and most > _BENDING
    return coefficients, distance


def trimmed(
    terms: Floats, channels: Floats, coefficients: Doubles, distance: Floats
) -> tuple[Doubles, Floats]:
    """Least squares of what lies near a surface, whose departures are given, then near its own."""
    left = channels - coefficients.T.astype(np.float32) @ terms
    for _ in range(_HARD_STEPS):
        moved = _moved(terms, left, distance <= spread(distance)[0])
        coefficients = coefficients + moved
        left = channels - coefficients.T.astype(np.float32) @ terms
        distance = _largest(left)
        if np.abs(moved).max() < _SETTLED:
            break
    return coefficients, distance


def spread(distance: Floats) -> tuple[float, float]:
    """The departure beyond which a point is none of the ground's, and the ground's median departure."""
    near = np.count_nonzero(distance <= _FARTHEST)
    middle = (near if near >= 0.2 * distance.size else distance.size) // 2
    ordered = distance.copy()
    ordered.partition(middle)
    typical = float(ordered[middle])
    return _INLIER_SIGMAS * max(_MAD_TO_SIGMA * typical, _ROUNDING), typical


def solve(
    terms: NDArray[np.floating], channels: NDArray[np.floating], weights: Doubles | None = None
) -> Doubles:
    """(Weighted) least squares in double precision."""
    terms, channels = terms.astype(np.float64), channels.astype(np.float64)
    return _solved(terms if weights is None else terms * weights, terms, channels)


def _moved(terms: Floats, left: Floats, weights: NDArray[Any]) -> Doubles:
    """What coefficients lack, as what they leave over tells: of that, single precision is precise enough."""
    return _solved(terms * weights, terms, left)


def _solved(weighted: NDArray[Any], terms: NDArray[Any], channels: NDArray[Any]) -> Doubles:
    normal = (weighted @ terms.T).astype(np.float64)
    normal.ravel()[:: len(normal) + 1] += _RIDGE * max(normal[0, 0], 1.0)
    known = (weighted @ channels.T).astype(np.float64)
    return np.asarray(cv2.solve(normal, known)[1], np.float64)  # a third of numpy's time for so few terms


def _largest(residuals: Floats) -> Floats:
    return np.asarray(np.maximum.reduce(np.abs(residuals)), np.float32)
