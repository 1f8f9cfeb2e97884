"""The glyphs' bodies: what the mask took for strokes, freed of frames, outlines and edges of shadows."""

from __future__ import annotations

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
    return replace(region, strokes=bodies if np.count_nonzero(bodies) >= FEWEST else strokes)


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
    """The bodies inside an outline, where what was taken for strokes is the outline.

    The counters of a glyph show the ground; what a closed outline surrounds shows another colour, and has
    the shape of the text.
    """
    hull = np.zeros_like(strokes)
    contours, _ = cv2.findContours(strokes, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(hull, contours, -1, 255, cv2.FILLED)
    inside = (hull > 0) & (cv2.dilate(strokes, np.ones((3, 3), np.uint8)) == 0)
    if block.vertical or np.count_nonzero(inside) < 0.3 * np.count_nonzero(strokes):
        return strokes
    fill = np.array(dominant(page[strokes > 0]), np.float32)
    unlike = inside & (length(page - fill) > _UNLIKE)
    if np.count_nonzero(unlike) < 0.3 * np.count_nonzero(strokes):
        return strokes
    body = np.array(dominant(page[unlike]), np.float32)
    bodies = np.where((hull > 0) & (length(page - body) <= _UNLIKE), 255, 0).astype(np.uint8)
    longest = max(block.lines, key=lambda line: len(line.text))
    shaped = fonts.shape(clean(longest.text), "zh", _BOLD)
    box = frame.rect_around(longest.polygon)
    likeness = [_likeness(frame.cut(candidate, box, origin)[0], shaped) for candidate in (strokes, bodies)]
    return bodies if likeness[1] > likeness[0] + _CLEARLY_LIKER else strokes


def _likeness(strokes: Mask, shaped: Shaped) -> float:
    """Correlation of strokes with the text they should spell, drawn to fill the same rectangle."""
    down, across = np.nonzero(strokes > 127)
    if not len(down) or shaped.right <= shaped.left or shaped.top <= shaped.bottom:
        return 0.0
    strokes = strokes[down.min() : down.max() + 1, across.min() : across.max() + 1]
    rows, columns = strokes.shape
    size = rows / (shaped.top - shaped.bottom)
    room = (rows, max(1, math.ceil((shaped.right - shaped.left) * size)))
    drawn = rasterise([(shaped, -shaped.left * size, shaped.top * size)], size, room)
    fitted = cv2.resize(drawn, (columns, rows), interpolation=cv2.INTER_AREA)
    one, two = fitted - fitted.mean(), strokes / 255.0 - strokes.mean() / 255.0
    norm = float(np.sqrt((one * one).sum() * (two * two).sum()))
    return float((one * two).sum()) / norm if norm > 0 else 0.0


def cores_of(page: Pixels, ground: Pixels, strokes: Mask) -> NDArray[np.bool_]:
    """The pixels that show the pure fill: the middle of the strokes, or of hairlines the darkest."""
    depth = cv2.distanceTransform(strokes, cv2.DIST_L2, 3)
    deepest = float(np.percentile(depth[strokes > 0], 95))
    cores = depth >= max(0.6 * deepest, 1.9) if deepest >= 2.5 else strokes > 0
    if deepest < 2.5:
        distance = length(page - ground)
        cores &= distance >= np.percentile(distance[cores], 75)
    return np.asarray(cores)
