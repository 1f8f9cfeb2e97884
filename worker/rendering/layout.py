"""Size, breaks and place of each translation: as large as the source where it fits, equal where it was."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from worker.rendering.align import Alignment
from worker.rendering.fonts import FontSet, Shaped
from worker.rendering.frame import Frame, Rect
from worker.rendering.ground import Neighbourhood
from worker.rendering.ink import MOST_BEARING, Ink
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

    @property
    def source_lines(self) -> int:
        """How many horizontal lines the source takes; as many as fit, where it stands vertically."""
        if self.ink.vertical:
            return max(1, int(self.ink.rect.height / (_PITCH * self.ink.size)))
        return len(self.ink.lines)


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


#: What flaws cost, in shares of the source's size: an extra line (single-line source, paragraph), growth
#: downward, a weak break, a cut word.
_EXTRA_LINE_OF_ONE, _EXTRA_LINE, _GROWTH_DOWN = 0.22, 0.05, 0.03
#: Em beyond which a line is never widened.
_WIDEST = 40.0
#: A setting with this score need not be bettered.
_GOOD = 0.985
_FLAW = {Strength.FREE: 0.0, Strength.WEAK: 0.04, Strength.LAST_RESORT: 0.3}
#: Line pitch in em where the source has one line, and its limits where it has more.
_PITCH, _LEAST_PITCH, _MOST_PITCH = 1.3, 1.12, 2.2
#: Pitch that lines beyond the source's number may be squeezed to.
_TIGHT_PITCH = 1.2


def find_fits(candidate: Candidate, source_size: float, fonts: FontSet, options: LayoutOptions) -> list[Fit]:
    """All reasonable settings of a block, best first. Empty where not even one line is possible.

    Args:
        candidate: The block.
        source_size: The size no setting exceeds, px.
        fonts: To measure with.
        options: Limits.
    """
    fits: list[Fit] = []
    for weakest in (Strength.FREE, Strength.WEAK, Strength.LAST_RESORT):
        shaped = shape_whole(fonts, candidate.text, candidate.language, candidate.style.weight)
        paragraph = measure(candidate.text, shaped, candidate.language, weakest)
        flaw = _FLAW[weakest]
        for rect, cost in _rooms(candidate, source_size, paragraph):
            fits += _fits_in(candidate, rect, paragraph, source_size, flaw + cost, options)
            if fits and max(fit.score for fit in fits) >= _GOOD:
                break
        if fits and max(fit.score for fit in fits) >= 1.0 - _FLAW[Strength.LAST_RESORT]:
            break
    return sorted(fits, key=lambda fit: -fit.score)


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
        # A balloon is widest in its middle.
        for share in (0.75, 0.5):
            middle = home.grown(0, -(1 - share) / 2 * home.height)
            yield _widened(candidate, replace(candidate.around, home=middle), left, extra - left), 0.005
    down = 2 * _PITCH * size
    up = down if _is_anchored_in_the_middle(candidate) else 0.0
    yield candidate.around.grown(0, up, 0, down), _GROWTH_DOWN
    if wide.width > home.width:
        both = candidate.around.grown(home.left - wide.left, up, wide.right - home.right, down)
        yield both, _GROWTH_DOWN + 0.005


def _widened(candidate: Candidate, around: Neighbourhood, left: float, right: float) -> Rect:
    wide = around.grown(left, 0, right, 0)
    if candidate.alignment is Alignment.CENTRE:
        return _evened(wide, candidate.ink.rect.centre[0], around.home)
    return wide


def _evened(wide: Rect, centre: float, home: Rect) -> Rect:
    """The widest part of a rectangle that is centred where the source was."""
    half = min(centre - wide.left, wide.right - centre)
    return Rect(min(home.left, centre - half), wide.top, max(home.right, centre + half), wide.bottom)


def _is_anchored_in_the_middle(candidate: Candidate) -> bool:
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
    for lines in range(1, min(paragraph.most_lines, sources + options.most_extra_lines) + 1):
        pitch = _source_pitch(candidate.ink)
        if lines > sources:
            pitch = min(pitch, _TIGHT_PITCH)
        depth = (lines - 1) * pitch + paragraph.top - paragraph.bottom
        narrowest = paragraph.narrowest(lines)
        if not (math.isfinite(narrowest) and depth > 0 and narrowest > 0):
            continue
        size = min(source_size, rect.width / narrowest, rect.height / depth)
        if size < options.least(source_size):
            continue
        score = size / source_size - cost - extra * max(0, lines - sources)
        yield Fit(rect, paragraph, lines, size, pitch, score)


def at_size(fits: Sequence[Fit], size: float, candidate: Candidate) -> Fit | None:
    """The setting with the fewest flaws among those that reach `size`, at that size."""
    reaching = [fit for fit in fits if fit.size >= size * 0.999]
    if not reaching:
        return None
    source = candidate.ink.size
    return max(reaching, key=lambda fit: fit.score - fit.size / source)


def place(candidate: Candidate, fit: Fit, size: float, fonts: FontSet) -> PlacedBlock | None:
    """Set a block at a size its fit allows; None where rounding leaves no setting."""
    room = fit.rect
    balanced = candidate.alignment is Alignment.CENTRE
    texts = fit.paragraph.wrap(room.width / size * (1 + 1e-6), fit.lines, balanced)
    if texts is None:
        return None
    shaped = [fonts.shape(text, candidate.language, candidate.style.weight) for text in texts]
    baselines = _baselines(candidate, fit, size, room)
    lines, rects = [], []
    for text, line, baseline in zip(texts, shaped, baselines, strict=True):
        ink_left, ink_right = line.left * size, line.right * size
        left = _start(candidate, room, line, size) - ink_left
        lines.append(PlacedLine(text, left, baseline))
        rects.append(
            Rect(left + ink_left, baseline - line.top * size, left + ink_right, baseline - line.bottom * size)
        )
    rect = rects[0]
    for other in rects[1:]:
        rect = rect.union(other)
    return PlacedBlock(
        candidate.block_id,
        candidate.ink.frame,
        tuple(lines),
        size,
        candidate.style,
        candidate.language,
        rect,
    )


def _start(candidate: Candidate, room: Rect, line: Shaped, size: float) -> float:
    """Left end of a line's ink: on the source's edge or axis, as far as the room allows."""
    source, width = candidate.ink.rect, (line.right - line.left) * size
    start = min(source_line.start for source_line in candidate.ink.lines)
    wanted = {
        Alignment.LEFT: start + min(line.left, MOST_BEARING) * size,
        Alignment.CENTRE: source.centre[0] - width / 2,
        Alignment.RIGHT: source.right - width,
    }[candidate.alignment]
    return max(room.left, min(wanted, room.right - width))


def _baselines(candidate: Candidate, fit: Fit, size: float, room: Rect) -> list[float]:
    """Where the lines run: on the source's first baseline, or around its middle, kept inside the room."""
    source, pitch = candidate.ink, fit.pitch * size
    if source.size - size < 0.02 * size and fit.lines == candidate.source_lines == 1:
        first = source.lines[0].baseline
    elif _is_anchored_in_the_middle(candidate) or fit.lines > candidate.source_lines:
        middle = source.rect.centre[1]
        first = middle - (fit.lines - 1) * pitch / 2 + 0.37 * size  # 0.37: middle of a Hangul body
    else:
        first = source.lines[0].baseline - 0.37 * (source.size - size)
    top, bottom = fit.paragraph.top * size, fit.paragraph.bottom * size
    first = min(first, room.bottom + bottom - (fit.lines - 1) * pitch)
    first = max(first, room.top + top)
    return [first + line * pitch for line in range(fit.lines)]
