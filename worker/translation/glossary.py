"""The user's terms: a TSV file, source TAB target, and what a job's message adds."""

from __future__ import annotations

from collections.abc import Mapping

from worker.errors import SettingsError
from worker.translation.han import fold

#: A glossary's key is matched as a whole text or, failing that, as a piece of one.
_MAX_TEXT = 2000


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
