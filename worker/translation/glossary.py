"""The user's terms: a TSV file, source TAB target, and what a job's message adds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from worker.errors import SettingsError
from worker.translation.han import count_han, fold, fold_words, joins

#: A glossary's key is matched as a whole text or, failing that, as a piece of one.
_MAX_TEXT = 2000


@dataclass(frozen=True)
class Glossary:
    """Terms that every translation has to use; an entry whose target is its source is a name to be kept."""

    #: Folded source → (source, target) as they were written.
    entries: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, terms: Mapping[str, str]) -> Glossary:
        """A glossary of source → target; entries with nothing to match, or no target, do not count."""
        return cls().over(terms)

    def over(self, terms: Mapping[str, str]) -> Glossary:
        """This glossary with other terms, which win; an empty target takes an entry away."""
        if not terms:
            return self
        clean = ((_encodable(source), _encodable(target).strip()) for source, target in terms.items())
        added = {fold(source): (source, target) for source, target in clean if fold(source)}
        merged = {**self.entries, **added}
        return Glossary({key: entry for key, entry in merged.items() if entry[1]})

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Folded sources that are kept as they are."""
        return tuple(key for key, (_, target) in self.entries.items() if key == fold(target))

    @cached_property
    def _lengths(self) -> dict[str, set[int]]:
        """By first character, the lengths of the keys that begin with it."""
        lengths: dict[str, set[int]] = {}
        for key in self.entries:
            lengths.setdefault(key[0], set()).add(len(key))
        return lengths

    def occurring(self, text: str) -> dict[str, str]:
        """Source → target of the terms in a text; where terms overlap, the longest."""
        words = fold_words(text)
        folded, gaps = "".join(words), {0, *accumulate(map(len, words))}
        found: list[tuple[int, tuple[str, str]]] = []
        taken = bytearray(len(folded))
        for start, end in sorted(self._matches(folded, gaps), key=lambda place: (place[0] - place[1], place)):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append((start, self.entries[folded[start:end]]))
        return dict(entry for _, entry in sorted(found))

    def _matches(self, folded: str, gaps: Collection[int]) -> Iterator[tuple[int, int]]:
        """Where terms stand, and are not mere parts of words."""
        for start, first in enumerate(folded):
            for end in (start + length for length in self._lengths.get(first, ())):
                fits = end <= len(folded) and folded[start:end] in self.entries
                if fits and _is_whole(folded, start, end, gaps):
                    yield start, end


def _is_whole(folded: str, start: int, end: int, gaps: Collection[int]) -> bool:
    """Whether a piece of a text can be a word.

    A letter beside a letter, or a digit beside a digit, is part of another one. So is a Han character alone
    among others: 材 in 材质; of longer pieces nobody knows.
    """
    before = folded[start - 1] if start not in gaps else ""
    after = folded[end] if end < len(folded) and end not in gaps else ""
    if end - start == 1 and count_han(folded[start]):
        return not count_han(before + after)
    return not (joins(before, folded[start]) or joins(folded[end - 1], after))


def _encodable(text: str) -> str:
    """A job's terms come from JSON, where a lone surrogate is possible that no request can carry."""
    return text.encode("utf-8", "replace").decode()


def parse_glossary(text: str, name: str) -> dict[str, str]:
    """Read a TSV: one entry a line, empty lines and lines that start with # are ignored.

    Args:
        text: The file's content.
        name: The file's name, for the error.

    Raises:
        SettingsError: Names the file and line that is not source TAB target.
    """
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        source, tab, target = line.partition("\t")
        if not tab or not source.strip() or not target.strip():
            raise SettingsError(f"GLOSSARY_PATH: {name}, line {number}: must be source TAB target")
        entries[source.strip()] = target.strip()
    return entries


def look_up(text: str, glossary: Mapping[str, str]) -> str | None:
    """Translate a text from folded keys alone: as a whole, or else as a sequence of entries.

    Args:
        text: The source.
        glossary: Folded source → target.

    Returns:
        The translation, or None where the entries do not cover the text.
    """
    folded = fold(text)
    if (whole := glossary.get(folded)) is not None:
        return whole
    if not folded or len(folded) > _MAX_TEXT:
        return None
    return _join_entries(folded, glossary)


def _join_entries(folded: str, glossary: Mapping[str, str]) -> str | None:
    """Cover the text with the fewest entries; `cover[i]` is the best way from character i to the end."""
    cover: list[tuple[str, ...] | None] = [None] * len(folded) + [()]
    lengths = {len(key) for key in glossary}
    for start in reversed(range(len(folded))):
        for end in (start + length for length in lengths if start + length <= len(folded)):
            target, rest = glossary.get(folded[start:end]), cover[end]
            best = cover[start]
            if target is not None and rest is not None and (best is None or len(rest) + 1 < len(best)):
                cover[start] = (target, *rest)
    return None if cover[0] is None else " ".join(cover[0])
