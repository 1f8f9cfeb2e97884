"""The lists that KEDA counts are those that the worker keeps: on a real queue."""

from __future__ import annotations

from redis.asyncio import Redis

from tests.integration.queues import OPTIONS, Connect
from tests.manifests import named
from worker.adapters.redis_backlog import RedisBacklog
from worker.settings import QueueSettings


async def scaler(client: Redis, name: str) -> int:
    """What KEDA's scaler for Redis takes: ZCARD of a sorted set, else LLEN."""
    found: int = await (client.zcard if await client.type(name) == b"zset" else client.llen)(name)
    return found


async def test_triggers_count_what_waits_and_what_is_claimed(
    connect: Connect, client: Redis, redis_url: str
) -> None:
    lists = [
        trigger["metadata"]["listName"] for trigger in named("ScaledObject", "worker")["spec"]["triggers"]
    ]
    assert QueueSettings.model_fields["processor_queue"].default == OPTIONS.processor_queue
    await client.rpush(OPTIONS.processor_queue, *(f"job{number}" for number in range(5)))
    queue = connect("one")
    claims = await queue.fetch(2)
    assert [await scaler(client, name) for name in lists] == [3, 2]
    backlog = RedisBacklog(redis_url, OPTIONS.processor_queue)
    sample = await backlog.sample()
    await backlog.close()
    assert [sample.waiting, sample.claimed] == [3, 2]
    assert await queue.ack(claims[0], b"{}")
    assert [await scaler(client, name) for name in lists] == [3, 1]
