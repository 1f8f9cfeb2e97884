"""Budgets, the breaker, suspects, leaving in a hurry: the consumer when things go wrong around it."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from functools import partial

import pytest
import structlog
from redis.asyncio import Redis

from tests.integration.consumers import OPTIONS, QUEUE, Bench, message, succeed, with_deadline
from tests.integration.queues import cluster
from worker import log, schemas
from worker.adapters.redis_queue import RedisQueue
from worker.consumer import Consumer
from worker.embedded import EmbeddedRedis
from worker.errors import (
    AuthError,
    BadImage,
    InpainterUnavailable,
    SettingsError,
    SourceUnavailable,
    StoreUnavailable,
    WorkerError,
)
from worker.job import Job, Result


async def test_each_kind_of_failure_has_its_own_budget(bench: Bench) -> None:
    failures: list[WorkerError] = [StoreUnavailable("503")] * 4 + [SourceUnavailable("host")] * 2

    async def job(job: Job) -> Result:
        if failures:
            raise failures.pop()
        return await succeed(job)

    key = schemas.job_key(message(), "ko")
    await bench.client.hset(
        f"processor_tasks:meta:{key}", mapping={"crashes": 1, "deliveries": 1, "first": 9e9}
    )
    await bench.push(message())
    async with bench.consuming(job):
        result = await bench.result()
    assert (result["status"], result["attempts"]) == ("completed", 8)


async def test_a_dependency_that_stays_away_costs_the_job_at_its_age_limit(bench: Bench) -> None:
    async def job(_: Job) -> Result:
        raise StoreUnavailable("R2: 503")

    await bench.push(message())
    policy = replace(OPTIONS.attempt.retry, max_age_seconds=1.0)
    async with bench.consuming(job, replace(OPTIONS, attempt=replace(OPTIONS.attempt, retry=policy))):
        result = await bench.result()
    assert result["error"]["code"] == "store_unavailable"
    assert len(await bench.letters()) == 1
    await bench.assert_nothing_left()


async def test_every_line_about_a_job_names_it(bench: Bench, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(structlog.reset_defaults)
    log.configure(json=True, stream=(stream := io.StringIO()))
    failures: list[WorkerError] = [StoreUnavailable("503"), BadImage("no picture")]

    async def job(job: Job) -> Result:
        if failures:
            raise failures.pop(0)
        return replace(await succeed(job), timings_ms={"fetch": 12.3456})

    async with bench.consuming(job):
        for image_id, changes in (("failed", {}), ("unread", {"ocr_result": 7}), ("done", {})):
            await bench.push(message(image_id, **changes))
            await bench.result()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [line for line in lines if line["event"].startswith("job.")]
    assert [(line["event"], line["request_id"], line["image_id"]) for line in told] == [
        ("job.retry", "r1", "failed"),
        ("job.failed", "r1", "failed"),
        ("job.failed", "r1", "unread"),
        ("job.done", "r1", "done"),
    ]
    assert told[-1]["timings_ms"] == {"fetch": 12.3}


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


async def test_fetching_pauses_while_a_dependency_is_down(bench: Bench) -> None:
    triton = Switch(InpainterUnavailable("Triton: UNAVAILABLE"))
    await bench.push(*(message(f"i{number}") for number in range(30)))
    async with bench.consuming(triton.job, checks={"inpainter": triton}):
        await asyncio.sleep(1.0)
        assert triton.calls <= 2 * OPTIONS.concurrency, "jobs are not burnt against a closed door"
        assert bench.breaker.problems == {"inpainter": "Triton: UNAVAILABLE"}
        assert triton.checks > 1
        triton.error = None
        results = [await bench.result() for _ in range(30)]
        assert bench.breaker.problems == {}
    assert {result["status"] for result in results} == {"completed"}
    assert await bench.letters() == []
    await bench.assert_nothing_left()


async def test_a_refused_key_stops_everything_until_it_is_changed(bench: Bench) -> None:
    keys = Switch(AuthError("GEMINI_API_KEY: refused"))
    await bench.push(*(message(f"i{number}") for number in range(12)))
    async with bench.consuming(keys.job):
        await asyncio.sleep(1.3)
        assert keys.calls <= OPTIONS.concurrency + 3, "the first batch, then one at a time, slowly"
        assert list(bench.breaker.problems.values()) == ["GEMINI_API_KEY: refused"]
        keys.error = None
        results = [await bench.result() for _ in range(12)]
    assert {result["status"] for result in results} == {"completed"}
    assert await bench.letters() == []


async def test_a_host_that_is_away_does_not_stop_the_others(bench: Bench) -> None:
    async def job(job: Job) -> Result:
        if job.image_id.startswith("away"):
            raise SourceUnavailable("image_url: x does not answer")
        return await succeed(job)

    await bench.push(*(message(f"away{number}") for number in range(8)), message("here"))
    async with bench.consuming(job):
        results = [await bench.result() for _ in range(9)]
        assert bench.breaker.states == {}
    assert sum(result["status"] == "failed" for result in results) == 8


async def test_a_job_one_crash_from_poison_runs_alone(bench: Bench) -> None:
    """Its neighbours would be convicted with it."""
    running: set[str] = set()
    beside: dict[str, set[str]] = {}

    async def job(job: Job) -> Result:
        running.add(job.image_id)
        await asyncio.sleep(0.15)
        for one in running:
            beside.setdefault(one, set()).update(running - {one})
        running.remove(job.image_id)
        return await succeed(job)

    suspects = ("bait1", "bait2")
    for name in suspects:
        key = schemas.job_key(message(name), "ko")
        await bench.client.hset(f"processor_tasks:meta:{key}", "crashes", "2")
    await bench.push(message("i1"), message("bait1"), message("i2"), message("bait2"), message("i3"))
    async with bench.consuming(job):
        results = [await bench.result() for _ in range(5)]
    assert {result["status"] for result in results} == {"completed"}
    assert [beside[name] for name in suspects] == [set(), set()]
    assert "i2" in beside["i1"]
    await bench.assert_nothing_left()


async def test_suspects_that_wait_for_their_turn_are_not_charged(bench: Bench) -> None:
    running: list[str] = []
    started = asyncio.Event()

    async def job(job: Job) -> Result:
        running.append(job.image_id)
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    names = [f"i{number}" for number in range(4)]
    metas = {name: f"processor_tasks:meta:{schemas.job_key(message(name), 'ko')}" for name in names}
    for meta in metas.values():
        await bench.client.hset(meta, "crashes", "2")
    await bench.push(*(message(name) for name in names))
    async with bench.consuming(job, replace(with_deadline(60), drain_seconds=0)):
        await started.wait()
        waiting = {name for name, meta in metas.items() if await bench.client.hexists(meta, "waiting")}
        assert waiting == set(names) - set(running)
        assert len(running) == 1
    assert await bench.client.llen("processor_tasks") == 4


async def test_a_second_signal_gives_everything_back_at_once(bench: Bench) -> None:
    started, hurry = asyncio.Event(), asyncio.Event()

    async def job(_: Job) -> Result:
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    await bench.push(message())
    begun = 0.0
    async with bench.consuming(job, replace(with_deadline(60), drain_seconds=60), hurry=hurry) as stop:
        await started.wait()
        stop.set()
        await asyncio.sleep(0.2)
        hurry.set()
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 2
    assert await bench.client.lrange("processor_tasks", 0, -1) == [message()]
    async with bench.consuming(succeed):
        assert (await bench.result())["attempts"] == 1


async def test_a_result_on_its_way_is_not_taken_back_by_the_drain(bench: Bench) -> None:
    done = asyncio.Event()

    async def job(job: Job) -> Result:
        await bench.client.client_pause(1500, all=False)  # writes wait: the ack hangs in Redis
        done.set()
        return await succeed(job)

    await bench.push(message())
    async with bench.consuming(job, replace(OPTIONS, drain_seconds=0.1, lease_seconds=30)) as stop:
        await done.wait()
        stop.set()
    assert (await bench.result())["status"] == "completed"
    await bench.assert_nothing_left()


async def test_a_cluster_is_refused_at_the_start() -> None:
    with cluster() as server:
        queue = RedisQueue(server.url, QUEUE, job_key=partial(schemas.job_key, default_language="ko"))
        with pytest.raises(SettingsError, match="Redis Cluster is not supported"):
            await Consumer(queue, succeed, OPTIONS).run(asyncio.Event())
        await queue.close()


async def test_a_worker_waits_for_a_redis_that_is_not_there_yet() -> None:
    server, stop = EmbeddedRedis(), asyncio.Event()
    queue = RedisQueue(server.url, QUEUE, job_key=partial(schemas.job_key, default_language="ko"))
    consuming = asyncio.create_task(Consumer(queue, succeed, OPTIONS).run(stop))
    await asyncio.sleep(0.5)
    with server:
        async with Redis.from_url(server.url) as client:
            await client.rpush("processor_tasks", message())
            assert await client.blpop(["hosting_tasks"], timeout=10) is not None
        stop.set()
        await consuming
        await queue.close()
