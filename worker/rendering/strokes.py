"""The glyphs' bodies: what the mask took for strokes, freed of frames, outlines and edges of shadows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Box, Image, Mask, Region, TextBlock, TextLine
from worker.rendering.colour import RGB, Pixels, dominant, inked, quantile, sample, some, squares, taken
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, page_box
from worker.rendering.likeness import Likeness
from worker.rendering.look import ground_of

#: Share of a line's box that no glyphs' bodies cover.
_MOST_INKED = 0.4
#: Fewest stroke pixels a measure is taken from.
FEWEST = 24
#: Text heights around the OCR boxes within which outline and shadow are looked for; px beyond the boxes that
#: tell where the strokes in them end.
_AROUND, _RIM = 0.4, 2.0
#: Pixels that tell a percentile.
_SAMPLES = 1000
#: Distance (RGB) of a colour that is neither ground nor stroke.
_UNLIKE = 64.0
#: Likeness from which on strokes are the text's (outlines reach 0.46), and below which they are hardly so;
#: colours tried in their place.
_LIKELY, _UNLIKELY, _COLOURS = 0.6, 0.12, 4
#: Smallest piece of a stroke, as a share of the line height's square.
_SPECK = 0.012
#: Share of the strokes that what lies inside them must have to be looked at.
_MUCH = 0.15
#: Correlation by which one shape must resemble the text more than another.
_CLEARLY_LIKER = 0.1


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
    region = near_lines(block.lines, _AROUND * block.text_height, region)
    page, ground = rgb[region.box.slices], ground_of(rgb[region.box.slices], plate, region)
    boxes = near_lines(block.lines, _RIM, region)
    inner = _within(boxes.box, region.box)
    inside = _inside_lines(block, boxes)
    strokes = np.asarray(cv2.bitwise_and(boxes.strokes, inside), np.uint8)
    if cv2.countNonZero(strokes) < FEWEST:
        strokes = np.asarray(cv2.bitwise_and(_guess_strokes(page, ground)[inner], inside), np.uint8)
    bodies = np.zeros_like(region.strokes)
    if cv2.countNonZero(strokes) < FEWEST:
        return replace(region, strokes=bodies)
    likeness = Likeness.to(block, (boxes.box.left, boxes.box.top), frame, fonts)
    likely = 1.0 if likeness is None else likeness.of(strokes, enough=_LIKELY)
    if likely < _LIKELY and cv2.countNonZero(strokes) > _MOST_INKED * cv2.countNonZero(inside):
        # A mask of nearly the whole line has its middle for strokes.
        strokes, likely = _liker(strokes, _guess_strokes(page, ground)[inner] & inside, likeness)
    bodies[inner] = _bodies(
        Colours(np.ascontiguousarray(page[inner]), np.ascontiguousarray(ground[inner])),
        strokes,
        inside,
        likeness,
        likely,
    )
    return replace(region, strokes=bodies)


def _bodies(colours: Colours, strokes: Mask, inside: Mask, likeness: Likeness | None, likely: float) -> Mask:
    """What of the strokes is the glyphs' own; `likely` is how much they are like the text."""
    fill = colours.dominant_at(cores_of(colours, strokes))
    within = _innermost(colours, strokes, fill, likeness, likely)
    if within is not strokes:
        fill = colours.dominant_at(cores_of(colours, within))
    # What is nearer to the ground than to the fill is an edge of an outline or a shadow.
    off_fill = colours.squares_from(fill)
    nearer = cv2.compare(off_fill, colours.squares_from_ground, cv2.CMP_LE)
    bodies = np.asarray(cv2.bitwise_and(within, nearer), np.uint8)
    bodies = bodies if cv2.countNonZero(bodies) >= FEWEST else within
    bodies = _of_fill(bodies, off_fill, likeness)
    if within is not strokes or likely < _UNLIKELY:
        bodies = _likelier(colours, bodies, inside, likeness)
    return bodies


@dataclass(frozen=True, eq=False)
class Colours:
    """Pixels and the ground under them, (h, w, 3) each: how far they are from it and from other colours."""

    page: Image
    ground: Image

    @cached_property
    def squares_from_ground(self) -> Pixels:
        """Squared distance (RGB) of each pixel to its ground."""
        return squares(np.asarray(cv2.absdiff(self.page, self.ground), np.uint8))

    def dominant_at(self, places: NDArray[np.intp]) -> RGB:
        """The colour that most pixels at some places share."""
        return dominant(taken(self.page, places))

    def squares_from(self, colour: RGB) -> Pixels:
        """Squared distance (RGB) of each pixel to one colour."""
        return squares(np.asarray(cv2.absdiff(self.page, np.array([*colour, 0.0])), np.uint8))

    def near(self, colour: RGB, distance: float) -> Mask:
        """255 where the pixels are at most so far (RGB) from one colour."""
        return _at_most(self.squares_from(colour), distance)


def _at_most(squares: Pixels, distance: float) -> Mask:
    return np.asarray(cv2.inRange(squares, -1.0, distance**2), np.uint8)


def near_lines(lines: Sequence[TextLine], margin: float, region: Region) -> Region:
    """The region cut to the OCR boxes of lines and so many px around them."""
    corners, box = np.concatenate([line.polygon for line in lines]), region.box
    around = page_box(corners, box.right, box.bottom, margin)
    cut = Box(max(around.left, box.left), max(around.top, box.top), around.right, around.bottom)
    if not (cut.width > 0 and cut.height > 0):
        return region
    inner = _within(cut, box)
    return Region(region.block_id, cut, region.mask[inner], region.strokes[inner])


def near_longest(block: TextBlock, longest: int, region: Region) -> Region:
    """The region cut to one of the block's lines, outline and shadow included; one shows the style of all."""
    if len(block.lines) == 1:
        return region
    alone = near_lines(block.lines[longest : longest + 1], _AROUND * block.text_height, region)
    return alone if cv2.countNonZero(alone.strokes) >= FEWEST else region


def _within(box: Box, outer: Box) -> tuple[slice, slice]:
    """Rows and columns of a box in the pixels of another."""
    return (
        slice(box.top - outer.top, box.bottom - outer.top),
        slice(box.left - outer.left, box.right - outer.left),
    )


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


def _liker(one: Mask, other: Mask, likeness: Likeness | None) -> tuple[Mask, float]:
    """Which of two masks spells the text better, and how well."""
    return max(((mask, likeness.of(mask) if likeness else 1.0) for mask in (one, other)), key=itemgetter(1))


def _innermost(colours: Colours, strokes: Mask, fill: RGB, likeness: Likeness | None, found: float) -> Mask:
    """The bodies inside an outline, where what was taken for strokes is the outline, alone or with them.

    The counters of a glyph show the ground; what a closed outline surrounds shows another colour, and has
    the shape of the text; `found` is how much the strokes themselves are like it.
    """
    if likeness is None or found >= _LIKELY:
        return strokes
    alike = colours.near(fill, _UNLIKE)
    hull = _filled(strokes)
    unlike = cv2.subtract(hull, cv2.dilate(alike, np.ones((3, 3), np.uint8)))
    if cv2.countNonZero(unlike) < _MUCH * cv2.countNonZero(strokes):
        return strokes
    body = colours.near(dominant(sample(colours.page, np.asarray(unlike, np.uint8))), _UNLIKE)
    candidates = [np.asarray(cv2.bitwise_and(hull, ink), np.uint8) for ink in (alike, body)]
    likely, best = max(((likeness.of(mask, hopeless=found), mask) for mask in candidates), key=itemgetter(0))
    if likely <= found + _CLEARLY_LIKER:
        return strokes
    return _without_specks(best, _SPECK * likeness.box.height**2)


def _filled(strokes: Mask) -> Mask:
    """The strokes with all that they enclose."""
    around = cv2.copyMakeBorder(strokes, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(around, None, (0, 0), 255)
    return np.asarray(cv2.bitwise_or(cv2.bitwise_not(around[1:-1, 1:-1]), strokes), np.uint8)


def _likelier(colours: Colours, strokes: Mask, inside: Mask, likeness: Likeness | None) -> Mask:
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
        if cv2.countNonZero(rest) < FEWEST:
            break
        near = colours.near(dominant(sample(colours.page, rest)), _UNLIKE / 2)
        ink = np.asarray(cv2.bitwise_and(near, inside), np.uint8)
        likely = likeness.of(ink, hopeless=found)
        if likely > least:
            best, least = ink, likely
        rest = np.asarray(cv2.subtract(rest, near), np.uint8)
    return best


def _of_fill(strokes: Mask, off_fill: Pixels, likeness: Likeness | None) -> Mask:
    """The strokes without ink of other colours (a stripe, a motif), where that spells the text better."""
    alike = np.asarray(cv2.bitwise_and(strokes, _at_most(off_fill, _UNLIKE)), np.uint8)
    left = cv2.countNonZero(alike)
    if likeness is None or left < FEWEST or left > (1 - _MUCH) * cv2.countNonZero(strokes):
        return strokes
    enough = likeness.of(alike) - _CLEARLY_LIKER / 2
    return strokes if likeness.of(strokes, enough=enough) >= enough else alike


def _without_specks(strokes: Mask, least: float) -> Mask:
    """The strokes without pieces of fewer px: ground that happens to have their colour."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    return np.where(large[labels], 255, 0).astype(np.uint8)


def cores_of(colours: Colours, strokes: Mask) -> NDArray[np.intp]:
    """Places of pixels that show the pure fill: the middle of the strokes, or of hairlines the darkest.

    Args:
        colours: The pixels and their ground.
        strokes: The glyph bodies, same shape.

    Returns:
        As many as tell a colour, in reading order.
    """
    left, top, width, height = cv2.boundingRect(strokes)
    left, top = max(left - 1, 0), max(top - 1, 0)
    around = np.s_[top : top + height + 2, left : left + width + 2]
    body = strokes[around]
    depth = np.asarray(cv2.distanceTransform(body, cv2.DIST_L2, 3), np.float32)
    places = inked(body)
    deepest = float(quantile(depth.take(some(places, _SAMPLES)), 0.95))
    if deepest >= 2.5:
        cores = some(inked(depth >= max(0.6 * deepest, 1.9)))
    else:
        off_ground = colours.squares_from_ground[around].take(places)
        least = quantile(off_ground[:: len(off_ground) // _SAMPLES + 1], 0.75)
        cores = some(places[off_ground >= least])
    rows, columns = np.divmod(cores, body.shape[1])
    return np.asarray((rows + top) * strokes.shape[1] + columns + left, np.intp)
