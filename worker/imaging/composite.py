"""Patches into the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image, Mask, Page, Patch

#: Px around erased ink that tell how transparent its ground is.
_BESIDE = 3


def composite(rgb: Image, patches: Iterable[Patch]) -> Image:
    """The plate: a copy of the page with the patches blended in, in their order.

    The page itself is not changed (its style is still measured, and its pixels stand for blocks that get no
    translation). Pixels where every alpha is 0 are bit-identical.
    """
    plate = rgb.copy()
    for patch in patches:
        blend(plate, patch)
    return plate


def erased_page(page: Page, plate: Image, patches: Iterable[Patch]) -> Page:
    """The page as a plate; where ink stood on a transparent ground, it is as transparent as around the ink.

    Args:
        page: As decoded.
        plate: Its pixels with the patches blended in.
        patches: Those that were.
    """
    if page.alpha is None:
        return replace(page, rgb=plate)
    erased = np.zeros(page.alpha.shape, np.uint8)
    around: list[tuple[slice, slice]] = []
    for patch in patches:
        box = patch.box
        erased[box.slices] |= patch.alpha
        rows = slice(max(box.top - _BESIDE, 0), box.bottom + _BESIDE)
        around.append((rows, slice(max(box.left - _BESIDE, 0), box.right + _BESIDE)))
    alpha = page.alpha.copy()
    for site in around:
        under = np.where(erased[site] > 0, 255, 0).astype(np.uint8)
        if alpha[site][under == 0].min(initial=255) < 255:  # else nothing around is transparent
            alpha[site] = cv2.inpaint(alpha[site], under, _BESIDE, cv2.INPAINT_TELEA)
    return replace(page, rgb=plate, alpha=alpha)


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
    over, alpha, under = patch.rgb[inner], patch.alpha[inner], rgb[y0:y1, x0:x1]
    if cv2.countNonZero(cv2.inRange(alpha, 1, 254)):
        under[...] = _mixed(over, under, alpha)
    else:
        cv2.copyTo(over, alpha, under)


def _mixed(over: Image, under: Image, alpha: NDArray[np.uint8]) -> Image:
    """One image over another, rounded to the nearest level; exact for alpha 0 and 255."""
    share = np.asarray(cv2.merge((alpha, alpha, alpha)), np.uint8)
    mixed, rest = over.astype(np.uint16), under.astype(np.uint16)
    mixed *= share
    rest *= np.bitwise_not(share, out=share)
    mixed += rest
    mixed += 128
    mixed += mixed >> 8  # with the next line: divided by 255
    mixed >>= 8
    return mixed.astype(np.uint8)


def feathered(mask: Mask, feather: int) -> NDArray[np.uint8]:
    """Alpha of a mask: 0 outside, rising over `feather` px inwards, 255 from there on.

    The page's edge is no edge of the mask: nothing fades there.
    """
    # of 3 x 3 px it would fall short of whole px: ink would show through where it should be covered
    depth = cv2.distanceTransform((mask > 0).astype(np.uint8), cv2.DIST_L2, 5)
    faded = np.minimum(depth, feather + 1) * (255 / (feather + 1))
    return np.asarray(np.rint(faded), np.uint8)
