"""Where jobs bring their text: what is known or asked already costs nothing, the rest gets a session."""

from __future__ import annotations

import functools
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from worker.job import FREE, BlockStatus, TextBlock, TooLong, Translation, Usage
from worker.off_loop import MANY_BLOCKS, off_loop
from worker.ports import ProductTerms, TranslationMemory
from worker.translation.flights import Flights
from worker.translation.profiles import Profile
from worker.translation.prompt import PageText
from worker.translation.session import Task, Translators, shorten, translate
from worker.translation.verify import translated

#: Whole texts up to this long are terms: names, labels, table keys.
_TERM_LENGTH = 12


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """What holds for all pictures."""

    profile: Profile = "ecommerce"
    #: Names the translators in the memory's keys: other models say it otherwise.
    model: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a picture's text."""

    #: One for each block, in their order.
    translations: tuple[Translation, ...]
    #: What was charged.
    usage: Usage


class Desk:
    """Translates pictures' text, any number at once.

    Args:
        translators: Who is asked.
        memory: What was translated before; None: every text is asked for.
        terms: What other pictures of a product call things; None: each picture stands alone.
    """

    def __init__(
        self,
        translators: Translators,
        options: DeskOptions,
        *,
        memory: TranslationMemory | None = None,
        terms: ProductTerms | None = None,
    ) -> None:
        self._translators = translators
        self._options = options
        self._memory = memory
        self._terms = terms
        self._flights: Flights[Translation] = Flights()

    async def translate(self, page: PageText) -> Answer:
        """Translate a picture's blocks: one call where all goes well, none where all is known.

        Raises:
            TranslatorUnavailable, TranslatorQuota, AuthError: The job can be tried again; it will not pay
                again for what it got.
        """
        if not page.blocks:
            return Answer((), FREE)
        keys = await off_loop(
            len(page.blocks) >= MANY_BLOCKS, self._keys, page, [(block,) for block in page.blocks]
        )
        # A text that stands on the picture several times is asked for once.
        wanted = dict(zip(reversed(keys), reversed(page.blocks), strict=True))
        answers, usage = await self._flights.join(wanted, functools.partial(self._find, page))
        translations = tuple(
            replace(answers[key], block_id=block.id) for key, block in zip(keys, page.blocks, strict=True)
        )
        await self._add_terms(page, translations)
        return Answer(translations, usage)

    async def shorten(self, page: PageText, answer: Answer, too_long: Sequence[TooLong]) -> Answer:
        """Replace translations that do not fit by shorter ones: one call, whose answer is remembered too.

        Raises:
            TranslatorUnavailable, TranslatorQuota, AuthError: The job can be tried again.
        """
        texts = {entry.block_id: entry.text for entry in answer.translations if entry.text is not None}
        blocks = {block.id: block for block in page.blocks}
        many = len(too_long) >= MANY_BLOCKS
        variants = {
            excess.block_id: (blocks[excess.block_id], texts[excess.block_id], str(excess.capacity))
            for excess in too_long
            if excess.block_id in texts
        }
        keys = dict(zip(variants, await off_loop(many, self._keys, page, variants.values()), strict=True))
        known = await self._recall(list(keys.values()))
        shorter = {number: known[key] for number, key in keys.items() if key in known}
        usage = FREE
        missing = keys.keys() - shorter.keys()
        left = [excess for excess in too_long if excess.block_id in missing]
        if left:
            gained, usage = await shorten(self._translators, page, texts, left)
            await self._remember({keys[number]: text for number, text in gained.items()})
            shorter |= gained
        replaced = await off_loop(
            many,
            lambda: {number: translated(page, blocks[number], text) for number, text in shorter.items()},
        )
        translations = tuple(replaced.get(entry.block_id, entry) for entry in answer.translations)
        return Answer(translations, answer.usage + usage)

    async def close(self) -> None:
        """Give up what is still being asked."""
        await self._flights.close()

    async def _find(
        self, page: PageText, wanted: Mapping[str, TextBlock]
    ) -> tuple[dict[str, Translation], Usage]:
        """From the memory, the rest by a session; each answer is remembered as it comes."""
        known = await self._recall(list(wanted))
        answers = await off_loop(len(known) >= MANY_BLOCKS, _recalled, page, wanted, known)
        keys = {block.id: key for key, block in wanted.items() if key not in answers}
        if not keys:
            return answers, FREE
        task = Task(
            page,
            self._options.profile,
            await self._terms.recall(_product(page)) if self._terms and page.product else {},
            {wanted[key].id: text for key, text in known.items() if text},
        )

        async def remember(gained: Mapping[int, Translation]) -> None:
            await self._remember({keys[number]: answer.text or "" for number, answer in gained.items()})

        asked = [block for block in page.blocks if block.id in keys]
        gained, usage = await translate(self._translators, task, asked, remember)
        return answers | {keys[number]: answer for number, answer in gained.items()}, usage

    async def _add_terms(self, page: PageText, translations: Sequence[Translation]) -> None:
        if self._terms is None or page.product is None:
            return
        terms = {
            block.text: answer.text
            for block, answer in zip(page.blocks, translations, strict=True)
            if answer.status is BlockStatus.TRANSLATED and answer.text and len(block.text) <= _TERM_LENGTH
        }
        if terms:
            await self._terms.add(_product(page), terms)

    async def _recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        return await self._memory.recall(keys) if self._memory is not None else {}

    async def _remember(self, translations: Mapping[str, str]) -> None:
        if self._memory is not None and translations:
            await self._memory.remember(translations)

    def _keys(self, page: PageText, asked: Iterable[tuple[TextBlock, *tuple[str, ...]]]) -> list[str]:
        return [self._key(page, *variant) for variant in asked]

    def _key(self, page: PageText, block: TextBlock, *variant: str) -> str:
        """Everything that a translation depends on, but for its neighbours on the page.

        Of the glossary only the terms that occur count, so that a new term makes only those texts new that
        have it.
        """
        terms = sorted(f"{source}\t{target}" for source, target in page.terms[block.id].items())
        spaced = " ".join(unicodedata.normalize("NFC", block.text).split())
        parts = (
            self._options.model,
            self._options.profile,
            page.languages.source,
            page.languages.target,
            spaced,
            *variant,
            *terms,
        )
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _recalled(
    page: PageText, wanted: Mapping[str, TextBlock], known: Mapping[str, str]
) -> dict[str, Translation]:
    """What the memory says of some blocks, by key; of those that were refused, nothing."""
    return {
        key: translated(page, wanted[key], text) if text else Translation(wanted[key].id, BlockStatus.BLOCKED)
        for key, text in known.items()
    }


def _product(page: PageText) -> str:
    return f"{page.product}\0{page.languages.target}"
