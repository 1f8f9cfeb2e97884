"""Right-to-left text: which way each character runs (UAX #9, by python-bidi) and how runs stand on a line."""

from __future__ import annotations

from collections.abc import Sequence

import regex
from bidi import algorithm

#: Languages whose paragraphs run from right to left (CLDR's character orientation).
_RIGHT_TO_LEFT = (
    "ar",
    "arc",
    "ckb",
    "dv",
    "fa",
    "he",
    "iw",
    "ks",
    "nqo",
    "ps",
    "sd",
    "syr",
    "ug",
    "ur",
    "yi",
)
_STRONG = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]")
#: Characters the algorithm drops (its rule X9); they stay with what they follow.
_IGNORED = regex.compile(r"\p{Bidi_Class=BN}")


def is_right_to_left(language: str) -> bool:
    """Whether paragraphs of a language (BCP-47) run from right to left."""
    return language.partition("-")[0].lower() in _RIGHT_TO_LEFT


def levels_of(text: str, language: str) -> tuple[int, ...]:
    """The embedding level of each character, odd where it runs from right to left.

    Args:
        text: One line, cleaned: without directional controls.
        language: BCP-47; decides which way the line as a whole runs.
    """
    base = int(is_right_to_left(language))
    if not base and _STRONG.search(text) is None:
        return (0,) * len(text)
    storage = algorithm.get_empty_storage()
    storage["base_level"], storage["base_dir"] = base, "LR"[base]
    kept = [index for index, char in enumerate(text) if not _IGNORED.match(char)]
    algorithm.get_embedding_levels("".join(text[index] for index in kept), storage)
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    levels = [-1] * len(text)
    for index, char in zip(kept, storage["chars"], strict=True):
        levels[index] = int(char["level"])
    for index, level in enumerate(levels):
        if level < 0:
            levels[index] = levels[index - 1] if index else base
    return tuple(levels)


def visual_order(levels: Sequence[int]) -> list[int]:
    """Runs of these levels, given in reading order, from left to right (rule L2)."""
    order = list(range(len(levels)))
    for level in range(max(levels, default=0), 0, -1):
        start = 0
        while start < len(order):
            end = start
            while end < len(order) and levels[order[end]] >= level:
                end += 1
            order[start:end] = order[start:end][::-1]
            start = max(end, start + 1)
    return order
