"""The layout of a page as something that can be kept, edited by a person, and drawn again.

What was not edited is drawn exactly as it stood. To an edited text its setting as it stands is what the
source was to the translation: it keeps size, style and place, and shrinks only where it has to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import regex

from worker.errors import BadLayout
from worker.job import Flag, Image, TextBlock
from worker.rendering.align import Alignment
from worker.rendering.candidate import Candidate, LayoutOptions
from worker.rendering.draw import draw
from worker.rendering.fit import at_size, find_fits, find_stacked_fits
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, Rect
from worker.rendering.ground import CLEARANCE, CLEARANCE_IN_BALLOON, Neighbourhood
from worker.rendering.ink import HAN_BOTTOM, HAN_TOP, MOST_BEARING, Ink, InkLine
from worker.rendering.layout import LONGEST_TEXT, PlacedBlock, PlacedLine, extents, place
from worker.rendering.paragraph import shape_whole
from worker.rendering.perspective import Warp
from worker.rendering.segment import clean
from worker.rendering.style import Style
from worker.rendering.typeset import Typeset

#: Below this share of its old size an edited text looks set smaller.
_SMALLER = 0.9
#: Of characters that no font shows, as many are named.
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class SheetBlock:
    """One block as it was set."""

    id: int
    source: str
    #: What a person edits; line ends in it are kept.
    translation: str
    flags: tuple[Flag, ...]
    #: Corners of everything drawn, (x, y) on the page; for showing, not read when drawing.
    polygon: tuple[tuple[float, float], ...]
    #: Degrees, clockwise on screen; all other places are in the page turned by it.
    angle: float
    #: Where the text lies on a surface seen at an angle: the homography, row by row, from there to the page.
    warp: Warp | None
    alignment: Alignment
    #: Font size, px.
    size: float
    #: The ground that the lines were fitted into.
    room: Rect
    #: Names of the families it was set in; for showing, not read when drawing.
    fonts: tuple[str, ...]
    style: Style
    #: At least one.
    lines: tuple[PlacedLine, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The layout of one page."""

    width: int
    height: int
    #: BCP-47 of the translations.
    language: str
    #: In the order in which they are drawn.
    blocks: tuple[SheetBlock, ...]


def sheet_of(typesetting: Typeset, blocks: Sequence[TextBlock], language: str) -> Sheet:
    """Note how a page was set.

    Args:
        typesetting: The page as typeset.
        blocks: Its blocks, for their source texts.
        language: BCP-47 of the translations.
    """
    height, width = typesetting.rgb.shape[:2]
    sources = {block.id: block.text for block in blocks}
    answers = {answer.block_id: answer for answer in typesetting.translations}
    noted = []
    for outcome in typesetting.outcomes:
        placed = outcome.placed
        if placed is None:
            continue
        answer = answers[outcome.block_id]
        noted.append(
            SheetBlock(
                outcome.block_id,
                clean(sources[outcome.block_id]),
                clean(answer.text or ""),
                answer.flags,
                tuple((float(x), float(y)) for x, y in placed.polygon),
                placed.frame.angle,
                placed.frame.warp,
                placed.alignment,
                placed.size,
                placed.room,
                outcome.fonts,
                placed.style,
                placed.lines,
            )
        )
    return Sheet(width, height, language, tuple(noted))


@dataclass(frozen=True, slots=True, eq=False)
class Redrawn:
    """A page drawn from its layout."""

    #: (H, W, 3), new.
    rgb: Image
    #: Ids of the edited blocks whose text had to be set clearly smaller than the old one.
    smaller: tuple[int, ...]


def render_sheet(plate: Image, sheet: Sheet, fonts: FontSet, options: LayoutOptions | None = None) -> Redrawn:
    """Draw a page from its plate and its layout.

    Args:
        plate: The erased page, (H, W, 3); read only.
        sheet: Its layout, edited or not.
        fonts: The set it was laid out with, for equal pixels.
        options: Limits for edited texts.

    Raises:
        BadLayout: The plate has another size, or a text has no room, or characters that no font shows and
            the page as it stands does not lack already; names the block.
    """
    height, width = plate.shape[:2]
    if (width, height) != (sheet.width, sheet.height):
        raise BadLayout(
            f"the layout is for a page of {sheet.width} x {sheet.height} px, the plate has {width} x {height}"
        )
    standing = [_as_it_stands(block, sheet.language, fonts) for block in sheet.blocks]
    rgb = plate.copy()
    smaller: list[int] = []
    options = options or LayoutOptions()
    for index, (block, placed) in enumerate(zip(sheet.blocks, standing, strict=True)):
        text, missing = _drawable(block, sheet.language, fonts)
        edited = _is_edited(block, text)
        if missing and (edited or Flag.MISSING_GLYPH not in block.flags):
            raise BadLayout(
                f"blocks[{index}].translation: no font shows {missing[:_MOST_NAMED]}; set FONT_PATHS"
            )
        if edited:
            others = [other for other in standing if other is not placed]
            found = _set_again(plate, placed, text, others, fonts, options)
            if found is None and text:
                raise BadLayout(f"blocks[{index}].translation: there is no room for this text")
            if found is None:
                continue
            if found.size < _SMALLER * placed.size:
                smaller.append(block.id)
            placed = found
        draw(rgb, placed, fonts)
    return Redrawn(rgb, tuple(smaller))


def _as_it_stands(block: SheetBlock, language: str, fonts: FontSet) -> PlacedBlock:
    shaped = [fonts.shape(line.text, language, block.style.weight, block.style.serif) for line in block.lines]
    rect = extents(block.lines, shaped, block.size, block.style.slant)
    return PlacedBlock(
        block.id,
        Frame(block.angle, block.warp),
        block.lines,
        block.size,
        block.style,
        language,
        rect,
        block.alignment,
        block.room,
    )


def _drawable(block: SheetBlock, language: str, fonts: FontSet) -> tuple[str, str]:
    """The translation without what no font can show; and that."""
    text = clean(block.translation)
    missing = shape_whole(fonts, text, language, block.style.weight, block.style.serif).missing
    return "".join(char for char in text if char not in missing).strip(), missing


def _is_edited(block: SheetBlock, text: str) -> bool:
    """Whether the lines, in their order, no longer spell the translation."""
    spelled = r"\s*".join(regex.escape(line.text) for line in block.lines)
    return regex.fullmatch(spelled, text) is None


def _set_again(
    plate: Image,
    placed: PlacedBlock,
    text: str,
    others: Sequence[PlacedBlock],
    fonts: FontSet,
    options: LayoutOptions,
) -> PlacedBlock | None:
    """An edited text at the place of the old: in its room, or on free ground beside it; None if unfit."""
    if not 0 < len(text) <= LONGEST_TEXT:
        return None
    frame, stacked = placed.frame, _is_stacked(placed)
    obstacles = tuple(frame.rect_around(other.body) for other in others)
    clearance = CLEARANCE_IN_BALLOON if stacked else CLEARANCE
    outlined = placed.style.outline is not None
    around = Neighbourhood(
        plate, frame, placed.room, obstacles, placed.size, clearance=clearance, outlined=outlined
    )
    starts = []
    for line in placed.lines:
        left = fonts.shape(line.text, placed.language, placed.style.weight, placed.style.serif).left
        starts.append(line.left + (left - min(left, MOST_BEARING)) * placed.size)
    ink = Ink(frame, _ink_lines(placed, stacked), placed.size, stacked)
    candidate = Candidate(
        placed.block_id, text, placed.language, ink, placed.style, placed.alignment, around, min(starts)
    )
    fits = list(find_stacked_fits(candidate, placed.size, fonts, options)) if stacked else []
    fits = fits or find_fits(candidate, placed.size, fonts, options)
    fit = at_size(fits, placed.size, candidate) or (fits[0] if fits else None)
    return place(candidate, fit, fit.size, fonts) if fit else None


def _ink_lines(placed: PlacedBlock, stacked: bool) -> tuple[InkLine, ...]:
    """The lines as they stand, in the shape of source lines: bodies of equal height on their baselines."""
    if stacked:
        return _columns(placed)
    rect, size = placed.rect, placed.size
    return tuple(
        InkLine(
            Rect(rect.left, line.baseline - HAN_TOP * size, rect.right, line.baseline - HAN_BOTTOM * size),
            line.baseline,
            line.left,
            rect.centre[0],
        )
        for line in placed.lines
    )


def _columns(placed: PlacedBlock) -> tuple[InkLine, ...]:
    """The columns of stacked characters, in reading order: a new one begins where the next stands higher."""
    columns: list[list[PlacedLine]] = []
    for line in placed.lines:
        if columns and line.baseline > columns[-1][-1].baseline:
            columns[-1].append(line)
        else:
            columns.append([line])
    rect, size, half = placed.rect, placed.size, (HAN_TOP - HAN_BOTTOM) / 2
    lines = []
    for column in columns:
        axis = median(line.left for line in column) + size / 2
        body = Rect(axis - half * size, rect.top, axis + half * size, rect.bottom)
        lines.append(InkLine(body, axis, body.left, axis))
    return tuple(lines)


def _is_stacked(placed: PlacedBlock) -> bool:
    """Whether characters stand one under the other."""
    return len(placed.lines) > 1 and all(len(regex.findall(r"\X", line.text)) == 1 for line in placed.lines)
