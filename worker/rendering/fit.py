"""The ways to set one translation: how large, in how many lines, on which ground."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.rendering.align import Alignment
from worker.rendering.candidate import PITCH, Candidate, LayoutOptions
from worker.rendering.columns import cells_of, is_stackable, split_columns
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Rect
from worker.rendering.ink import Ink
from worker.rendering.paragraph import Paragraph, measure, shape_whole
from worker.rendering.rooms import GROWTH_DOWN, Room, rooms_of
from worker.rendering.segment import Strength


@dataclass(frozen=True, slots=True)
class Columns:
    """How stacked characters are spread."""

    #: Characters on each column, the rightmost first.
    rows: tuple[int, ...]
    #: From one column to the next, em.
    pitch: float
    #: For each column, em of word spaces above each of its characters.
    spaces: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One way to set a block: in `rect`, in so many lines, at `size` px."""

    rect: Rect
    paragraph: Paragraph
    lines: int
    size: float
    #: Line pitch in em.
    pitch: float
    #: What its flaws cost, and the share of the source's size that it reaches less that.
    flaws: float
    score: float
    #: Of stacked text, whose every character is a line.
    columns: Columns | None = None


#: What flaws cost, in shares of the source's size: an extra line (single-line source, paragraph, vertical
#: text), a weak break, a cut word.
_EXTRA_LINE_OF_ONE, _EXTRA_LINE, _EXTRA_LINE_OF_COLUMN = 0.22, 0.05, 0.03
#: Vertical text stays horizontal from this score on; pitch (em) of stacked characters.
_HORIZONTAL_FITS, _STACKED_PITCH = 0.5, 1.05
#: What stacked characters cost in one column, and in more, which read less well.
_STACKED, _STACKED_COLUMNS = 0.05, 0.2
#: Em between the words of a column.
_WORD_SPACE = 0.35
#: What centred lines cost that are all empty beside their widest.
_RAGGED = 0.15
#: What a size costs below the legible one, for each share of that that it lacks.
_ILLEGIBLE = 0.5
#: A setting with this score need not be bettered.
_GOOD = 0.985
_FLAW = {Strength.FREE: 0.0, Strength.WEAK: 0.04, Strength.LAST_RESORT: 0.3}
#: A cut word of letters, which nobody reads: rather anything that fits.
_CUT_LETTERS = 0.9
#: Limits of the line pitch (em) where the source has more than one line.
_LEAST_PITCH, _MOST_PITCH = 1.12, 2.2
#: Pitch that lines may be squeezed to, and what it costs.
_TIGHT_PITCH, _SQUEEZED = 1.2, 0.08
#: Height in em of one line's ink; how full broken lines are on average.
_LINE, _FULL = 0.95, 0.85


def find_fits(
    candidate: Candidate,
    source_size: float,
    fonts: FontSet,
    options: LayoutOptions,
    may_grow: bool = True,
) -> list[Fit]:
    """All reasonable settings of a block, best first. Empty where not even one line is possible.

    Args:
        candidate: The block.
        source_size: The size no setting exceeds, px.
        fonts: To measure with.
        options: Limits.
        may_grow: Whether ground beyond the block's home may be used.
    """
    fits: list[Fit] = []
    best, ends = 0.0, 0
    terms = _Terms.of(candidate, source_size, options)
    stackable = is_stackable(candidate.text)
    flaws = _FLAW if stackable else {**_FLAW, Strength.LAST_RESORT: _CUT_LETTERS}
    rooms: list[Room] = []
    more: Iterator[Room] | None = None
    shaped = shape_whole(
        fonts, candidate.text, candidate.language, candidate.style.weight, candidate.style.serif
    )
    for weakest in (Strength.FREE, Strength.WEAK, Strength.LAST_RESORT):
        paragraph = measure(candidate.text, shaped, candidate.language, weakest)
        if paragraph.most_lines == ends:  # no breaks of this kind: nothing new
            continue
        flaw, ends = flaws[weakest], paragraph.most_lines
        if more is None:
            more = rooms_of(candidate, source_size, paragraph)
            more = more if may_grow else itertools.islice(more, 1)
        for room in itertools.chain(rooms[:], _noted(more, rooms)):
            broken = terms.extra if room.taller and terms.sources == 1 else 0.0
            if best >= 1 - (flaw + room.cost + broken):  # whatever the room is like
                continue
            for fit in _fits_in(room.rect, paragraph, flaw + room.cost, terms, fits):
                fits.append(fit)
                best = max(best, fit.score)
            if best >= _GOOD:
                break
        if best >= 1.0 - flaws[Strength.LAST_RESORT]:
            break
    if candidate.ink.vertical and best < _HORIZONTAL_FITS and stackable:
        fits += find_stacked_fits(candidate, source_size, fonts, options)
    return sorted(fits, key=lambda fit: -fit.score)


def _noted(rooms: Iterator[Room], known: list[Room]) -> Iterator[Room]:
    """Rooms as they are found, noted for the next round."""
    for room in rooms:
        known.append(room)
        yield room


def find_stacked_fits(
    candidate: Candidate, source_size: float, fonts: FontSet, options: LayoutOptions
) -> Iterator[Fit]:
    """Columns of upright characters, as the source stood: for where no horizontal line has room.

    Args:
        candidate: The block; no setting has more columns than its source has.
        source_size: The size no setting exceeds, px.
        fonts: To measure with.
        options: Limits.
    """
    around, down = candidate.around, 2 * source_size
    rooms = ((around.home, 0.0), (around.grown(0, 0, 0, down), GROWTH_DOWN))
    apart = _column_pitch(candidate.ink)
    for count in range(1, len(candidate.ink.lines) + 1):
        columns = split_columns(candidate.text, count)
        text = "\n".join(itertools.chain(*columns))
        shaped = shape_whole(fonts, text, candidate.language, candidate.style.weight, candidate.style.serif)
        paragraph = measure(text, shaped, candidate.language, Strength.FORCED)
        rows = tuple(map(len, columns))
        spaces = _word_spaces(candidate.text, rows)
        steps = ((len(above) - 1) * _STACKED_PITCH + above[-1] for above in spaces)
        depth = max(steps, default=0.0) + paragraph.top - paragraph.bottom
        width = (len(rows) - 1) * apart + paragraph.narrowest(paragraph.most_lines)
        for rect, cost in rooms:
            size = min(source_size, rect.width / max(width, 0.1), rect.height / max(depth, 0.1))
            if size >= options.least(source_size):
                flaws = cost + (_STACKED_COLUMNS if len(rows) > 1 else _STACKED)
                stacked = Columns(rows, apart, spaces)
                score = size / source_size - flaws
                yield Fit(rect, paragraph, sum(rows), size, _STACKED_PITCH, flaws, score, stacked)


def _word_spaces(text: str, rows: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    """For each column of so many characters, em of word spaces above each of them."""
    begins = iter([place == 0 for word in cells_of(text) for place in range(len(word))])
    spaces = []
    for count in rows:
        opened = [begin and place > 0 for place, begin in enumerate(itertools.islice(begins, count))]
        spaces.append(tuple(_WORD_SPACE * number for number in itertools.accumulate(opened)))
    return tuple(spaces)


def _column_pitch(ink: Ink) -> float:
    """Em from one column of the source to the next."""
    middles = [line.baseline for line in ink.lines]
    steps = sorted(abs(after - before) for before, after in itertools.pairwise(middles))
    return min(max(steps[len(steps) // 2] / ink.size, _STACKED_PITCH), _MOST_PITCH) if steps else PITCH


def _source_pitch(ink: Ink) -> float:
    baselines = [line.baseline for line in ink.lines]
    if len(baselines) < 2 or ink.vertical:
        return PITCH
    steps = sorted(after - before for before, after in itertools.pairwise(baselines))
    return min(max(steps[len(steps) // 2] / ink.size, _LEAST_PITCH), _MOST_PITCH)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What any setting of a block is measured by."""

    #: Sizes (px) that none exceeds and none falls below, and the least legible one (0 for vertical text,
    #: whose further lines cost little anyway).
    size: float
    least: float
    legible: float
    #: Lines of the source, and the most that a setting has.
    sources: int
    most_lines: int
    #: What a line more than the source's costs.
    extra: float
    #: Line pitches (em) tried, and what they cost.
    pitches: tuple[tuple[float, float], ...]
    centred: bool
    slant: float

    def illegible(self, size: float) -> float:
        """Which share of the least legible size a size lacks."""
        return 1 - size / self.legible if size < self.legible else 0.0

    @classmethod
    def of(cls, candidate: Candidate, source_size: float, options: LayoutOptions) -> _Terms:
        """The terms of one block."""
        sources, pitch = candidate.source_lines, _source_pitch(candidate.ink)
        extra = _EXTRA_LINE_OF_ONE if sources == 1 else _EXTRA_LINE
        return cls(
            source_size,
            options.least(source_size),
            0.0 if candidate.ink.vertical else options.floor(source_size),
            sources,
            sources + options.most_extra_lines,
            _EXTRA_LINE_OF_COLUMN if candidate.ink.vertical else extra,
            ((pitch, 0.0), (_TIGHT_PITCH, _SQUEEZED)) if pitch > _TIGHT_PITCH else ((pitch, 0.0),),
            candidate.alignment is Alignment.CENTRE,
            candidate.style.slant,
        )


def _fits_in(
    rect: Rect, paragraph: Paragraph, cost: float, terms: _Terms, known: Sequence[Fit]
) -> Iterator[Fit]:
    """The settings in one rectangle, for each number of lines, that are not worse in all than a known one."""
    lean, height = paragraph.lean(terms.slant), paragraph.top - paragraph.bottom
    tightest = terms.pitches[-1][0]
    for lines in range(1, min(paragraph.most_lines, terms.most_lines) + 1):
        if rect.height < terms.least * ((lines - 1) * tightest + height) * (1 - 1e-9):
            return  # nor has it room for more lines
        narrowest = paragraph.narrowest(lines)
        if not (math.isfinite(narrowest) and narrowest > 0):
            continue
        roomy = 0.0
        for pitch, squeezed in terms.pitches:
            depth = max((lines - 1) * pitch + height, 0.1)
            size = min(terms.size, rect.width / (narrowest + lean), rect.height / depth)
            if size >= terms.least and size > roomy:  # squeezed for nothing otherwise
                roomy = size
                flaws = cost + terms.extra * max(0, lines - terms.sources) + squeezed
                flaws += _ILLEGIBLE * terms.illegible(size)
                if _is_bettered(known, size, flaws):
                    continue
                if terms.centred and lines > 1:
                    flaws += _RAGGED * paragraph.raggedness(rect.width / size - lean, lines)
                yield Fit(rect, paragraph, lines, size, pitch, flaws, size / terms.size - flaws)


def _is_bettered(known: Sequence[Fit], size: float, flaws: float) -> bool:
    """Whether a known fit is as large and has no more flaws."""
    for fit in known:  # noqa: SIM110 - half the time of any()
        if fit.size >= size and fit.flaws <= flaws:
            return True
    return False


def at_size(fits: Sequence[Fit], size: float, candidate: Candidate) -> Fit | None:
    """The setting with the fewest flaws among those that reach `size`, at that size."""
    reaching = [fit for fit in fits if fit.size >= size * 0.999]
    if not reaching:
        return None
    source = candidate.ink.size
    return max(reaching, key=lambda fit: fit.score - fit.size / source)


def capacity_of(candidate: Candidate, fonts: FontSet, options: LayoutOptions) -> int:
    """About how many characters as wide as those of the candidate's text fit at a size that keeps its look.

    Counted in the block's own place grown as far as it may; lines are seldom full, see _FULL.
    """
    source = candidate.ink.size
    shaped = shape_whole(
        fonts, candidate.text, candidate.language, candidate.style.weight, candidate.style.serif
    )
    wide = max(shaped.advance / max(len(candidate.text), 1), 0.1)
    size = max(options.floor(source), options.outlier_share * source)
    paragraph = measure(candidate.text, shaped, candidate.language, Strength.FREE)
    most = 1
    for room in rooms_of(candidate, source, paragraph):
        rect = room.rect
        lines = max(1, math.floor((rect.height / size - _LINE) / _TIGHT_PITCH) + 1)
        lines = min(lines, candidate.source_lines + options.most_extra_lines)
        full = 1.0 if lines == 1 else _FULL
        most = max(most, math.floor(full * lines * rect.width / size / wide))
    return most
