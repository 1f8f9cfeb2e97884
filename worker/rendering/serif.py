"""Whether the source text has serifs: in 宋 faces horizontal strokes are far thinner than vertical ones.

Every run of ink along a row crosses a stroke, mostly a vertical one, so the median of such runs is the width
of a vertical stroke; down the columns it is that of a horizontal one. Which strokes a text has at all is told
by setting it in our own sans face.
"""

from __future__ import annotations

import numpy as np

from worker.rendering.colour import Pixels, quantile
from worker.rendering.fonts import FontSet
from worker.rendering.raster import rasterise_alone

#: Below this font size (px) hairlines and stems are both about one px wide: serifs cannot be told.
LEAST_SIZE = 18.0
#: Horizontal strokes over vertical ones, as a share of that of our sans face: 0.87 and more for sans faces,
#: 0.35 to 0.78 for serif ones (Noto at 22 to 60 px, weights 400 and 700, JPEG and blur).
_THIN = 0.83
#: Our sans face has at most this ratio itself: no need to set the text where the source's is higher.
_MOST_EVEN = 1.08
#: Coverage from which on a pixel belongs to a run, and that a run reaches somewhere.
_BEGUN, _CROSSED = 0.15, 0.3
#: Longer runs (em) run along a stroke, not across it; fewer tell nothing.
_ALONG, _FEWEST = 0.25, 20
#: Pixels that tell the median of the runs.
_PIXELS = 8000
#: How much of the text is set for comparison.
_LONGEST_TRIAL = 8


def has_serifs(coverage: Pixels, size: float, text: str, weight: int, fonts: FontSet) -> bool:
    """Whether a block's text has serifs; False where that cannot be told.

    Args:
        coverage: How far, 0..1, the text covers each pixel, hairlines too, upright.
        size: Font size in px.
        text: One line of it.
        weight: Its weight, about.
        fonts: To set it for comparison.
    """
    if size < LEAST_SIZE:
        return False
    ratio = _evenness(coverage, size)
    if ratio is None or ratio >= _THIN * _MOST_EVEN:
        return False
    shaped = fonts.shape(text[:_LONGEST_TRIAL], "zh", weight)
    own = _evenness(rasterise_alone(shaped, size), size)
    return own is not None and ratio < _THIN * own


def stem_width(coverage: Pixels, size: float) -> float | None:
    """Width of the vertical strokes in px; None where there are too few.

    Args:
        coverage: Of upright text, 0..1.
        size: Font size in px.
    """
    rows = coverage[:: coverage.size // _PIXELS + 1]  # some tell for all
    flat = np.zeros((rows.shape[0], rows.shape[1] + 2), np.float32)
    flat[:, 1:-1] = rows
    flat = flat.ravel()
    begun = flat > _BEGUN
    turns = np.flatnonzero(begun[1:] != begun[:-1]) + 1
    if not len(turns):
        return None
    runs = np.add.reduceat(flat, turns)[::2]
    runs = runs[(runs < _ALONG * size) & (np.maximum.reduceat(flat, turns)[::2] > _CROSSED)]
    return float(quantile(runs, 0.5)) if len(runs) >= _FEWEST else None


def _evenness(coverage: Pixels, size: float) -> float | None:
    """Width of the horizontal strokes over that of the vertical ones."""
    vertical, horizontal = stem_width(coverage, size), stem_width(coverage.T, size)
    return horizontal / vertical if horizontal and vertical else None
