"""The queue's guarantees against a real redis-server."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from worker.adapters.redis_queue import QueueOptions, RedisQueue
from worker.embedded import EmbeddedRedis, free_port
from worker.errors import QueueUnavailable
from worker.ports import Claim

OPTIONS = QueueOptions(
    processor_queue="processor_tasks",
    hosting_queue="hosting_tasks",
    lease_seconds=1.0,
    result_ttl_seconds=60,
    job_max_age_seconds=60,
)
Connect = Callable[[str], RedisQueue]


@pytest.fixture
async def connect(redis_url: str) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def open_queue(worker: str) -> RedisQueue:
            queue = RedisQueue(redis_url, OPTIONS, job_key=lambda payload: payload.decode(), worker_id=worker)
            stack.push_async_callback(queue.close)
            return queue

        yield open_queue


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


async def claim(queue: RedisQueue) -> Claim:
    found = await queue.fetch()
    assert found is not None
    return found


async def internal_keys(client: Redis) -> set[str]:
    """What the queue still holds, but for records and dead letters."""
    keys = {key.decode() for key in await client.keys("processor_tasks:*") if isinstance(key, bytes)}
    return {key for key in keys if ":done:" not in key and not key.endswith((":workers", ":dead"))}


async def test_a_job_is_claimed_acked_and_leaves_nothing(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one", "two")
    first = await claim(queue)
    assert (first.payload, first.deliveries, first.crashes, first.recorded) == (b"one", 1, 0, None)
    assert await queue.ack(first, b"result")
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result"]
    assert await queue.ack(await claim(queue), b"second")
    assert await internal_keys(client) == set()


async def test_an_ack_repeated_after_a_lost_reply_pushes_once(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one")
    held = await claim(queue)
    assert await queue.ack(held, b"result")
    assert not await queue.ack(held, b"result")
    assert await client.llen("hosting_tasks") == 1


async def test_an_empty_queue_answers_within_its_second(connect: Connect) -> None:
    assert await asyncio.wait_for(connect("a").fetch(), 3) is None


async def test_a_finished_job_pushed_again_brings_its_record(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one")
    await queue.ack(await claim(queue), b"result")
    await client.rpush("processor_tasks", "one")
    again = await claim(queue)
    assert again.recorded == b"result"
    await queue.ack(again, again.recorded)
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result", b"result"]


async def test_a_dead_workers_claim_and_inbox_come_back(connect: Connect, client: Redis) -> None:
    dead, alive = connect("dead"), connect("alive")
    await client.rpush("processor_tasks", "claimed", "inbox")
    await claim(dead)
    # As after a crash between BLMOVE and the claim.
    await client.blmove("processor_tasks", "processor_tasks:inbox:dead", timeout=1, src="LEFT", dest="RIGHT")
    await alive.renew()
    assert await alive.reap() == 0, "a live worker's jobs stay its own"
    await asyncio.sleep(1.2)
    await alive.renew()
    assert await alive.reap() == 2
    returned = {(found.payload, found.crashes) for found in [await claim(alive), await claim(alive)]}
    assert returned == {(b"claimed", 1), (b"inbox", 0)}


async def test_a_fenced_worker_cannot_answer(connect: Connect, client: Redis) -> None:
    slow, quick = connect("slow"), connect("quick")
    await client.rpush("processor_tasks", "one")
    stale = await claim(slow)
    await asyncio.sleep(1.2)
    await quick.reap()
    fresh = await claim(quick)
    assert not await slow.ack(stale, b"stale")
    assert not await slow.retry(stale, 0, "stale")
    assert await slow.renew() == frozenset()
    assert await quick.ack(fresh, b"fresh")
    assert await client.lrange("hosting_tasks", 0, -1) == [b"fresh"]


async def test_renew_tells_what_was_lost_and_keeps_the_rest(connect: Connect, client: Redis) -> None:
    queue, other = connect("a"), connect("b")
    await client.rpush("processor_tasks", "one", "two")
    first, second = await claim(queue), await claim(queue)
    await client.zadd("processor_tasks:lease", {first.id: 1})
    await other.reap()
    assert await queue.renew() == {first.id}
    for _ in range(3):
        await asyncio.sleep(0.6)
        assert await queue.renew() == frozenset()
        await other.reap()
    assert await queue.ack(second, b"result")


async def test_a_retry_waits_and_equal_payloads_stay_two(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "same", "same")
    for held in [await claim(queue), await claim(queue)]:
        assert await queue.retry(held, 0.3, "triton is away")
    assert await queue.reap() == 0
    await asyncio.sleep(0.4)
    assert await queue.reap() == 2
    again = await claim(queue)
    assert (again.payload, again.deliveries) == (b"same", 3)
    assert await queue.ack(again, b"r")


async def test_a_released_job_is_next_and_uncounted(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one", "two")
    await queue.release(await claim(queue))
    again = await claim(queue)
    assert (again.payload, again.deliveries) == (b"one", 1)


async def test_a_buried_job_has_its_result_and_its_letter(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    await client.rpush("processor_tasks", "one")
    assert await queue.bury(await claim(queue), b"failed", b"letter")
    assert await client.lrange("hosting_tasks", 0, -1) == [b"failed"]
    assert await client.lrange("processor_tasks:dead", 0, -1) == [b"letter"]
    assert await internal_keys(client) == set()


async def test_ten_thousand_bytes_of_anything_come_through(connect: Connect, client: Redis) -> None:
    queue = connect("a")
    raw = json.dumps({"text": "洗涤说明" * 2000}, ensure_ascii=False).encode()
    await client.rpush("processor_tasks", raw)
    assert (await claim(queue)).payload == raw


async def test_check_names_the_version(connect: Connect) -> None:
    assert (await connect("a").check()).startswith("Redis ")


async def test_no_redis_is_an_error_of_ours() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    queue = RedisQueue(url, OPTIONS, job_key=lambda payload: payload.decode())
    with pytest.raises(QueueUnavailable):
        await queue.fetch()
    await queue.close()


async def test_jobs_survive_a_killed_redis() -> None:
    with EmbeddedRedis("--appendonly", "yes", "--appendfsync", "always") as server:
        queue = RedisQueue(server.url, OPTIONS, job_key=lambda payload: payload.decode(), worker_id="a")
        async with Redis.from_url(server.url) as client:
            await client.rpush("processor_tasks", "one", "two")
        held = await claim(queue)
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        with pytest.raises(QueueUnavailable):
            await queue.renew()
        await asyncio.to_thread(server.start)
        assert await queue.reap() == 0, "no reaping before the living could renew"
        assert await queue.renew() == frozenset()
        assert await queue.ack(held, b"result")
        with pytest.raises(QueueUnavailable):
            await queue.fetch()  # the other connection finds out now
        assert (await claim(queue)).payload == b"two"
        await queue.close()
