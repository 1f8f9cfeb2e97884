"""Whatever blocks are bad, and in whatever way: they alone are lost, and calls stay few."""

from __future__ import annotations

import asyncio
import io
import json
import math

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from tests.blocks import make_block
from worker import log
from worker.job import BlockStatus, Translation, Usage
from worker.ports import Prompt, Reply, ReplyKind
from worker.translation.prompt import Languages, PageText
from worker.translation.session import Task, Translators, translate

FAULTS = ("blocked", "recitation", "truncated", "rejected", "malformed", "left out", "chinese", "partly")
LOST = {
    "blocked": BlockStatus.BLOCKED,
    "recitation": BlockStatus.BLOCKED,
    "partly": BlockStatus.TRANSLATED,
}


class Moody:
    """A `Translator` to which some blocks are bad: the first one in a request decides what comes back."""

    def __init__(self, bad: dict[int, str]) -> None:
        self.bad = bad
        self.calls = 0

    async def ask(self, prompt: Prompt) -> Reply:
        self.calls += 1
        ids = [block["id"] for block in json.loads(prompt.content)["blocks"]]
        await asyncio.sleep(0)
        wholesale = next((self.bad[number] for number in ids if self.bad.get(number) in FAULTS[:5]), None)
        if wholesale in ("blocked", "recitation", "rejected"):
            return Reply(ReplyKind(wholesale), "", Usage(1, 0))
        if wholesale == "malformed":
            return Reply(ReplyKind.OK, "no JSON", Usage(1, 1))
        said = {number: self._say(number) for number in ids}
        entries = [{"id": number, "text": text} for number, text in said.items() if text is not None]
        text = json.dumps({"translations": entries})
        if wholesale == "truncated":
            first = next(number for number in ids if self.bad.get(number) == "truncated")
            return Reply(ReplyKind.TRUNCATED, text[: text.find(f'{{"id": {first},') + 9], Usage(1, 1))
        return Reply(ReplyKind.OK, text, Usage(1, 1))

    def _say(self, number: int) -> str | None:
        return {"left out": None, "chinese": "新品上市", "partly": "신제품 上"}.get(
            self.bad.get(number, ""), f"번역 {number}"
        )


@given(st.integers(1, 24).flatmap(lambda size: st.tuples(st.just(size), _moods(size))))
def test_only_bad_blocks_are_lost(case: tuple[int, dict[int, str]]) -> None:
    size, bad = case
    blocks = tuple(make_block(number, "新品上市") for number in range(size))
    page = PageText(blocks, Languages("zh", "ko"), kept=(make_block(99, "NIKE"),))
    translator = Moody(bad)
    remembered: dict[int, Translation] = {}

    async def remember(gained: object) -> None:
        assert isinstance(gained, dict)
        assert not remembered.keys() & gained.keys(), "told twice"
        remembered.update(gained)

    answers, usage = asyncio.run(translate(Translators(translator), Task(page), blocks, remember))
    kept = (BlockStatus.TRANSLATED, BlockStatus.BLOCKED)
    assert remembered == {number: answer for number, answer in answers.items() if answer.status in kept}
    assert set(answers) == set(range(size))
    for number, answer in answers.items():
        fault = bad.get(number)
        expected = BlockStatus.TRANSLATED if fault is None else LOST.get(fault, BlockStatus.UNTRANSLATED)
        assert answer.status is expected, (number, fault)
        assert (answer.text is not None) == (answer.status is BlockStatus.TRANSLATED)
    assert usage.input_tokens == translator.calls
    # One call, one more without context, a retry, and for each bad block a path to its leaf and back.
    assert translator.calls <= 3 + len(bad) * (3 * math.ceil(math.log2(size + 1)) + 3)


@pytest.mark.parametrize(
    ("source", "logged"),
    [
        ("新品上市", "新品上市"),
        ("限时特惠" * 20, ("限时特惠" * 20)[:30]),
        ('新品"}\n{"event": "job.done"\x1b[2J\x9b', '新品"} {"event": "job.done" [2J '),
        ("新品 sk-1234 上市", "新品 *** 上市"),
    ],
)
def test_the_log_says_which_text_was_lost(source: str, logged: str) -> None:
    stream = io.StringIO()
    log.configure(json=True, secrets=("sk-1234",), stream=stream)
    page = PageText((make_block(0, source),), Languages("zh", "ko"))

    async def remember(_: object) -> None:
        return

    try:
        asyncio.run(translate(Translators(Moody({0: "left out"})), Task(page), page.blocks, remember))
    finally:
        structlog.reset_defaults()
    lost = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["reply"], line["text"]) for line in lost] == [
        ("translation.lost", "ok", logged)
    ]


def _moods(size: int) -> st.SearchStrategy[dict[int, str]]:
    """Some bad blocks, but not all of them rejected: that would be no fault of theirs."""
    moods = st.dictionaries(st.integers(0, size - 1), st.sampled_from(FAULTS), max_size=5)
    return moods.filter(lambda bad: list(bad.values()).count("rejected") < size)
