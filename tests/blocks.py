"""Blocks for tests that need no picture."""

from __future__ import annotations

import numpy as np

from worker.job import TextBlock, TextLine


def make_block(number: int, text: str, *, height: float = 30.0) -> TextBlock:
    """One horizontal line of `text`, each block below the one before."""
    left, top = 20.0, 20.0 + number * 2 * height
    right, bottom = left + len(text) * height, top + height
    polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return TextBlock(number, (TextLine(polygon, text, 0.99),), text, polygon, 0.0, height)
