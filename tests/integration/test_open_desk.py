"""The desk as the service builds it from its settings: real SDK, real Redis, both translators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from tests import gemini_server as server
from tests.blocks import make_block
from tests.openai_server import OpenAiServer
from worker.bootstrap_checks import translators
from worker.bootstrap_translation import open_desk, read_glossary
from worker.errors import AuthError, SettingsError, TranslatorUnavailable
from worker.ports import Check
from worker.settings import TranslateSettings, read_group
from worker.translation.desk import Desk
from worker.translation.glossary import Glossary
from worker.translation.prompt import Languages, PageText

PAGE = PageText((make_block(0, "新品"), make_block(1, "不可漂白")), Languages("zh", "ko"), product="r1")


class House:
    """Opens desks as workers do, on one Redis."""

    def __init__(
        self, gemini: tuple[server.GeminiServer, str], redis_url: str, stack: AsyncExitStack
    ) -> None:
        self.gemini, self._url = gemini
        self.second = OpenAiServer()
        self._redis_url, self._stack = redis_url, stack

    async def open(self, *, second: bool = False, **settings: Any) -> tuple[Desk, Check]:
        if second:
            listening = await self._stack.enter_async_context(TestServer(self.second.application()))
            settings |= {"FALLBACK_BASE_URL": str(listening.make_url("/v1")), "FALLBACK_MODEL": "local"}
        return open_desk(self.settings(**settings), Glossary(), self._redis_url, self._stack)

    def settings(self, **settings: Any) -> TranslateSettings:
        return read_group(
            TranslateSettings, GEMINI_API_KEY="key", GEMINI_BASE_URL=self._url, GEMINI_PRICE="1/2", **settings
        )


@pytest.fixture
async def house(gemini: tuple[server.GeminiServer, str], redis_url: str) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield House(gemini, redis_url, stack)


async def test_workers_share_memory_and_say_what_it_cost(house: House) -> None:
    first, check = await house.open()
    second, _ = await house.open()
    assert (await first.translate(PAGE)).usage.cost_usd == pytest.approx(180e-6)
    assert (await second.translate(PAGE)).usage.cost_usd == 0.0
    assert len(house.gemini.requests) == 1
    assert await check.check() == "Gemini has gemini-3.8-flash"


async def test_without_a_memory_every_picture_is_asked_for(house: House) -> None:
    desk, _ = await house.open(TRANSLATION_MEMORY_TTL_SECONDS=0)
    for _ in range(2):
        await desk.translate(PAGE)
    assert len(house.gemini.requests) == 2
    assert "earlier" in server.content_of(house.gemini.requests[1]), "terms are not the memory's"


async def test_with_a_second_translator_gemini_may_be_away(house: House) -> None:
    house.gemini.otherwise = lambda _: server.failure(503, "UNAVAILABLE", "down")
    desk, _ = await house.open(second=True)
    for _ in range(2):
        texts = [entry.text for entry in (await desk.translate(PAGE)).translations]
        assert texts == ["둘째 0", "둘째 1"]
    assert len(house.gemini.requests) == 1
    assert len(house.second.requests) == 1


async def test_either_translator_makes_the_worker_ready(house: House) -> None:
    _, check = await house.open(second=True)
    assert await check.check() == "Gemini has gemini-3.8-flash; local at 127.0.0.1"
    _, alone = await house.open(FALLBACK_BASE_URL="http://127.0.0.1:9/v1", FALLBACK_MODEL="local")
    assert (await alone.check()).startswith("Gemini has gemini-3.8-flash; second translator: Connect")


async def test_a_check_asks_each_translator_on_its_own(house: House) -> None:
    (only,) = translators(house.settings())
    assert (only.name, await only.check(5)) == ("translator", "Gemini has gemini-3.8-flash")
    away = {"FALLBACK_BASE_URL": "http://127.0.0.1:9/v1", "FALLBACK_MODEL": "local"}
    first, second = translators(house.settings(**away))
    assert await first.check(5) == "Gemini has gemini-3.8-flash"
    with pytest.raises(TranslatorUnavailable, match="second translator: Connect"):
        await second.check(5)


async def test_a_refused_key_is_said(house: House) -> None:
    house.gemini.otherwise = lambda _: server.failure(403, "PERMISSION_DENIED", "no")
    desk, _ = await house.open(second=True)
    with pytest.raises(AuthError, match="GEMINI_API_KEY"):
        await desk.translate(PAGE)


def test_a_glossary_that_cannot_be_read_stops_the_start(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match="GLOSSARY_PATH"):
        read_glossary(tmp_path / "none.tsv")
    (tmp_path / "g.tsv").write_text("\ufeff新品\t신제품\n", encoding="utf-8")
    assert read_glossary(tmp_path / "g.tsv").occurring("新品") == {"新品": "신제품"}
    assert read_glossary(None).occurring("新品") == {}
