"""How much a mask looks like a line of text: whether it shows the text's strokes or something else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from worker.job import Mask, TextBlock
from worker.rendering.colour import Pixels
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, Rect
from worker.rendering.raster import set_line
from worker.rendering.segment import clean

#: Shares of an OCR box that its ink may be high, the likeliest first; share of it below which it is narrower.
_INK_HEIGHTS, _AS_WIDE = (0.88, 0.8, 0.96, 0.72), 0.97
#: Rows that a line is compared at; the size (px) and weight it is set in, and what makes it bold then.
_TRIAL_ROWS, _TRIAL_SIZE, _REGULAR, _BOLDER = 16, 32, 400, np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How much a mask looks like a block's longest line."""

    #: The line in our font, as high as _TRIAL_ROWS, 0..255.
    drawn: Pixels
    #: Of the OCR's line, in the frame.
    box: Rect
    frame: Frame
    #: The page's (x, y) of a mask's first pixel.
    origin: tuple[int, int]

    @classmethod
    def to(cls, block: TextBlock, origin: tuple[int, int], frame: Frame, fonts: FontSet) -> Likeness | None:
        """Draw the line; None for text without ink, and for vertical text, which is no line."""
        if block.vertical:
            return None
        longest = max(block.lines, key=lambda line: len(line.text))
        drawn = _drawn(fonts, clean(longest.text))
        return None if drawn is None else cls(drawn, frame.rect_around(longest.polygon), frame, origin)

    def of(self, mask: Mask, enough: float = 1.0, hopeless: float = -1.0) -> float:
        """Best correlation of a mask with the text, drawn about as large as the OCR box.

        Args:
            mask: What may show the text.
            enough: The first correlation so high is as good as the best.
            hopeless: Where the first height tried gives less, no other is tried.
        """
        strokes, _ = self.frame.cut(mask, self.box, self.origin)
        if min(strokes.shape) and strokes.shape[0] > _TRIAL_ROWS:
            shape = (max(1, round(strokes.shape[1] * _TRIAL_ROWS / strokes.shape[0])), _TRIAL_ROWS)
            strokes = np.asarray(cv2.resize(strokes, shape, interpolation=cv2.INTER_AREA), np.uint8)
        if not (min(strokes.shape) and cv2.countNonZero(strokes)):
            return 0.0
        best = _correlation(strokes, self.drawn, enough, hopeless)
        left, _, width, _ = cv2.boundingRect(strokes)
        if best >= enough or best < hopeless or width >= _AS_WIDE * strokes.shape[1]:
            return best
        tight = np.ascontiguousarray(strokes[:, left : left + width])
        return max(best, _correlation(tight, self.drawn, enough, hopeless))


def _correlation(strokes: Mask, drawn: Pixels, enough: float, hopeless: float) -> float:
    """The best correlation of a mask with a line drawn as wide, of several heights, anywhere in it."""
    rows, columns = strokes.shape
    levels = strokes.astype(np.float32).ravel()
    sums, squares = (table[:, -1].tolist() for table in cv2.integral2(strokes))  # in all rows above each
    best = 0.0
    for share in _INK_HEIGHTS:
        height = max(1, round(share * rows))
        fitted = cv2.resize(drawn, (columns, height), interpolation=cv2.INTER_LINEAR).ravel()
        size = fitted.size
        fitted -= fitted.sum() / size
        own = float(fitted @ fitted)
        for top in range(rows - height + 1):
            total, square = sums[top + height] - sums[top], squares[top + height] - squares[top]
            spread = max((square - total * total / size) * own, 1.0)
            best = max(best, float(levels[top * columns :][:size] @ fitted) / math.sqrt(spread))
        if best >= enough or best < hopeless:
            break
    return best


@lru_cache(maxsize=1024)  # the same labels come again and again on product pages
def _drawn(fonts: FontSet, text: str) -> Pixels | None:
    """A bold line of text that fills its raster of _TRIAL_ROWS; None where it has no ink."""
    line = cv2.dilate(set_line(fonts.shape(text, "zh", _REGULAR), _TRIAL_SIZE), _BOLDER)
    left, top, width, height = cv2.boundingRect(line)
    if min(width, height) <= 0:
        return None
    shape = (math.ceil(width * _TRIAL_ROWS / height), _TRIAL_ROWS)
    ink = line[top : top + height, left : left + width]
    return cv2.resize(ink, shape, interpolation=cv2.INTER_AREA).astype(np.float32)
