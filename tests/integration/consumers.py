"""A consumer on a real Redis, for its tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from redis.asyncio import Redis

from worker import schemas
from worker.adapters.redis_queue import QueueOptions, RedisQueue
from worker.attempt import AttemptOptions, RunJob
from worker.breaker import Breaker, BreakerOptions
from worker.consumer import Consumer, ConsumerOptions
from worker.errors import WorkerError
from worker.job import Job, JobStatus, Result
from worker.ports import Check
from worker.retry_policy import RetryPolicy

QUEUE = QueueOptions("processor_tasks", "hosting_tasks", 1.0, 60, 60)
OPTIONS = ConsumerOptions(
    concurrency=4,
    lease_seconds=1.0,
    reap_seconds=0.1,
    drain_seconds=2,
    attempt=AttemptOptions(5, "ko", RetryPolicy(max_age_seconds=60, base_seconds=0.05)),
)


def with_deadline(seconds: float) -> ConsumerOptions:
    return replace(OPTIONS, attempt=replace(OPTIONS.attempt, job_deadline_seconds=seconds))


def message(image_id: str = "i1", **changes: Any) -> bytes:
    job = {"request_id": "r1", "image_id": image_id, "image_url": "http://x/a.jpg", "ocr_result": []}
    return json.dumps({**job, **changes}).encode()


async def succeed(job: Job) -> Result:
    return Result(JobStatus.COMPLETED, job.request_id, job.image_id, job.target_language, image_url="done")


class Bench:
    """A Redis and a consumer on it."""

    def __init__(self, url: str, client: Redis) -> None:
        self.url, self.client = url, client
        self.breaker = Breaker()

    @asynccontextmanager
    async def consuming(
        self,
        run_job: RunJob,
        options: ConsumerOptions = OPTIONS,
        *,
        hurry: asyncio.Event | None = None,
        checks: Mapping[str, Check] | None = None,
    ) -> AsyncIterator[asyncio.Event]:
        queue = RedisQueue(self.url, QUEUE, job_key=partial(schemas.job_key, default_language="ko"))
        stop = asyncio.Event()
        self.breaker = Breaker(BreakerOptions(base_seconds=0.1, refused_seconds=0.5))
        consumer = Consumer(queue, run_job, options, breaker=self.breaker, checks=checks)
        task = asyncio.create_task(consumer.run(stop, hurry))
        try:
            yield stop
        finally:
            stop.set()
            await asyncio.wait_for(task, 10)
            await queue.close()

    async def push(self, *payloads: bytes) -> None:
        await self.client.rpush("processor_tasks", *payloads)

    async def result(self) -> dict[str, Any]:
        popped = await self.client.blpop(["hosting_tasks"], timeout=10)
        assert popped is not None, "no result"
        found: dict[str, Any] = json.loads(popped[1])
        return found

    async def letters(self) -> list[dict[str, Any]]:
        return [json.loads(letter) for letter in await self.client.lrange("processor_tasks:dead", 0, -1)]

    async def assert_nothing_left(self) -> None:
        assert await self.client.llen("processor_tasks") == 0
        assert await self.client.llen("hosting_tasks") == 0
        for name in ("claims", "lease", "jobs", "delayed"):
            assert not await self.client.exists(f"processor_tasks:{name}"), name
        assert await self.client.keys("processor_tasks:meta:*") == []
        assert await self.client.keys("processor_tasks:inbox:*") == []


class Switch:
    """A dependency that is up or down."""

    def __init__(self, error: WorkerError) -> None:
        self.error: WorkerError | None = error
        self.checks = 0
        self.calls = 0

    async def check(self) -> str:
        self.checks += 1
        if self.error is not None:
            raise self.error
        return "up"

    async def job(self, job: Job) -> Result:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return await succeed(job)
