"""A small page with text on a ground that only a network continues."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.pages_ways import Case
from worker.job import TextLine


def line(left: float, top: float, right: float, bottom: float) -> TextLine:
    polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return TextLine(polygon, "字", 0.9)


def lettered_page() -> Case:
    """Two lines to be erased, one between them that stays, on a coarse texture: 501 × 403 px."""
    coarse = np.random.default_rng(3).integers(60, 256, (31, 39, 3)).astype(np.uint8)
    page = cv2.resize(coarse, (501, 403), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    for text, top in (("ERASED", 70), ("KEPT", 220), ("AS WELL", 370)):
        cv2.putText(page, text, (160, top), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 3)
    lines = (line(158, 40, 320, 76), line(158, 190, 270, 226), line(158, 340, 340, 376))
    return Case(page, lines, (True, False, True))
