"""Jobs that take the worker down while it reads them, before anybody knows which job that was."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from tests.integration.consumers import Bench, message, succeed
from tests.integration.queues import OPTIONS, Connect, claim, internal_keys, job_of
from worker.adapters.dead_letters import DeadLetters
from worker.adapters.redis_queue import RedisQueue
from worker.ports import Claim

#: A worker that claims so many jobs and dies of reading a bait; another one finds out.
Crash = Callable[[int], Awaitable[None]]


class Died(BaseException):
    """Stands for SIGKILL: nothing of the worker runs after it."""


def dying(payload: bytes) -> str:
    if payload.startswith(b"bait"):
        raise Died
    return job_of(payload)


@pytest.fixture
async def crash(redis_url: str, connect: Connect, client: Redis) -> AsyncIterator[Crash]:
    reaper = connect("reaper")
    async with AsyncExitStack() as victims:

        async def crash(limit: int) -> None:
            victim = RedisQueue(redis_url, OPTIONS, job_key=dying)
            victims.push_async_callback(victim.close)
            with pytest.raises(Died):
                await victim.fetch(limit)
            held = set(await client.hkeys("processor_tasks:claims"))
            held -= set(await client.hkeys("processor_tasks:jobs"))
            await client.zadd("processor_tasks:lease", {name: 1 for name in held if isinstance(name, bytes)})
            await reaper.renew()
            assert await reaper.reap() == len(held)

        yield crash


async def test_a_job_that_kills_whoever_reads_it_is_given_up(
    connect: Connect, client: Redis, crash: Crash
) -> None:
    await client.rpush("processor_tasks", "one", "bait", "two", "three")
    await crash(4)
    survivor = connect("survivor")
    others: list[Claim] = []
    # All four are suspected, and from now on read alone.
    while await client.lindex("processor_tasks", 0) != b"bait":
        others += await survivor.fetch(4)
    await survivor.renew()
    for _ in range(2):
        await crash(4)
    (bait,) = await survivor.fetch(4)
    assert (bait.payload, bait.readable, bait.deliveries) == (b"bait", False, 1)
    assert await survivor.bury(bait, b"failed", b'{"x": 1}')
    others += await survivor.fetch(4)
    assert {found.payload for found in others} == {b"one", b"two", b"three"}
    assert {(found.readable, found.crashes) for found in others} == {(True, 0)}
    # Its record is known by its bytes, and a new submission is looked into again.
    assert await client.exists(f"processor_tasks:done:{hashlib.sha256(b'bait').hexdigest()}")
    await client.rpush("processor_tasks", "bait")
    assert (await claim(survivor)).readable


async def test_what_was_read_is_suspected_no_more(connect: Connect, client: Redis, crash: Crash) -> None:
    queue = connect("a")
    payloads = [b"one", b"two", b"bait"]
    await client.rpush("processor_tasks", *payloads)
    await crash(3)
    for left in (3, 2, 1):
        assert await client.hlen("processor_tasks:unread") == left
        assert 0 < await client.ttl("processor_tasks:unread") <= 7 * 86400
        held = await claim(queue)
        payloads.remove(held.payload)
        digests = {hashlib.sha1(payload).hexdigest().encode() for payload in payloads}
        assert set(await client.hkeys("processor_tasks:unread")) == digests
        assert await queue.ack(held, b"result")
    assert await internal_keys(client) == set()


async def test_a_suspected_payload_in_the_inbox_waits_for_the_next_fetch(
    connect: Connect, client: Redis
) -> None:
    queue = connect("a")
    await client.hset("processor_tasks:unread", hashlib.sha1(b"late").hexdigest(), "1")
    await client.rpush("processor_tasks:inbox:a", "early", "late")
    await client.rpush("processor_tasks", "last")
    batches = [[found.payload for found in await queue.fetch(5)] for _ in range(3)]
    assert batches == [[b"early"], [b"late"], [b"last"]]


async def test_it_ends_in_a_result_and_a_letter_that_can_be_retried(bench: Bench, redis_url: str) -> None:
    payload = message()
    await bench.client.hset("processor_tasks:unread", hashlib.sha1(payload).hexdigest(), "3")
    await bench.push(payload, message("i2"))
    async with bench.consuming(succeed):
        results = [await bench.result() for _ in range(2)]
        errors = {result["image_id"]: result["error"] for result in results}
        assert errors.keys() == {None, "i2"}
        assert errors["i2"] is None
        assert errors[None]["code"] == "poisoned"
        (letter,) = await bench.letters()
        assert (letter["request_id"], base64.b64decode(letter["payload"])) == (None, payload)
        letters = DeadLetters(redis_url, "processor_tasks")
        assert [await letters.retry(found) async for found in letters.walk()] == [True]
        await letters.close()
        assert (await bench.result())["image_id"] == "i1"
    await bench.assert_nothing_left()
    assert not await bench.client.exists("processor_tasks:unread")
