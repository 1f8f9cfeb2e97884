"""Replies that get lost of the scripts beside a job's own way: said again, or not, it does no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest
from redis.asyncio import Redis

from tests.faults.proxy import Fault, Proxy
from tests.integration.queues import claim, internal_keys, script_sha
from worker.adapters import redis_memory
from worker.adapters.dead_letters import DeadLetters
from worker.adapters.redis_cooldown import PaceLimits, RedisCooldown
from worker.adapters.redis_memory import RedisMemory, RedisTerms
from worker.adapters.redis_queue import RedisQueue
from worker.errors import QueueUnavailable

LETTER = (
    b'{"id": "x", "time": 1.5, "request_id": "r", "image_id": "i", "target_language": "ko", "error": null, '
    b'"reason": "bad_image", "attempts": 1, "crashes": 0, "failures": {}, "payload": "b25l"}'
)


async def lose_reply(proxy: Proxy, client: Redis, script: str) -> None:
    """The next call of a script is executed, but its reply never comes."""
    await client.script_load((files("worker.adapters") / "lua" / f"{script}.lua").read_text())
    proxy.inject(Fault("drop_reply", script_sha(script), times=1))


@pytest.fixture
async def far(redis_url: str, proxy: Proxy) -> AsyncIterator[Redis]:
    """The translation's client, behind the proxy."""
    async with redis_memory.connect(f"redis://{proxy.address}/0") as client:
        yield client


async def test_begin(distant: RedisQueue, proxy: Proxy, client: Redis) -> None:
    await client.hset("processor_tasks:meta:one", "crashes", "1")
    await client.rpush("processor_tasks", "one")
    held = await claim(distant)
    assert await client.hexists("processor_tasks:meta:one", "waiting")
    await lose_reply(proxy, client, "begin")
    with pytest.raises(QueueUnavailable):
        await distant.begin(held)
    assert proxy.struck == 1
    assert not await client.hexists("processor_tasks:meta:one", "waiting")
    assert await distant.begin(held)
    assert await distant.ack(held, b"result")
    assert not await distant.begin(held)
    assert await internal_keys(client) == set()


async def test_farewell(distant: RedisQueue, proxy: Proxy, client: Redis) -> None:
    await client.rpush("processor_tasks", "one", "two")
    await claim(distant)
    await client.lmove("processor_tasks", "processor_tasks:inbox:distant", "LEFT", "RIGHT")
    # It is said once: what is to be done is done, whether the worker hears of it or not.
    await lose_reply(proxy, client, "farewell")
    await distant.close()
    assert sorted(await client.lrange("processor_tasks", 0, -1)) == [b"one", b"two"]
    assert await internal_keys(client) == {"processor_tasks:meta:one"}


async def test_dead_retry(redis_url: str, proxy: Proxy, client: Redis) -> None:
    letters = DeadLetters(f"redis://{proxy.address}/0", "processor_tasks")
    await client.rpush("processor_tasks:dead", LETTER)
    (letter,) = [found async for found in letters.walk()]
    await lose_reply(proxy, client, "dead_retry")
    with pytest.raises(QueueUnavailable):
        await letters.retry(letter)
    assert not await letters.retry(letter), "it is gone: nothing is pushed a second time"
    assert await client.lrange("processor_tasks", 0, -1) == [b"one"]
    assert not await client.exists("processor_tasks:dead")
    await letters.close()


async def test_dead_drop(redis_url: str, proxy: Proxy, client: Redis) -> None:
    letters = DeadLetters(f"redis://{proxy.address}/0", "processor_tasks")
    await client.rpush("processor_tasks:dead", LETTER)
    (letter,) = [found async for found in letters.walk()]
    await lose_reply(proxy, client, "dead_drop")
    with pytest.raises(QueueUnavailable):
        await letters.drop(letter)
    assert not await letters.drop(letter), "it is gone"
    assert not await client.exists("processor_tasks:dead")
    await letters.close()


async def test_remember_and_terms(far: Redis, proxy: Proxy, client: Redis) -> None:
    memory, terms = RedisMemory(far, 60), RedisTerms(far, 60)
    await memory.remember({"warm": "x"})
    await terms.add("warm", {"warm": "x"})
    await lose_reply(proxy, client, "remember")
    await memory.remember({"a": "신제품"})
    assert await memory.recall(["a"]) == {"a": "신제품"}
    await memory.remember({"a": "신제품"})
    await lose_reply(proxy, client, "terms")
    await terms.add("r1", {"雾霾绿": "더스티 그린"})
    await terms.add("r1", {"雾霾绿": "안개 초록"})
    assert await terms.recall("r1") == {"雾霾绿": "더스티 그린"}


async def test_rest(far: Redis, proxy: Proxy, client: Redis) -> None:
    cooldown = RedisCooldown(far, "m", PaceLimits())
    await cooldown.rest(1)
    await lose_reply(proxy, client, "rest")
    await cooldown.rest(60)
    assert 55 < await cooldown.enter(0) <= 60
    await cooldown.rest(60)
    assert 55 < await cooldown.enter(0) <= 61, "said twice, it is no longer"


async def test_pace(far: Redis, proxy: Proxy, client: Redis) -> None:
    """The call passes, as whenever Redis is away; its place is booked, so that the pace holds after it."""
    cooldown = RedisCooldown(far, "m", PaceLimits(requests_per_minute=60))
    assert await cooldown.enter(60) == 0
    await lose_reply(proxy, client, "pace")
    assert await cooldown.enter(60) == 0
    assert 1.5 < await cooldown.enter(60) <= 2
