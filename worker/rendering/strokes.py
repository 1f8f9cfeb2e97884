"""The glyphs' bodies: what the mask took for strokes, freed of frames, outlines and edges of shadows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Box, Image, Mask, Region, TextBlock, TextLine
from worker.rendering.colour import RGB, Pixels, dominant, dot, quantile, sample
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, Rect, page_box
from worker.rendering.look import departure_of, ground_of
from worker.rendering.raster import Coverage, rasterise
from worker.rendering.segment import clean

#: Share of a line's box that no glyphs' bodies cover.
_MOST_INKED = 0.4
#: Fewest stroke pixels a measure is taken from.
FEWEST = 24
#: Text heights around the OCR boxes within which outline and shadow are looked for.
_AROUND = 0.4
#: Pixels that tell a percentile.
_SAMPLES = 1000
#: Distance (RGB) of a colour that is neither ground nor stroke.
_UNLIKE = 64.0
#: Shares of an OCR box that its ink may be high and wide.
_INK_HEIGHTS, _INK_WIDTHS = (0.88, 0.8, 0.96, 0.72), (0.92, 1.0)
#: Likeness from which on strokes are the text's (outlines reach 0.46), and below which they are hardly so;
#: colours tried in their place.
_LIKELY, _UNLIKELY, _COLOURS = 0.6, 0.12, 4
#: Smallest piece of a stroke, as a share of the line height's square.
_SPECK = 0.012
#: Rows that a line is compared at.
_TRIAL_ROWS = 16
#: Share of the strokes that what lies inside them must have to be looked at.
_MUCH = 0.15
#: Correlation by which one shape must resemble the text more than another; the weight it is drawn in.
_CLEARLY_LIKER, _BOLD = 0.1, 700


def find_strokes(
    rgb: Image, plate: Image | None, block: TextBlock, region: Region, frame: Frame, fonts: FontSet
) -> Region:
    """The region, cut to what its style shows on, with nothing but the glyphs' bodies as its strokes.

    Args:
        rgb: The original page, (H, W, 3).
        plate: The page with this text erased, same shape; None to take one ground colour around the text.
        block: The source text.
        region: Its ink.
        frame: Its frame.
        fonts: To know the text's shape.
    """
    region = near_lines(block.lines, block.text_height, region)
    page, ground = rgb[region.box.slices], ground_of(rgb[region.box.slices], plate, region)
    inside = _inside_lines(block, region)
    strokes = np.asarray(cv2.bitwise_and(region.strokes, inside), np.uint8)
    if np.count_nonzero(strokes) < FEWEST:
        strokes = np.asarray(cv2.bitwise_and(_guess_strokes(page, ground), inside), np.uint8)
    if np.count_nonzero(strokes) < FEWEST:
        return replace(region, strokes=np.zeros_like(region.strokes))
    likeness = _Likeness.to(block, (region.box.left, region.box.top), frame, fonts)
    colours = Colours.of(page)
    departure = departure_of(page, ground)
    off_ground = dot(departure, departure)
    fill = dominant(sample(colours.pixels, cores_of(off_ground, strokes)))
    likely = 1.0 if likeness is None else likeness.of(strokes, enough=_LIKELY)
    if likely < _LIKELY and np.count_nonzero(strokes) > _MOST_INKED * np.count_nonzero(inside):
        # A mask of nearly the whole line has its middle for strokes.
        strokes, likely = _liker(strokes, _guess_strokes(page, ground) & inside, likeness)
        fill = dominant(sample(colours.pixels, cores_of(off_ground, strokes)))
    within = _innermost(colours, strokes, fill, likeness, likely)
    if within is not strokes:
        fill = dominant(sample(colours.pixels, cores_of(off_ground, within)))
    # What is nearer to the ground than to the fill is an edge of an outline or a shadow.
    nearer = cv2.compare(colours.squares_from(fill), off_ground, cv2.CMP_LE)
    bodies = np.asarray(cv2.bitwise_and(within, nearer), np.uint8)
    bodies = bodies if np.count_nonzero(bodies) >= FEWEST else within
    bodies = _of_fill(colours, bodies, fill, likeness)
    if within is not strokes or likely < _UNLIKELY:
        bodies = _likelier(colours, bodies, inside, likeness)
    return replace(region, strokes=bodies)


@dataclass(frozen=True, slots=True, eq=False)
class Colours:
    """Pixels whose distances from many colours are wanted: |p - c|² = |p|² - 2 p·c + |c|², one pass each."""

    #: (h, w, 3)
    pixels: Pixels
    _squares: Pixels

    @classmethod
    def of(cls, page: Image) -> Colours:
        """Take the pixels, (h, w, 3)."""
        pixels = page.astype(np.float32)
        return cls(pixels, dot(pixels, pixels))

    def squares_from(self, colour: RGB) -> Pixels:
        """Squared distance (RGB) of each pixel to one colour."""
        matrix = np.array([[*(-2.0 * channel for channel in colour), np.dot(colour, colour)]], np.float32)
        return np.asarray(cv2.transform(self.pixels, matrix), np.float32) + self._squares

    def near(self, colour: RGB, distance: float) -> Mask:
        """255 where the pixels are at most so far (RGB) from one colour."""
        return np.asarray(cv2.inRange(self.squares_from(colour), -1.0, distance**2), np.uint8)


def near_lines(lines: Sequence[TextLine], text_height: float, region: Region) -> Region:
    """The region cut to the OCR boxes of lines and what outline and shadow need around them."""
    corners, box = np.concatenate([line.polygon for line in lines]), region.box
    around = page_box(corners, box.right, box.bottom, margin=_AROUND * text_height)
    cut = Box(max(around.left, box.left), max(around.top, box.top), around.right, around.bottom)
    if not (cut.width > 0 and cut.height > 0):
        return region
    rows = slice(cut.top - box.top, cut.bottom - box.top)
    columns = slice(cut.left - box.left, cut.right - box.left)
    return Region(region.block_id, cut, region.mask[rows, columns], region.strokes[rows, columns])


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


def _liker(one: Mask, other: Mask, likeness: _Likeness | None) -> tuple[Mask, float]:
    """Which of two masks spells the text better, and how well."""
    return max(((mask, likeness.of(mask) if likeness else 1.0) for mask in (one, other)), key=itemgetter(1))


def _innermost(colours: Colours, strokes: Mask, fill: RGB, likeness: _Likeness | None, found: float) -> Mask:
    """The bodies inside an outline, where what was taken for strokes is the outline, alone or with them.

    The counters of a glyph show the ground; what a closed outline surrounds shows another colour, and has
    the shape of the text; `found` is how much the strokes themselves are like it.
    """
    if likeness is None or found >= _LIKELY:
        return strokes
    alike = colours.near(fill, _UNLIKE)
    hull = np.zeros_like(strokes)
    contours, _ = cv2.findContours(strokes, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(hull, contours, -1, 255, cv2.FILLED)
    unlike = cv2.subtract(hull, cv2.dilate(alike, np.ones((3, 3), np.uint8)))
    if np.count_nonzero(unlike) < _MUCH * np.count_nonzero(strokes):
        return strokes
    body = colours.near(dominant(sample(colours.pixels, np.asarray(unlike, np.uint8))), _UNLIKE)
    candidates = [np.asarray(cv2.bitwise_and(hull, ink), np.uint8) for ink in (alike, body)]
    likely, best = max(((likeness.of(mask), mask) for mask in candidates), key=itemgetter(0))
    if likely <= found + _CLEARLY_LIKER:
        return strokes
    return _without_specks(best, _SPECK * likeness.box.height**2)


def _likelier(colours: Colours, strokes: Mask, inside: Mask, likeness: _Likeness | None) -> Mask:
    """The ink of the line's colours that spells the text, where the strokes plainly do not.

    A motif under pale text can be stronger than the text.
    """
    if likeness is None:
        return strokes
    found = likeness.of(strokes, enough=_UNLIKELY)
    if found >= _UNLIKELY:
        return strokes
    best, least, rest = strokes, found + 2 * _CLEARLY_LIKER, inside
    for _ in range(_COLOURS):
        if np.count_nonzero(rest) < FEWEST:
            break
        near = colours.near(dominant(sample(colours.pixels, rest)), _UNLIKE / 2)
        ink = np.asarray(cv2.bitwise_and(near, inside), np.uint8)
        likely = likeness.of(ink)
        if likely > least:
            best, least = ink, likely
        rest = np.asarray(cv2.subtract(rest, near), np.uint8)
    return best


def _of_fill(colours: Colours, strokes: Mask, fill: RGB, likeness: _Likeness | None) -> Mask:
    """The strokes without ink of other colours (a stripe, a motif), where that spells the text better."""
    alike = np.asarray(cv2.bitwise_and(strokes, colours.near(fill, _UNLIKE)), np.uint8)
    left = np.count_nonzero(alike)
    if likeness is None or left < FEWEST or left > (1 - _MUCH) * np.count_nonzero(strokes):
        return strokes
    return alike if likeness.of(alike) > likeness.of(strokes) + _CLEARLY_LIKER / 2 else strokes


def _without_specks(strokes: Mask, least: float) -> Mask:
    """The strokes without pieces of fewer px: ground that happens to have their colour."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    return np.where(large[labels], 255, 0).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Likeness:
    """How much a mask looks like a block's longest line."""

    #: The line in our font, as high as _TRIAL_ROWS.
    drawn: Coverage
    #: Of the OCR's line, in the frame.
    box: Rect
    frame: Frame
    #: The page's (x, y) of a mask's first pixel.
    origin: tuple[int, int]

    @classmethod
    def to(cls, block: TextBlock, origin: tuple[int, int], frame: Frame, fonts: FontSet) -> _Likeness | None:
        """Draw the line; None for text without ink, and for vertical text, which is no line."""
        if block.vertical:
            return None
        longest = max(block.lines, key=lambda line: len(line.text))
        shaped = fonts.shape(clean(longest.text), "zh", _BOLD)
        width, height = shaped.right - shaped.left, shaped.top - shaped.bottom
        if min(width, height) <= 0:
            return None
        size = _TRIAL_ROWS / height
        start = (shaped, -shaped.left * size, shaped.top * size)
        drawn = rasterise([start], size, (_TRIAL_ROWS, math.ceil(width * size)))
        return cls(drawn, frame.rect_around(longest.polygon), frame, origin)

    def of(self, mask: Mask, enough: float = 1.0) -> float:
        """Best correlation of a mask with the text, drawn about as large as the OCR box, or one `enough`."""
        strokes, _ = self.frame.cut(mask, self.box, self.origin)
        if min(strokes.shape) and strokes.shape[0] > _TRIAL_ROWS:
            shape = (max(1, round(strokes.shape[1] * _TRIAL_ROWS / strokes.shape[0])), _TRIAL_ROWS)
            strokes = np.asarray(cv2.resize(strokes, shape, interpolation=cv2.INTER_AREA), np.uint8)
        rows, columns = strokes.shape
        if not strokes.any():
            return 0.0
        seen = strokes.astype(np.float32)
        best = 0.0
        for height, width in itertools.product(_INK_HEIGHTS, _INK_WIDTHS):
            shape = (max(1, round(width * columns)), max(1, round(height * rows)))
            fitted = cv2.resize(self.drawn, shape, interpolation=cv2.INTER_LINEAR)
            best = max(best, float(cv2.matchTemplate(seen, fitted, cv2.TM_CCOEFF_NORMED).max()))
            if best >= enough:
                break
        return best


def cores_of(off_ground: Pixels, strokes: Mask) -> NDArray[np.bool_]:
    """The pixels that show the pure fill: the middle of the strokes, or of hairlines the darkest.

    Args:
        off_ground: How far each pixel's colour is from that of its ground, by any measure.
        strokes: The glyph bodies, same shape.
    """
    depth = np.asarray(cv2.distanceTransform(strokes, cv2.DIST_L2, 3), np.float32)
    inked = np.flatnonzero(strokes > 0)
    inked = inked[:: len(inked) // _SAMPLES + 1]
    deepest = float(quantile(depth.ravel()[inked], 0.95))
    if deepest >= 2.5:
        return np.asarray(depth >= max(0.6 * deepest, 1.9))
    least = quantile(off_ground.ravel()[inked], 0.75)
    return (strokes > 0) & (off_ground >= least)
