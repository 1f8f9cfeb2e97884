"""Sets the Chinese lines and says, as an OCR engine would, where each one stands.

Each line carries its Korean translation, so the picture, its OCR result and its glossary cannot drift apart.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from examples.canvas import Fill, Floats, blurred, rgb

#: Noto Sans CJK SC in the font package's collection.
SIMPLIFIED_CHINESE = 2
#: Forms that punctuation takes in vertical text (Unicode block "Vertical Forms").
VERTICAL_FORMS = str.maketrans(
    {"，": "︐", "。": "︒", "、": "︑", "！": "︕", "？": "︖", "…": "︙", "：": "︓"}
)
#: Must not begin a line.
CLOSING = "，。、！？：；）】》”…%"


@dataclass(frozen=True, slots=True)
class Look:
    """How a line is set; lengths in px."""

    size: int
    fill: Fill = "#222222"
    weight: int = 400
    tracking: float = 0
    #: Width and colour of the outline.
    outline: tuple[float, str] | None = None
    #: dx, dy, blur, opacity and colour of the shadow.
    shadow: tuple[int, int, float, float, str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One drawn line: what is written and where."""

    text: str
    #: (4, 2), clockwise from the text's top left.
    polygon: Floats
    score: float


@lru_cache(maxsize=64)
def font(size: int, weight: int) -> ImageFont.FreeTypeFont:
    """Noto Sans CJK SC at a size and a weight of 100..900."""
    path = files("manimgx_fonts_cjk").joinpath("NotoSansCJK-VF.otf.ttc")
    face = ImageFont.truetype(str(path), size, SIMPLIFIED_CHINESE, layout_engine=ImageFont.Layout.BASIC)
    face.set_variation_by_axes([weight])
    return face


def width(text: str, look: Look) -> float:
    """Advance of a line."""
    return font(look.size, look.weight).getlength(text) + look.tracking * (len(text) - 1)


def wrap(text: str, look: Look, room: float) -> list[str]:
    """Break Chinese text into lines no wider than `room`; words of Latin and digits stay whole."""
    lines, line, i = [], "", 0
    while i < len(text):
        j = i + 1
        while j < len(text) and text[j - 1].isascii() and text[j].isascii() and text[j] != " ":
            j += 1
        while j < len(text) and text[j] in CLOSING:
            j += 1
        if line and width(line + text[i:j], look) > room:
            lines.append(line)
            line = ""
        line += text[i:j]
        i = j
    return [*lines, line]


def split_like(korean: str, lines: Sequence[str]) -> list[str]:
    """Cut a translation at spaces into one piece for each line, in proportion to the lines' lengths."""
    words, total = korean.split(" "), sum(map(len, lines))
    ends, seen = [], 0
    for line in lines:
        seen += len(line)
        ends.append(seen / total * len(korean))
    pieces: list[list[str]] = [[] for _ in lines]
    at = 0.0
    for n, word in enumerate(words):
        row = next(i for i, end in enumerate(ends) if at + len(word) / 2 <= end or i == len(ends) - 1)
        # Every line gets a word, however the lengths fall.
        row = min(max(row, len(lines) - (len(words) - n)), n)
        pieces[row].append(word)
        at += len(word) + 1
    return [" ".join(piece) for piece in pieces]


@dataclass(frozen=True, slots=True, eq=False)
class _Ink:
    body: Floats
    edge: Floats
    #: Page pixel of the masks' top left.
    left: int
    top: int


def _ink(text: str, look: Look, vertical: bool) -> _Ink:
    """Masks (0..1) of a line's glyphs and of the glyphs with their outline; its origin is the pen's start."""
    face = font(look.size, look.weight)
    outline = look.outline[0] if look.outline else 0
    pad = int(outline) + 3 + (max(map(abs, look.shadow[:2])) + int(3 * look.shadow[2]) if look.shadow else 0)
    pad = max(pad, look.size // 3)
    glyphs: list[tuple[float, float, str]]
    if vertical:
        glyphs = [
            (pad, pad + i * (look.size + look.tracking), g)
            for i, g in enumerate(text.translate(VERTICAL_FORMS))
        ]
        shape = (look.size + 2 * pad, round(len(text) * (look.size + look.tracking)) + 2 * pad)
    elif look.tracking:
        pen, glyphs = float(pad), []
        for glyph in text:
            glyphs.append((pen, float(pad), glyph))
            pen += face.getlength(glyph) + look.tracking
        shape = (round(pen) + pad, look.size + 2 * pad)
    else:
        glyphs = [(pad, pad, text)]
        shape = (round(face.getlength(text)) + 2 * pad, look.size + 2 * pad)
    # The em square's top lies this far above the baseline in Noto Sans CJK (880 of 1000 units).
    rise = 0.88 * look.size

    def mask(stroke: float) -> Floats:
        picture = Image.new("L", shape)
        pencil = ImageDraw.Draw(picture)
        for x, y, glyph in glyphs:
            pencil.text((x, y + rise), glyph, 255, face, anchor="ls", stroke_width=stroke)
        return np.asarray(picture, np.float32) / np.float32(255)

    body = mask(0)
    return _Ink(body, mask(outline) if outline else body, -pad, -pad)


class Lettering:
    """The text of one picture: drawn last, with its boxes and its translations."""

    def __init__(self) -> None:
        self._drawn: list[tuple[_Ink, Look]] = []
        self.lines: list[Line] = []
        #: Chinese → Korean.
        self.glossary: dict[str, str] = {}

    def line(
        self,
        x: float,
        y: float,
        text: str,
        look: Look,
        korean: str | None = None,
        *,
        anchor: str = "l",
        angle: float = 0,
        vertical: bool = False,
    ) -> None:
        """Set one line with its em square's top at `y`; `x` is its left, middle or right (`l`, `m`, `r`).

        Args:
            x: See above.
            y: See above.
            text: What to set.
            look: How.
            korean: Its translation, None where it stays as it is.
            anchor: What `x` means.
            angle: Degrees clockwise about the line's centre.
            vertical: Characters one under the other.
        """
        ink = _ink(text, look, vertical)
        advance = look.size if vertical else width(text, look)
        left = round(x - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor] * advance)
        ink = _Ink(ink.body, ink.edge, ink.left + left, ink.top + round(y))
        rows, columns = np.any(ink.edge > 0.3, 1).nonzero()[0], np.any(ink.edge > 0.3, 0).nonzero()[0]
        slack = max(1, round(look.size * 0.05))
        low = np.array((columns[0] - slack, rows[0] - slack), np.float32)
        high = np.array((columns[-1] + 1 + slack, rows[-1] + 1 + slack), np.float32)
        polygon = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float32)
        if angle:
            centre = (low + high) / 2
            turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), -angle, 1)
            ink, polygon = _turned(ink, turn, polygon)
        polygon += np.array((ink.left, ink.top), np.float32)
        self._drawn.append((ink, look))
        score = 0.95 + zlib.crc32(text.encode()) % 40 / 1000
        self.lines.append(Line(text, polygon, round(score, 3)))
        if korean is not None:
            self.translate(text, korean)

    def paragraph(
        self,
        x: float,
        y: float,
        text: str | Sequence[str],
        look: Look,
        korean: str | Sequence[str],
        *,
        room: float = 0,
        leading: float = 1.6,
        anchor: str = "l",
    ) -> float:
        """Set wrapped lines; returns the y below the last. A sequence is not wrapped again."""
        lines = wrap(text, look, room) if isinstance(text, str) else list(text)
        pieces = split_like(korean, lines) if isinstance(korean, str) else korean
        for line, piece in zip(lines, pieces, strict=True):
            self.line(x, y, line, look, piece, anchor=anchor)
            y += look.size * leading
        self.translate("".join(lines), " ".join(pieces))
        return y

    def columns(
        self, x: float, y: float, columns: Sequence[str], look: Look, korean: str, *, gap: float = 1.32
    ) -> None:
        """Set vertical columns about the point (x, y), the first one rightmost, their tops level."""
        x += look.size * gap * (len(columns) - 1) / 2
        y -= look.size * max(map(len, columns)) / 2
        for text, piece in zip(columns, split_like(korean, columns), strict=True):
            self.line(x, y, text, look, piece, anchor="m", vertical=True)
            x -= look.size * gap
        self.translate("".join(columns), korean)

    def translate(self, chinese: str, korean: str) -> None:
        """Note a translation; the same Chinese must not get two."""
        if self.glossary.setdefault(chinese, korean) != korean:
            raise ValueError(f"two translations of {chinese}: {self.glossary[chinese]} and {korean}")

    def set_on(self, page: Floats) -> None:
        """Draw all lines on a float page (height, width, 3) in place."""
        for ink, look in self._drawn:
            if look.shadow:
                dx, dy, blur, opacity, colour = look.shadow
                soft = blurred(ink.edge, blur) if blur else ink.edge
                _lay(page, soft * np.float32(opacity), colour, ink.left + dx, ink.top + dy)
            if look.outline:
                _lay(page, ink.edge, look.outline[1], ink.left, ink.top)
            _lay(page, ink.body, look.fill, ink.left, ink.top)


def _turned(ink: _Ink, turn: np.ndarray, polygon: Floats) -> tuple[_Ink, Floats]:
    """The same ink rotated, on masks that hold all of it."""
    height, width = ink.body.shape
    grow = (max(height, width) + 1) // 2
    turn = turn.copy()
    turn[:, 2] += grow
    size = (width + 2 * grow, height + 2 * grow)
    body, edge = (
        cv2.warpAffine(m, turn, size, flags=cv2.INTER_CUBIC).clip(0, 1) for m in (ink.body, ink.edge)
    )
    points = polygon @ turn[:, :2].T + turn[:, 2]
    return _Ink(body, edge, ink.left - grow, ink.top - grow), points.astype(np.float32)


def _lay(page: Floats, share: Floats, fill: Fill, left: int, top: int) -> None:
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + share.shape[1], page.shape[1]), min(top + share.shape[0], page.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    under = page[y0:y1, x0:x1]
    if isinstance(fill, str):
        colour: Floats = rgb(fill)
    else:
        y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        colour = fill(x, y)
    under += (colour - under) * share[y0 - top : y1 - top, x0 - left : x1 - left, None]
