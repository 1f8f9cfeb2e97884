"""Robust least squares of three channels: what does not lie on the surface has no say."""

from __future__ import annotations

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


def reweighted(
    terms: NDArray[np.float64], channels: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Floats]:
    """Iteratively reweighted least squares: soft while outliers still bend the surface, then a clean cut."""
    distance = _largest(channels - coefficients.T @ terms)
    steps, soft = 0, True
    while steps < _SOFT_STEPS + _HARD_STEPS:
        limit, typical = spread(distance)
        outlying = distance > limit
        if not outlying.any() or (steps == 0 and distance[outlying].sum() < _HARMLESS * len(distance)):
            break
        sigma = max(_MAD_TO_SIGMA * typical, _ROUNDING)
        weights = 1 / (1 + (distance / sigma) ** 2) ** 2 if soft else ~outlying
        settled = solve(terms, channels, weights.astype(np.float64))
        moved = float(np.abs(settled - coefficients).max())
        coefficients = settled
        distance = _largest(channels - coefficients.T @ terms)
        if not soft and moved < _SETTLED:
            break
        steps += 1
        soft = soft and steps < _SOFT_STEPS and moved > _BENDING
    return coefficients, distance


def trimmed(
    terms: Doubles, channels: Doubles, coefficients: Doubles, distance: Floats
) -> tuple[Doubles, Floats]:
    """Least squares of what lies near a surface, whose departures are given, then near its own."""
    for _ in range(_HARD_STEPS):
        settled = solve(terms, channels, (distance <= spread(distance)[0]).astype(np.float64))
        moved = float(np.abs(settled - coefficients).max())
        coefficients, distance = settled, _largest(channels - settled.T @ terms)
        if moved < _SETTLED:
            break
    return coefficients, distance


def spread(distance: Floats) -> tuple[float, float]:
    """The departure beyond which a point is none of the ground's, and the ground's median departure."""
    near = np.count_nonzero(distance <= _FARTHEST)
    middle = (near if near >= 0.2 * distance.size else distance.size) // 2
    typical = float(np.partition(distance, middle)[middle])
    return _INLIER_SIGMAS * max(_MAD_TO_SIGMA * typical, _ROUNDING), typical


def solve(
    terms: NDArray[np.float64], channels: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """(Weighted) least squares; a touch of ridge keeps degenerate point sets (one row of pixels) solvable."""
    weighted = terms if weights is None else terms * weights
    normal: NDArray[np.float64] = weighted @ terms.T
    normal.ravel()[:: len(normal) + 1] += 1e-7 * max(normal[0, 0], 1.0)
    _, coefficients = cv2.solve(normal, weighted @ channels.T)  # a third of numpy's time for so few terms
    return np.asarray(coefficients, np.float64)


def _largest(residuals: Doubles) -> Floats:
    return np.asarray(np.abs(residuals).max(axis=0), np.float32)
