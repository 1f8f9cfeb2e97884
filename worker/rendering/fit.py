"""The ways to set one translation: how large, in how many lines, on which ground."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from worker.rendering.align import Alignment
from worker.rendering.columns import split_columns
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Rect
from worker.rendering.ground import Neighbourhood
from worker.rendering.ink import Ink
from worker.rendering.paragraph import Paragraph, measure, shape_whole
from worker.rendering.segment import Strength
from worker.rendering.style import Style


@dataclass(frozen=True, slots=True)
class LayoutOptions:
    """What the layout may do. Sizes in px or as shares of the source's size."""

    #: Below this size Korean is hard to read on screen; never asked of a source that was smaller itself.
    legible_size: float = 11.0
    #: Below this share of the source's size the look of the page suffers.
    legible_share: float = 0.6
    #: Below these nothing is drawn at all.
    least_size: float = 5.0
    least_share: float = 0.3
    #: A member that would drag its style group below this share of its size is left out of the group.
    outlier_share: float = 0.75
    #: Most lines a translation may have beyond its source's.
    most_extra_lines: int = 3

    def floor(self, size: float) -> float:
        """The least size that counts as legible for a source of `size`."""
        return max(min(size, self.legible_size), self.legible_share * size)

    def least(self, size: float) -> float:
        """The size below which a translation does not fit at all."""
        return max(min(size, self.least_size), self.least_share * size)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One block on its way through the layout."""

    block_id: int
    text: str
    language: str
    ink: Ink
    style: Style
    alignment: Alignment
    around: Neighbourhood
    #: Where flush-left lines start (u).
    start: float

    @property
    def source_lines(self) -> int:
        """How many horizontal lines the source takes; as many as fit, where it stands vertically."""
        if self.ink.vertical:
            return max(1, int(self.ink.rect.height / (_PITCH * self.ink.size)))
        return len(self.ink.lines)


@dataclass(frozen=True, slots=True)
class Columns:
    """How stacked characters are spread."""

    #: Characters on each column, the rightmost first.
    rows: tuple[int, ...]
    #: From one column to the next, em.
    pitch: float


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """One way to set a block: in `rect`, in so many lines, at `size` px."""

    rect: Rect
    paragraph: Paragraph
    lines: int
    size: float
    #: Line pitch in em.
    pitch: float
    #: Share of the source's size, less what the setting's flaws cost.
    score: float
    #: Of stacked text, whose every character is a line.
    columns: Columns | None = None


#: What flaws cost, in shares of the source's size: an extra line (single-line source, paragraph, vertical
#: text), growth downward, a weak break, a cut word.
_EXTRA_LINE_OF_ONE, _EXTRA_LINE, _EXTRA_LINE_OF_COLUMN, _GROWTH_DOWN = 0.22, 0.05, 0.03, 0.03
#: Vertical text stays horizontal from this score on; pitch (em) of stacked characters and what they cost.
_HORIZONTAL_FITS, _STACKED_PITCH, _STACKED = 0.5, 1.05, 0.2
#: A balloon is widest in its middle and highest there too: shares of its home's height that are tried for
#: wider settings, and of its width for higher ones.
_MIDDLES, _NARROWED = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), (0.8, 0.6)
#: What centred lines cost that are all empty beside their widest.
_RAGGED = 0.15
#: Em beyond which a line is never widened.
_WIDEST = 40.0
#: A setting with this score need not be bettered.
_GOOD = 0.985
_FLAW = {Strength.FREE: 0.0, Strength.WEAK: 0.04, Strength.LAST_RESORT: 0.3}
#: Line pitch in em where the source has one line, and its limits where it has more.
_PITCH, _LEAST_PITCH, _MOST_PITCH = 1.3, 1.12, 2.2
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
    rooms: list[tuple[Rect, float]] = []
    more: Iterator[tuple[Rect, float]] | None = None
    for weakest in (Strength.FREE, Strength.WEAK, Strength.LAST_RESORT):
        shaped = shape_whole(fonts, candidate.text, candidate.language, candidate.style.weight)
        paragraph = measure(candidate.text, shaped, candidate.language, weakest)
        flaw = _FLAW[weakest]
        if more is None:
            home = candidate.around.home
            more = _rooms(candidate, source_size, paragraph) if may_grow else iter([(home, 0.0)])
        for rect, cost in itertools.chain(rooms[:], _noted(more, rooms)):
            fits += _fits_in(candidate, rect, paragraph, source_size, flaw + cost, options)
            if fits and max(fit.score for fit in fits) >= _GOOD:
                break
        if fits and max(fit.score for fit in fits) >= 1.0 - _FLAW[Strength.LAST_RESORT]:
            break
    if candidate.ink.vertical and max((fit.score for fit in fits), default=0.0) < _HORIZONTAL_FITS:
        fits += _stacked(candidate, source_size, fonts, options)
    return sorted(fits, key=lambda fit: -fit.score)


def _noted(
    rooms: Iterator[tuple[Rect, float]], known: list[tuple[Rect, float]]
) -> Iterator[tuple[Rect, float]]:
    """Rooms as they are found (growing one costs a look at the plate), noted for the next round."""
    for room in rooms:
        known.append(room)
        yield room


def _stacked(
    candidate: Candidate, source_size: float, fonts: FontSet, options: LayoutOptions
) -> Iterator[Fit]:
    """Columns of upright characters, as the source stood: for where no horizontal line has room."""
    around, down = candidate.around, 2 * source_size
    rooms = ((around.home, 0.0), (around.grown(0, 0, 0, down), _GROWTH_DOWN))
    apart = _column_pitch(candidate.ink)
    for count in range(1, len(candidate.ink.lines) + 1):
        columns = split_columns(candidate.text, count)
        text = "\n".join(itertools.chain(*columns))
        shaped = shape_whole(fonts, text, candidate.language, candidate.style.weight)
        paragraph = measure(text, shaped, candidate.language, Strength.FORCED)
        rows = tuple(map(len, columns))
        depth = (max(rows, default=1) - 1) * _STACKED_PITCH + paragraph.top - paragraph.bottom
        width = (len(rows) - 1) * apart + paragraph.narrowest(paragraph.most_lines)
        for rect, cost in rooms:
            size = min(source_size, rect.width / max(width, 0.1), rect.height / max(depth, 0.1))
            if size >= options.least(source_size):
                score = size / source_size - cost - _STACKED
                yield Fit(rect, paragraph, sum(rows), size, _STACKED_PITCH, score, Columns(rows, apart))


def _column_pitch(ink: Ink) -> float:
    """Em from one column of the source to the next."""
    middles = [line.baseline for line in ink.lines]
    steps = sorted(abs(after - before) for before, after in itertools.pairwise(middles))
    return min(max(steps[len(steps) // 2] / ink.size, _STACKED_PITCH), _MOST_PITCH) if steps else _PITCH


def _rooms(candidate: Candidate, size: float, paragraph: Paragraph) -> Iterator[tuple[Rect, float]]:
    """The rectangles a block may use and what each costs: its own, then grown sideways, down, and both."""
    home = candidate.around.home
    yield home, 0.0
    widest = paragraph.narrowest(1) if math.isfinite(paragraph.narrowest(1)) else _WIDEST
    extra = max(0.0, min(widest, _WIDEST) * size * 1.02 - home.width)
    left = {Alignment.LEFT: 0.0, Alignment.CENTRE: extra / 2, Alignment.RIGHT: extra}[candidate.alignment]
    wide = _widened(candidate, candidate.around, left, extra - left)
    if wide.width > home.width:
        yield wide, 0.005
    if candidate.alignment is Alignment.CENTRE and home.height > 2 * _PITCH * size:
        for share in _MIDDLES:
            middle = home.grown(0, -(1 - share) / 2 * home.height)
            yield _widened(candidate, replace(candidate.around, home=middle), left, extra - left), 0.005
    down = 2 * _PITCH * size
    up = down if is_anchored_in_the_middle(candidate) else 0.0
    yield candidate.around.grown(0, up, 0, down), _GROWTH_DOWN
    if candidate.alignment is Alignment.CENTRE:
        for share in _NARROWED:
            slim = home.grown(-(1 - share) / 2 * home.width, 0)
            yield replace(candidate.around, home=slim).grown(0, up, 0, down), _GROWTH_DOWN
    if wide.width > home.width:
        both = candidate.around.grown(home.left - wide.left, up, wide.right - home.right, down)
        yield both, _GROWTH_DOWN + 0.005


def _widened(candidate: Candidate, around: Neighbourhood, left: float, right: float) -> Rect:
    wide = around.grown(left, 0, right, 0)
    if candidate.alignment is Alignment.CENTRE:
        return _evened(wide, candidate.ink.axis, around.home)
    return wide


def _evened(wide: Rect, centre: float, home: Rect) -> Rect:
    """The widest part of a rectangle that is centred where the source was."""
    half = min(centre - wide.left, wide.right - centre)
    return Rect(min(home.left, centre - half), wide.top, max(home.right, centre + half), wide.bottom)


def is_anchored_in_the_middle(candidate: Candidate) -> bool:
    return candidate.source_lines == 1 or candidate.alignment is Alignment.CENTRE


def _source_pitch(ink: Ink) -> float:
    baselines = [line.baseline for line in ink.lines]
    if len(baselines) < 2 or ink.vertical:
        return _PITCH
    steps = sorted(after - before for before, after in itertools.pairwise(baselines))
    return min(max(steps[len(steps) // 2] / ink.size, _LEAST_PITCH), _MOST_PITCH)


def _fits_in(
    candidate: Candidate,
    rect: Rect,
    paragraph: Paragraph,
    source_size: float,
    cost: float,
    options: LayoutOptions,
) -> Iterator[Fit]:
    """The settings in one rectangle, for each number of lines that may be worth it."""
    sources = candidate.source_lines
    extra = _EXTRA_LINE_OF_ONE if sources == 1 else _EXTRA_LINE
    if candidate.ink.vertical:
        extra = _EXTRA_LINE_OF_COLUMN
    centred = candidate.alignment is Alignment.CENTRE
    own_pitch = _source_pitch(candidate.ink)
    pitches = {own_pitch: 0.0, min(own_pitch, _TIGHT_PITCH): _SQUEEZED}
    for lines in range(1, min(paragraph.most_lines, sources + options.most_extra_lines) + 1):
        narrowest = paragraph.narrowest(lines)
        if not (math.isfinite(narrowest) and narrowest > 0):
            continue
        roomy = 0.0
        for pitch, squeezed in pitches.items():
            depth = max((lines - 1) * pitch + paragraph.top - paragraph.bottom, 0.1)
            size = min(source_size, rect.width / narrowest, rect.height / depth)
            if size >= options.least(source_size) and size > roomy:  # squeezed for nothing otherwise
                roomy = size
                flaws = cost + extra * max(0, lines - sources) + squeezed
                if centred and lines > 1:
                    flaws += _RAGGED * paragraph.raggedness(rect.width / size, lines)
                yield Fit(rect, paragraph, lines, size, pitch, size / source_size - flaws)


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
    shaped = shape_whole(fonts, candidate.text, candidate.language, candidate.style.weight)
    wide = max(shaped.advance / max(len(candidate.text), 1), 0.1)
    size = max(options.floor(source), options.outlier_share * source)
    paragraph = measure(candidate.text, shaped, candidate.language, Strength.FREE)
    most = 1
    for rect, _ in _rooms(candidate, source, paragraph):
        lines = max(1, math.floor((rect.height / size - _LINE) / _TIGHT_PITCH) + 1)
        lines = min(lines, candidate.source_lines + options.most_extra_lines)
        full = 1.0 if lines == 1 else _FULL
        most = max(most, math.floor(full * lines * rect.width / size / wide))
    return most
