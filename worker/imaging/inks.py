"""Two inks on one ground, told apart by where their colours lie from it: a watermark and what it crosses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.pixels import beyond, both, contrast_of, less, reaching, some_of, square, widened
from worker.job import Image, Mask

#: How colours depart from the ground, (N, 3).
Offsets = NDArray[np.float32]

#: Two inks depart to different sides below this cosine; to the same one by levels so far apart at least.
_ONE_SIDE, _UNLIKE = 0.85, 60.0
#: Levels beside the way from the ground to an ink that may be its soft edge.
_EDGE = 30.0
#: Share of an ink's pixels that depart less than it does itself.
_STRONGEST = 0.95
#: Share of its own contrast from which on a pixel has an ink's colour, and from which on it is its soft edge.
_PURE, _SOFT = 0.7, 0.3
#: Share of the most that departs within two px from which on a pixel lies on a stroke's ridge.
_RIDGE = 0.8
#: Pixels that tell a colour, at most and at least.
_FEW, _LEAST = 300, 9
#: Share of a line's bold ink beside the other's box, and in it, that must be unlike the other's.
_MOST_BESIDE, _LEAST_WITHIN = 0.5, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Over:
    """A page over its ground: pixels and ground (H, W, 3), and the levels by which they differ (H, W)."""

    pixels: Image
    plain: Image
    departure: Image

    def offsets(self, mask: Mask) -> Offsets:
        """How some of a mask's pixels depart."""
        columns, rows = some_of(mask, _FEW)
        return self.pixels[rows, columns].astype(np.float32) - self.plain[rows, columns]

    def pure(self, ink: Mask) -> Offsets:
        """How an ink's own colour departs, beside its soft edges; nothing of too little ink."""
        if cv2.countNonZero(ink) < _LEAST:
            return np.zeros((0, 3), np.float32)
        return self.offsets(both(ink, beyond(self.departure, _PURE * contrast_of(self.departure, ink))))

    def ridges(self, mask: Mask) -> Mask:
        """What of a mask departs about as much as anything beside it: strokes, not JPEG's colours there."""
        most = cv2.convertScaleAbs(widened(both(self.departure, mask), square(2)), alpha=_RIDGE)
        return both(reaching(self.departure, np.asarray(most, np.uint8)), mask)

    def side(self, axis: NDArray[np.float32], least: float = 0.0) -> Mask:
        """Where pixels depart by more than so many levels to the side to which an axis points."""
        signed = cv2.subtract(self.pixels, self.plain, dtype=cv2.CV_16S)
        return np.asarray(cv2.inRange(cv2.transform(signed, axis[None]), int(least) + 1, 255 * 3), np.uint8)


def parted(
    over: Over, candidates: Mask, bold: Mask, inside: Mask, theirs: Mask, nobodys: Mask
) -> tuple[Mask, Mask] | None:
    """What of the ink in the box of a line that stays is its own, and what is that of an erased line.

    None where their colours do not tell.

    Args:
        over: The page and its ground.
        candidates: Everything that may be ink.
        bold: What of it is so for certain.
        inside: The box of the erased line.
        theirs: That of the line that stays.
        nobodys: Where a third line's ink may be.
    """
    # on ridges: all that leaves the erased line's box may be the soft edge of what stands in it
    ridges = over.ridges(both(candidates, theirs))
    pure = over.pure(less(less(ridges, nobodys), inside))
    if not len(pure):
        return None
    second = np.asarray(np.median(pure, axis=0), np.float32)
    bold = both(bold, inside)
    first = _unlike(over, second, _strength(pure), less(bold, theirs), both(bold, theirs))
    if first is None:
        return None
    candidates = both(candidates, theirs)
    soft = both(candidates, beyond(over.departure, _SOFT * float(np.abs(second).max())))
    if _cosine(first, second) < _ONE_SIDE:
        ours = both(candidates, over.side(_unit(first) - _unit(second)))
    else:
        # a fainter ink is told from the soft edge of a stronger one by its place alone
        between = (np.linalg.norm(first) + np.linalg.norm(second)) / 2
        ours = both(candidates, widened(over.side(_unit(first), float(between)), square(1)))
    return less(soft, ours), ours


def _unlike(
    over: Over, second: NDArray[np.float32], strength: float, beside: Mask, within: Mask
) -> NDArray[np.float32] | None:
    """The colour of a line's ink, unlike that of another; None where most of it, or nearly all, is alike."""
    area, least = (within, _LEAST_WITHIN)
    if cv2.countNonZero(beside) >= _LEAST:
        area, least = beside, _MOST_BESIDE
    offsets = over.offsets(area)
    along = (offsets @ second / (second @ second)).clip(0, 1)[:, None]
    unlike = np.abs(offsets - along * second).max(axis=1) > _EDGE
    if np.count_nonzero(unlike) < max(least * len(offsets), _LEAST):
        return None
    first = np.asarray(np.median(offsets[unlike], axis=0), np.float32)
    if _cosine(first, second) < _ONE_SIDE:
        return first
    return first if abs(_strength(offsets[unlike]) - strength) >= _UNLIKE else None


def _strength(offsets: Offsets) -> float:
    """How far an ink departs where it does most: thin strokes of it are fainter in most places."""
    return float(np.quantile(np.linalg.norm(offsets, axis=1), _STRONGEST))


def _cosine(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    return float(_unit(one) @ _unit(two))


def axis_between(offsets: Offsets) -> NDArray[np.float32] | None:
    """The axis along which two inks depart to different sides, (3,); None where there is one ink only.

    Args:
        offsets: How ink departs from the ground, (N, 3), in levels.
    """
    if len(offsets) < _LEAST:
        return None
    units = offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1.0)
    few = max(len(units) // 20, 3)
    one = _farthest(units, units.mean(axis=0), few)
    two = _farthest(units, one, few)
    for _ in range(3):
        nearer = units @ one > units @ two
        if not few <= np.count_nonzero(nearer) <= len(units) - few:
            return None
        one, two = (_unit(units[chosen].mean(axis=0)) for chosen in (nearer, ~nearer))
    if one @ two > _ONE_SIDE:
        return None
    return np.asarray(_unit(one - two), np.float32)


def _farthest(units: Offsets, direction: NDArray[np.float32], few: int) -> NDArray[np.float32]:
    """The direction of those that point away from another most."""
    away = np.argpartition(units @ direction, few)[:few]
    return _unit(units[away].mean(axis=0))


def _unit(direction: NDArray[np.float32]) -> NDArray[np.float32]:
    return direction / max(float(np.linalg.norm(direction)), 1e-6)
