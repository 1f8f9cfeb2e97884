"""Outlines, shadows and lights: what lies round the strokes all along, and what does not."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.pixels import (
    beyond,
    both,
    box_of,
    counted,
    disc,
    either,
    inverted,
    less,
    level_counts,
    pieces,
    some_of,
    square,
    those,
    widened,
)
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Image, Mask

#: Deviation in levels of a ground that hides an outline, and the share of it that an outline itself has.
_BUSY, _PLAIN = 20.0, 0.4
#: An outline or a shadow departs at this share of the pixels so far from the strokes on the same side of
#: them; what departs further out in pieces broader than so many px is the ground's.
_HALO_SHARE, _BROAD = 0.6, 5
#: How far from the ink a shadow is sought (share of the text's height); and levels, and share of the ground's
#: deviation, by which the ground is darker or lighter there on the mean.
_SHADED_WITHIN, _SHADE, _SHADE_OF = 0.25, 6.0, 0.4
#: Pixels that are looked at for it.
_COUNTED = 8000
#: Pieces along the line of which all but one must agree about that.
_PARTS = 4
#: A halo stands out from the ground so many px further out; the narrowest that is sought, and the least share
#: of a window that tells the ground.
_FURTHER, _NARROW, _LEAST_GROUND = 4, 3, 0.02
#: A stripe fills more than this share of its bounding box, letters that touch one another fill less.
_SOLID = 0.6


def ground_like(things: Mask, scene: Scene, options: MaskOptions) -> Mask:
    """Things that are no letters: long and solid as stripes are, or broader than strokes as lights are."""
    if not cv2.countNonZero(things):
        return things
    labels, sizes = pieces(things)
    _, _, width, height, area = sizes.T
    alike = np.maximum(width, height) > options.letter * scene.text_height
    alike &= area > _SOLID * width * height
    cores = cv2.erode(things, square(round(options.broad * scene.text_height))).astype(np.uint8)
    alike |= counted(labels, cores, len(sizes)) > 0
    alike[0] = False
    return those(alike, labels)


def plain_rim(scene: Scene, ink: Mask, area: Mask, options: MaskOptions) -> int:
    """How many px of one colour lie round the ink on ground of many: an outline that the ground hides.

    Args:
        scene: The line.
        ink: Its ink.
        area: Where the ground is looked at.
        options: Limits.
    """
    grey = cv2.cvtColor(scene.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    apart = cv2.distanceTransform(cv2.bitwise_not(ink), cv2.DIST_L2, 3)
    widest = max(round(options.halo * scene.text_height), 3)
    places = np.flatnonzero(less(area, ink) > 0)
    step, levels = np.minimum(apart.ravel()[places], widest + 1).astype(np.intp), grey.ravel()[places]
    count, total, squares = (np.bincount(step, weights, widest + 2) for weights in (None, levels, levels**2))
    mean = total / np.maximum(count, 1)
    deviation = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0))
    if deviation[-1] < _BUSY:
        return 0
    # the first px still hold the ink's own edge
    return int((deviation[2:] > _PLAIN * deviation[2:].max()).argmax()) + 1


def shade(scene: Scene, ink: Mask, options: MaskOptions) -> int:
    """How many px round the ink the ground is shaded on the mean: a shadow that a busy ground hides.

    All along the line: where only a part of it is, that is the ground's pattern.
    """
    grey = cv2.cvtColor(scene.pixels, cv2.COLOR_RGB2GRAY)
    apart = cv2.distanceTransform(cv2.bitwise_not(ink), cv2.DIST_L2, 3)
    widest = max(round(_SHADED_WITHIN * scene.text_height), 3)
    beside = less(scene.grown(options.reach), either(ink, less(scene.own, scene.inside)))
    columns, rows = some_of(beside, _COUNTED)
    if not rows.size:
        return 0
    step = np.minimum(np.ceil(apart[rows, columns]), widest + 1).astype(np.intp)
    levels, cells = grey[rows, columns], _part(scene, columns, rows) * (widest + 2) + step
    count, total = (
        np.bincount(cells, weights, _PARTS * (widest + 2)).reshape(_PARTS, -1) for weights in (None, levels)
    )
    far = levels[step > widest]
    if not far.size:
        return 0
    limit = max(_SHADE, _SHADE_OF * float(far.std()))
    of_parts, of_all = (_from_last(total, count), _from_last(total.sum(axis=0), count.sum(axis=0)))
    agreeing = np.maximum((of_parts > limit).sum(axis=0), (of_parts < -limit).sum(axis=0))
    shaded = (agreeing >= _PARTS - 1) & (np.abs(of_all) > limit)
    return 1 + int(shaded.argmin()) if shaded[0] else 0


def halo_width(scene: Scene, ink: Mask, area: Mask, limit: float, enough: int | None = None) -> int:
    """How many px round the ink the ground departs on the mean from the ground a little further out.

    Only what does so all along the line counts, its soft edge, outline or shadow: a light behind a part of it
    does not.

    Args:
        scene: The line.
        ink: Its ink.
        area: Where the ground is looked at.
        limit: Levels up to which a mean may depart.
        enough: Where it is as many px, it is of no interest how many more.
    """
    apart = np.asarray(cv2.distanceTransform(inverted(ink), cv2.DIST_C, 3), np.float32)
    sought = _NARROW
    width = found = _halo_within(scene, apart, area, limit, sought)
    widest = _SHADED_WITHIN * scene.text_height
    while width > 1 and sought < widest and (enough is None or found < enough):
        sought *= 2
        width = _halo_within(scene, apart, area, limit, sought)
        found = max(found, width)
    return found


def _halo_within(scene: Scene, apart: NDArray[np.float32], area: Mask, limit: float, sought: int) -> int:
    far = both(area, np.asarray(cv2.inRange(apart, sought + 1, sought + _FURTHER), np.uint8))
    # the ground's local mean needs every other pixel only
    sparse, side = np.ascontiguousarray(far[::2, ::2]), sought + _FURTHER + 1
    colours = cv2.copyTo(np.ascontiguousarray(scene.pixels[::2, ::2]), sparse)
    share, ground = (
        cv2.boxFilter(levels, cv2.CV_32F, (side, side), borderType=cv2.BORDER_CONSTANT)
        for levels in (sparse, colours)
    )
    near = both(area, np.asarray(cv2.inRange(apart, 1, sought), np.uint8))
    columns, rows = some_of(near, _COUNTED // 2)
    weight = share[rows // 2, columns // 2] / 255
    told = weight > _LEAST_GROUND
    columns, rows, weight = columns[told], rows[told], weight[told]
    if not rows.size:
        return 0
    off = scene.pixels[rows, columns] - ground[rows // 2, columns // 2] / weight[:, None]
    cells = _part(scene, columns, rows) * (sought + 1) + apart[rows, columns].astype(np.intp)
    count = np.bincount(cells, minlength=_PARTS * (sought + 1)).reshape(_PARTS, -1, 1)[:, 1:]
    total = np.stack([np.bincount(cells, levels, _PARTS * (sought + 1)) for levels in off.T], axis=-1)
    total = total.reshape(_PARTS, -1, 3)[:, 1:]
    mean = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    agreeing = (total * mean).sum(axis=-1) > 0.5 * (mean**2).sum(axis=-1) * count[..., 0]
    departs = (np.abs(mean).max(axis=-1) > limit) & (agreeing.sum(axis=0) >= _PARTS - 1)
    return sought if departs.all() else int(departs.argmin())


def all_along(
    scene: Scene, columns: NDArray[np.intp], rows: NDArray[np.intp], levels: NDArray[np.floating]
) -> bool:
    """Whether pixels depart in all pieces of the line but one by at least half of what they do on the mean.

    Args:
        scene: The line.
        columns: Of the pixels, N.
        rows: Of the pixels, N.
        levels: How far each departs to the side to which most do.
    """
    part = _part(scene, columns, rows)
    count, total = (np.bincount(part, weights, _PARTS) for weights in (None, levels))
    return int(np.count_nonzero(total > 0.5 * levels.mean() * count)) >= _PARTS - 1


def _part(scene: Scene, columns: NDArray[np.intp], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """In which of the pieces along the line pixels lie."""
    along = scene.frame.along if scene.frame.length > scene.frame.height else scene.frame.across
    place = columns * along[0] + rows * along[1]
    return np.asarray((place - place.min()) * (_PARTS / (np.ptp(place) + 1)), np.intp)


def _from_last(total: NDArray[np.number], count: NDArray[np.number]) -> NDArray[np.floating]:
    """How far means from the third on depart from the last."""
    mean = total / np.maximum(count, 1)
    return np.asarray(mean[..., 2:] - mean[..., -1:])


def without_lights(scene: Scene, ink: Mask, bold: Mask, allowed: Mask, options: MaskOptions) -> Mask:
    """Ink without what lies further from its strokes than the outline or shadow that they have all along.

    A light or a fold of cloth that departs from the ground's surface runs together with the text over it.
    """
    strokes = both(ink, bold)
    beside = less(ink, strokes)
    broad = np.ones((_BROAD, _BROAD), np.uint8)
    if not cv2.countNonZero(cv2.morphologyEx(less(beside, widened(strokes, disc(1))), cv2.MORPH_OPEN, broad)):
        return ink
    stray = _stray(scene, strokes, beside, either(allowed, ink), options)
    lights = cv2.morphologyEx(stray, cv2.MORPH_OPEN, broad).astype(np.uint8)
    return less(ink, both(widened(lights, square(1)), stray))


def hugged(scene: Scene, strokes: Mask, beside: Mask, area: Mask, options: MaskOptions) -> int:
    """How many px round the strokes something lies in all pieces of the line but one, on the widest side."""
    beside = less(both(beside, area), strokes)
    step, sides, farthest = _steps(scene, strokes, options)
    area, found = less(area, strokes), 0
    for side in sides:
        columns, rows = some_of(both(area, side), _COUNTED // 4)
        if not rows.size:
            continue
        cells = _part(scene, columns, rows) * 256 + step[rows, columns]
        count, departing = (
            np.bincount(chosen, minlength=_PARTS * 256).reshape(_PARTS, 256)
            for chosen in (cells, cells[beside[rows, columns] > 0])
        )
        usual = (departing >= _HALO_SHARE * count).sum(axis=0) >= _PARTS - 1
        usual[:2], usual[farthest + 1 :] = True, False
        found = max(found, int(usual.argmin()) - 1)
    return found


def clinging(scene: Scene, strokes: Mask, beside: Mask, allowed: Mask, options: MaskOptions) -> Mask:
    """What of the things beside the strokes is the outline or shadow that they have all along."""
    beside = less(beside, strokes)
    near = both(beside, allowed)
    if not cv2.countNonZero(near) or not cv2.countNonZero(strokes):
        return np.zeros_like(beside)
    return less(near, _stray(scene, strokes, near, allowed, options))


def _stray(scene: Scene, strokes: Mask, beside: Mask, area: Mask, options: MaskOptions) -> Mask:
    """What departs further from the strokes than most of what lies in the area on the same side of them."""
    box = box_of(area, 1)
    strokes, beside, area = (
        strokes[box.slices],
        both(beside, area)[box.slices],
        less(area, strokes)[box.slices],
    )
    step, sides, farthest = _steps(scene, strokes, options)
    stray = np.zeros(scene.inside.shape, np.uint8)
    for side in sides:
        around = both(area, side)
        count, departing = (level_counts(step, part) for part in (around, both(around, beside)))
        usual = departing[: farthest + 1] >= _HALO_SHARE * count[: farthest + 1]
        usual[:2] = True
        widest = farthest if usual.all() else int(usual.argmin()) - 1
        stray[box.slices] |= both(both(beside, side), beyond(step, widest))
    return stray


def _steps(
    scene: Scene, strokes: Mask, options: MaskOptions
) -> tuple[Image, tuple[Mask, Mask, Mask, Mask], int]:
    """Whole px from the strokes, rounded up; the sides of them; and the farthest px that count."""
    apart = np.asarray(cv2.distanceTransform(inverted(strokes), cv2.DIST_L2, 3), np.float32)
    step = np.asarray(cv2.convertScaleAbs(apart, alpha=1, beta=0.49), np.uint8)
    return step, _sides(apart), min(int(options.reach * scene.text_height) + 1, 254)


def _sides(apart: NDArray[np.floating]) -> tuple[Mask, Mask, Mask, Mask]:
    """Which pixels lie above, below, left and right of what is nearest: a shadow falls to one side."""
    right, down = (cv2.Sobel(apart, cv2.CV_32F, *order, ksize=1) for order in ((1, 0), (0, 1)))
    upright, below, after = (
        np.asarray(mask, np.uint8)
        for mask in (
            cv2.compare(np.abs(down), np.abs(right), cv2.CMP_GE),
            cv2.compare(down, np.zeros_like(down), cv2.CMP_GT),
            cv2.compare(right, np.zeros_like(right), cv2.CMP_GT),
        )
    )
    return less(upright, below), both(upright, below), less(inverted(upright), after), less(after, upright)
