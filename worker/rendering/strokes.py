"""The glyphs' bodies: what the mask took for strokes, freed of frames, outlines and edges of shadows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import cv2
import numpy as np

from worker.job import Box, Image, Mask, Region, TextBlock, TextLine
from worker.rendering.colour import (
    RGB,
    Pixels,
    dominant,
    sample,
)
from worker.rendering.cores import FEWEST, Colours, Cores, at_most, cores_of
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, page_box
from worker.rendering.likeness import Likeness
from worker.rendering.look import ground_of

#: Share of a line's box that no glyphs' bodies cover.
_MOST_INKED = 0.4
#: Text heights around the OCR boxes within which outline and shadow are looked for; px beyond the boxes that
#: tell where the strokes in them end.
_AROUND, _RIM = 0.4, 2.0
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
#: A guess replaces a mask of thin strokes where it is so much likelier: rows of one style shall not differ.
_FAR_LIKER = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """A block's glyphs on the page."""

    #: Cut to what its style shows on, with nothing but the glyphs' bodies as its strokes.
    region: Region
    #: None where there are hardly any strokes.
    cores: Cores | None = None


def find_bodies(
    rgb: Image, plate: Image | None, block: TextBlock, region: Region, frame: Frame, fonts: FontSet
) -> Bodies:
    """Find the glyphs' bodies among a region's strokes.

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
        return Bodies(replace(region, strokes=bodies))
    likeness = Likeness.to(block, (boxes.box.left, boxes.box.top), frame, fonts)
    likely = 1.0 if likeness is None else likeness.of(strokes, enough=_LIKELY)
    if likeness is not None and likely < _LIKELY:
        # A mask of thin strokes may have their edges for strokes, one of nearly the whole line its middle.
        guess = np.asarray(_guess_strokes(page, ground)[inner] & inside & boxes.mask, np.uint8)
        much = cv2.countNonZero(strokes) > _MOST_INKED * cv2.countNonZero(inside)
        liked = likeness.of(guess)
        if liked > likely + (0.0 if much else _FAR_LIKER):
            strokes, likely = guess, liked
    colours = Colours(np.ascontiguousarray(page[inner]), np.ascontiguousarray(ground[inner]), boxes.box)
    bodies[inner], cores = _bodies(colours, strokes, inside, likeness, likely)
    return Bodies(replace(region, strokes=bodies), cores)


def _bodies(
    colours: Colours, strokes: Mask, inside: Mask, likeness: Likeness | None, likely: float
) -> tuple[Mask, Cores]:
    """What of the strokes is the glyphs' own, and its colour; `likely` is how much they are like the text."""
    cores = cores_of(colours, strokes)
    within, likelier = _innermost(colours, strokes, cores.fill, likeness, likely)
    if within is not strokes:
        cores = cores_of(colours, within)
    # What is nearer to the ground than to the fill is an edge of an outline or a shadow.
    off_fill = colours.squares_from(cores.fill)
    nearer = cv2.compare(off_fill, colours.squares_from_ground, cv2.CMP_LE)
    bodies = np.asarray(cv2.bitwise_and(within, nearer), np.uint8)
    bodies = bodies if cv2.countNonZero(bodies) >= FEWEST else within
    found = _of_fill(bodies, off_fill, likeness, likelier)
    if within is not strokes or likely < _UNLIKELY:
        found = _likelier(colours, found, inside, likeness)
    return found, cores if found is bodies else cores_of(colours, found)


def near_lines(lines: Sequence[TextLine], margin: float, region: Region) -> Region:
    """The region cut to the OCR boxes of lines and so many px around them."""
    corners, box = np.concatenate([line.polygon for line in lines]), region.box
    around = page_box(corners, box.right, box.bottom, margin)
    cut = Box(max(around.left, box.left), max(around.top, box.top), around.right, around.bottom)
    if not (cut.width > 0 and cut.height > 0):
        return region
    inner = _within(cut, box)
    return Region(region.block_id, cut, region.mask[inner], region.strokes[inner])


def near_line(block: TextBlock, line: int, region: Region) -> Region:
    """The region cut to one of the block's lines, outline and shadow included; one shows the style of all."""
    if len(block.lines) == 1:
        return region
    alone = near_lines(block.lines[line : line + 1], _AROUND * block.text_height, region)
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


def _innermost(
    colours: Colours, strokes: Mask, fill: RGB, likeness: Likeness | None, found: float
) -> tuple[Mask, float]:
    """The bodies inside an outline, where what was taken for strokes is the outline, alone or with them.

    The counters of a glyph show the ground; what a closed outline surrounds shows another colour, and has
    the shape of the text; `found` is how much the strokes themselves are like it. Returned with how much the
    bodies are.
    """
    if likeness is None or found >= _LIKELY:
        return strokes, found
    alike = colours.near(fill, _UNLIKE)
    hull = _filled(strokes)
    unlike = cv2.subtract(hull, cv2.dilate(alike, np.ones((3, 3), np.uint8)))
    if cv2.countNonZero(unlike) < _MUCH * cv2.countNonZero(strokes):
        return strokes, found
    body = colours.near(dominant(sample(colours.page, np.asarray(unlike, np.uint8))), _UNLIKE)
    candidates = [np.asarray(cv2.bitwise_and(hull, ink), np.uint8) for ink in (alike, body)]
    likely, best = max(((likeness.of(mask, hopeless=found), mask) for mask in candidates), key=itemgetter(0))
    if likely <= found + _CLEARLY_LIKER:
        return strokes, found
    return _without_specks(best, _SPECK * likeness.box.height**2), likely


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


def _of_fill(strokes: Mask, off_fill: Pixels, likeness: Likeness | None, found: float) -> Mask:
    """The strokes without ink of other colours (a stripe, a motif), where that spells the text better.

    `found` is how much they are like it as they are.
    """
    alike = np.asarray(cv2.bitwise_and(strokes, at_most(off_fill, _UNLIKE)), np.uint8)
    left = cv2.countNonZero(alike)
    if likeness is None or left < FEWEST or left > (1 - _MUCH) * cv2.countNonZero(strokes):
        return strokes
    better = found + _CLEARLY_LIKER / 2
    return alike if likeness.of(alike, enough=better, hopeless=found) > better else strokes


def _without_specks(strokes: Mask, least: float) -> Mask:
    """The strokes without pieces of fewer px: ground that happens to have their colour."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    return np.where(large[labels], 255, 0).astype(np.uint8)
