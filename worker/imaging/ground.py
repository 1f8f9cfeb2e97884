"""What lies under the text: a smooth surface fitted to the ground around and between the strokes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image

Floats = NDArray[np.float32]
Pixels = TypeVar("Pixels", Floats, Image)

#: Median absolute deviation to standard deviation, for a normal distribution.
MAD_TO_SIGMA = 1.4826
#: Median of the largest of three correlated channels' departures to one channel's standard deviation: 1.4826
#: where the channels move as one, 0.85 where they are independent; noise of pictures lies between.
MAX_TO_SIGMA = 1.1
#: The same for the 30th percentile of the largest departures.
PERCENTILE_30_TO_SIGMA = 1.9
#: Powers (of x, of y) of the terms, in order; a surface of order n uses the first (n + 1)(n + 2) / 2.
_POWERS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
#: Points a fit looks at; more change the surface by less than a hundredth of a level.
MOST_POINTS = 1000
#: Residuals within this many sigmas have full say in the fit, others none.
_INLIER_SIGMAS = 3.0
#: Smallest sigma in levels: a surface on 8-bit pixels is never nearer than rounding, 1 / sqrt(12).
_ROUNDING = 0.3
_SOFT_STEPS, _HARD_STEPS = 4, 3
#: A soft step that moves the coefficients by no more levels than this is the last one; outliers whose sum is
#: below so many levels for each point bend nothing.
_BENDING, _HARMLESS = 0.5, 0.03
#: Values that a quantile is read off.
_QUANTILE_POINTS = 4000
#: Departures in levels: no ground's noise is as far out; what is nearer may be ground; and the share of such
#: points above which a fit needs no second start.
_FARTHEST, _PLAUSIBLE, _ENOUGH = 40.0, 12.0, 0.75
_FAR_OFF = 4.0
#: Levels the coefficients may still move when the fit ends.
_SETTLED = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A polynomial for each channel over page coordinates."""

    order: int
    #: (terms, 3)
    coefficients: NDArray[np.float64]
    #: Page coordinates of the origin, and px that count as 1.
    origin: tuple[float, float]
    scale: float
    #: Standard deviation of the ground around the surface in the noisiest channel, and the share of the
    #: fitted points that lie on it.
    sigma: float
    inliers: float
    #: Mean departure of the fitted points in levels; outliers count as `_FAR_OFF`. Unlike sigma it tells
    #: a faint gradient from one colour.
    misfit: float

    def residuals(self, x: NDArray[np.integer], y: NDArray[np.integer], colours: Floats) -> Floats:
        """How far N pixels depart from the surface, for each channel: (3, N)."""
        terms = _terms(x, y, self.origin, self.scale, self.order)
        return (colours.T - self.coefficients.T @ terms).astype(np.float32)

    def over(self, width: int, height: int, left: int = 0, top: int = 0) -> Floats:
        """Colours (height, width, 3) of the pixels of a box, float and unclipped."""
        if self.order == 0:
            return np.broadcast_to(self.coefficients[0].astype(np.float32), (height, width, 3))
        # separable: powers of x once for a row, powers of y once for a column
        powers = np.arange(self.order + 1)
        u = (((left + np.arange(width)) - self.origin[0]) / self.scale)[:, None] ** powers
        v = (((top + np.arange(height)) - self.origin[1]) / self.scale)[:, None] ** powers
        weights = np.zeros((self.order + 1, self.order + 1, 3))
        for (x_power, y_power), colour in zip(_POWERS, self.coefficients, strict=False):
            weights[y_power, x_power] = colour
        row = np.ascontiguousarray(u @ weights, np.float32).reshape(self.order + 1, -1)
        return np.asarray((v.astype(np.float32) @ row).reshape(height, width, 3), np.float32)

    def levels(self, width: int, height: int) -> Image:
        """The same, rounded to whole levels."""
        colour = self._one_colour(width, height)
        if colour is not None:
            row = np.tile(colour, width)  # whole rows are copied faster than single colours
            return np.tile(row, (height, 1)).reshape(height, width, 3)
        plain = self.over(width, height)
        return cv2.convertScaleAbs(np.maximum(plain, 0, out=plain)).astype(np.uint8, copy=False)

    def _one_colour(self, width: int, height: int) -> Image | None:
        """The whole levels that the surface has all over a box, where it bends by less than rounding."""
        u = max(self.origin[0], width - 1 - self.origin[0]) / self.scale
        v = max(self.origin[1], height - 1 - self.origin[1]) / self.scale
        farthest = np.array([u**x * v**y for x, y in _POWERS[: len(self.coefficients)]])
        bend = farthest[1:] @ np.abs(self.coefficients[1:])
        low, high = (np.rint(self.coefficients[0] + step).clip(0, 255) for step in (-bend, bend))
        return low.astype(np.uint8) if (low == high).all() else None


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Ground pixels that surfaces of several orders are fitted to."""

    #: (terms of the highest order, N) and (3, N)
    terms: NDArray[np.float64]
    channels: NDArray[np.float64]
    origin: tuple[float, float]
    scale: float

    @classmethod
    def of(cls, x: NDArray[np.integer], y: NDArray[np.integer], colours: Floats, highest: int) -> Points:
        """Points from N page columns, rows and colours, (N, 3)."""
        origin = (float(x.mean()), float(y.mean()))
        scale = float(max(np.ptp(x), np.ptp(y), 1)) / 2
        channels = np.ascontiguousarray(colours.T, np.float64)
        return cls(_terms(x, y, origin, scale, highest), channels, origin, scale)

    def is_level(self, surface: Surface, slope: float) -> bool:
        """Whether what one colour leaves over has no trend of so many levels from the middle to the edge."""
        left = self.channels - surface.coefficients.T
        limit, _ = _spread(largest(left))
        weights = (largest(left) <= limit).astype(np.float64)
        trend = _solve(self.terms[:6], left, weights)[1:]
        return bool(np.abs(trend).max() <= slope)


def fit(points: Points, order: int) -> Surface:
    """Fits a surface robustly: what does not lie on it (ink, edges) has no say.

    Args:
        points: Where the ground was seen; made for this order or a higher one.
        order: 0 one colour, 1 a plane, 2 and 3 curved gradients.
    """
    channels = points.channels
    if order == 0:
        coefficients = _median(channels)[None]
        distance = largest(channels - coefficients.T)
        if _share(distance) < _ENOUGH:
            coefficients = _mode(channels)[None]
            distance = largest(channels - coefficients.T)
    else:
        terms = points.terms[: (order + 1) * (order + 2) // 2]
        coefficients, distance = _reweighted(terms, channels, _solve(terms, channels, None))
        if _share(distance) < _ENOUGH:  # two grounds: settle on the commoner one
            start = np.zeros_like(coefficients)
            start[0] = _mode(channels)
            other, its_distance = _reweighted(terms, channels, start)
            if _share(its_distance) > _share(distance):
                coefficients, distance = other, its_distance
    limit, typical = _spread(distance)
    return Surface(
        order,
        coefficients,
        points.origin,
        points.scale,
        sigma=MAX_TO_SIGMA * typical,
        inliers=float(np.count_nonzero(distance <= limit)) / len(distance),
        misfit=float(np.minimum(distance, _FAR_OFF).mean()),
    )


def surface_of(x: NDArray[np.integer], y: NDArray[np.integer], colours: Image, flat: float) -> Surface:
    """The ground that N pixels show: a quadratic surface, or the one colour that so many of them have.

    Args:
        x: Columns.
        y: Rows.
        colours: (N, 3).
        flat: Share of the pixels.
    """
    middle = _median(np.ascontiguousarray(colours.T))
    if float((colours == middle).all(axis=1).mean()) >= flat:
        return Surface(0, middle[None], (0.0, 0.0), 1.0, sigma=0.0, inliers=1.0, misfit=0.0)
    return fit(Points.of(x, y, colours.astype(np.float32), 2), 2)


def largest(residuals: NDArray[np.floating]) -> Floats:
    """The largest departure over the channels, (3, …) → (…)."""
    one, two, three = np.abs(residuals)
    return np.asarray(np.maximum(np.maximum(one, two), three), np.float32)


def departure(pixels: Pixels, plain: Pixels | None = None) -> Pixels:
    """How far pixels depart from a ground (from 0) in the channel that departs most, (H, W, 3) → (H, W)."""
    apart = np.abs(pixels) if plain is None else cv2.absdiff(pixels, plain)
    one, two, three = (cv2.extractChannel(apart, channel) for channel in range(3))
    return np.asarray(cv2.max(cv2.max(one, two), three), pixels.dtype)


def grey(pixels: Floats) -> Floats:
    """The mean of the channels, (H, W, 3) → (H, W)."""
    return np.asarray(cv2.transform(pixels, np.full((1, 3), 1 / 3, np.float32)), np.float32)


def quantile(values: NDArray[Any], share: float) -> float:
    """A quantile of some values, read off `_QUANTILE_POINTS` of them where there are more; 0 of none."""
    few = values[thinned(len(values), _QUANTILE_POINTS)]
    if not few.size:
        return 0.0
    place = min(int(share * few.size), few.size - 1)
    return float(np.partition(few, place)[place])


def _reweighted(
    terms: NDArray[np.float64], channels: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> tuple[NDArray[np.float64], Floats]:
    """Iteratively reweighted least squares: soft while outliers still bend the surface, then a clean cut."""
    distance = largest(channels - coefficients.T @ terms)
    steps, soft = 0, True
    while steps < _SOFT_STEPS + _HARD_STEPS:
        limit, typical = _spread(distance)
        outlying = distance > limit
        if not outlying.any() or (steps == 0 and distance[outlying].sum() < _HARMLESS * len(distance)):
            break
        sigma = max(MAD_TO_SIGMA * typical, _ROUNDING)
        weights = 1 / (1 + (distance / sigma) ** 2) ** 2 if soft else ~outlying
        settled = _solve(terms, channels, weights.astype(np.float64))
        moved = float(np.abs(settled - coefficients).max())
        coefficients = settled
        distance = largest(channels - coefficients.T @ terms)
        if not soft and moved < _SETTLED:
            break
        steps += 1
        soft = soft and steps < _SOFT_STEPS and moved > _BENDING
    return coefficients, distance


def _spread(distance: Floats) -> tuple[float, float]:
    """The departure beyond which a point is none of the ground's, and the ground's median departure."""
    near = distance[distance <= _FARTHEST]
    if near.size < 0.2 * distance.size:
        near = distance
    typical = float(np.partition(near, near.size // 2)[near.size // 2])
    return _INLIER_SIGMAS * max(MAD_TO_SIGMA * typical, _ROUNDING), typical


def _share(distance: Floats) -> float:
    """Share of the points that could be ground."""
    return float((distance <= _PLAUSIBLE).mean())


def _median(channels: NDArray[Any]) -> NDArray[np.float64]:
    """The median of each row, as numpy's own, which takes twice the time for so few."""
    low, high = (channels.shape[1] - 1) // 2, channels.shape[1] // 2
    ordered = np.partition(channels, (low, high), axis=1)
    return np.asarray((ordered[:, low].astype(np.float64) + ordered[:, high]) / 2, np.float64)


def _mode(channels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The commonest colour: the mean of the fullest of 8³ cells and its surroundings."""
    colours = channels.T
    cells = (colours / 32).astype(np.intp)
    fullest = np.bincount((cells[:, 0] * 8 + cells[:, 1]) * 8 + cells[:, 2]).argmax()
    centre = (np.array([fullest // 64, fullest // 8 % 8, fullest % 8], np.float32) + 0.5) * 32
    return np.asarray(np.median(colours[np.abs(colours - centre).max(axis=1) <= 24], axis=0), np.float64)


def thinned(count: int, most: int = MOST_POINTS) -> slice:
    """Every n-th of `count` points, so that no more than about `most` are left."""
    return slice(None, None, max(1, count // most))


def local_mean(values: Floats | Image, valid: NDArray[np.bool_], side: int) -> Floats:
    """Means over squares of valid pixels, of the same shape as the values: (H, W) or (H, W, 3)."""
    weights = valid.astype(np.uint8)
    share = cv2.boxFilter(weights, cv2.CV_32F, (side, side))
    share = np.maximum(share, np.float32(1e-6))
    if values.ndim == 3:
        share = cv2.merge([share] * 3)
    known = cv2.copyTo(values, weights)
    return np.asarray(cv2.divide(cv2.boxFilter(known, cv2.CV_32F, (side, side)), share), np.float32)


def _terms(
    x: NDArray[np.number], y: NDArray[np.number], origin: tuple[float, float], scale: float, order: int
) -> NDArray[np.float64]:
    u, v = (np.asarray(x) - origin[0]) / scale, (np.asarray(y) - origin[1]) / scale
    terms = np.empty(((order + 1) * (order + 2) // 2, len(u)))
    terms[0] = 1
    place = 1
    for total in range(1, order + 1):  # each term from one of the order below it
        for _ in range(total):
            terms[place] = terms[place - total] * u
            place += 1
        terms[place] = terms[place - total - 1] * v
        place += 1
    return terms


def _solve(
    terms: NDArray[np.float64], channels: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """(Weighted) least squares; a touch of ridge keeps degenerate point sets (one row of pixels) solvable."""
    weighted = terms if weights is None else terms * weights
    normal: NDArray[np.float64] = weighted @ terms.T
    normal.ravel()[:: len(normal) + 1] += 1e-7 * max(normal[0, 0], 1.0)
    _, coefficients = cv2.solve(normal, weighted @ channels.T)  # a third of numpy's time for so few terms
    return np.asarray(coefficients, np.float64)
