"""Boxes of a page, and masks that lie in them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Box, Mask


def padded(box: Box, margin: int, picture: NDArray[np.generic]) -> Box:
    """A box grown by a margin, as far as the picture goes."""
    height, width = picture.shape[:2]
    return Box(
        max(box.left - margin, 0),
        max(box.top - margin, 0),
        min(box.right + margin, width),
        min(box.bottom + margin, height),
    )


def paste(target: Mask, mask: Mask, source: Box, box: Box) -> None:
    """Adds a mask that lies at `source` to one that covers `box`, as far as they meet."""
    left, right = max(source.left, box.left), min(source.right, box.right)
    top, bottom = max(source.top, box.top), min(source.bottom, box.bottom)
    if left < right and top < bottom:
        view = target[top - box.top : bottom - box.top, left - box.left : right - box.left]
        view |= mask[top - source.top : bottom - source.top, left - source.left : right - source.left]


def moved(mask: Mask, source: Box, box: Box) -> Mask:
    """A mask of `source` as one of another box, as far as they meet."""
    target = np.zeros((box.height, box.width), np.uint8)
    paste(target, mask, source, box)
    return target


def ink_box(mask: Mask) -> Box:
    """The bounding box of a mask's pixels."""
    left, top, width, height = cv2.boundingRect(mask)
    return Box(left, top, left + width, top + height)


def common(one: Box, other: Box) -> Box:
    """Where two boxes meet; without area where they do not."""
    left, top = max(one.left, other.left), max(one.top, other.top)
    return Box(left, top, max(min(one.right, other.right), left), max(min(one.bottom, other.bottom), top))


def union(one: Box, other: Box) -> Box:
    """The smallest box around two."""
    return Box(
        min(one.left, other.left),
        min(one.top, other.top),
        max(one.right, other.right),
        max(one.bottom, other.bottom),
    )


def inside(box: Box, outer: Box) -> Box:
    """A box of the page, given inside another one."""
    return Box(box.left - outer.left, box.top - outer.top, box.right - outer.left, box.bottom - outer.top)


def on_page(inner: Box, outer: Box) -> Box:
    """A box given inside another one, on the page."""
    return Box(
        outer.left + inner.left, outer.top + inner.top, outer.left + inner.right, outer.top + inner.bottom
    )
