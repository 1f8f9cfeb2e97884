"""What lies under the text: a smooth surface fitted to the ground around and between the strokes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import least_squares
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
_POWERS = tuple((total - y, y) for total in range(6) for y in range(total + 1))
#: Points a fit looks at; more change the surface by less than a hundredth of a level.
MOST_POINTS = 1000
#: Values that a quantile is read off.
_QUANTILE_POINTS = 4000
#: Departure in levels up to which a point may be ground, and the share of such points above which a fit needs
#: no second start.
_PLAUSIBLE, _ENOUGH = 12.0, 0.75
_FAR_OFF = 4.0
#: Ground is nearly one colour where half of its points depart from that by so few levels at most, and such a
#: share of all by no more than noise or a gradient of that kind would.
_NEAR, _NEARLY_ALL = 20.0, 0.9


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
        if self.order == 0:
            return np.asarray(colours.T - self.coefficients.T, np.float32)
        terms = _terms(x, y, self.origin, self.scale, self.order)
        return colours.T - self.coefficients.T.astype(np.float32) @ terms

    def over(self, width: int, height: int, left: int = 0, top: int = 0) -> Floats:
        """Colours (height, width, 3) of the pixels of a box, float and unclipped."""
        if self.order == 0:
            return np.broadcast_to(self.coefficients[0].astype(np.float32), (height, width, 3))
        # separable: powers of x once for a row, powers of y once for a column
        u, v = (
            np.vander((np.arange(first, first + size) - origin) / self.scale, self.order + 1, increasing=True)
            for first, size, origin in ((left, width, self.origin[0]), (top, height, self.origin[1]))
        )
        weights = np.zeros((self.order + 1, self.order + 1, 3))
        for (x_power, y_power), colour in zip(_POWERS, self.coefficients, strict=False):
            weights[y_power, x_power] = colour
        row = np.ascontiguousarray(u @ weights, np.float32).reshape(self.order + 1, -1)
        return np.asarray((v.astype(np.float32) @ row).reshape(height, width, 3), np.float32)

    def leaves(self, pixels: Image, plain: Floats) -> Floats:
        """What is left of pixels (H, W, 3) over the surface's colours there, of the same shape."""
        ground = plain if self.order else np.append(self.coefficients[0], 0.0)  # four numbers are one colour
        return np.asarray(cv2.subtract(pixels, ground, dtype=cv2.CV_32F), np.float32)

    def levels(self, width: int, height: int) -> Image:
        """The same, rounded to whole levels."""
        low, high = (np.rint(limit.clip(0, 255)) for limit in self._limits(width, height))
        if (low == high).all():
            return sheet(low.astype(np.uint8), width, height)
        plain = self.over(width, height)
        if not low.all():
            np.maximum(plain, 0, out=plain)
        return cv2.convertScaleAbs(plain).astype(np.uint8, copy=False)

    def _limits(self, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Levels below and above which no channel lies anywhere in a box."""
        if self.order == 0:
            return self.coefficients[0], self.coefficients[0]
        u = max(self.origin[0], width - 1 - self.origin[0]) / self.scale
        v = max(self.origin[1], height - 1 - self.origin[1]) / self.scale
        farthest = np.array([u**x * v**y for x, y in _POWERS[: len(self.coefficients)]])
        bend = farthest[1:] @ np.abs(self.coefficients[1:])
        return self.coefficients[0] - bend, self.coefficients[0] + bend


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Ground pixels that surfaces of several orders are fitted to."""

    #: (terms of the highest order, N) and (3, N)
    terms: Floats
    channels: Floats
    origin: tuple[float, float]
    scale: float

    @classmethod
    def of(cls, x: NDArray[np.integer], y: NDArray[np.integer], colours: Floats, highest: int) -> Points:
        """Points from N page columns, rows and colours, (N, 3)."""
        origin = (float(x.mean()), float(y.mean()))
        scale = float(max(np.ptp(x), np.ptp(y), 1)) / 2
        channels = np.ascontiguousarray(colours.T, np.float32)
        return cls(_terms(x, y, origin, scale, highest), channels, origin, scale)

    def is_level(self, surface: Surface, slope: float) -> bool:
        """Whether what one colour leaves over has no trend of so many levels from the middle to the edge."""
        left = self.channels - surface.coefficients.T
        distance = largest(left)
        weights = (distance <= least_squares.spread(distance)[0]).astype(np.float64)
        trend = least_squares.solve(self.terms[:6], left, weights)[1:]
        return bool(np.abs(trend).max() <= slope)


def fit(points: Points, order: int, *, again: bool = True) -> Surface:
    """Fits a surface robustly: what does not lie on it (ink, edges) has no say.

    Args:
        points: Where the ground was seen; made for this order or a higher one.
        order: 0 one colour, 1 a plane, 2 and more curved gradients.
        again: Whether to start once more at the commonest colour where too little lies on it.
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
        coefficients, distance = least_squares.reweighted(
            terms, channels, least_squares.solve(terms, channels)
        )
        if again and _share(distance) < _ENOUGH:  # two grounds: settle on the commoner one
            start = np.zeros_like(coefficients)
            start[0] = _mode(channels)
            other, its_distance = least_squares.reweighted(terms, channels, start)
            if _share(its_distance) > _share(distance):
                coefficients, distance = other, its_distance
    return _surface(points, order, coefficients, distance)


def lowered(points: Points, surface: Surface, order: int) -> Surface:
    """The surface of a lower order through what lies on another one."""
    terms = points.terms[: (order + 1) * (order + 2) // 2]
    start = surface.coefficients[: len(terms)]
    higher = surface.coefficients.T.astype(np.float32)
    apart = points.channels - higher @ points.terms[: higher.shape[1]]
    coefficients, distance = least_squares.trimmed(terms, points.channels, start, largest(apart))
    return _surface(points, order, coefficients, distance)


def _surface(points: Points, order: int, coefficients: NDArray[np.float64], distance: Floats) -> Surface:
    limit, typical = least_squares.spread(distance)
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
    channels = np.ascontiguousarray(colours.T)
    middle = _median(channels)
    red, green, blue = (channel == level for channel, level in zip(channels, middle, strict=True))
    if np.count_nonzero(red & green & blue) >= flat * len(colours):
        return Surface(0, middle[None], (0.0, 0.0), 1.0, sigma=0.0, inliers=1.0, misfit=0.0)
    points = Points.of(x, y, colours.astype(np.float32), 2)
    distance = largest(points.channels - middle[:, None])
    limit, typical = least_squares.spread(distance)
    if typical > _NEAR or np.count_nonzero(distance <= limit) < _NEARLY_ALL * len(colours):
        return fit(points, 2)
    start = np.zeros((len(points.terms), 3))  # nearly one colour: what is far from it is none of the ground
    start[0] = middle
    coefficients, distance = least_squares.trimmed(points.terms, points.channels, start, distance)
    return _surface(points, 2, coefficients, distance)


def sheet(colour: Image, width: int, height: int) -> Image:
    """One colour, (3,), everywhere: (height, width, 3)."""
    levels = np.empty((height, width, 3), np.uint8)
    levels[:1] = colour
    levels[1:] = levels[:1]  # whole rows are copied faster than single colours
    return levels


def largest(residuals: NDArray[np.floating]) -> Floats:
    """The largest departure over the channels, (3, …) → (…)."""
    return np.asarray(np.maximum.reduce(np.abs(residuals)), np.float32)


def departure(pixels: Pixels, plain: Pixels | None = None) -> Pixels:
    """How far pixels depart from a ground (from 0) in the channel that departs most, (H, W, 3) → (H, W)."""
    apart = np.abs(pixels) if plain is None else cv2.absdiff(pixels, plain)
    one, two, three = (apart[..., channel] for channel in range(3))
    return np.maximum(np.maximum(one, two), three)


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


def _share(distance: Floats) -> float:
    """Share of the points that could be ground."""
    return np.count_nonzero(distance <= _PLAUSIBLE) / len(distance)


def _median(channels: NDArray[Any]) -> NDArray[np.float64]:
    """The median of each row, as numpy's own, which takes twice the time for so few."""
    low, high = (channels.shape[1] - 1) // 2, channels.shape[1] // 2
    ordered = np.partition(channels, (low, high), axis=1)
    return np.asarray((ordered[:, low].astype(np.float64) + ordered[:, high]) / 2, np.float64)


def _mode(channels: Floats) -> NDArray[np.float64]:
    """The commonest colour: the mean of the fullest of 8³ cells and its surroundings."""
    red, green, blue = (channels / 32).astype(np.intp)
    fullest = int(np.bincount((red * 8 + green) * 8 + blue).argmax())
    centre = (np.array([fullest // 64, fullest // 8 % 8, fullest % 8], np.float32) + 0.5) * 32
    return _median(channels.compress(largest(channels - centre[:, None]) <= 24, axis=1))


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
) -> Floats:
    terms = np.empty(((order + 1) * (order + 2) // 2, len(x)), np.float32)
    terms[0] = 1
    if order:
        terms[1], terms[2] = (x - origin[0]) / scale, (y - origin[1]) / scale
    place = 3
    for total in range(2, order + 1):  # each term from one of the order below it
        after = place + total
        np.multiply(terms[place - total : place], terms[1], out=terms[place:after])
        np.multiply(terms[place - 1], terms[2], out=terms[after])
        place = after + 1
    return terms
