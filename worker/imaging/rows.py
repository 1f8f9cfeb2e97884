"""One OCR line with what grouping asks about it: its axes, its size, its colours, what its text says."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.imaging.quads import Frame, frame_of, is_vertical
from worker.job import Image, TextLine

Vector = NDArray[np.float32]

#: A row that opens with a label: 【key】, "key：value" with a short key, or a bullet or number.
_LABEL = re.compile(
    r"""\s*(?: [【\[〖][^】\]〗]{1,12}[】\]〗]
          | (?P<key>[^：:，。,;；（(]{1,10})[：:]
          | [·•●○■□◆◇★☆※▪▶►✓✔]
          | (?:\d{1,2}|[①-⑳㈠-㈩一二三四五六七八九十]{1,2})[、.．)）](?!\d)
          | [①-⑳]
        )""",
    re.VERBOSE,
)
_WHOLLY_BRACKETED = re.compile(r"\s*[（(【\[].*[）)】\]]\s*$")
_TERMINAL = tuple("。！？!?；;）)】]”」』…")
_OPENERS, _CLOSERS = "（(【[《「『“", "）)】]》」』”"
#: Width of a narrow character (Latin, digit) in em.
_NARROW_EM = 0.55
#: Samples along and across a line for its colours, as shares: five a character on a line of twenty.
_ALONG = np.linspace(-0.5, 0.5, 96, dtype=np.float32)
_ACROSS = np.linspace(-0.6, 0.6, 16, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A line in its reading axes: u along the reading direction, v towards the next line."""

    line: TextLine
    vertical: bool
    #: Of the line as it was read.
    frame: Frame
    along: Vector
    across: Vector
    centre: Vector
    length: float
    #: Extent across the reading direction: the height of a horizontal line, the width of a column.
    size: float
    #: Width of the text in em; and px a full character takes, never more than the row is high.
    units: float
    em: float

    @property
    def label_units(self) -> float:
        """Width in em of the "key：" that opens the row, 0 where there is none."""
        found = _LABEL.match(self.line.text)
        return float(len(found.group(0))) if found and found.group("key") else 0.0

    @property
    def starts_block(self) -> bool:
        """Whether the text opens with a label or bullet, or is one whole remark in brackets."""
        text = self.line.text
        return bool(_LABEL.match(text) or _WHOLLY_BRACKETED.match(text))

    @property
    def is_latin(self) -> bool:
        """Whether no character is a full-width one (Han, kana, Hangul)."""
        return all(ord(char) < 0x2E80 for char in self.line.text)

    @property
    def ends_sentence(self) -> bool:
        return self.line.text.rstrip().endswith(_TERMINAL)

    @property
    def is_open(self) -> bool:
        """Whether more brackets open than close."""
        text = self.line.text
        return sum(text.count(c) for c in _OPENERS) > sum(text.count(c) for c in _CLOSERS)


@dataclass(frozen=True, slots=True)
class Offset:
    """Where a row lies, seen along the axes of another, in px."""

    #: Free space between the two rows across the reading direction; negative where they overlap.
    gap: float
    #: How far its start, centre and end lie behind the other's along the reading direction.
    start: float
    centre: float
    end: float
    #: Shared extent along the reading direction, as a share of the shorter row.
    overlap: float


def measure(line: TextLine) -> Row:
    """Axes of a line whose polygon is already clean."""
    frame = frame_of(line.polygon)
    vertical = is_vertical(line.text, frame)
    along, across, length, size = frame.along, frame.across, frame.length, frame.height
    if vertical:
        along, across, length, size = frame.across, -frame.along, frame.height, frame.length
    units = sum(1.0 if ord(char) > 0x2E7F else _NARROW_EM for char in line.text)
    em = min(size, length / max(units, 1.0))
    return Row(line, vertical, frame, along, across, frame.centre, length, size, units, em)


def offset(first: Row, second: Row) -> Offset:
    """Where `second` lies, seen from `first`."""
    moved = second.centre - first.centre
    along, across = float(moved @ first.along), float(moved @ first.across)
    grows = (second.length - first.length) / 2
    shared = (first.length + second.length) / 2 - abs(along)
    shorter = min(first.length, second.length)
    return Offset(
        gap=across - (first.size + second.size) / 2,
        start=along - grows,
        centre=along,
        end=along + grows,
        overlap=min(shared, shorter) / shorter,
    )


def colours(rgb: Image, row: Row) -> tuple[Vector, Vector]:
    """Ink and ground of a line: the ground from its outermost rows, the ink from what is most unlike it."""
    height, width = rgb.shape[:2]
    frame, centre = row.frame, row.centre
    along, across = frame.along * frame.length, frame.across * frame.height
    x = centre[0] + _ALONG * along[0] + _ACROSS[:, None] * across[0]
    y = centre[1] + _ALONG * along[1] + _ACROSS[:, None] * across[1]
    samples = rgb[y.astype(np.intp).clip(0, height - 1), x.astype(np.intp).clip(0, width - 1)]
    ground = _median(np.concatenate([samples[0], samples[-1]]))
    difference = (np.abs(samples - ground) @ np.ones(3, np.float32)).ravel()
    place = round(0.97 * (len(difference) - 1))
    inked = difference >= 0.7 * np.partition(difference, place)[place]
    return _median(samples.reshape(-1, 3)[inked]), ground


def _median(colours: Image) -> Vector:
    """The median colour of some, (N, 3); numpy's own takes three times as long for so few."""
    low, high = (len(colours) - 1) // 2, len(colours) // 2
    ordered = np.partition(np.ascontiguousarray(colours.T), (low, high), axis=1).astype(np.float32)
    return np.asarray((ordered[:, low] + ordered[:, high]) / 2, np.float32)
