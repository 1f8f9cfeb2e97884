"""How much a mask looks like a line of text: whether it shows the text's strokes or something else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from worker.job import Mask, TextBlock
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, Rect
from worker.rendering.raster import levels_of
from worker.rendering.segment import clean

#: Shares of an OCR box that its ink may be high and wide, the likeliest first.
_INK_HEIGHTS, _INK_WIDTHS = (0.88, 0.8, 0.96, 0.72), (1.0, 0.92)
#: Rows that a line is compared at, and the weight it is drawn in.
_TRIAL_ROWS, _BOLD = 16, 700


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How much a mask looks like a block's longest line."""

    #: The line in our font, as high as _TRIAL_ROWS, 0..255.
    drawn: Mask
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
        rows, columns = strokes.shape
        if not strokes.any():
            return 0.0
        seen = strokes.astype(np.float32)
        drawn = self.drawn.astype(np.float32) / np.float32(255)
        best = 0.0
        for height in _INK_HEIGHTS:
            for width in _INK_WIDTHS:
                shape = (max(1, round(width * columns)), max(1, round(height * rows)))
                fitted = cv2.resize(drawn, shape, interpolation=cv2.INTER_LINEAR)
                best = max(best, float(cv2.matchTemplate(seen, fitted, cv2.TM_CCOEFF_NORMED).max()))
                if best >= enough:
                    return best
            if best < hopeless:
                return best
        return best


@lru_cache(maxsize=1024)  # the same labels come again and again on product pages
def _drawn(fonts: FontSet, text: str) -> Mask | None:
    """A line of text that fills its raster of _TRIAL_ROWS; None where it has no ink."""
    shaped = fonts.shape(text, "zh", _BOLD)
    width, height = shaped.right - shaped.left, shaped.top - shaped.bottom
    if min(width, height) <= 0:
        return None
    size = _TRIAL_ROWS / height
    start = (shaped, -shaped.left * size, shaped.top * size)
    return np.ascontiguousarray(levels_of([start], size, (_TRIAL_ROWS, math.ceil(width * size))))
