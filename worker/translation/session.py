"""Asks for the translation of one picture's blocks, and copes with every way the answer can go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from worker.job import BlockStatus, TextBlock, Translation, Usage
from worker.ports import Reply, ReplyKind, Translator
from worker.translation.han import count_han
from worker.translation.prompt import build_prompt
from worker.translation.reply import MalformedReply, parse_reply

_log = structlog.get_logger(__name__)

_REFUSED = frozenset({ReplyKind.BLOCKED, ReplyKind.RECITATION})


@dataclass(frozen=True, slots=True)
class Languages:
    """From what into what, as BCP-47 tags."""

    source: str
    target: str


@dataclass(slots=True)
class _Progress:
    """What one picture's calls have brought so far."""

    translations: dict[int, Translation] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)


async def translate_blocks(
    translator: Translator,
    blocks: Sequence[TextBlock],
    languages: Languages,
    glossary: Mapping[str, str],
) -> tuple[tuple[Translation, ...], Usage]:
    """Translate a picture's blocks: one call where all goes well.

    A reply that was refused, cut short or cannot be read is asked for again in halves, until the one bad
    block is alone; that block alone stays as it is. Ids that a good reply left out are asked for once more.

    Returns:
        One translation for each block, in their order, and what was charged.

    Raises:
        TranslatorUnavailable, TranslatorQuota, AuthError: From the translator; the job can be tried again.
    """
    progress = _Progress()
    if blocks:
        await _resolve(translator, tuple(blocks), languages, glossary, progress)
    return tuple(progress.translations[block.id] for block in blocks), progress.usage


async def _resolve(
    translator: Translator,
    blocks: tuple[TextBlock, ...],
    languages: Languages,
    glossary: Mapping[str, str],
    progress: _Progress,
    *,
    again: bool = False,
) -> None:
    prompt = build_prompt(blocks, source=languages.source, target=languages.target, glossary=glossary)
    reply = await translator.ask(prompt)
    progress.usage += reply.usage
    found = _read(reply, blocks)
    if found is None:
        if len(blocks) > 1:
            middle = len(blocks) // 2
            async with asyncio.TaskGroup() as halves:
                for half in (blocks[:middle], blocks[middle:]):
                    halves.create_task(_resolve(translator, half, languages, glossary, progress))
            return
        status = BlockStatus.BLOCKED if reply.kind in _REFUSED else BlockStatus.UNTRANSLATED
        _log.warning("translation.lost", block=blocks[0].id, reply=reply.kind)
        progress.translations[blocks[0].id] = Translation(blocks[0].id, status)
        return
    missing = tuple(block for block in blocks if not _is_translated(block, found.get(block.id), languages))
    for block in blocks:
        if block not in missing:
            progress.translations[block.id] = Translation(block.id, BlockStatus.TRANSLATED, found[block.id])
    if missing and not again:
        await _resolve(translator, missing, languages, glossary, progress, again=True)
        return
    for block in missing:
        progress.translations[block.id] = Translation(block.id, BlockStatus.UNTRANSLATED)


def _read(reply: Reply, blocks: Sequence[TextBlock]) -> dict[int, str] | None:
    """The translations in a reply; None where it is of no use."""
    if reply.kind is not ReplyKind.OK:
        return None
    try:
        return parse_reply(reply.text, {block.id for block in blocks})
    except MalformedReply as error:
        _log.warning("translation.malformed", error=str(error))
        return None


def _is_translated(block: TextBlock, text: str | None, languages: Languages) -> bool:
    """Whether a text is there and no longer Chinese (Japanese keeps its Han characters)."""
    if text is None:
        return False
    if languages.target.partition("-")[0].lower() in ("zh", "ja"):
        return True
    return count_han(text) * 2 <= count_han(block.text)
