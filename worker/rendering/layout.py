"""Size, breaks and place of all translations: as large as the source where they fit, equal where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from statistics import median

from worker.job import Polygon
from worker.rendering.align import Alignment
from worker.rendering.candidate import Candidate, LayoutOptions, is_anchored_in_the_middle
from worker.rendering.fit import Columns, Fit, at_size, find_fits
from worker.rendering.fonts import FontSet, Shaped
from worker.rendering.frame import Frame, Rect
from worker.rendering.groups import style_groups
from worker.rendering.ink import MOST_BEARING
from worker.rendering.style import Style
from worker.rendering.territory import FAR

#: No translation of a block on a picture is longer; a text beyond it is not tried.
LONGEST_TEXT = 1500
#: Share of the source's size down to which lines keep the source's distance.
_KEEPS_GRID = 0.85
#: Em between texts on one line: closer they read as one.
_WORD_SPACE = 0.35
#: Ink (em) of a stacked character below which it is a comma, a stop or a dash.
_SMALL_SIGN = 0.35
#: Starts that differ by fewer em are meant to be the same.
_HAIR = 0.12


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """One line: its pen starts at (`left`, `baseline`) of the block's frame, px."""

    text: str
    left: float
    baseline: float


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A translation, ready to be drawn."""

    block_id: int
    frame: Frame
    lines: tuple[PlacedLine, ...]
    #: Font size, px.
    size: float
    style: Style
    language: str
    #: Extents of the glyphs' ink in the frame (without outline and shadow).
    rect: Rect
    alignment: Alignment
    #: The ground, in the frame, that the lines were fitted into.
    room: Rect

    @property
    def polygon(self) -> Polygon:
        """Page polygon (4, 2) around everything drawn, outline and shadow included."""
        return self.frame.quad(self.rect.grown(self.style.margin, self.style.margin))

    @property
    def body(self) -> Polygon:
        """Page polygon (4, 2) around the glyphs and their outline: what other text keeps clear of."""
        return self.frame.quad(self.rect.grown(self.style.border, self.style.border))


def lay_out(
    candidates: Sequence[Candidate], fonts: FontSet, options: LayoutOptions
) -> dict[int, PlacedBlock]:
    """Place all blocks that fit: one size for each style group, then each in its turn beside the others."""
    placed: dict[int, PlacedBlock] = {}
    bodies: list[Polygon] = []
    drawable = [candidate for candidate in candidates if 0 < len(candidate.text) <= LONGEST_TEXT]
    inks = [candidate.ink for candidate in drawable]
    for group in style_groups(inks, [candidate.style for candidate in drawable]):
        members = [drawable[index] for index in group]
        source = min(member.ink.size for member in members)  # never above any one's own
        fits = {member.block_id: find_fits(member, source, fonts, options) for member in members}
        best = [found[0].size for found in fits.values() if found]
        common = min((size for size in best if size >= options.outlier_share * source), default=source)
        for member in members:
            found = _place_beside(member, fits[member.block_id], common, source, bodies, fonts, options)
            if found is not None:
                bodies.append(found.body)
                placed[member.block_id] = found
    return placed


def _place_beside(
    candidate: Candidate,
    fits: Sequence[Fit],
    common: float,
    source: float,
    bodies: Sequence[Polygon],
    fonts: FontSet,
    options: LayoutOptions,
) -> PlacedBlock | None:
    """Place one block at the common size, or at its own best where it must, clear of the bodies placed.

    Where neighbours have grown around it, it shrinks inside its own home: nobody else grows into that.
    """
    taken = candidate.ink.frame.extents_of(bodies)
    near = candidate.ink.rect.grown(FAR * candidate.ink.size, FAR * candidate.ink.size)
    taken = taken[near.overlaps_any(taken) & ~candidate.around.home.overlaps_any(taken)]
    for _ in range(2):
        choice = at_size(fits, common, candidate) or (fits[0] if fits else None)
        found = place(candidate, choice, min(common, choice.size), fonts) if choice else None
        if found is not None:
            border = candidate.style.border
            body = found.rect.grown(border + _WORD_SPACE * found.size, border)
            if not body.overlaps_any(taken).any():
                return found
        # Another block has grown into the ground this one counted on: measure again beside it.
        others = (*candidate.around.obstacles, *(Rect(*edges) for edges in taken.tolist()))
        candidate = replace(candidate, around=replace(candidate.around, obstacles=others))
        fits = find_fits(candidate, source, fonts, options)
    inside = find_fits(candidate, source, fonts, options, may_grow=False)
    placements = (place(candidate, fit, min(common, fit.size), fonts) for fit in inside)
    return next((found for found in placements if found is not None), None)


def with_shared_edges(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Flush-left blocks whose starts differ by a hair start at one edge: it was one in the source."""
    edges: list[list[int]] = []
    shared = list(candidates)
    for index in sorted(range(len(shared)), key=lambda i: shared[i].start):
        candidate = shared[index]
        if candidate.alignment is Alignment.LEFT and candidate.ink.frame.is_page:
            near = edges and candidate.start - shared[edges[-1][-1]].start <= _HAIR * candidate.ink.size
            if near:
                edges[-1].append(index)
            else:
                edges.append([index])
    for members in filter(lambda members: len(members) > 1, edges):
        start = median(shared[index].start for index in members)
        for index in members:
            shared[index] = replace(shared[index], start=start)
    return shared


def place(candidate: Candidate, fit: Fit, size: float, fonts: FontSet) -> PlacedBlock | None:
    """Set a block at a size its fit allows; None where rounding leaves no setting."""
    room = fit.rect
    balanced = candidate.alignment is Alignment.CENTRE
    lean = fit.paragraph.lean(candidate.style.slant)
    width = room.width
    if fit.lines > 1 and not balanced:  # no wider than its source was, unless it must be
        needed = (fit.paragraph.narrowest(fit.lines) + lean) * size
        width = min(width, max(candidate.around.home.width, needed))
    texts = fit.paragraph.wrap((width / size - lean) * (1 + 1e-6), fit.lines, balanced)
    if texts is None:
        return None
    style = candidate.style.scaled(size / candidate.ink.size)
    shaped = [fonts.shape(text, candidate.language, style.weight, style.serif) for text in texts]
    if fit.columns is None:
        baselines = _baselines(candidate, fit, size, room)
        inks = [_leaning(line, style.slant) for line in shaped]
        lefts = [_start(candidate, room, line, ink, size) for line, ink in zip(shaped, inks, strict=True)]
    else:
        baselines, lefts = _in_columns(candidate, fit, fit.columns, shaped, size)
    lines = [
        PlacedLine(text, left - line.left * size, baseline)
        for text, line, left, baseline in zip(texts, shaped, lefts, baselines, strict=True)
    ]
    return PlacedBlock(
        candidate.block_id,
        candidate.ink.frame,
        tuple(lines),
        size,
        style,
        candidate.language,
        extents(lines, shaped, size, style.slant),
        candidate.alignment,
        room,
    )


def extents(lines: Sequence[PlacedLine], shaped: Sequence[Shaped], size: float, slant: float) -> Rect:
    """The ink of lines in their frame.

    Args:
        lines: At least one.
        shaped: Their glyphs, one entry for each line.
        size: Font size in px.
        slant: Tangent of the lean to the right.
    """
    rects = []
    for line, glyphs in zip(lines, shaped, strict=True):
        left, right = _leaning(glyphs, slant)
        rects.append(
            Rect(
                line.left + left * size,
                line.baseline - glyphs.top * size,
                line.left + right * size,
                line.baseline - glyphs.bottom * size,
            )
        )
    return reduce(Rect.union, rects)


def _leaning(line: Shaped, slant: float) -> tuple[float, float]:
    """Left and right end (em) of a line's ink when it leans."""
    leans = slant * line.top, slant * line.bottom, 0.0
    return line.left + min(leans), line.right + max(leans)


def _start(candidate: Candidate, room: Rect, line: Shaped, ink: tuple[float, float], size: float) -> float:
    """Left end of a line's ink, were it upright: leaning on the source's edge or axis, as the room allows."""
    source, width = candidate.ink.rect, (ink[1] - ink[0]) * size
    wanted = {
        Alignment.LEFT: candidate.start + min(line.left, MOST_BEARING) * size,
        Alignment.CENTRE: candidate.ink.axis - width / 2,
        Alignment.RIGHT: source.right - width,
    }[candidate.alignment]
    return max(room.left, min(wanted, room.right - width)) + (line.left - ink[0]) * size


def _in_columns(
    candidate: Candidate, fit: Fit, columns: Columns, shaped: Sequence[Shaped], size: float
) -> tuple[list[float], list[float]]:
    """Baselines and left ends of stacked characters: columns around the source's middle, from the right."""
    spaces = [[above * size for above in column] for column in columns.spaces]
    extra = max(column[-1] for column in spaces)
    down = _baselines(candidate, replace(fit, lines=max(columns.rows)), size, fit.rect, extra)
    half = (len(columns.rows) - 1) / 2 * columns.pitch * size
    room = fit.rect.grown(-half, 0)
    middle = max(room.left, min(candidate.ink.rect.centre[0], room.right))
    baselines, lefts = [], []
    characters = iter(shaped)
    for column, above in enumerate(spaces):
        axis = middle + half - column * columns.pitch * size
        for space, baseline in zip(above, down, strict=False):
            line = next(characters)
            # a comma or stop hangs in a corner of its body, which stands where a character's would
            hangs = line.top - line.bottom < _SMALL_SIGN
            left, right = (0.0, line.advance) if hangs else (line.left, line.right)
            width = (right - left) * size
            start = max(fit.rect.left, min(axis - width / 2, fit.rect.right - width))
            baselines.append(baseline + space)
            lefts.append(start + (line.left - left) * size)
    return baselines, lefts


def _baselines(candidate: Candidate, fit: Fit, size: float, room: Rect, extra: float = 0.0) -> list[float]:
    """Where the lines run: on the source's first baseline, or around its middle, kept inside the room.

    `extra` px will be added between some of them.
    """
    source, pitch = candidate.ink, fit.pitch * size
    if fit.lines <= candidate.source_lines and size > _KEEPS_GRID * source.size:
        pitch = fit.pitch * source.size  # beside other columns the lines stay on their grid
    if source.size - size < 0.02 * size and fit.lines == candidate.source_lines == 1:
        first = source.lines[0].baseline
    elif is_anchored_in_the_middle(candidate) or fit.lines > candidate.source_lines:
        middle = source.rect.centre[1]
        first = middle - ((fit.lines - 1) * pitch + extra) / 2 + 0.37 * size  # 0.37: middle of a Hangul body
    else:
        first = source.lines[0].baseline - 0.37 * (source.size - size)
    top, bottom = fit.paragraph.top * size, fit.paragraph.bottom * size
    first = min(first, room.bottom + bottom - (fit.lines - 1) * pitch - extra)
    first = max(first, room.top + top)
    return [first + line * pitch for line in range(fit.lines)]
