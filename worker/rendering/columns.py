"""Stacked text: upright characters one under the other, in columns that follow each other to the left."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import regex

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
    """
    words = [regex.findall(r"\X", word) for word in text.split()]
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
