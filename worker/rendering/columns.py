"""Stacked text: upright characters one under the other, in columns that follow each other to the left."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import regex

#: What stands as one character: a run of dots, a few marks side by side, a grapheme.
_CELL = regex.compile(r"[…⋯]+|\.{3,}|[!?]{2,3}(?![!?])|\X")
#: Forms that punctuation takes in vertical text; a stop or comma only behind a character that stands upright.
_UPRIGHT = {"—": "︱", "–": "︱", "(": "︵", ")": "︶", "「": "﹁", "」": "﹂", "『": "﹃", "』": "﹄"}
_DOTS, _STOPS = "︙", {",": "︑", ".": "︒"}
_STANDING, _LETTER = regex.compile(r"[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]"), regex.compile(r"\p{L}")
#: Words stay whole where the longest column is then longer than even ones by no more than this share.
_WHOLE_WORDS = 1.4
#: Words whose distribution is tried out.
_MOST_WORDS = 12
#: What a column does not begin with.
_CLOSING = regex.compile(r"[\p{Pe}\p{Pf}\p{Po}]")


def split_columns(text: str, count: int) -> tuple[tuple[str, ...], ...]:
    """The characters (graphemes) of each column, spaces left out.

    Args:
        text: Cleaned text.
        count: How many columns; fewer come back where there are not so many characters.

    Returns:
        Characters in the forms that they take in vertical text.
    """
    words = cells_of(text)
    characters = [character for word in words for character in word]
    longest = math.ceil(len(characters) / count)
    whole = _of_whole_words(words, count)
    if whole and max(map(len, whole)) <= max(_WHOLE_WORDS * longest, longest + 1):
        return whole
    columns: list[tuple[str, ...]] = []
    start = 0
    while start < len(characters):
        end = min(start + longest, len(characters))
        while end < len(characters) and _CLOSING.match(characters[end]):
            end += 1
        columns.append(tuple(characters[start:end]))
        start = end
    return tuple(columns)


def is_stackable(text: str) -> bool:
    """Whether a text's characters may stand apart from each other; letters of an alphabet make words."""
    return 2 * len(_STANDING.findall(text)) >= len(_LETTER.findall(text))


def cells_of(text: str) -> list[list[str]]:
    """The words of a text, each as what stands one below the other."""
    return [_cells_of_word(word) for word in text.split()]


def _cells_of_word(word: str) -> list[str]:
    cells: list[str] = []
    for cell in _CELL.findall(word):
        if cell[0] in "…⋯" or cell.startswith("..."):
            cells.append(_DOTS)
        elif cell in _STOPS and cells and _STANDING.match(cells[-1]):
            cells.append(_STOPS[cell])
        else:
            cells.append(_UPRIGHT.get(cell, cell))
    return cells


def _of_whole_words(words: Sequence[Sequence[str]], count: int) -> tuple[tuple[str, ...], ...]:
    """The words on so many columns with the shortest longest one; nothing where that cannot be."""
    if not count <= len(words) <= _MOST_WORDS:
        return ()
    splits = ((0, *breaks, len(words)) for breaks in itertools.combinations(range(1, len(words)), count - 1))
    columns = (
        tuple(tuple(itertools.chain(*words[start:end])) for start, end in itertools.pairwise(split))
        for split in splits
    )
    return min(columns, key=lambda columns: max(map(len, columns)))
