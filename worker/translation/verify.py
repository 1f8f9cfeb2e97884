"""Whether a translation can be believed: still Chinese, or without what it must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from worker.translation.han import count_east_asian, essence, fixed_pieces, fold


class Problem(StrEnum):
    """What is wrong with a translation."""

    LEFT_OUT = "left out"
    #: A model that runs away, or obeys the text instead of translating it.
    FAR_TOO_LONG = "far too long"
    STILL_CHINESE = "still Chinese"
    PARTLY_CHINESE = "partly Chinese"
    MISSING_TERM = "missing term"


#: Better than nothing, if nothing better comes.
ACCEPTABLE = frozenset({Problem.PARTLY_CHINESE, Problem.MISSING_TERM})

#: A Chinese character rarely takes more than five letters; a name or a unit alone may.
_LONGEST_BASE, _LONGEST_RATIO = 40, 12
#: Target languages that are themselves written with Han characters.
_HAN_LANGUAGES = ("zh", "ja")


def find_problem(source: str, text: str | None, target: str, terms: Mapping[str, str]) -> Problem | None:
    """What is wrong with a translation, if anything.

    Args:
        source: The block's text.
        text: Its translation; None where the reply had none.
        target: BCP-47 tag of the language asked for.
        terms: The glossary's terms that occur in the source.
    """
    if text is None:
        return Problem.LEFT_OUT
    if len(text) > _LONGEST_BASE + _LONGEST_RATIO * len(source):
        return Problem.FAR_TOO_LONG
    if target.partition("-")[0].lower() not in _HAN_LANGUAGES:
        left = count_east_asian(_without(text, terms.values()))
        if left * 2 > count_east_asian(_without(source, terms.values())):
            return Problem.STILL_CHINESE
        if left:
            return Problem.PARTLY_CHINESE
    return Problem.MISSING_TERM if missing_pieces(source, text, terms) else None


def missing_pieces(source: str, text: str, terms: Mapping[str, str]) -> tuple[str, ...]:
    """What a translation should hold and does not: glossary terms; the source's addresses, codes, numbers."""
    named = essence("".join(terms))
    wanted = [*terms.values(), *(piece for piece in fixed_pieces(source) if essence(piece) not in named)]
    held = essence(text)
    return tuple(piece for piece in wanted if essence(piece) not in held)


def describe(problem: Problem, source: str, text: str | None, terms: Mapping[str, str]) -> str:
    """The problem in words, for the request that asks again."""
    if problem is Problem.MISSING_TERM and text is not None:
        return f"must contain: {', '.join(missing_pieces(source, text, terms))}"
    return {
        Problem.LEFT_OUT: "it was left out of the answer",
        Problem.STILL_CHINESE: "it was not translated",
        Problem.FAR_TOO_LONG: "it was far too long",
    }.get(problem, "it still had Chinese characters")


def _without(text: str, pieces: Iterable[str]) -> str:
    text = fold(text)
    for piece in pieces:
        text = text.replace(fold(piece), "")
    return text
