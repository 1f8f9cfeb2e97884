"""A translator and what stands around it, in memory: the ports of `worker.translation`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from worker.job import Usage
from worker.ports import Prompt, Reply, ReplyKind

Content = dict[str, Any]


class FakeTranslator:
    """A `Translator` that answers with `say`, block by block; None leaves the block out."""

    def __init__(self, say: Callable[[dict[str, Any]], str | None] | None = None) -> None:
        self.say = say or (lambda block: f"번역 {block['id']}")
        self.prompts: list[Prompt] = []
        #: Raised, or answered, in turn before `say` gets its chance.
        self.script: list[Exception | ReplyKind] = []
        #: Answers wait for it.
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def contents(self) -> list[Content]:
        """What each call asked for."""
        return [json.loads(prompt.content) for prompt in self.prompts]

    @property
    def asked(self) -> list[list[str]]:
        """The texts of each call's blocks."""
        return [[block["text"] for block in content["blocks"]] for content in self.contents]

    async def ask(self, prompt: Prompt) -> Reply:
        self.prompts.append(prompt)
        await self.gate.wait()
        turn = self.script.pop(0) if self.script else ReplyKind.OK
        if isinstance(turn, Exception):
            raise turn
        said = [(block["id"], self.say(block)) for block in json.loads(prompt.content)["blocks"]]
        entries = [{"id": number, "text": text} for number, text in said if text is not None]
        text = json.dumps({"translations": entries}) if turn is ReplyKind.OK else ""
        return Reply(turn, text, Usage(10, 5))


class FakeMemory:
    """A `TranslationMemory` in a dictionary."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.recalls = 0

    async def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.recalls += 1
        return {key: self.texts[key] for key in keys if key in self.texts}

    async def remember(self, translations: Mapping[str, str]) -> None:
        self.texts |= translations


class FakeTerms:
    """`ProductTerms` in a dictionary."""

    def __init__(self) -> None:
        self.products: dict[str, dict[str, str]] = {}

    async def recall(self, product: str) -> Mapping[str, str]:
        return self.products.get(product, {})

    async def add(self, product: str, terms: Mapping[str, str]) -> None:
        self.products[product] = {**terms, **self.products.get(product, {})}
