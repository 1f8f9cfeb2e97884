"""How large the source text is and where it stands: its lines' ink, measured, not the OCR boxes'."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Mask, Region, TextBlock, TextLine
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, Rect
from worker.rendering.raster import set_line
from worker.rendering.segment import clean

#: What OCR boxes (PP-OCR's unclip) leave above and below the ink, as a share of the box's height.
_BOX_MARGIN = 0.09
#: Body of a Han character, em above and below the baseline (Noto Sans CJK; all CJK fonts come near).
HAN_TOP, HAN_BOTTOM = 0.82, -0.08
#: The weight at which source lines are shaped for their proportions.
_REGULAR = 400
#: Deviation of Han ink over the rows of a line, in em.
_HAN_DEVIATION = 0.245
#: Size (px) of the trial setting that source lines are compared with.
_TRIAL_SIZE = 32
#: Fewest stroke pixels a line is measured on.
_FEWEST = 12
#: No ink of a line reaches farther above and below its baseline, in em: the rest is a neighbour's.
_TALLEST, _DEEPEST = 0.95, 0.3
#: Room a line of any script needs beside its ink, in em.
BESIDE = 0.08
#: Side bearing, in em, beyond which a glyph is an opening bracket, which is set flush.
MOST_BEARING = 0.12


@dataclass(frozen=True, slots=True)
class InkLine:
    """One source line in the block's local frame."""

    #: Extents of its ink (for vertical text: of the column).
    rect: Rect
    #: Where its baseline runs (v); for vertical text the column's middle (u).
    baseline: float
    #: Where its pen started (u): left of the ink by the first glyph's side bearing (but see MOST_BEARING).
    start: float
    #: The middle of the pen's way (u): what is centred where a line begins or ends with full-width
    #: punctuation, whose ink fills one half of its body.
    axis: float


@dataclass(frozen=True)
class Ink:
    """The geometry of a source block."""

    frame: Frame
    #: In reading order.
    lines: tuple[InkLine, ...]
    #: Font size in px: what the same characters would need in our fonts to be as tall.
    size: float
    vertical: bool = False

    @cached_property
    def axis(self) -> float:
        """Where centred lines have their middle (u): that of pen or ink, whichever the lines agree on."""
        pens, inks = [line.axis for line in self.lines], [line.rect.centre[0] for line in self.lines]
        return median(min(pens, inks, key=lambda middles: max(middles) - min(middles)))

    def length_of(self, line: int) -> float:
        """How long (px) one of the lines is."""
        rect = self.lines[line].rect
        return rect.height if self.vertical else rect.width

    @cached_property
    def longest(self) -> int:
        """Which line is the longest."""
        return max(range(len(self.lines)), key=self.length_of)

    @cached_property
    def rect(self) -> Rect:
        """Extents of all lines."""
        rect = self.lines[0].rect
        for line in self.lines[1:]:
            rect = rect.union(line.rect)
        return rect


@dataclass(frozen=True, slots=True)
class _Proportions:
    """How a text's ink is spread over its rows, in em above the baseline; its side bearings and width."""

    mean: float
    deviation: float
    left: float
    right: float
    width: float


def measure_ink(block: TextBlock, region: Region, frame: Frame, fonts: FontSet, language: str = "zh") -> Ink:
    """Measure a block's lines under its stroke mask.

    Args:
        block: The source text.
        region: Its ink; where `strokes` is empty the OCR boxes are taken, less their usual margin.
        frame: The block's frame (see frame.frames_of).
        fonts: Used for the proportions of the source characters.
        language: BCP-47 of the source text.
    """
    measure = _measure_column if block.vertical else _measure_line
    measured = [measure(line, region, frame, fonts, language) for line in block.lines]
    sizes = [size for _, size in measured]
    return Ink(frame, tuple(line for line, _ in measured), median(sizes), block.vertical)


def _measure_line(
    line: TextLine, region: Region, frame: Frame, fonts: FontSet, language: str
) -> tuple[InkLine, float]:
    """A line's extents and font size: its ink is compared with the same text in our own font.

    Compared are the mean and the deviation of the ink over the rows: unlike its extents they hardly depend
    on how far a font's brackets and slashes reach, and they are not bound to whole px.
    """
    box = frame.rect_around(line.polygon)
    text = clean(line.text).replace("\n", " ")
    own = _proportions(fonts, text, language)
    strokes, covered = frame.cut(region.strokes, box, (region.box.left, region.box.top))
    rows = _counts(strokes, along=1)
    if rows.sum() < _FEWEST:
        inner = box.grown(0, -_BOX_MARGIN * box.height)
        size = inner.height / (HAN_TOP - HAN_BOTTOM)
        line_ink = InkLine(inner, inner.bottom + HAN_BOTTOM * size, inner.left, inner.centre[0])
        return line_ink, max(size, 1.0)
    first, last = _body(rows)
    weights = rows[first : last + 1] / rows[first : last + 1].sum()
    places = covered.top + 0.5 + np.arange(first, last + 1)
    mean = float(weights @ places)
    deviation = float(np.sqrt(weights @ (places - mean) ** 2))
    _, solid = cv2.threshold(strokes[first : last + 1], 127, 255, cv2.THRESH_BINARY)
    start, _, width, _ = cv2.boundingRect(solid)
    left, right = covered.left + float(start), covered.left + float(start + width)
    size = deviation / own.deviation
    size = min(size, 1.3 * (right - left) / own.width, 1.15 * box.height)
    baseline = mean + own.mean * size
    top = max(covered.top + first, baseline - _TALLEST * size)
    bottom = min(covered.top + last + 1, baseline + _DEEPEST * size)
    rect = Rect(left, min(top, mean), right, max(bottom, mean))
    axis = rect.centre[0] + (own.right - own.left) / 2 * size
    return InkLine(rect, baseline, left - min(own.left, MOST_BEARING) * size, axis), max(size, 1.0)


def _measure_column(
    line: TextLine, region: Region, frame: Frame, fonts: FontSet, language: str
) -> tuple[InkLine, float]:
    """A vertical line's extents and font size, from the width of its column."""
    box = frame.rect_around(line.polygon)
    strokes, covered = frame.cut(region.strokes, box, (region.box.left, region.box.top))
    rows, columns = _counts(strokes, along=1), _counts(strokes, along=0)
    rect = box.grown(-_BOX_MARGIN * box.width, 0)
    if rows.sum() >= _FEWEST:
        first, last = _body(columns)
        inked = np.flatnonzero(rows)
        rect = Rect(
            covered.left + first,
            covered.top + float(inked[0]),
            covered.left + last + 1,
            covered.top + float(inked[-1]) + 1,
        )
    return InkLine(rect, rect.centre[0], rect.left, rect.centre[0]), max(
        rect.width / (HAN_TOP - HAN_BOTTOM), 1.0
    )


@lru_cache(maxsize=4096)  # the same labels come again and again on product pages
def _proportions(fonts: FontSet, text: str, language: str) -> _Proportions:
    """The proportions of a text set in our font, measured as the source's are."""
    shaped = fonts.shape(text, language, _REGULAR)
    rows = _counts(set_line(shaped, _TRIAL_SIZE), along=1)
    if rows.sum() < _FEWEST:  # nothing but dashes or unknown characters
        return _Proportions((HAN_TOP + HAN_BOTTOM) / 2, _HAN_DEVIATION, 0.05, 0.05, max(shaped.advance, 0.5))
    weights = rows / rows.sum()
    above = 1.0 - (np.arange(len(rows)) + 0.5) / _TRIAL_SIZE
    mean = float(weights @ above)
    deviation = float(np.sqrt(weights @ (above - mean) ** 2))
    bearing = shaped.advance - shaped.right
    return _Proportions(mean, max(deviation, 0.1), shaped.left, bearing, max(shaped.right - shaped.left, 0.1))


def _counts(levels: Mask, along: int) -> NDArray[np.int32]:
    """How many px are mostly covered in each row (along 1) or column (along 0)."""
    if not levels.size:
        return np.zeros(levels.shape[1 - along], np.int32)
    _, covered = cv2.threshold(levels, 127, 1, cv2.THRESH_BINARY)
    return np.asarray(cv2.reduce(covered, along, cv2.REDUCE_SUM, dtype=cv2.CV_32S), np.int32).ravel()


def _body(profile: NDArray[np.int32]) -> tuple[int, int]:
    """First and last row of a line's body: what a neighbouring line leaves at the box's edge is cut off.

    A neighbour's ink touches the edge and is set apart from the body by an empty row; it is never more
    than a fifth of the box.
    """
    counts = profile.tolist()
    least = max(1.0, 0.02 * max(counts))
    filled = [count > least for count in counts]
    if True not in filled:
        return 0, len(filled) - 1
    return _start(filled), len(filled) - 1 - _start(filled[::-1])


def _start(filled: list[bool]) -> int:
    """The first filled row, less what touches the edge and is set apart."""
    edge = filled[: len(filled) // 5]
    if filled[0] and False in edge:
        gap = edge.index(False)
        return filled.index(True, gap) if True in filled[gap:] else gap
    return filled.index(True)
