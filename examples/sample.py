"""What the script draws: one picture with its text, its clean plate, its OCR result and its glossary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from examples.canvas import Canvas
from examples.lettering import Lettering, Line

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One finished sample; pictures are RGB uint8 (height, width, 3)."""

    page: Image
    plate: Image
    lines: tuple[Line, ...]
    #: Chinese → Korean: every translated line, and every paragraph as one text.
    glossary: dict[str, str]


def finish(canvas: Canvas, lettering: Lettering) -> Sample:
    """Set the lettering on the painted plate."""
    page = canvas.plate.copy()
    lettering.set_on(page)
    return Sample(_levels(page), _levels(canvas.plate), tuple(lettering.lines), lettering.glossary)


def _levels(picture: np.ndarray) -> Image:
    return np.asarray(np.round(picture).clip(0, 255), np.uint8)
