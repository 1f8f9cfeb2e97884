"""Patches into the page."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image, Mask, Patch


def composite(rgb: Image, patches: Iterable[Patch]) -> Image:
    """The plate: a copy of the page with the patches blended in, in their order.

    The page itself is not changed (its style is still measured, and its pixels stand for blocks that get no
    translation). Pixels where every alpha is 0 are bit-identical.
    """
    plate = rgb.copy()
    for patch in patches:
        blend(plate, patch)
    return plate


def blend(rgb: Image, patch: Patch, left: int = 0, top: int = 0) -> None:
    """Blends a patch into an image in place; the image's first pixel lies at (left, top) on the page.

    What lies outside the image is left out.
    """
    height, width = rgb.shape[:2]
    box = patch.box
    x0, x1 = max(box.left - left, 0), min(box.right - left, width)
    y0, y1 = max(box.top - top, 0), min(box.bottom - top, height)
    if x0 >= x1 or y0 >= y1:
        return
    inner = (
        slice(y0 + top - box.top, y1 + top - box.top),
        slice(x0 + left - box.left, x1 + left - box.left),
    )
    alpha = patch.alpha[inner][..., None].astype(np.uint16)
    under = rgb[y0:y1, x0:x1]
    mixed = patch.rgb[inner].astype(np.uint16) * alpha + under * (255 - alpha)
    under[...] = (mixed + 127) // 255  # rounds to nearest; exact for alpha 0 and 255


def feathered(mask: Mask, feather: int) -> NDArray[np.uint8]:
    """Alpha of a mask: 0 outside, rising over `feather` px inwards, 255 from there on.

    The page's edge is no edge of the mask: nothing fades there.
    """
    depth = cv2.distanceTransform((mask > 0).astype(np.uint8), cv2.DIST_L2, 3)
    faded = np.minimum(depth, feather + 1) * (255 / (feather + 1))
    return np.asarray(np.rint(faded), np.uint8)
