"""A line cut into runs, each of one font and one direction: what a shaper takes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import regex
import uharfbuzz as hb

#: Scripts and signs of which every character is a grapheme of its own, and drawn.
_PLAIN = regex.compile(r"[ -~¡-¬®-ɏ‐-‧‰-⁞℀-⅏①-⓿─-◿、-〩〰-〽ぁ-ゖ゛-ヿ一-鿿가-힣！-～]+")


@dataclass(frozen=True, slots=True)
class Run:
    """Characters of one font and one direction."""

    #: Index of the first in the line.
    start: int
    text: str
    #: Index of the font.
    font: int
    #: Odd where they run from right to left.
    level: int


def split_runs(text: str, fonts: Sequence[hb.Font], levels: Sequence[int]) -> tuple[list[Run], str]:
    """Cut `text` by which font has each grapheme and which way it runs; and what no font has."""
    if not any(levels) and _PLAIN.fullmatch(text) and _covers(fonts[0], text):
        return [Run(0, text, 0, 0)], ""
    begun: list[tuple[int, int, int, list[str]]] = []
    following = (-1, -1, -1)
    missing: list[str] = []
    for match in regex.finditer(r"\X", text):
        grapheme, at = match[0], match.start()
        visible = [char for char in grapheme if not _is_ignorable(char)]
        which = next((i for i, font in enumerate(fonts) if _covers(font, visible)), None)
        if which is None and grapheme.isspace():
            grapheme, which = " " * len(grapheme), 0
        if which is None:
            missing.extend(visible)
            continue
        if (which, levels[at], at) != following:
            begun.append((at, which, levels[at], []))
        begun[-1][-1].append(grapheme)
        following = (which, levels[at], at + len(grapheme))
    runs = [Run(start, "".join(graphemes), font, level) for start, font, level, graphemes in begun]
    return runs, "".join(dict.fromkeys(missing))


def _is_ignorable(char: str) -> bool:
    """Joiners and variation selectors have no glyph of their own."""
    return "\ufe00" <= char <= "\ufe0f" or unicodedata.category(char) == "Cf"


def _covers(font: hb.Font, chars: Iterable[str]) -> bool:
    return all(_has(font, char) for char in chars)


@lru_cache(maxsize=1 << 14)  # page after page is written with the same few hundred characters
def _has(font: hb.Font, char: str) -> bool:
    return font.get_nominal_glyph(ord(char)) is not None
