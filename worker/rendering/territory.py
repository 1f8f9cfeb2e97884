"""Each block's own ground: its ink and the little it needs around it, shared fairly where boxes overlap."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from worker.job import Polygon
from worker.rendering.frame import Rect
from worker.rendering.ink import BESIDE, Ink

#: Room a line of any script needs above and below its baseline, in em.
_ABOVE, _BELOW = 0.9, 0.25
#: Share of an OCR box above and below its ink.
_BOX_MARGIN = 0.09
#: Share of the page's width beyond which empty ground beside all text is no margin.
_WIDEST_MARGIN = 0.08
#: One in so many texts may stand outside the margin, and no more than so many.
_AMONG, _MOST_OUTSIDE = 8, 2
#: Neighbours farther away than this many em (beside the block's own length) can never matter.
FAR = 60.0


def homes_of(
    inks: Sequence[Ink], obstacles: Sequence[Polygon], width: int, height: int
) -> list[tuple[Rect, tuple[Rect, ...]]]:
    """For each block, in its frame: its own rectangle, and those of all other text near it.

    Args:
        inks: The blocks.
        obstacles: Polygons of text that stays.
        width: Of the page, px.
        height: Of the page, px.
    """
    roomy = [_roomy(ink) for ink in inks]
    quads = [ink.frame.quad(rect) for ink, rect in zip(inks, roomy, strict=True)]
    quads += [np.asarray(polygon, np.float32) for polygon in obstacles]
    boxes = np.array([[*quad.min(axis=0), *quad.max(axis=0)] for quad in quads]).reshape(-1, 4)
    on_page = [_trimmed(Rect(*edges), stays=place >= len(inks)) for place, edges in enumerate(boxes.tolist())]
    homes = []
    for index, (ink, own) in enumerate(zip(inks, roomy, strict=True)):
        left, top, right, bottom = boxes[index]
        far = FAR * ink.size
        near = (
            (boxes[:, 0] < right + far)
            & (boxes[:, 2] > left - far)
            & (boxes[:, 1] < bottom + far)
            & (boxes[:, 3] > top - far)
        )
        near[index] = False
        neighbours = np.flatnonzero(near).tolist()
        others = [
            on_page[other]
            if ink.frame.is_page
            else _trimmed(ink.frame.rect_around(quads[other]), stays=other >= len(inks))
            for other in neighbours
        ]
        home = own
        for place, other in enumerate(neighbours):
            if others[place].overlaps(own) and _meet(quads[index], quads[other]):
                home, others[place] = _shared(home, others[place]), _shared(others[place], home)
        homes.append((_on_page(home, ink, width, height), tuple(others)))
    return homes


def text_margin(inks: Sequence[Ink], obstacles: Sequence[Polygon], width: int) -> float:
    """Px that the page keeps free at its left and right: the smaller of both sides.

    A ribbon or a badge at the page's edge among many texts is no measure for them.
    """
    sides = [quad[:, 0] for quad in (*(ink.frame.quad(ink.rect) for ink in inks), *obstacles)]
    if not sides:
        return 0.0
    outermost = min(len(sides) // _AMONG, _MOST_OUTSIDE)
    left = sorted(float(xs.min()) for xs in sides)[outermost]
    right = sorted((float(xs.max()) for xs in sides), reverse=True)[outermost]
    return max(0.0, min(left, width - right, _WIDEST_MARGIN * width))


def _meet(one: Polygon, two: Polygon) -> bool:
    """Whether two convex polygons overlap by more than a touch."""
    area, _ = cv2.intersectConvexConvex(np.asarray(one, np.float32), np.asarray(two, np.float32))
    return float(area) > 1.0


def _roomy(ink: Ink) -> Rect:
    """The ink's extents with room for ascenders, descenders and side bearings."""
    rect, size = ink.rect, ink.size
    baselines = [line.baseline for line in ink.lines]
    if ink.vertical:
        return rect.grown(BESIDE * size, BESIDE * size)
    return Rect(
        rect.left - BESIDE * size,
        min(rect.top, min(baselines) - _ABOVE * size),
        rect.right + BESIDE * size,
        max(rect.bottom, max(baselines) + _BELOW * size),
    )


def _trimmed(rect: Rect, stays: bool) -> Rect:
    """The extents of other text; of text that stays its OCR box is known, less its usual margin."""
    return rect.grown(0, -_BOX_MARGIN * rect.height) if stays else rect


def _shared(home: Rect, other: Rect) -> Rect:
    """What is left of `home` when it and an overlapping neighbour meet in the middle of the overlap."""
    across = min(home.right, other.right) - max(home.left, other.left)
    down = min(home.bottom, other.bottom) - max(home.top, other.top)
    if across <= 0 or down <= 0:
        return home
    if down <= across:
        middle = (max(home.top, other.top) + min(home.bottom, other.bottom)) / 2
        if home.centre[1] <= other.centre[1]:
            return Rect(home.left, home.top, home.right, max(middle, home.top))
        return Rect(home.left, min(middle, home.bottom), home.right, home.bottom)
    middle = (max(home.left, other.left) + min(home.right, other.right)) / 2
    if home.centre[0] <= other.centre[0]:
        return Rect(home.left, home.top, max(middle, home.left), home.bottom)
    return Rect(min(middle, home.right), home.top, home.right, home.bottom)


def _on_page(home: Rect, ink: Ink, width: int, height: int) -> Rect:
    """Cut to the page (upright frames only: a tilted rectangle has no simple edge with it)."""
    if not ink.frame.is_page:
        return home
    left, top = max(home.left, 0.0), max(home.top, 0.0)
    return Rect(left, top, max(min(home.right, width), left), max(min(home.bottom, height), top))
