"""The page's text, its ink and where all that lies, found quickly for any part of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.imaging.boxes import moved, padded, paste
from worker.imaging.plan import Hole
from worker.imaging.quads import filled
from worker.imaging.site import Site
from worker.job import Box, Image, Mask, Polygon, Region


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Masks and where they lie on the page, found quickly."""

    boxes: Sequence[Box]
    masks: Sequence[Mask]
    #: (N, 4): left, top, right, bottom
    corners: NDArray[np.intp]

    @classmethod
    def of(cls, items: Sequence[Region] | Sequence[Hole]) -> Placed:
        boxes = [item.box for item in items]
        return cls(boxes, [item.mask for item in items], corners_of(boxes))

    @classmethod
    def unread(cls, regions: Sequence[Region]) -> Placed:
        found = [(region.box, region.unread) for region in regions if region.unread is not None]
        boxes = [box for box, _ in found]
        return cls(boxes, [mask for _, mask in found], corners_of(boxes))

    def over(self, box: Box) -> Mask:
        """Everything inside a box."""
        mask = np.zeros((box.height, box.width), np.uint8)
        for index in meeting(self.corners, box):
            paste(mask, self.masks[index], self.boxes[index], box)
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class PageText:
    """All text of the page: what is erased, and what stays."""

    ink: Placed
    #: Beside it, and not read by the OCR engine.
    unread: Placed
    kept: tuple[Polygon, ...]
    #: Of the kept text's bounding boxes, as `Placed.corners`.
    extents: NDArray[np.intp]

    @classmethod
    def of(cls, regions: Sequence[Region], kept: Sequence[Polygon]) -> PageText:
        return cls(Placed.of(regions), Placed.unread(regions), tuple(kept), _extents(kept))

    def site(self, rgb: Image, hole: Hole, margin: int, text_height: float) -> Site:
        """A hole and its surroundings."""
        box = padded(hole.box, margin, rgb)
        kept = filled([self.kept[index] for index in meeting(self.extents, box)], box)
        free = self.ink.over(box) == 0
        return Site(
            box, rgb[box.slices], moved(hole.mask, hole.box, box), free, free & (kept == 0), text_height
        )


def _extents(polygons: Sequence[Polygon]) -> NDArray[np.intp]:
    points = np.array(polygons, np.float32).reshape(-1, 4, 2)
    corners = np.concatenate([np.floor(points.min(axis=1)), np.ceil(points.max(axis=1))], axis=1)
    return corners.astype(np.intp)


def corners_of(boxes: Sequence[Box]) -> NDArray[np.intp]:
    """Left, top, right and bottom of some boxes, (N, 4)."""
    corners = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    return np.array(corners, np.intp).reshape(-1, 4)


def meeting(corners: NDArray[np.intp], box: Box) -> list[int]:
    """Indices of the boxes that meet another one."""
    left, top, right, bottom = corners.T
    meets = (left < box.right) & (right > box.left) & (top < box.bottom) & (bottom > box.top)
    return [int(index) for index in np.flatnonzero(meets)]
