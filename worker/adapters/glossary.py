"""A translator that knows the glossary and nothing else: offline, for demo and tests."""

from __future__ import annotations

import json

from worker.job import Usage
from worker.off_loop import LARGE_PAYLOAD, off_loop
from worker.ports import Prompt, Reply, ReplyKind
from worker.translation.glossary import Glossary, look_up
from worker.translation.han import fold


class GlossaryTranslator:
    """`Translator` from a glossary; blocks it does not cover are missing from its reply."""

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = {key: target for key, (_, target) in glossary.entries.items()}

    async def ask(self, prompt: Prompt) -> Reply:
        """Answer in the form that every translator answers in."""
        large = len(prompt.content) >= LARGE_PAYLOAD
        return Reply(ReplyKind.OK, await off_loop(large, self._answer, prompt), Usage())

    def _answer(self, prompt: Prompt) -> str:
        content = json.loads(prompt.content)
        job_terms = {fold(source): target for source, target in content["glossary"].items()}
        terms = {**self._glossary, **job_terms}
        found = [(block["id"], look_up(block["text"], terms)) for block in content["blocks"]]
        translations = [{"id": block_id, "text": text} for block_id, text in found if text is not None]
        return json.dumps({"translations": translations})

    async def check(self) -> str:
        """How much it knows."""
        return f"glossary with {len(self._glossary)} entries"
