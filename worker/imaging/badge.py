"""A badge so tight around its text that what lies around the line is not what the text stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from worker.imaging import ground
from worker.imaging.pixels import both, counted, less, parts, square, those
from worker.imaging.quads import filled, grown
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Image, Mask

#: A badge is sought along so many outlines inside the line's box, at most so deep (share of the text's
#: height), at so many places of each side.
_OUTLINES, _DEEPEST = 4, 0.2
_STEPS = np.linspace(0, 1, 48, endpoint=False, dtype=np.float32)[:, None]
#: So much of a rim has its colour, within so many levels; the line's surroundings are so many levels off it.
_ONE_COLOUR, _NEAR, _APART = 0.6, 12.0, 24.0
#: It reaches under so much of the line but its outermost, ends so near to its box (share of the text's
#: height), and has its colour all along so much of its own rim: outlines of letters do not.
_UNDER, _TIGHT, _ALL_ALONG = 0.98, 0.45, 0.7
#: Share of it that may be farther off all the same.
_BEYOND = 0.03
#: Most noise of a badge that is filled with its colour, in levels, and how far those of one block may differ.
_CLEAN, _SHARED = 10.0, 6


@dataclass(frozen=True, slots=True, eq=False)
class Badge:
    """What a line stands on that does not reach around it."""

    #: Its colour, and the deviation of its noise in levels.
    colour: Image
    sigma: float
    #: The badge in the crop, the text on it included.
    area: Mask


def badge_under(scene: Scene, options: MaskOptions) -> Badge | None:
    """The badge that a line stands on; None where it stands on what surrounds it."""
    if not scene.inside.size:
        return None
    outside = _median(_outline(scene, options.ring / 2 * scene.text_height)).astype(int)
    deepest = max(3, round(_DEEPEST * scene.text_height))
    for inset in range(1, deepest + 1, max(2, deepest // _OUTLINES)):
        colours = _outline(scene, -inset)
        colour = _median(colours)
        off = cv2.absdiff(colours, colour[None].repeat(len(colours), axis=0)).max(axis=1)
        off = off[off <= _NEAR]
        if len(off) < _ONE_COLOUR * len(colours):
            continue
        if np.abs(colour - outside).max() <= _APART:
            return None  # the box is wide enough: the ground around it is the text's
        badge = _badge(scene, colour, inset)
        if badge is not None:
            sigma = ground.PERCENTILE_30_TO_SIGMA * float(np.percentile(off, 30))
            return Badge(colour, sigma, badge)
    return None


def _median(colours: Image) -> Image:
    return np.asarray(np.partition(colours, len(colours) // 2, axis=0)[len(colours) // 2], np.uint8)


def _outline(scene: Scene, px: float) -> Image:
    """Colours along the outline of a line's box moved outwards by so many px, (N, 3)."""
    corners = grown(scene.quad, px, px, scene.frame) - (scene.crop.left + 0.5, scene.crop.top + 0.5)
    places = corners[:, None] + _STEPS * (np.roll(corners, -1, axis=0) - corners)[:, None]
    height, width = scene.inside.shape
    columns, rows = np.rint(places.reshape(-1, 2)).astype(np.intp).T
    return np.asarray(scene.pixels[rows.clip(0, height - 1), columns.clip(0, width - 1)], np.uint8)


def one_colour(badges: Sequence[Badge | None]) -> tuple[int, int, int] | None:
    """The colour that the clean badges of a block's lines share; None where one has no badge, or another."""
    colours = [badge.colour.astype(int) for badge in badges if badge is not None and badge.sigma <= _CLEAN]
    if not badges or len(colours) < len(badges) or np.ptp(colours, axis=0).max() > _SHARED:
        return None
    red, green, blue = colours[0].tolist()
    return red, green, blue


def _badge(scene: Scene, colour: Image, inset: int) -> Mask | None:
    """The hull of what has a colour and hangs together with what of a rim does; None of what is no badge.

    Args:
        scene: The line.
        colour: The colour, (3,).
        inset: Px of the rim, inside the line's box.
    """
    outer, inner = (
        filled([grown(scene.quad, -px, -px, scene.frame)], scene.crop) for px in (inset - 1, inset + 1)
    )
    rim = less(outer, inner)
    levels = ground.sheet(colour, scene.crop.width, scene.crop.height)
    alike = cast("Mask", cv2.inRange(ground.departure(scene.pixels, levels), 0, _NEAR))
    count, labels = parts(alike)
    around = those(counted(labels, both(alike, rim), count) > 0, labels)
    outlines, _ = cv2.findContours(around, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return None
    area = np.zeros_like(rim)
    cv2.fillConvexPoly(area, cv2.convexHull(np.concatenate(outlines)), 255)
    deep = -_DEEPEST * scene.text_height
    core = filled([grown(scene.quad, deep, deep, scene.frame)], scene.crop)
    if cv2.countNonZero(both(area, core)) < _UNDER * cv2.countNonZero(core):
        return None
    px = _TIGHT * scene.text_height
    near = filled([grown(quad, px, px) for quad in scene.neighbours.own], scene.crop)
    farther = less(area, near)
    if cv2.countNonZero(farther) > _BEYOND * cv2.countNonZero(area):
        return None
    if farther[[0, -1]].any() or farther[:, [0, -1]].any():
        return None  # nobody sees where it ends
    edge = less(area, cast("Mask", cv2.erode(area, square(2), borderValue=0)))
    if cv2.countNonZero(both(edge, alike)) < _ALL_ALONG * cv2.countNonZero(edge):
        return None
    return area
