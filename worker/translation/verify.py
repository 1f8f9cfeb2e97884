"""Whether a translation can be believed: still Chinese, or without what it must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from worker.job import BlockStatus, Flag, TextBlock, Translation
from worker.translation.han import count_east_asian, essence, fixed_pieces, fold
from worker.translation.prompt import PageText


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is worth, by block id."""

    good: dict[int, Translation] = field(default_factory=dict)
    #: What is wrong with the rest, in words.
    wrong: dict[int, str] = field(default_factory=dict)
    #: Texts of the rest that are better than none.
    flawed: dict[int, str] = field(default_factory=dict)


def judge(page: PageText, blocks: Sequence[TextBlock], texts: Mapping[int, str]) -> Verdict:
    """Look through an answer.

    Args:
        page: The picture's text.
        blocks: Those that were asked for.
        texts: Their translations, by block id.
    """
    verdict = Verdict()
    for block in blocks:
        text, terms = texts.get(block.id), page.terms[block.id]
        problem = find_problem(block.text, text, page.languages.target, terms)
        if problem is None:
            verdict.good[block.id] = Translation(block.id, BlockStatus.TRANSLATED, text)
            continue
        verdict.wrong[block.id] = describe(problem, block.text, text, terms)
        if text is not None and problem in ACCEPTABLE:
            verdict.flawed[block.id] = text
    return verdict


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


def translated(page: PageText, block: TextBlock, text: str) -> Translation:
    """A block's translation, with a flag where it lacks what it should hold."""
    lacking = missing_pieces(block.text, text, page.terms[block.id])
    flags = (Flag.MISSING_TERM,) if lacking else ()
    return Translation(block.id, BlockStatus.TRANSLATED, text, flags)


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
