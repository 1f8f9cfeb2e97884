"""How the source text looks: fill, outline, shadow, weight, slant, measured on its own pixels.

Every measure compares the page with its ground, which is the plate where there is one: along the line from
ground to fill lies a glyph's anti-aliasing, off that line lie outline and shadow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image, Mask, Region, TextBlock
from worker.rendering.colour import (
    RGB,
    Pixels,
    as_rgb,
    coverage_of,
    difference,
    dominant,
    legible,
    length,
)
from worker.rendering.effects import Outline, Shadow, find_outline, find_shadow
from worker.rendering.fonts import FontSet, Shaped
from worker.rendering.ink import Ink
from worker.rendering.raster import rasterise
from worker.rendering.segment import clean

#: Characters of it that are compared.
_LONGEST_TRIAL = 12
#: Weights at which the source's own text is set for comparison.
_TRIAL_WEIGHTS = (300, 500, 700, 900)
#: Below this size (px) blur and resampling thicken strokes: the weight is kept to what such text has.
_SMALL, _SMALL_WEIGHTS = 16.0, (350, 600)
#: A gradient counts where its ends differ by this much (ΔE) and a straight line explains it this well.
_GRADIENT_DIFFERENCE, _GRADIENT_FIT = 12.0, 0.75
#: Fills whose channels deviate by less (levels) are one colour.
_FLAT = 5.0
#: Distance (RGB) of a colour that is neither ground nor stroke.
_UNLIKE = 64.0
#: Correlation by which one shape must resemble the text more than another; the weight it is drawn in.
_CLEARLY_LIKER, _BOLD = 0.1, 700
#: Font size (px) that shows all there is to measure.
_ENOUGH = 32.0
#: Fewest stroke pixels a measure is taken from.
_FEWEST = 24


@dataclass(frozen=True, slots=True)
class Fill:
    """The colour of the glyphs: one, or two with a straight transition along one axis of each line."""

    start: RGB
    end: RGB
    #: "flat", "vertical" (start at a line's top) or "horizontal" (start at the block's left).
    axis: str = "flat"


@dataclass(frozen=True, slots=True)
class Style:
    """How a block's text looks."""

    fill: Fill
    ground: RGB
    #: 100..900
    weight: int
    #: Tangent of the lean to the right, 0 for upright text.
    slant: float = 0.0
    outline: Outline | None = None
    shadow: Shadow | None = None

    @property
    def margin(self) -> float:
        """How far (px) outline and shadow reach beyond the glyphs."""
        outline = self.outline.width if self.outline else 0.0
        if self.shadow is None:
            return outline
        return outline + max(abs(self.shadow.dx), abs(self.shadow.dy)) + 2 * self.shadow.blur


def measure_style(
    rgb: Image, plate: Image | None, block: TextBlock, region: Region, ink: Ink, fonts: FontSet
) -> Style:
    """Measure how a block looks on its page.

    Args:
        rgb: The original page, (H, W, 3).
        plate: The page with this text erased, same shape; None to take one ground colour around the text.
        block: The source text.
        region: Its ink.
        ink: Its geometry (see ink.measure_ink).
        fonts: To compare the weight with.
    """
    look = _look_at(rgb, plate, block, region, ink.size)
    page, ground, size = look.page, look.ground, look.size
    ground_colour = as_rgb(np.median(ground.reshape(-1, 3)[:: max(1, ground.size // 15000)], axis=0))
    if np.count_nonzero(look.strokes) < _FEWEST:
        black_or_white = legible(ground_colour, ground_colour, least=7.0)
        return Style(_flat(black_or_white), ground_colour, weight=400)
    strokes = _innermost(look, block, region, ink, fonts)
    cores = _cores(page, ground, strokes)
    fill = dominant(page[cores])
    outline = find_outline(page, ground, look.mask, strokes, fill, size)
    shadow = find_shadow(page, ground, look.mask, strokes, outline, size)
    text = max((clean(line.text) for line in block.lines), key=len)[:_LONGEST_TRIAL]
    weight = _weight(replace(look, strokes=strokes), fill, text, fonts)
    gradient = _gradient(look, cores, ink, region)
    return Style(
        gradient or _flat(legible(fill, outline.colour if outline else ground_colour)),
        ground_colour,
        weight,
        0.0,
        outline and outline.scaled(look.reduction),
        shadow and shadow.scaled(look.reduction),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """The region's pixels, reduced where the text is large: no measure needs more px than this keeps."""

    page: Pixels
    #: The ground under every pixel.
    ground: Pixels
    mask: Mask
    strokes: Mask
    #: Font size in reduced px.
    size: float
    #: Page px per reduced px.
    reduction: int


def _look_at(rgb: Image, plate: Image | None, block: TextBlock, region: Region, size: float) -> _Look:
    page = rgb[region.box.slices]
    ground = _ground(page, plate, region)
    inside = _inside_lines(block, region)
    mask, strokes = region.mask, np.asarray(cv2.bitwise_and(region.strokes, inside), np.uint8)
    if np.count_nonzero(strokes) < _FEWEST:
        strokes = np.asarray(cv2.bitwise_and(_guess_strokes(page, ground), inside), np.uint8)
    reduction = max(1, int(size / _ENOUGH))
    if reduction > 1:
        shape = (max(1, page.shape[1] // reduction), max(1, page.shape[0] // reduction))
        page, ground, mask, strokes = (
            np.asarray(cv2.resize(layer, shape, interpolation=cv2.INTER_AREA), np.uint8)
            for layer in (page, ground, mask, strokes)
        )
        strokes = np.where(strokes > 127, 255, 0).astype(np.uint8)
    return _Look(
        page.astype(np.float32), ground.astype(np.float32), mask, strokes, size / reduction, reduction
    )


def _flat(colour: RGB) -> Fill:
    return Fill(colour, colour)


def _ground(page: Image, plate: Image | None, region: Region) -> Image:
    """The ground under every pixel of the region, same shape as the page's cut-out."""
    if plate is not None:
        return plate[region.box.slices]
    around = page[region.mask == 0]
    colour = np.median(around if len(around) else page.reshape(-1, 3), axis=0)
    return np.ascontiguousarray(np.broadcast_to(colour.astype(np.uint8), page.shape))


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


def _innermost(look: _Look, block: TextBlock, region: Region, ink: Ink, fonts: FontSet) -> Mask:
    """The bodies inside an outline, where what was taken for strokes is the outline.

    The counters of a glyph show the ground; what a closed outline surrounds shows another colour, and has
    the shape of the text.
    """
    page, strokes = look.page, look.strokes
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
    longest = max(range(len(block.lines)), key=lambda index: len(block.lines[index].text))
    shaped = fonts.shape(clean(block.lines[longest].text), "zh", _BOLD)
    rect, whole = ink.lines[longest].rect, (region.box.width, region.box.height)
    likeness = []
    for candidate in (strokes, bodies):
        full = np.asarray(cv2.resize(candidate, whole), np.uint8)
        likeness.append(_likeness(ink.frame.cut(full, rect, (region.box.left, region.box.top))[0], shaped))
    return bodies if likeness[1] > likeness[0] + _CLEARLY_LIKER else strokes


def _likeness(strokes: Mask, shaped: Shaped) -> float:
    """Correlation of strokes with the text they should spell, drawn to fill the same rectangle."""
    if not strokes.size or shaped.right <= shaped.left or shaped.top <= shaped.bottom:
        return 0.0
    rows, columns = strokes.shape
    size = rows / (shaped.top - shaped.bottom)
    room = (rows, max(1, math.ceil((shaped.right - shaped.left) * size)))
    drawn = rasterise([(shaped, -shaped.left * size, shaped.top * size)], size, room)
    fitted = cv2.resize(drawn, (columns, rows), interpolation=cv2.INTER_AREA)
    one, two = fitted - fitted.mean(), strokes / 255.0 - strokes.mean() / 255.0
    norm = float(np.sqrt((one * one).sum() * (two * two).sum()))
    return float((one * two).sum()) / norm if norm > 0 else 0.0


def _cores(page: Pixels, ground: Pixels, strokes: Mask) -> NDArray[np.bool_]:
    """The pixels that show the pure fill: the middle of the strokes, or of hairlines the darkest."""
    depth = cv2.distanceTransform(strokes, cv2.DIST_L2, 3)
    deepest = float(np.percentile(depth[strokes > 0], 95))
    cores = depth >= max(0.6 * deepest, 1.9) if deepest >= 2.5 else strokes > 0
    if deepest < 2.5:
        distance = length(page - ground)
        cores &= distance >= np.percentile(distance[cores], 75)
    return np.asarray(cores)


def _weight(look: _Look, fill: RGB, text: str, fonts: FontSet) -> int:
    """The weight at which the same text in our font, at the same size, has strokes as wide as these."""
    axis = np.array(fill, np.float32) - look.ground
    coverage = look.strokes.astype(np.float32) / 255
    if (
        float(np.median(length(axis)[look.strokes > 0])) > _UNLIKE
    ):  # else white on white: only the outline tells
        near = cv2.dilate(look.strokes, np.ones((3, 3), np.uint8))
        inked = (look.mask > 0) & (near > 0)
        coverage = np.where(inked, coverage_of(look.page - look.ground, axis), np.float32(0))
    share, size = _stroke_width(coverage), look.size
    widths = []
    for trial in _TRIAL_WEIGHTS:
        shaped = fonts.shape(text, "zh", trial)
        room = (math.ceil(1.3 * size) + 2, math.ceil(shaped.advance * size) + 2)
        widths.append(_stroke_width(rasterise([(shaped, 1.0, size + 1.0)], size, room)))
    weight = float(np.interp(share, widths, _TRIAL_WEIGHTS))
    if size < _SMALL:
        weight = min(max(weight, _SMALL_WEIGHTS[0]), _SMALL_WEIGHTS[1])
    return round(weight / 25) * 25


def _stroke_width(coverage: Pixels) -> float:
    """Mean stroke width in px: twice the ink's area over the length of its contour."""
    horizontal = cv2.Sobel(coverage, cv2.CV_32F, 1, 0, ksize=1)
    vertical = cv2.Sobel(coverage, cv2.CV_32F, 0, 1, ksize=1)
    contour = 0.5 * float(cv2.magnitude(horizontal, vertical).sum())
    return 2 * float(coverage.sum()) / max(contour, 1.0)


def _gradient(look: _Look, cores: NDArray[np.bool_], ink: Ink, region: Region) -> Fill | None:
    """A fill that changes steadily down each line, or along the block; None where one colour is enough."""
    rows, columns = np.nonzero(cores)
    step = max(1, len(rows) // 4000)
    rows, columns = rows[::step], columns[::step]
    colours = look.page[rows, columns]
    if float(colours.std(axis=0).max()) < _FLAT:
        return None
    scale = look.reduction
    points = np.stack(
        [(columns + 0.5) * scale + region.box.left, (rows + 0.5) * scale + region.box.top], axis=1
    )
    local = ink.frame.to_local(points)
    along = (local[:, 0] - ink.rect.left) / max(ink.rect.width, 1.0)
    down = np.full(len(local), np.nan)
    for line in ink.lines:
        inside = (local[:, 1] >= line.rect.top) & (local[:, 1] <= line.rect.bottom)
        down[inside] = (local[inside, 1] - line.rect.top) / max(line.rect.height, 1.0)
    for axis, place in (("vertical", down), ("horizontal", along)):
        ends = _ends(place, colours)
        if ends is not None:
            return Fill(*ends, axis)
    return None


def _ends(place: NDArray[np.float64], colours: Pixels) -> tuple[RGB, RGB] | None:
    """Colours at 0 and 1 of a straight transition, if the medians of eight bands follow one."""
    bands = []
    for low in np.arange(8) / 8:
        inside = colours[(place >= low) & (place < low + 1 / 8)]
        if len(inside) >= 6:
            bands.append((low + 1 / 16, np.median(inside, axis=0)))
    if len(bands) < 5:
        return None
    at = np.array([place for place, _ in bands])
    medians = np.array([colour for _, colour in bands])
    slope, start = np.polyfit(at, medians, 1)
    spread = float(((medians - medians.mean(axis=0)) ** 2).sum())
    rest = float(((medians - (start + np.outer(at, slope))) ** 2).sum())
    first, last = as_rgb(start), as_rgb(start + slope)
    if difference(first, last) < _GRADIENT_DIFFERENCE or rest > (1 - _GRADIENT_FIT) * spread:
        return None
    return first, last
