"""Where a thin line goes under the ink, and the way it takes, as its whole cross sections tell it.

Places and directions are complex numbers, x + y i: a direction's conjugate turns what it is multiplied with
into px along it and to its right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import least_squares
from worker.imaging.ground import Floats

Complex = NDArray[np.complex128]
Doubles = NDArray[np.float64]

#: Px that two ends' cross sections may lie off the circle through them, on average.
_ON_CIRCLE = 0.5
#: Times that by which single ones may lie astray.
_ASTRAY = 2.0
#: Parts of a px that a line's cross section is known at.
FINE = 2


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Where a line goes under the ink."""

    #: In px, and the direction into the ink, of length 1.
    point: complex
    direction: complex
    #: What the line adds across its way at every 1 / `FINE` px, (N, 3), left to right as it goes in.
    profile: Floats
    #: Middles of its whole cross sections.
    trace: Complex
    #: Which of the lines that are seen it is the end of.
    line: int = 0
    #: Px behind the point from which on the ink may hide some of it.
    cut: float = 0.0
    #: Whether it is long enough to be followed without a partner.
    is_long: bool = False

    @property
    def half(self) -> int:
        """Px of the profile on each side."""
        return len(self.profile) // (2 * FINE)

    def ahead(self, px: float) -> End:
        """A vanishing partner so far ahead."""
        return End(
            self.point + px * self.direction, -self.direction, np.zeros_like(self.profile), self.trace[:0]
        )


def places(picture: NDArray[np.integer], value: int, left: int, top: int, right: int, bottom: int) -> Floats:
    """Columns and rows of the pixels in part of a picture that have a value, (N, 2)."""
    found = cv2.findNonZero((picture[top:bottom, left:right] == value).view(np.uint8))
    if found is None:
        return np.empty((0, 2), np.float32)
    return np.asarray(found.reshape(-1, 2) + np.array((left, top)), np.float32)


def axis_of(place: Floats, weights: Floats) -> tuple[Floats, Floats, float, float] | None:
    """Centre, direction, length and width of some pixels; None of too few."""
    if len(place) < 4:
        return None
    total = float(weights.sum())
    centre = weights @ place / np.float32(total)
    apart = place - centre
    spread = (apart * weights[:, None]).T @ apart / (total - float(weights @ weights) / total)
    (xx, xy), (_, yy) = spread.tolist()
    angle = 0.5 * math.atan2(2 * xy, xx - yy)
    axis = np.array((math.cos(angle), math.sin(angle)), np.float32)
    least = (xx + yy) / 2 - math.hypot((xx - yy) / 2, xy)
    along = apart @ axis
    return centre, axis, float(along.max() - along.min()) + 1, math.sqrt(12 * max(least, 1 / 12))


def circle(seen: Complex, length: float) -> tuple[float, float, float] | None:
    """The circle, or the straight line, through two ends' cross sections; None where they lie on no such.

    Args:
        seen: Their middles in px along and beside the way from one end to the other.
        length: Of that way, in px.

    Returns:
        a, b and c of y = a + b x + c (x² + y²), in px.
    """
    for _ in range(2):
        x, y = seen.real / length, seen.imag / length
        terms = np.stack([np.ones_like(x), x, x * x + y * y])
        found = least_squares.solve(terms, y[None])[:, 0]
        a, b, c = found.tolist()
        # the equation's remainder to distance: its slope across the way
        off = (y - found @ terms) / np.maximum(np.hypot(b + 2 * c * x, 2 * c * y - 1), 1e-6) * length
        usual = math.sqrt(float(off @ off) / len(off))
        if usual <= _ON_CIRCLE:
            return a * length, b, c / length
        seen = seen[np.abs(off) <= _ASTRAY * usual]  # the last ones are often cut off aslant
    return None


def beside(curve: tuple[float, float, float], x: Doubles) -> Doubles | None:
    """How far such a circle lies beside places along the way, in px; None where it does not reach so far."""
    a, b, c = curve
    free = a + b * x + c * x * x
    root = 1 - 4 * c * free
    if (root <= 0).any():
        return None
    return np.asarray(2 * free / (1 + np.sqrt(root)), np.float64)
