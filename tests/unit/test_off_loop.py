"""What is much goes to a thread, and nothing else about it is different."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from tests.blocks import make_block
from tests.fake_translator import FakeMemory, FakeTranslator
from worker.job import BlockStatus, TooLong
from worker.off_loop import MANY_BLOCKS, off_loop
from worker.translation.desk import Desk, DeskOptions
from worker.translation.glossary import Glossary
from worker.translation.prompt import Languages, PageText
from worker.translation.session import Translators

_named: ContextVar[str] = ContextVar("named", default="")


@pytest.mark.parametrize("large", [False, True])
async def test_the_caller_sees_no_difference(large: bool) -> None:
    _named.set("job")
    thread, named = await off_loop(large, lambda: (threading.get_ident(), _named.get()))
    assert (thread != threading.get_ident()) is large
    assert named == "job"
    with pytest.raises(ZeroDivisionError):
        await off_loop(large, divmod, 1, 0)


async def test_what_is_little_lets_nobody_in_between() -> None:
    seen: list[str] = []
    asyncio.get_running_loop().call_soon(seen.append, "other")
    await off_loop(False, seen.append, "own")
    assert seen == ["own"]


@pytest.mark.parametrize("count", [MANY_BLOCKS // 4, 2 * MANY_BLOCKS])
async def test_pages_of_any_size_are_translated_alike(count: int) -> None:
    """One block of five is left out at first, one lacks its term both times; then all are shortened."""
    asked: set[int] = set()

    def say(block: dict[str, object]) -> str | None:
        number = block["id"]
        assert isinstance(number, int)
        if "translation" in block:
            return "표백"
        if number % 5 == 0 and number not in asked:
            asked.add(number)
            return None
        return "아무것" if number % 5 == 1 else f"표백 {number}"

    translator, memory = FakeTranslator(say), FakeMemory()
    desk = Desk(Translators(translator), DeskOptions(), memory=memory)
    blocks = tuple(make_block(number, f"漂白{chr(0x4E00 + number)}") for number in range(count))
    page = PageText(blocks, Languages("zh", "ko"), Glossary.of({"漂白": "표백"}))
    answer = await desk.translate(page)
    assert len(translator.prompts) == 2
    assert [entry.block_id for entry in answer.translations] == list(range(count))
    assert {entry.status for entry in answer.translations} == {BlockStatus.TRANSLATED}
    assert [bool(entry.flags) for entry in answer.translations] == [n % 5 == 1 for n in range(count)]
    assert (await desk.translate(page)).translations == answer.translations
    assert len(translator.prompts) == 2, "all of it is remembered"
    for _ in range(2):
        shorter = await desk.shorten(page, answer, [TooLong(number, 2) for number in range(count)])
        assert {(entry.text, entry.flags) for entry in shorter.translations} == {("표백", ())}
    assert len(translator.prompts) == 3
