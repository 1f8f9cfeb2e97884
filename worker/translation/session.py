"""Asks for the translation of one picture's blocks, and copes with every way the answer can go wrong.

- good: the block is done, and remembered at once;
- left out, still Chinese, a term or number missing: asked for once more, saying what was wrong; then taken
  with a flag, or given up;
- blocked, recitation, rejected: once more without context and picture, then in halves;
- truncated: what is whole counts, the rest in halves;
- malformed: in halves, until the one bad block is alone: it keeps its pixels, the rest proceeds;
- quota, down: the second translator, where there is one, else the error, and the job waits;
- a key refused: the error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from worker.errors import TranslatorQuota, TranslatorUnavailable, WorkerError
from worker.job import BlockStatus, TextBlock, TooLong, Translation, Usage
from worker.off_loop import MANY_BLOCKS, off_loop
from worker.ports import Reply, ReplyKind, Translator
from worker.translation.profiles import Profile
from worker.translation.prompt import PageText, build_prompt, build_shortening, context_of
from worker.translation.reply import MalformedReply, parse_beginning, parse_reply
from worker.translation.verify import Verdict, find_problem, judge, translated

_log = structlog.get_logger(__name__)

_REFUSED = frozenset({ReplyKind.BLOCKED, ReplyKind.RECITATION})
#: Context and picture may be to blame: refused themselves, too much for the model, nothing it can see.
_BETTER_BARE = _REFUSED | {ReplyKind.REJECTED}

#: Told of each block as soon as its translation is there, and at the end of those that everybody refuses.
Remember = Callable[[Mapping[int, Translation]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Translators:
    """Who is asked: the second one where the first is down, or refuses a block."""

    first: Translator
    second: Translator | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What a session is about."""

    page: PageText
    profile: Profile = "ecommerce"
    #: Terms as other pictures of the product have them.
    earlier: Mapping[str, str] = field(default_factory=dict)
    #: Translations that are there already, by block id: context for the rest.
    known: Mapping[int, str] = field(default_factory=dict)


async def translate(
    translators: Translators, task: Task, blocks: Sequence[TextBlock], remember: Remember
) -> tuple[dict[int, Translation], Usage]:
    """Translate some blocks of a picture: one call where all goes well.

    Returns:
        One translation for each block, by id, and what was charged.

    Raises:
        TranslatorUnavailable, TranslatorQuota, AuthError: The job can be tried again; what was translated
            until then is remembered.
    """
    first = Session(translators.first, task, remember)
    outage: WorkerError | None = None
    try:
        await first.run(blocks)
    except (TranslatorUnavailable, TranslatorQuota) as error:
        if translators.second is None:
            raise
        outage = error
    lost = [block for block in blocks if not first.has(block)]
    if not lost or translators.second is None:
        await _remember_refusals(first.translations, remember)
        return first.translations, first.usage
    second, failed = Session(translators.second, task, remember), False
    try:
        await second.run(lost)
    except WorkerError as error:
        _log.error("translation.second_failed", code=error.code, error=error.message)
        if outage is not None:
            raise outage from error
        failed = True
    gained = {block.id for block in lost if second.has(block) or outage is not None}
    answers = {**first.translations, **{number: second.translations[number] for number in gained}}
    if not failed:
        await _remember_refusals(answers, remember)
    return answers, first.usage + second.usage


async def _remember_refusals(answers: Mapping[int, Translation], remember: Remember) -> None:
    """Not to ask again, on every picture that has them, for texts that nobody takes."""
    refused = {number: answer for number, answer in answers.items() if answer.status is BlockStatus.BLOCKED}
    if refused:
        await remember(refused)


async def shorten(
    translators: Translators, page: PageText, translations: Mapping[int, str], too_long: Sequence[TooLong]
) -> tuple[dict[int, str], Usage]:
    """Ask once for shorter versions of some translations, by block id.

    Returns:
        Those that came out shorter and hold what they must; what was charged.

    Raises:
        TranslatorUnavailable, TranslatorQuota, AuthError: The job can be tried again.
    """
    ids = {excess.block_id for excess in too_long}
    blocks = [block for block in page.blocks if block.id in ids]
    many = len(blocks) >= MANY_BLOCKS
    prompt = await off_loop(many, build_shortening, page, blocks, translations, too_long)
    try:
        reply = await translators.first.ask(prompt)
    except (TranslatorUnavailable, TranslatorQuota) as outage:
        if translators.second is None:
            raise
        try:
            reply = await translators.second.ask(prompt)
        except WorkerError as error:
            _log.error("translation.second_failed", code=error.code, error=error.message)
            raise outage from error
    return await off_loop(many, _shorter, page, blocks, translations, reply), reply.usage


def _shorter(
    page: PageText, blocks: Sequence[TextBlock], translations: Mapping[int, str], reply: Reply
) -> dict[int, str]:
    """What a reply brings that is shorter, and good."""
    texts = _read(reply, blocks) or {}
    return {
        block.id: text
        for block in blocks
        if (text := texts.get(block.id)) is not None
        and len(text) < len(translations[block.id])
        and find_problem(block.text, text, page.languages.target, page.terms[block.id]) is None
    }


class Session:
    """One picture's exchange with one translator."""

    def __init__(self, translator: Translator, task: Task, remember: Remember) -> None:
        self._translator = translator
        self._task = task
        self._remember = remember
        self._asked_again: set[int] = set()
        self._rejected: set[int] = set()
        #: Answers that are not good, but better than none.
        self._flawed: dict[int, str] = {}
        self.translations: dict[int, Translation] = {}
        self.usage = Usage()

    def has(self, block: TextBlock) -> bool:
        """Whether a block is translated."""
        answer = self.translations.get(block.id)
        return answer is not None and answer.status is BlockStatus.TRANSLATED

    async def run(self, blocks: Sequence[TextBlock]) -> None:
        """Translate blocks, or find out which cannot be.

        Raises:
            TranslatorUnavailable, TranslatorQuota, AuthError: See `ports.Translator`.
        """
        await self._ask_for(blocks)
        if self._rejected.issuperset(block.id for block in blocks):
            # It is not the text: a model that does not know what we ask for, a request it cannot read.
            self.translations.clear()
            raise TranslatorUnavailable("the translator rejects every request")

    async def _ask_for(
        self, blocks: Sequence[TextBlock], problems: Mapping[int, str] | None = None, *, bare: bool = False
    ) -> None:
        """Ask until each block is translated or given up.

        Args:
            blocks: In reading order.
            problems: By block id, what was wrong with an earlier answer.
            bare: Without context and picture: it may be they that were refused.
        """
        reply = await self._ask(blocks, problems or {}, bare)
        many = len(blocks) >= MANY_BLOCKS
        answered, verdict = await off_loop(many, _review, self._task.page, blocks, reply)
        self._flawed |= verdict.flawed
        await self._settle(verdict.good)
        found = verdict.wrong
        if answered:
            spent = [block for block in blocks if block.id in found and block.id in self._asked_again]
        else:
            # An answer with a flaw is not worth a bisection.
            spent = [block for block in blocks if block.id in found and block.id in self._flawed]
        await self._give_up(spent, reply.kind)
        left = [block for block in blocks if block.id in found and block not in spent]
        if not left:
            return
        if answered:
            self._asked_again.update(block.id for block in left)
            await self._ask_for(left, found, bare=bare)
        elif reply.kind in _BETTER_BARE and not bare and self._is_dressed(blocks):
            await self._ask_for(left, problems, bare=True)
        elif len(blocks) == 1:
            await self._give_up(left, reply.kind)
        else:
            middle = len(left) // 2
            halves = filter(None, (left[:middle], left[middle:]))
            # The other half's text would be context, and may be what was refused.
            bare = bare or reply.kind in _BETTER_BARE
            await _finish_all(self._ask_for(half, problems, bare=bare) for half in halves)

    async def _ask(self, blocks: Sequence[TextBlock], problems: Mapping[int, str], bare: bool) -> Reply:
        prompt = await off_loop(
            len(blocks) >= MANY_BLOCKS,
            build_prompt,
            self._task.page,
            blocks,
            profile=self._task.profile,
            earlier=self._task.earlier,
            context=() if bare else self._context(blocks),
            problems=problems,
            with_picture=not bare,
        )
        reply = await self._translator.ask(prompt)
        self.usage += reply.usage
        return reply

    def _context(self, blocks: Sequence[TextBlock]) -> list[dict[str, str]]:
        said = {number: answer.text for number, answer in self.translations.items() if answer.text}
        return context_of(self._task.page, blocks, {**self._task.known, **said})

    def _is_dressed(self, blocks: Sequence[TextBlock]) -> bool:
        return self._task.page.picture is not None or bool(self._context(blocks))

    async def _give_up(self, blocks: Sequence[TextBlock], kind: ReplyKind) -> None:
        await self._settle(await off_loop(len(blocks) >= MANY_BLOCKS, self._what_is_left, blocks, kind))

    def _what_is_left(self, blocks: Sequence[TextBlock], kind: ReplyKind) -> dict[int, Translation]:
        """The flawed answer of each block, or that it keeps its pixels."""
        settled: dict[int, Translation] = {}
        for block in blocks:
            if (text := self._flawed.get(block.id)) is not None:
                settled[block.id] = translated(self._task.page, block, text)
                continue
            status = BlockStatus.BLOCKED if kind in _REFUSED else BlockStatus.UNTRANSLATED
            settled[block.id] = Translation(block.id, status)
            _log.warning("translation.lost", block=block.id, reply=kind, text=_excerpt(block.text))
            if kind is ReplyKind.REJECTED:
                self._rejected.add(block.id)
        return settled

    async def _settle(self, answers: Mapping[int, Translation]) -> None:
        self.translations.update(answers)
        good = {number: answer for number, answer in answers.items() if answer.text}
        if good:
            await self._remember(good)


def _excerpt(text: str) -> str:
    """How a block begins, for the log: pictures may say what a terminal obeys."""
    return "".join(char if char.isprintable() else " " for char in text[:30])


def _review(page: PageText, blocks: Sequence[TextBlock], reply: Reply) -> tuple[bool, Verdict]:
    """Whether a reply is whole and of use, and what it is worth."""
    texts = _read(reply, blocks)
    return reply.kind is ReplyKind.OK and texts is not None, judge(page, blocks, texts or {})


def _read(reply: Reply, blocks: Sequence[TextBlock]) -> dict[int, str] | None:
    """The translations in a reply; None where it is of no use."""
    wanted = {block.id for block in blocks}
    if reply.kind is ReplyKind.TRUNCATED:
        return parse_beginning(reply.text, wanted)
    if reply.kind is not ReplyKind.OK:
        return None
    try:
        return parse_reply(reply.text, wanted)
    except MalformedReply as error:
        _log.warning("translation.malformed", error=str(error))
        return None


async def _finish_all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Let every call come to its end, since each is paid for; then raise the first error."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error
