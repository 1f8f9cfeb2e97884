"""Where a thin line goes under the ink, and the way it takes, as its whole cross sections tell it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import least_squares
from worker.imaging.ground import Floats

#: Px beside a line that belong to its cross section.
_BESIDE = 1.5
#: Squared px along a line below which its pixels tell little about its direction.
_STIFF = 1.5
#: Fewer whole cross sections than this tell no direction.
_FEWEST = 4
#: A curve is seen in so many cross sections, and leaves at most this share of what a straight line does.
_CURVED, _CLEARER = 12, 0.5
#: Px that two ends' cross sections may lie off the circle through them, on average.
_ON_CIRCLE = 0.5
#: Times that by which single ones may lie astray.
_ASTRAY = 2.0
#: Parts of a px that a line's cross section is known at.
FINE = 2
#: Two contacts of a line that goes on in the same direction within this cosine are one end.
_SAME_WAY = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Where a line goes under the ink."""

    #: x, y in px, and the unit vector into the ink.
    point: Floats
    direction: Floats
    #: What the line adds across its way at every 1 / `FINE` px, (N, 3), left to right as it goes in.
    profile: Floats
    #: Middles of its whole cross sections, columns and rows, (K, 2).
    trace: Floats
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

    def is_near(self, contact: Floats) -> bool:
        """Whether its line touches the ink at this contact too, a little further back."""
        along, aside = self._from(np.add.reduce(contact) / np.float32(len(contact)))
        return abs(aside) <= self.half and -2 * self.half <= along <= 0 and len(self.trace) > 3 * self.half

    def reaching(self, contact: Floats) -> End:
        """The same, whose line may be hidden from another contact on."""
        return replace(self, cut=max(self.cut, float(((self.point - contact) @ self.direction).max())))

    def covering(self, others: list[End]) -> End:
        """The same, whose line may be hidden from the others on."""
        cuts = [float((self.point - other.point) @ self.direction) + other.cut for other in others]
        return replace(self, cut=max([self.cut, *cuts]))

    def continues(self, other: End) -> bool:
        """Whether another end of the same line is this one, further back."""
        along, aside = self._from(other.point)
        same_way = float(self.direction @ other.direction) > _SAME_WAY
        return same_way and along <= 0 and abs(aside) <= self.half

    def _from(self, place: Floats) -> tuple[float, float]:
        """How far ahead and aside of it a place lies, in px."""
        (x, y), (ahead, aside) = (place - self.point).tolist(), self.direction.tolist()
        return x * ahead + y * aside, y * ahead - x * aside


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


def middles(
    place: Floats, weights: Floats, hidden: Floats, centre: Floats, axis: Floats, thick: float
) -> tuple[Floats, Floats]:
    """The middles of a line's whole cross sections, one for each px along it, and what each weighs.

    Args:
        place: Columns and rows of the line's pixels, (N, 2).
        weights: How far each departs from the ground.
        hidden: Columns and rows of what is not seen around them, (M, 2): it cuts cross sections off aslant.
        centre: Near the line.
        axis: About its direction.
        thick: Its width in px.

    Returns:
        (K, 2) in px along the axis and to its right, and (K,).
    """
    across = np.array((axis, (-axis[1], axis[0])), np.float32)
    along, off = across @ (place - centre).T
    low, high = float(along.min()), float(along.max())
    first, count = math.floor(low), int(high - low) + 2
    section = (along - first).astype(np.intp)
    total = np.bincount(section, weights, count)
    there, aside = across @ (hidden - centre).T
    cutting = np.abs(aside) <= thick / 2 + _BESIDE
    cut = np.floor(there[cutting] - first)
    whole = total > 0
    whole[cut[(cut >= 0) & (cut < count)].astype(np.intp)] = False
    if np.count_nonzero(whole) < _FEWEST:  # all but the ends
        margin = min(thick / 2, count / 3)
        at = np.arange(count) + 0.5
        whole = (total > 0) & (at > margin) & (at < count - margin)
    total = np.maximum(total, 1e-6)
    sums = (np.bincount(section, weights * each, count) / total for each in (along, off))
    return np.stack(list(sums), axis=1)[whole].astype(np.float32), total[whole].astype(np.float32)


def straightened(
    middle: Floats, weights: Floats, centre: Floats, axis: Floats
) -> tuple[Floats, Floats, float]:
    """Centre and direction of the line through the middles of cross sections, and how far it turns."""
    total = max(float(weights.sum()), 1e-6)
    along, aside = (weights @ middle / np.float32(total)).tolist()
    ahead, off = (middle - np.array((along, aside), np.float32)).T
    turn = float(weights @ (ahead * off)) / max(float(weights @ ahead**2) + _STIFF * total, 1e-6)
    normal = np.array((-axis[1], axis[0]), np.float32)
    return (
        np.asarray(centre + along * axis + aside * normal, np.float32),
        np.asarray((axis + turn * normal) / math.hypot(1, turn), np.float32),
        turn,
    )


def bend(middle: Floats) -> tuple[float, float, float]:
    """How a nearly straight line bends: a, b and c of its px aside, a + b x + c x², x px along it."""
    if len(middle) < _CURVED:
        return 0.0, 0.0, 0.0
    along, off = middle.T.astype(np.float64)
    terms = np.stack([np.ones_like(along), along, along * along])
    found = [least_squares.solve(terms[:count], off[None], None)[:, 0] for count in (2, 3)]
    straight, curved = (np.square(off - each @ terms[: len(each)]).sum() for each in found)
    a, b, c = found[1].tolist()
    return (a, b, c) if curved <= _CLEARER * straight else (0.0, 0.0, 0.0)


def circle(seen: Floats, length: float) -> tuple[float, float, float] | None:
    """The circle, or the straight line, through two ends' cross sections; None where they lie on no such.

    Args:
        seen: Their middles in px along and beside the way from one end to the other, (N, 2).
        length: Of that way, in px.

    Returns:
        a, b and c of y = a + b x + c (x² + y²), in px.
    """
    for _ in range(2):
        x, y = (seen / np.float32(length)).T.astype(np.float64)
        terms = np.stack([np.ones_like(x), x, x * x + y * y])
        found = least_squares.solve(terms, y[None], None)[:, 0]
        a, b, c = found.tolist()
        # the equation's remainder to distance: its slope across the way
        off = (y - found @ terms) / np.maximum(np.hypot(b + 2 * c * x, 2 * c * y - 1), 1e-6) * length
        usual = math.sqrt(float(off @ off) / len(off))
        if usual <= _ON_CIRCLE:
            return a * length, b, c / length
        seen = seen.compress(np.abs(off) <= _ASTRAY * usual, axis=0)  # the last ones are often cut off aslant
    return None


def beside(curve: tuple[float, float, float], x: Floats) -> Floats | None:
    """How far such a circle lies beside places along the way, in px; None where it does not reach so far."""
    a, b, c = curve
    free = a + b * x + c * x * x
    root = 1 - 4 * c * free
    if (root <= 0).any():
        return None
    return np.asarray(2 * free / (1 + np.sqrt(root)), np.float32)
