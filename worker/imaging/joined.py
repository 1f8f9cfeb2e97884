"""Ink that has run together with something else, told apart from it: a stripe, a frame, an unread line."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.pixels import (
    both,
    box_of,
    colour_cells,
    colour_density,
    counted,
    disc,
    either,
    inverted,
    less,
    parts,
    some_of,
    square,
    those,
    widened,
)
from worker.imaging.quads import filled
from worker.imaging.scene import MaskOptions, Scene
from worker.job import Mask

#: A colour of which the surroundings have this share of what the line has is not the ink's; unless more than
#: so much of the bold ink would go with it.
_COMMON, _MOST_COMMON = 0.5, 0.75
#: One that the line has so many times as often, and at such a share of its pixels, is the ink's.
_OWN, _LEAST_OWN = 4.0, 0.005
#: Pixels that a density of colours is counted on, and a row's profile.
_COUNTED = 4000
#: How far into the line (share of its height) the gap to an unread neighbour is sought, and how much of the
#: line's usual ink stands in the gap at most and beyond it at least.
_GAP_WITHIN, _GAP_INK, _BEYOND_INK = 0.3, 0.35, 0.6
#: Straight pieces of so many text heights are a frame's.
_SIDE = 0.25


def told_apart(
    scene: Scene,
    joined: Mask,
    bold: Mask,
    allowed: Mask,
    options: MaskOptions,
    *,
    drawn: bool,
) -> tuple[Mask, Mask]:
    """What of the components that leave the line's reach is its ink, and what within its reach is others'.

    Only bold ink in the box is taken, with its halo.

    Args:
        scene: The line.
        joined: The components.
        bold: Bold ink, all of it.
        allowed: The line's reach, without other rows of text.
        options: Limits.
        drawn: Whether this is a drawing, whose thin lines run on.
    """
    halo = max(3, round(options.halo * scene.text_height))
    box = box_of(allowed, halo + options.least_growth)
    taken, beside = np.zeros_like(joined), np.zeros_like(joined)
    taken[box.slices], beside[box.slices] = _told_apart(
        scene.within(box),
        joined[box.slices],
        bold[box.slices],
        allowed[box.slices],
        halo,
        options,
        drawn,
    )
    return taken, beside


def _told_apart(
    scene: Scene, joined: Mask, bold: Mask, allowed: Mask, halo: int, options: MaskOptions, drawn: bool
) -> tuple[Mask, Mask]:
    ink = less(bold, _printed(scene, both(bold, joined), allowed))
    # the block's other lines go too: what is theirs need not be spared
    spared = less(joined, widened(less(scene.own, scene.inside), square(halo)))
    strays = _leaving(scene, both(ink, spared), allowed)
    strays = either(strays, less(both(bold, spared), allowed))
    frame = np.zeros_like(strays)
    if drawn:
        running = _running_out(scene, joined, bold, options)
        frame = _frame(running, bold, scene.text_height)
        strays = either(strays, either(running, frame))
    strokes = less(ink, strays)
    taken = both(both(joined, scene.grown(options.polygon_growth)), widened(strokes, square(halo)))
    if not cv2.countNonZero(strays):
        return taken, np.zeros_like(taken)
    theirs = _nearer(strays, strokes)
    taken = less(taken, theirs)
    beside = either(both(joined, theirs), widened(strays, square(options.least_growth)))
    return taken, either(less(beside, widened(taken, disc(options.least_growth))), frame)


def _nearer(these: Mask, others: Mask) -> Mask:
    """Pixels that lie nearer to these than to others."""
    one, two = (cv2.distanceTransform(inverted(mask), cv2.DIST_L2, 3) for mask in (these, others))
    return np.asarray(cv2.compare(one, two, cv2.CMP_LT), np.uint8)


def _printed(scene: Scene, bold: Mask, allowed: Mask) -> Mask:
    """Bold pixels of a colour that is as common around the line as in it: a stripe, a print on cloth."""
    cells = colour_cells(scene.pixels)
    around, within = (
        colour_density(cells[rows, columns])
        for columns, rows in (some_of(less(allowed, scene.own), _COUNTED), some_of(scene.inside, _COUNTED))
    )
    found = both(bold, those(around > _COMMON * within, cells))
    # what is thin may be the ink's own edge; the edges of what is not thin have neither's colour
    edged = both(widened(np.asarray(cv2.erode(found, square(1)), np.uint8), square(3)), bold)
    found = less(edged, those(within > _OWN * around + _LEAST_OWN, cells))
    most = _MOST_COMMON * cv2.countNonZero(both(bold, scene.inside))
    return found if cv2.countNonZero(both(found, scene.inside)) <= most else np.zeros_like(bold)


def _leaving(scene: Scene, bold: Mask, allowed: Mask) -> Mask:
    """Bold components that go on beyond the line's reach and lie mostly outside the line."""
    count, labels = parts(bold)
    own, area, outside = (
        counted(labels, part, count) for part in (both(bold, scene.inside), bold, less(bold, allowed))
    )
    return those((outside > 0) & (own < 0.5 * area), labels)


def row_of(scene: Scene, bold: Mask, options: MaskOptions) -> Mask:
    """Where no other row of text is: cut off in the gap to a neighbour that comes near or into the box."""
    frame = scene.frame
    axes, extents = (frame.along, frame.across), (frame.length, frame.height)
    if frame.height > frame.length:  # a column of characters
        axes, extents = (frame.across, frame.along), (frame.height, frame.length)
    columns, rows = some_of(bold, _COUNTED)
    x = columns + (scene.crop.left + 0.5 - frame.centre[0])
    y = rows + (scene.crop.top + 0.5 - frame.centre[1])
    along, across = (x * axis[0] + y * axis[1] for axis in axes)
    across = across[np.abs(along) < extents[0] / 2]
    half, reach = extents[1] / 2, extents[1] / 2 + options.reach * scene.text_height
    ends = [-_gap(-across, half, reach), _gap(across, half, reach)]
    sides = axes[0] * np.float32(extents[0] / 2 + 2 * reach)
    up, down = (frame.centre + axes[1] * np.float32(end) for end in ends)
    return filled([np.array([up - sides, up + sides, down + sides, down - sides], np.float32)], scene.crop)


def _gap(across: NDArray[np.floating], half: float, reach: float) -> float:
    """How far below its middle a line ends: in the gap to the next one, or well beyond its reach."""
    counts = np.bincount(across[across >= 0].astype(np.intp), minlength=int(reach) + 1)
    first = int(half * (1 - 2 * _GAP_WITHIN))
    usual = float(np.median(counts[:first])) if first else 0.0
    sought = counts[first : int(half + 0.5 * (reach - half)) + 1]
    if not usual or not sought.size:
        return 2 * reach
    place = first + int(sought.argmin())
    further = counts[place : int(reach) + 1]
    if counts[place] > _GAP_INK * usual or further.max(initial=0) < _BEYOND_INK * usual:
        return 2 * reach
    return place + 0.5


def _frame(running: Mask, bold: Mask, text_height: float) -> Mask:
    """The sides of a frame go straight on where the ink lies over them."""
    frame, thin = np.zeros_like(running), cv2.erode(running, disc(2))  # as it was grown
    piece, gap = max(round(_SIDE * text_height), 3), round(text_height)
    for upright in (True, False):
        straight = cv2.morphologyEx(thin, cv2.MORPH_OPEN, _bar(piece, upright))
        bridged = np.asarray(cv2.morphologyEx(straight, cv2.MORPH_CLOSE, _bar(gap, upright)), np.uint8)
        frame = either(frame, both(bridged, bold))
    return frame


def _bar(length: int, upright: bool) -> Mask:
    return np.ones((length, 1) if upright else (1, length), np.uint8)


def _running_out(scene: Scene, joined: Mask, bold: Mask, options: MaskOptions) -> Mask:
    """Lines much thinner than the strokes that run from the ink out of the line's box."""
    depth = cv2.distanceTransform(bold, cv2.DIST_L2, 3)
    radius = round(options.thin * ground.quantile(depth[both(bold, scene.inside) > 0], 0.9))
    if radius < 2:  # too thin to tell a line from a stroke
        return np.zeros_like(bold)
    solid = widened(np.asarray(cv2.erode(bold, disc(radius)), np.uint8), disc(radius + 1))
    outside = inverted(scene.grown(options.leaving))
    thin = less(bold, solid)
    count, labels = parts(thin)
    leaves = counted(labels, both(thin, outside), count) > 0
    lines = less(widened(those(leaves, labels), disc(2)), solid)
    # a component with no stroke in it that leaves the box is such a line as a whole
    count, labels = parts(joined)
    alone = counted(labels, both(joined, outside), count) > 0
    alone &= counted(labels, both(joined, solid), count) == 0
    return either(lines, those(alone, labels))
