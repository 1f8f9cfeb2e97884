"""What the queue's tests share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.resources import files

from redis.asyncio import Redis

from worker.adapters.redis_queue import QueueOptions, RedisQueue
from worker.embedded import EmbeddedRedis
from worker.ports import Claim

OPTIONS = QueueOptions(
    processor_queue="processor_tasks",
    hosting_queue="hosting_tasks",
    lease_seconds=1.0,
    result_ttl_seconds=60,
    job_max_age_seconds=60,
)
#: Opens the queue as the worker of that name.
Connect = Callable[[str], RedisQueue]


def job_of(payload: bytes) -> str:
    """The job is the payload up to a hyphen: `one-a` and `one-b` are submissions of the same."""
    return payload.decode().partition("-")[0]


def open_queue(url: str, worker: str, options: QueueOptions = OPTIONS) -> RedisQueue:
    return RedisQueue(url, options, job_key=job_of, worker_id=worker)


async def claim(queue: RedisQueue) -> Claim:
    (found,) = await queue.fetch(1)
    return found


def cluster() -> EmbeddedRedis:
    """A Redis Cluster of one; its own bus is on a port higher by 10,000."""
    while (server := EmbeddedRedis("--cluster-enabled", "yes")).port > 55535:
        continue
    return server


async def internal_keys(client: Redis) -> set[str]:
    """What the queue still holds, but for records, dead letters, heartbeats and the counter."""
    keys = {key.decode() for key in await client.keys("processor_tasks:*") if isinstance(key, bytes)}
    return {key for key in keys if ":done:" not in key and not key.endswith((":workers", ":dead", ":taken"))}


def script_sha(name: str) -> bytes:
    """By what a script's call is known on the wire."""
    source = (files("worker.adapters") / "lua" / f"{name}.lua").read_bytes()
    return hashlib.sha1(source, usedforsecurity=False).hexdigest().encode()
