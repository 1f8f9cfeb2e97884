"""What goes wrong between the queue and Redis: real servers, and a proxy that loses replies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from signal import SIGKILL

import pytest
from redis.asyncio import Redis

from tests.faults.proxy import Fault, Proxy
from tests.integration.queues import (
    Connect,
    claim,
    internal_keys,
    open_queue,
    script_sha,
)
from worker.adapters.redis_queue import RedisQueue
from worker.embedded import EmbeddedRedis, free_port
from worker.errors import QueueUnavailable


def lose_reply(proxy: Proxy, script: str) -> None:
    """The next call of a script is executed, but its reply never comes."""
    proxy.inject(Fault("drop_reply", script_sha(script), times=1))


@pytest.mark.parametrize("script", ["claim", "identify"])
async def test_a_lost_reply_on_the_way_in_neither_loses_nor_counts_twice(
    distant: RedisQueue, proxy: Proxy, client: Redis, script: str
) -> None:
    await client.rpush("processor_tasks", "one", "two", "three")
    lose_reply(proxy, script)
    with pytest.raises(QueueUnavailable):
        await distant.fetch(2)
    assert proxy.struck == 1
    claims = [*await distant.fetch(1), *await distant.fetch(1)]
    assert sorted(found.payload for found in claims) in ([b"one", b"three", b"two"], [b"one", b"two"])
    assert {(found.deliveries, found.crashes) for found in claims} == {(1, 0)}
    for found in claims:
        assert await distant.ack(found, b"result")
    for found in await distant.fetch(1):
        assert await distant.ack(found, b"result")
    assert await client.llen("hosting_tasks") == 3
    assert await internal_keys(client) == set()


async def test_a_lost_reply_of_blmove_leaves_the_job_in_the_inbox(
    distant: RedisQueue, proxy: Proxy, client: Redis
) -> None:
    proxy.inject(Fault("drop_reply", b"BLMOVE", times=1))
    waiting = asyncio.create_task(distant.fetch(1))
    await asyncio.sleep(0.1)
    await client.rpush("processor_tasks", "one")
    with pytest.raises(QueueUnavailable):
        await waiting
    assert await client.lrange("processor_tasks:inbox:distant", 0, -1) == [b"one"]
    assert (await claim(distant)).payload == b"one"


async def test_a_lost_reply_on_the_way_out_is_repeated_without_harm(
    distant: RedisQueue, proxy: Proxy, client: Redis
) -> None:
    await client.rpush("processor_tasks", "acked", "retried", "released")
    acked, retried, released = await distant.fetch(3)
    lose_reply(proxy, "finish")
    with pytest.raises(QueueUnavailable):
        await distant.ack(acked, b"result")
    assert not await distant.ack(acked, b"result")
    lose_reply(proxy, "retry")
    with pytest.raises(QueueUnavailable):
        await distant.retry(retried, 60, "store_unavailable")
    assert not await distant.retry(retried, 60, "store_unavailable")
    lose_reply(proxy, "retry")
    with pytest.raises(QueueUnavailable):
        await distant.release(released)
    assert not await distant.release(released)
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result"]
    assert await client.zcard("processor_tasks:delayed") == 1
    assert await client.lrange("processor_tasks", 0, -1) == [b"released"]
    assert await client.hget("processor_tasks:meta:retried", "failed:store_unavailable") == b"1"
    assert await distant.renew() == frozenset()


async def test_an_inbox_drained_while_its_worker_lives(connect: Connect, client: Redis) -> None:
    slow, quick = connect("slow"), connect("quick")
    await slow.renew()
    await client.rpush("processor_tasks:inbox:slow", "one", "two")
    await client.zadd("processor_tasks:workers", {"slow": 1})
    await quick.renew()
    assert await quick.reap() == 2
    assert [found.payload for found in await quick.fetch(1)] == [b"one"]
    assert [found.payload for found in await slow.fetch(2)] == [b"two"]


async def test_a_redis_out_of_memory_can_be_emptied() -> None:
    with EmbeddedRedis("--maxmemory-policy", "noeviction") as server:
        queue, other = open_queue(server.url, "a"), open_queue(server.url, "b")
        async with Redis.from_url(server.url) as client:
            await client.rpush("processor_tasks", *(f"j{number}" for number in range(8)))
            await client.rpush("processor_tasks:inbox:a", "inbox")
            await client.config_set("maxmemory", 1)
            await queue.renew()
            inbox, crashed, retried, released, *rest = await queue.fetch(9)
            assert inbox.payload == b"inbox"
            assert await queue.renew() == frozenset()
            assert await queue.retry(retried, 0, "store_unavailable")
            assert await queue.release(released)
            await client.config_set("maxmemory", 0)
            await client.zadd("processor_tasks:lease", {crashed.id: 1})
            await client.config_set("maxmemory", 1)
            assert await queue.reap() == 2
            await queue.renew()
            rest += [inbox, *await queue.fetch(9)]
            for held in rest:
                assert await queue.ack(held, b"result")
            assert await client.llen("hosting_tasks") == 9
            with pytest.raises(QueueUnavailable, match="maxmemory"):
                await other.fetch(1)
        await queue.close()
        await other.close()


async def test_no_redis_is_an_error_of_ours() -> None:
    queue = open_queue(f"redis://127.0.0.1:{free_port()}/0", "a")
    with pytest.raises(QueueUnavailable):
        await queue.fetch(1)
    await queue.close()


async def test_jobs_survive_a_killed_redis() -> None:
    with EmbeddedRedis("--appendonly", "yes", "--appendfsync", "always") as server:
        queue = open_queue(server.url, "a")
        async with Redis.from_url(server.url) as client:
            await client.rpush("processor_tasks", "one", "two")
        held = await claim(queue)
        await asyncio.to_thread(server.stop, SIGKILL)
        with pytest.raises(QueueUnavailable):
            await queue.renew()
        await asyncio.to_thread(server.start)
        late = open_queue(server.url, "late")
        await late.check()
        await late.renew()
        assert await late.reap() == 0, "a worker that starts now lets the others renew first"
        assert await queue.reap() == 0, "no reaping before the living could renew"
        assert await queue.renew() == frozenset()
        assert await queue.ack(held, b"result")
        assert (await claim(queue)).payload == b"two"
        await queue.close()
        await late.close()


async def test_a_claim_that_redis_forgot_is_lost_and_its_job_is_not(tmp_path: Path) -> None:
    """A power loss with everysec cuts the log's tail: what the worker was told never happened."""
    with EmbeddedRedis("--appendonly", "yes", "--appendfsync", "always", "--dir", str(tmp_path)) as server:
        queue = open_queue(server.url, "a")
        async with Redis.from_url(server.url) as client:
            await client.rpush("processor_tasks", "one")
            size = (tmp_path / "appendonly.aof").stat().st_size
            held = await claim(queue)
        await asyncio.to_thread(server.stop, SIGKILL)
        with (tmp_path / "appendonly.aof").open("r+b") as log:
            log.truncate(size)
        await asyncio.to_thread(server.start)
        with pytest.raises(QueueUnavailable):
            await queue.renew()
        assert await queue.renew() == {held.id}
        assert not await queue.ack(held, b"result")
        again = await claim(queue)
        assert (again.payload, again.deliveries) == (b"one", 1)
        await queue.close()


async def test_a_replica_is_refused_until_it_is_promoted(redis_server: EmbeddedRedis) -> None:
    with EmbeddedRedis() as server:
        queue = open_queue(server.url, "a")
        async with Redis.from_url(server.url) as client:
            await client.rpush("processor_tasks", "one")
            await client.replicaof("127.0.0.1", free_port())
            with pytest.raises(QueueUnavailable, match="READONLY"):
                await queue.check()
            with pytest.raises(QueueUnavailable, match="READONLY"):
                await queue.renew()
            await client.replicaof("NO", "ONE")
        assert (await claim(queue)).payload == b"one"
        await queue.close()


async def test_a_job_whose_name_redis_forgot_is_not_lost(connect: Connect, client: Redis) -> None:
    """A power loss with everysec: the log had the claim, but no longer which job it was for."""
    queue = connect("a")
    await client.rpush("processor_tasks", "acked", "retried", "released")
    acked, retried, released = await queue.fetch(3)
    await client.delete("processor_tasks:jobs")
    assert await queue.renew() == frozenset()
    assert await queue.ack(acked, b"result")
    assert await queue.retry(retried, 60, "store_unavailable")
    assert await queue.release(released)
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result"]
    assert await client.exists("processor_tasks:done:acked")
    assert not await client.exists("processor_tasks:meta:acked")
    assert await client.hget("processor_tasks:meta:retried", "failed:store_unavailable") == b"1"
    assert await client.zcard("processor_tasks:delayed") == 1
    again = await claim(queue)
    assert (again.payload, again.deliveries) == (b"released", 1)


async def test_too_few_replicas_are_an_outage_that_loses_nothing() -> None:
    """With min-replicas-to-write; before Redis 7 that stops BLMOVE, but no script."""
    with EmbeddedRedis() as server:
        queue = open_queue(server.url, "a")
        async with Redis.from_url(server.url) as client:
            await client.config_set("min-replicas-to-write", 1)
            with pytest.raises(QueueUnavailable, match="NOREPLICAS"):
                await queue.fetch(1)
            await client.config_set("min-replicas-to-write", 0)
            await client.rpush("processor_tasks", "one")
        assert (await claim(queue)).payload == b"one"
        await queue.close()


async def test_a_script_refused_for_want_of_replicas_is_repeated(
    distant: RedisQueue, proxy: Proxy, client: Redis
) -> None:
    """As Redis 7 answers, before the script's first write."""
    refused = Fault("answer", b"EVALSHA", reply=b"-NOREPLICAS Not enough good replicas to write.\r\n")
    await client.rpush("processor_tasks", "one")
    proxy.inject(refused)
    with pytest.raises(QueueUnavailable, match="NOREPLICAS"):
        await distant.fetch(1)
    proxy.lift()
    held = await claim(distant)
    proxy.inject(refused)
    for answer in (distant.ack(held, b"result"), distant.release(held), distant.renew()):
        with pytest.raises(QueueUnavailable, match="NOREPLICAS"):
            await answer
    proxy.lift()
    assert await distant.reap() == 0, "those who could not renew come first"
    assert await distant.ack(held, b"result")
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result"]
    assert await internal_keys(client) == set()


async def test_a_claim_whose_reply_was_lost_is_kept_and_given_back(
    distant: RedisQueue, proxy: Proxy, client: Redis
) -> None:
    """The worker may not fetch for a while: its slots are full, its breaker is open, it drains."""
    await client.rpush("processor_tasks", "one")
    lose_reply(proxy, "claim")
    with pytest.raises(QueueUnavailable):
        await distant.fetch(1)
    (claim_id,) = await client.hkeys("processor_tasks:claims")
    await client.zincrby("processor_tasks:lease", -0.5, claim_id)
    before = await client.zscore("processor_tasks:lease", claim_id)
    assert await distant.renew() == frozenset()
    after = await client.zscore("processor_tasks:lease", claim_id)
    assert before is not None
    assert after is not None
    assert after > before
    await distant.close()
    assert await client.lrange("processor_tasks", 0, -1) == [b"one"]
    assert await internal_keys(client) == set()
