"""Memory, terms and pace against a real redis-server, and without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tests.blocks import make_block
from tests.fake_translator import FakeTranslator
from worker.adapters import redis_memory
from worker.adapters.paced import PacedTranslator, PaceOptions
from worker.adapters.redis_cooldown import PaceLimits, RedisCooldown
from worker.adapters.redis_memory import RedisMemory, RedisTerms
from worker.embedded import free_port
from worker.errors import TranslatorQuota, TranslatorUnavailable
from worker.ports import Prompt
from worker.translation.desk import Desk, DeskOptions
from worker.translation.prompt import Languages, PageText
from worker.translation.session import Translators

PROMPT = Prompt("", '{"blocks": [], "glossary": {}}', {})
PAGE = PageText((make_block(0, "新品"), make_block(1, "包邮")), Languages("zh", "ko"), product="r1")


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with redis_memory.connect(redis_url) as client:
        yield client


@pytest.fixture
async def nobody() -> AsyncIterator[Redis]:
    """A Redis that is not there."""
    async with redis_memory.connect(f"redis://127.0.0.1:{free_port()}/0") as client:
        yield client


async def test_the_memory_keeps_and_forgets(client: Redis) -> None:
    memory = RedisMemory(client, 60)
    assert await memory.recall(["a", "b"]) == {}
    await memory.remember({"a": "신제품", "b": "무료 배송"})
    assert await memory.recall(["b", "x", "a"]) == {"a": "신제품", "b": "무료 배송"}
    assert await memory.recall([]) == {}
    assert 0 < await client.ttl("translation:memory:a") <= 60


async def test_a_refusal_is_forgotten_sooner(client: Redis) -> None:
    memory = RedisMemory(client, 7 * 86400)
    await memory.remember({"a": "신제품", "b": ""})
    assert await memory.recall(["a", "b", "c"]) == {"a": "신제품", "b": ""}
    assert await client.ttl("translation:memory:a") > 6 * 86400
    assert 0 < await client.ttl("translation:memory:b") <= 86400
    await RedisMemory(client, 60).remember({"b": ""})
    assert await client.ttl("translation:memory:b") <= 60


async def test_the_first_term_stays(client: Redis) -> None:
    terms = RedisTerms(client, 60)
    await terms.add("r1\0ko", {"雾霾绿": "더스티 그린"})
    await terms.add("r1\0ko", {"雾霾绿": "안개 초록", "米白": "크림"})
    assert await terms.recall("r1\0ko") == {"雾霾绿": "더스티 그린", "米白": "크림"}
    assert await terms.recall("r1\0vi") == {}
    (key,) = await client.keys("*")
    assert 0 < await client.ttl(key) <= 60


async def test_an_id_that_everything_has_does_not_grow_for_ever(client: Redis) -> None:
    terms = RedisTerms(client, 60)
    await terms.add("demo \ud800", {f"词{number}": "x" for number in range(1000)})
    await terms.add("demo \ud800", {"新": "새"})
    assert len(await terms.recall("demo \ud800")) == 1000


async def test_workers_share_what_they_know(client: Redis) -> None:
    translator = FakeTranslator()
    for _ in range(2):
        desk = Desk(
            Translators(translator),
            DeskOptions(),
            memory=RedisMemory(client, 60),
            terms=RedisTerms(client, 60),
        )
        answer = await desk.translate(PAGE)
        assert [entry.text for entry in answer.translations] == ["번역 0", "번역 1"]
    assert len(translator.prompts) == 1


async def test_without_redis_all_is_asked_at_once_and_nothing_fails(nobody: Redis) -> None:
    translator = FakeTranslator()
    paced = PacedTranslator(translator, RedisCooldown(nobody, "m", PaceLimits(60)), PaceOptions())
    desk = Desk(
        Translators(paced), DeskOptions(), memory=RedisMemory(nobody, 60), terms=RedisTerms(nobody, 60)
    )
    started = time.monotonic()
    for _ in range(3):
        assert len((await desk.translate(PAGE)).translations) == 2
    assert len(translator.prompts) == 3
    assert time.monotonic() - started < 2


async def test_a_memory_that_is_full_is_no_obstacle(client: Redis) -> None:
    await client.config_set("maxmemory", "1")
    try:
        await RedisMemory(client, 60).remember({"a": "신제품"})
        await RedisTerms(client, 60).add("r1", {"a": "b"})
    finally:
        await client.config_set("maxmemory", "0")
    assert await RedisMemory(client, 60).recall(["a"]) == {}


async def test_the_pace_is_shared(client: Redis) -> None:
    workers = [RedisCooldown(client, "m", PaceLimits(120)) for _ in range(2)]
    waits = [await workers[number % 2].enter(60.0) for number in range(5)]
    expected = [0.0, 0.0, 0.5, 1.0, 1.5]
    assert waits == pytest.approx(expected, abs=0.2)
    assert await RedisCooldown(client, "another", PaceLimits(120)).enter(60.0) == 0.0


async def test_who_does_not_wait_books_nothing(client: Redis) -> None:
    pace = RedisCooldown(client, "m", PaceLimits(60))
    assert await pace.enter(60.0) == 0.0
    refused = [await pace.enter(0.1) for _ in range(3)]
    assert refused == pytest.approx([1.0, 1.0, 1.0], abs=0.2)
    assert await pace.enter(60.0) == pytest.approx(1.0, abs=0.2)


async def test_no_limit_no_wait_and_no_keys(client: Redis) -> None:
    pace = RedisCooldown(client, "m", PaceLimits(0))
    assert [await pace.enter(0.0) for _ in range(50)] == [0.0] * 50
    assert await client.keys("*") == []


async def test_what_one_worker_is_told_all_keep_to(client: Redis) -> None:
    told, other = FakeTranslator(), FakeTranslator()
    told.script = [TranslatorQuota("429", retry_after=30.0)]
    workers = [
        PacedTranslator(translator, RedisCooldown(client, "m", PaceLimits(0)), PaceOptions())
        for translator in (told, other)
    ]
    with pytest.raises(TranslatorQuota):
        await workers[0].ask(PROMPT)
    with pytest.raises(TranslatorQuota) as caught:
        await workers[1].ask(PROMPT)
    assert caught.value.retry_after == pytest.approx(30, abs=2)
    assert not other.prompts, "it must not be asked during the rest"
    assert 0 < await client.pttl("translation:rest:m") <= 30_000


async def test_a_short_rest_is_waited_for(client: Redis) -> None:
    translator = FakeTranslator()
    translator.script = [TranslatorQuota("429", retry_after=0.3)]
    paced = PacedTranslator(translator, RedisCooldown(client, "m", PaceLimits(0)), PaceOptions())
    with pytest.raises(TranslatorQuota):
        await paced.ask(PROMPT)
    started = time.monotonic()
    await asyncio.gather(paced.ask(PROMPT), paced.ask(PROMPT))
    assert 0.2 < time.monotonic() - started < 2


async def test_a_longer_rest_outlasts_a_shorter_one(client: Redis) -> None:
    pace = RedisCooldown(client, "m", PaceLimits(0))
    await pace.rest(30)
    await pace.rest(1)
    assert await pace.enter(0.0) == pytest.approx(30, abs=2)
    await pace.rest(1e9)
    assert await pace.enter(0.0) < 1000, "a rest has an end"


async def test_with_a_second_translator_an_outage_is_a_rest_too(client: Redis) -> None:
    first, second = FakeTranslator(), FakeTranslator()
    first.script = [TranslatorUnavailable("timeout")]
    paced = PacedTranslator(
        first, RedisCooldown(client, "m", PaceLimits(0)), PaceOptions(rest_when_down=30.0)
    )
    desk = Desk(Translators(paced, second), DeskOptions())
    for _ in range(3):
        await desk.translate(PAGE)
    assert len(first.prompts) == 1, "nobody waits for the timeout again"
    assert len(second.prompts) == 3
