"""Which lines come near each other, and which of them hold the same text twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.job import TextLine

#: Intersection over union, and share of the smaller box covered, above which two boxes hold the same text.
_SAME_BOX, _CONTAINED = 0.6, 0.9
#: With these signs, whatever edge lies further inwards is the greater one.
_INWARD = np.array([1, 1, -1, -1], np.float32)


def boxes_of(lines: list[TextLine]) -> NDArray[np.float32]:
    """Bounding boxes (N, 4): left, top, right, bottom."""
    corners = np.array([line.polygon for line in lines], np.float32).reshape(-1, 4, 2)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def near(boxes: NDArray[np.float32], index: int, reach: float) -> NDArray[np.intp]:
    """Indices of the other boxes that come within `reach` px of one."""
    left, top, right, bottom = boxes[index].tolist()
    farthest = np.array([right + reach, bottom + reach, reach - left, reach - top], np.float32)
    found = np.flatnonzero((boxes * _INWARD <= farthest).all(axis=1))
    return np.asarray(found[found != index], np.intp)


def without_duplicates(lines: list[TextLine]) -> list[TextLine]:
    """Keeps one of two boxes around the same text: the surer, or the longer where one holds the other."""
    boxes = boxes_of(lines)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    dropped = np.zeros(len(lines), bool)
    for index in range(len(lines)):
        others = near(boxes, index, 0.0)
        if dropped[index] or others.size == 0:
            continue
        low = np.maximum(boxes[others, :2], boxes[index, :2])
        high = np.minimum(boxes[others, 2:], boxes[index, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        for other, common in zip(others, shared, strict=True):
            if dropped[other]:
                continue
            loser = _lesser(lines, areas, index, int(other), float(common))
            if loser is not None:
                dropped[loser] = True
            if loser == index:
                break
    return [line for line, gone in zip(lines, dropped, strict=True) if not gone]


def _lesser(
    lines: list[TextLine], areas: NDArray[np.float32], one: int, two: int, shared: float
) -> int | None:
    """Which of two overlapping lines repeats the other, if either does."""
    if shared > _SAME_BOX * (areas[one] + areas[two] - shared):
        return min((one, two), key=lambda index: (lines[index].score, -index))
    small, large = sorted((one, two), key=lambda index: float(areas[index]))
    held = shared > _CONTAINED * areas[small] and lines[small].text in lines[large].text
    return small if held else None
