"""Reads typeset Korean back with Tesseract, from the picture and from the same glyphs black on white."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from worker.job import Box, Image
from worker.rendering.draw import draw
from worker.rendering.fonts import FontSet
from worker.rendering.frame import page_box
from worker.rendering.layout import PlacedBlock, extents
from worker.rendering.style import Fill, Style

_PLAIN = Fill((0, 0, 0), (0, 0, 0))
#: Tesseract reads best at about these heights of a line (px), with so much white around it. Which one suits a
#: line is chance (a word a little below _LEAST_CONFIDENCE costs ten characters), so the best reading counts.
_HEIGHTS, _BORDER = (40, 34, 47), 15
#: Words it doubts more (per cent) are texture taken for letters.
_LEAST_CONFIDENCE = 10.0
_CONFIDENCE, _WORD = 10, 11


def has_korean() -> bool:
    """Whether Tesseract with Korean is installed; says so where it is not."""
    program = shutil.which("tesseract")
    if program is None:
        print("Tesseract is not installed: the text is not read back")
        return False
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=False)
    return "kor" in listed.stdout.split()


@dataclass(frozen=True, slots=True)
class Reading:
    """Characters read, and read wrongly: from the picture, and black on white."""

    characters: int = 0
    wrong: int = 0
    plain_wrong: int = 0

    def __add__(self, other: Reading) -> Reading:
        return Reading(
            self.characters + other.characters,
            self.wrong + other.wrong,
            self.plain_wrong + other.plain_wrong,
        )

    @property
    def rates(self) -> tuple[float, float]:
        """Character error rates, in per cent."""
        count = max(self.characters, 1)
        return 100 * self.wrong / count, 100 * self.plain_wrong / count


def in_black(style: Style) -> Style:
    """The same glyphs black on white."""
    return replace(style, fill=_PLAIN, outline=None, shadow=None, ground=(255, 255, 255))


def read_back(rgb: Image, blocks: Iterable[PlacedBlock], fonts: FontSet) -> Reading:
    """Read upright blocks line by line.

    Args:
        rgb: The typeset page, (H, W, 3).
        blocks: What was drawn on it.
        fonts: The set it was drawn with.
    """
    total = Reading()
    for placed in blocks:
        if placed.frame.angle != 0:
            continue
        bare = in_black(placed.style)
        white = np.full_like(rgb, 255)
        draw(white, replace(placed, style=bare), fonts)
        for line in placed.lines:
            shaped = fonts.shape(line.text, placed.language, placed.style.weight, placed.style.serif)
            rect = extents([line], [shaped], placed.size, placed.style.slant)
            corners = placed.frame.quad(rect)
            box = page_box(corners, rgb.shape[1], rgb.shape[0], margin=max(2.0, 0.1 * placed.size))
            text = line.text.replace(" ", "")
            wrong = _errors(text, rgb, box, placed.style, placed.size)
            total += Reading(len(text), wrong, _errors(text, white, box, bare, placed.size))
    return total


def _errors(text: str, rgb: Image, box: Box, style: Style, size: float) -> int:
    """Characters of one line that are read wrongly at best."""
    fewest = len(text)
    for height in _HEIGHTS:
        fewest = min(fewest, _distance(text, _read(rgb, box, style, height / size)))
        if not fewest:
            break
    return fewest


def _read(rgb: Image, box: Box, style: Style, scale: float) -> str:
    """One line, in grey from fill (black) to what is around it (white): Tesseract knows no colours."""
    around = np.array(style.outline.colour if style.outline else style.ground, np.float32)
    axis = (np.array(style.fill.start, np.float32) + np.array(style.fill.end, np.float32)) / 2 - around
    share = (rgb[box.slices].astype(np.float32) - around) @ axis / max(float(axis @ axis), 1.0)
    grey = np.clip(255 * (1 - share), 0, 255).astype(np.uint8)
    scale = max(1.0, scale)
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    sides = (_BORDER, _BORDER, _BORDER, _BORDER)
    _, png = cv2.imencode(".png", cv2.copyMakeBorder(large, *sides, cv2.BORDER_CONSTANT, value=255))
    finished = subprocess.run(
        ["tesseract", "stdin", "stdout", "-l", "kor", "--psm", "7", "tsv"],
        input=png.tobytes(),
        capture_output=True,
        check=True,
    )
    rows = [row.split("\t") for row in finished.stdout.decode().splitlines()[1:]]
    words = [row[_WORD] for row in rows if len(row) > _WORD and float(row[_CONFIDENCE]) >= _LEAST_CONFIDENCE]
    return "".join("".join(words).split())


def _distance(expected: str, read: Sequence[str]) -> int:
    """Levenshtein distance."""
    row = list(range(len(read) + 1))
    for i, wanted in enumerate(expected, start=1):
        before, row[0] = row[0], i
        for j, seen in enumerate(read, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (wanted != seen))
    return row[-1]
