"""The glyphs' bodies: what the mask took for strokes, freed of frames, outlines and edges of shadows."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image, Mask, Region, TextBlock
from worker.rendering.colour import Pixels, dominant, length
from worker.rendering.fonts import FontSet, Shaped
from worker.rendering.frame import Frame
from worker.rendering.look import ground_of
from worker.rendering.raster import rasterise
from worker.rendering.segment import clean

#: Fewest stroke pixels a measure is taken from.
FEWEST = 24
#: Distance (RGB) of a colour that is neither ground nor stroke.
_UNLIKE = 64.0
#: Shares of an OCR box that its ink may be high and wide.
_INK_HEIGHTS, _INK_WIDTHS = (0.72, 0.8, 0.88, 0.96), (0.88, 0.94, 1.0)
#: Likeness below which strokes are hardly the text's; colours tried in their place.
_UNLIKELY, _COLOURS = 0.12, 4
#: Smallest piece of a stroke, as a share of the line height's square.
_SPECK = 0.012
#: Rows that a line is compared at.
_TRIAL_ROWS = 28
#: Share of the strokes that what lies inside them must have to be looked at.
_MUCH = 0.15
#: Correlation by which one shape must resemble the text more than another; the weight it is drawn in.
_CLEARLY_LIKER, _BOLD = 0.1, 700


def find_strokes(
    rgb: Image, plate: Image | None, block: TextBlock, region: Region, frame: Frame, fonts: FontSet
) -> Region:
    """The region with nothing but the glyphs' bodies as its strokes.

    Args:
        rgb: The original page, (H, W, 3).
        plate: The page with this text erased, same shape; None to take one ground colour around the text.
        block: The source text.
        region: Its ink.
        frame: Its frame.
        fonts: To know the text's shape.
    """
    page, ground = rgb[region.box.slices], ground_of(rgb[region.box.slices], plate, region)
    inside = _inside_lines(block, region)
    strokes = np.asarray(cv2.bitwise_and(region.strokes, inside), np.uint8)
    if np.count_nonzero(strokes) < FEWEST:
        strokes = np.asarray(cv2.bitwise_and(_guess_strokes(page, ground), inside), np.uint8)
    if np.count_nonzero(strokes) < FEWEST:
        return replace(region, strokes=np.zeros_like(region.strokes))
    colours, beneath = page.astype(np.float32), ground.astype(np.float32)
    origin = (region.box.left, region.box.top)
    strokes = _innermost(colours, strokes, block, origin, frame, fonts)
    fill = np.array(dominant(colours[cores_of(colours, beneath, strokes)]), np.float32)
    # What is nearer to the ground than to the fill is an edge of an outline or a shadow.
    nearer = length(colours - fill) <= length(colours - beneath)
    bodies = np.where((strokes > 0) & nearer, 255, 0).astype(np.uint8)
    bodies = bodies if np.count_nonzero(bodies) >= FEWEST else strokes
    return replace(region, strokes=_likelier(colours, bodies, inside, block, origin, frame, fonts))


def _inside_lines(block: TextBlock, region: Region) -> Mask:
    """255 inside the OCR boxes: what lies outside them (a stripe, a frame) has no say in the style."""
    inside = np.zeros(region.mask.shape, np.uint8)
    for line in block.lines:
        corners = np.rint(line.polygon - (region.box.left, region.box.top)).astype(np.int32)
        cv2.fillConvexPoly(inside, corners, 255)
    return inside


def _guess_strokes(page: Image, ground: Image) -> Mask:
    """Strokes where the mask has none: what differs most from the ground (Otsu)."""
    distance = np.asarray(cv2.absdiff(page, ground), np.uint8).max(axis=2)
    threshold, strokes = cv2.threshold(distance, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return np.asarray(strokes if threshold >= 12 else np.zeros_like(distance), np.uint8)


def _innermost(
    page: Pixels, strokes: Mask, block: TextBlock, origin: tuple[int, int], frame: Frame, fonts: FontSet
) -> Mask:
    """The bodies inside an outline, where what was taken for strokes is the outline, alone or with them.

    The counters of a glyph show the ground; what a closed outline surrounds shows another colour, and has
    the shape of the text.
    """
    hull = np.zeros_like(strokes)
    contours, _ = cv2.findContours(strokes, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(hull, contours, -1, 255, cv2.FILLED)
    fill = np.array(dominant(page[strokes > 0]), np.float32)
    alike = np.where(length(page - fill) <= _UNLIKE, 255, 0).astype(np.uint8)
    unlike = (hull > 0) & (cv2.dilate(alike, np.ones((3, 3), np.uint8)) == 0)
    if block.vertical or np.count_nonzero(unlike) < _MUCH * np.count_nonzero(strokes):
        return strokes
    body = np.array(dominant(page[unlike]), np.float32)
    inks = [np.where((hull > 0) & (length(page - ink) <= _UNLIKE), 255, 0) for ink in (fill, body)]
    candidates = [strokes, *(ink.astype(np.uint8) for ink in inks)]
    longest = max(block.lines, key=lambda line: len(line.text))
    shaped = fonts.shape(clean(longest.text), "zh", _BOLD)
    box = frame.rect_around(longest.polygon)
    likeness = [_likeness(frame.cut(candidate, box, origin)[0], shaped) for candidate in candidates]
    best = int(np.argmax(likeness))
    if likeness[best] <= likeness[0] + _CLEARLY_LIKER:
        return strokes
    return _without_specks(candidates[best], _SPECK * box.height**2)


def _likelier(
    page: Pixels,
    strokes: Mask,
    inside: Mask,
    block: TextBlock,
    origin: tuple[int, int],
    frame: Frame,
    fonts: FontSet,
) -> Mask:
    """The ink of the line's colours that spells the text, where the strokes plainly do not.

    A motif under pale text can be stronger than the text.
    """
    if block.vertical:
        return strokes
    longest = max(block.lines, key=lambda line: len(line.text))
    shaped = fonts.shape(clean(longest.text), "zh", _BOLD)
    box = frame.rect_around(longest.polygon)
    found = _likeness(frame.cut(strokes, box, origin)[0], shaped)
    rest = inside > 0
    if found >= _UNLIKELY:
        return strokes
    best, least = strokes, found + 2 * _CLEARLY_LIKER
    for _ in range(_COLOURS):
        if np.count_nonzero(rest) < FEWEST:
            break
        near = length(page - np.array(dominant(page[rest]), np.float32)) <= _UNLIKE / 2
        ink = np.where(near & (inside > 0), 255, 0).astype(np.uint8)
        likeness = _likeness(frame.cut(ink, box, origin)[0], shaped)
        if likeness > least:
            best, least = ink, likeness
        rest &= ~near
    return best


def _without_specks(strokes: Mask, least: float) -> Mask:
    """The strokes without pieces of fewer px: ground that happens to have their colour."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    return np.where(large[labels], 255, 0).astype(np.uint8)


def _likeness(strokes: Mask, shaped: Shaped) -> float:
    """Best correlation of strokes with the text they should spell, drawn about as large as the OCR box."""
    if min(strokes.shape) and strokes.shape[0] > _TRIAL_ROWS:
        shape = (max(1, round(strokes.shape[1] * _TRIAL_ROWS / strokes.shape[0])), _TRIAL_ROWS)
        strokes = np.asarray(cv2.resize(strokes, shape, interpolation=cv2.INTER_AREA), np.uint8)
    rows, columns = strokes.shape
    if not strokes.any() or shaped.right <= shaped.left or shaped.top <= shaped.bottom:
        return 0.0
    size = rows / (shaped.top - shaped.bottom)
    room = (rows, max(1, math.ceil((shaped.right - shaped.left) * size)))
    drawn = rasterise([(shaped, -shaped.left * size, shaped.top * size)], size, room)
    seen = strokes.astype(np.float32) / np.float32(255)
    best = 0.0
    for height, width in itertools.product(_INK_HEIGHTS, _INK_WIDTHS):
        shape = (max(1, round(width * columns)), max(1, round(height * rows)))
        fitted = cv2.resize(drawn, shape, interpolation=cv2.INTER_AREA)
        best = max(best, float(cv2.matchTemplate(seen, fitted, cv2.TM_CCOEFF_NORMED).max()))
    return best


def cores_of(page: Pixels, ground: Pixels, strokes: Mask) -> NDArray[np.bool_]:
    """The pixels that show the pure fill: the middle of the strokes, or of hairlines the darkest."""
    depth = cv2.distanceTransform(strokes, cv2.DIST_L2, 3)
    deepest = float(np.percentile(depth[strokes > 0], 95))
    cores = depth >= max(0.6 * deepest, 1.9) if deepest >= 2.5 else strokes > 0
    if deepest < 2.5:
        distance = length(page - ground)
        cores &= distance >= np.percentile(distance[cores], 75)
    return np.asarray(cores)
