"""A translator whose calls keep to a pace that all workers share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from worker.errors import TranslatorQuota, TranslatorUnavailable
from worker.ports import Cooldown, Prompt, Reply, Translator


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """How long calls wait, in seconds."""

    #: A call waits for its turn this long; beyond it the job gives its place to others.
    patience: float = 5.0
    #: Rest after a 429 that does not say how long.
    rest: float = 5.0
    #: Rest after an outage: with a second translator, nobody need wait for the first to time out again.
    rest_when_down: float = 0.0


class PacedTranslator:
    """A `Translator` behind a `Cooldown`: what one worker is told by a 429, all keep to."""

    def __init__(
        self, translator: Translator, cooldown: Cooldown, options: PaceOptions | None = None
    ) -> None:
        self._translator = translator
        self._cooldown = cooldown
        self._options = options or PaceOptions()

    async def ask(self, prompt: Prompt) -> Reply:
        """See `ports.Translator`; also raises `TranslatorQuota` where its turn is too far off."""
        wait = await self._cooldown.enter(self._options.patience)
        if wait > self._options.patience:
            raise TranslatorQuota("the translator rests", retry_after=wait)
        await asyncio.sleep(wait)
        try:
            return await self._translator.ask(prompt)
        except TranslatorQuota as error:
            await self._cooldown.rest(error.retry_after or self._options.rest)
            raise
        except TranslatorUnavailable:
            if self._options.rest_when_down:
                await self._cooldown.rest(self._options.rest_when_down)
            raise
