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

from tests.faults.proxy import Fault, Proxy
from tests.faults.site import wait_until
from tests.integration.consumers import OPTIONS, QUEUE, Bench, Switch, message, succeed, with_deadline
from tests.integration.queues import cluster
from worker import log, schemas
from worker.adapters.redis_queue import RedisQueue
from worker.breaker import Problem
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
from worker.report import Stopwatch


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


async def test_a_host_that_stays_away_fails_the_job(bench: Bench) -> None:
    async def job(_: Job) -> Result:
        raise SourceUnavailable("image_url: x does not answer")

    await bench.push(message())
    policy = replace(OPTIONS.attempt.retry, source_seconds=0.0)  # three tries, once it had its time
    async with bench.consuming(job, replace(OPTIONS, attempt=replace(OPTIONS.attempt, retry=policy))):
        result = await bench.result()
    assert (result["error"]["code"], result["attempts"]) == ("source_unavailable", 3)


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
        with Stopwatch()("decode"):
            if failures:
                raise failures.pop(0)
        return replace(await succeed(job), timings_ms={"fetch": 12.3456})

    async with bench.consuming(job):
        for image_id, changes in (
            ("failed", {}),
            ("unread", {"ocr_result": 7}),
            ("\ud800" + "x" * 999, {}),
            ("done", {}),
            ("done", {}),
        ):
            await bench.push(message(image_id, **changes))
            await bench.result()
    stream.getvalue().encode()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [line for line in lines if line["event"].startswith("job.")]
    assert [(line["event"], line["request_id"], line["image_id"]) for line in told] == [
        ("job.retry", "r1", "failed"),
        ("job.failed", "r1", "failed"),
        ("job.failed", "r1", "unread"),
        ("job.failed", "r1", "\\ud800" + "x" * 255),
        ("job.done", "r1", "done"),
        ("job.repeated", "r1", "done"),
    ]
    assert [line["stage"] for line in told[:-2]] == ["decode", "decode", None, None]
    assert told[-2]["timings_ms"] == {"fetch": 12.3}


@pytest.mark.parametrize(
    ("stages", "cut_off"), [(["fetch"], "fetch"), (["translate", "mask", "inpaint"], "translate"), ([], None)]
)
async def test_a_job_past_its_deadline_says_which_stage_was_cut_off(
    bench: Bench, request: pytest.FixtureRequest, stages: list[str], cut_off: str | None
) -> None:
    """Of stages side by side the one that was longest at it; one that came to its end before is none."""
    request.addfinalizer(structlog.reset_defaults)
    log.configure(json=True, stream=(stream := io.StringIO()))

    async def job(job: Job) -> Result:
        watch = Stopwatch()

        async def hang(stage: str) -> None:
            with watch(stage):
                await asyncio.sleep(60)

        with watch("decode"):
            await asyncio.sleep(0)
        async with asyncio.TaskGroup() as paths:
            for stage in stages:
                paths.create_task(hang(stage))
        await asyncio.sleep(60)
        return await succeed(job)

    await bench.push(message())
    async with bench.consuming(job, with_deadline(0.05)):
        await bench.result()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    told = [(line["event"], line["stage"]) for line in lines if line.get("code") == "job_timeout"]
    assert told == [("job.retry", cut_off)] * 2 + [("job.failed", cut_off)]


async def test_a_lost_claim_is_reported_by_its_jobs_name(
    bench: Bench, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(structlog.reset_defaults)
    log.configure(json=True, stream=(stream := io.StringIO()))
    started: asyncio.Queue[str] = asyncio.Queue()

    async def job(job: Job) -> Result:
        started.put_nowait(job.image_id)
        await asyncio.sleep(60 if job.image_id == "stuck" else 0.3)
        return await succeed(job)

    await bench.push(message("stuck"), message("late"))
    async with bench.consuming(job, replace(with_deadline(60), drain_seconds=0, lease_seconds=30)):
        for _ in range(2):
            await started.get()
        await bench.client.delete("processor_tasks:claims", "processor_tasks:lease")
        await asyncio.sleep(0.5)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    lost = [(line["request_id"], line["image_id"]) for line in lines if line["event"] == "claim.lost"]
    assert lost == [("r1", "late"), ("r1", "stuck")]


async def test_what_redis_forgot_is_not_said_to_be_done(
    bench: Bench, request: pytest.FixtureRequest, proxy: Proxy
) -> None:
    """Redis goes while a job runs, and comes back without it: its result went nowhere."""
    request.addfinalizer(structlog.reset_defaults)
    log.configure(json=True, stream=(stream := io.StringIO()))
    running, may_end = asyncio.Event(), asyncio.Event()

    async def job(job: Job) -> Result:
        running.set()
        await may_end.wait()
        return await succeed(job)

    def events() -> list[str]:
        return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]

    bench.url = f"redis://{proxy.address}/0"
    await bench.push(message())
    async with bench.consuming(job):
        await running.wait()
        proxy.inject(Fault("refuse"))
        may_end.set()
        assert await asyncio.to_thread(wait_until, lambda: "queue.unavailable" in events(), 10)
        await asyncio.sleep(0.2)
        await bench.client.flushall()
        proxy.lift()
        assert await asyncio.to_thread(wait_until, lambda: "job.unconfirmed" in events(), 10)
    assert "job.done" not in events()
    assert await bench.client.llen("hosting_tasks") == 0


async def test_fetching_pauses_while_a_dependency_is_down(bench: Bench) -> None:
    triton = Switch(InpainterUnavailable("Triton: UNAVAILABLE"))
    await bench.push(*(message(f"i{number}") for number in range(30)))
    async with bench.consuming(triton.job, checks={"inpainter": triton}):
        await asyncio.sleep(1.0)
        assert triton.calls <= 2 * OPTIONS.concurrency, "jobs are not burnt against a closed door"
        assert bench.breaker.problems == {"inpainter": Problem("Triton: UNAVAILABLE")}
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
        assert list(bench.breaker.problems.values()) == [Problem("GEMINI_API_KEY: refused", refused=True)]
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
    policy = replace(OPTIONS.attempt.retry, source_seconds=0.0)
    async with bench.consuming(job, replace(OPTIONS, attempt=replace(OPTIONS.attempt, retry=policy))):
        results = [await bench.result() for _ in range(9)]
        assert bench.breaker.states == {}
    assert sum(result["status"] == "failed" for result in results) == 8


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


async def test_a_call_given_up_from_its_other_side_is_a_bug_and_no_limbo(bench: Bench) -> None:
    async def job(_: Job) -> Result:
        raise asyncio.CancelledError

    await bench.push(message())
    async with bench.consuming(job):
        assert (await bench.result())["error"]["code"] == "internal"
    await bench.assert_nothing_left()


async def test_a_job_whose_tasks_fail_side_by_side_is_given_back(bench: Bench) -> None:
    """As the pipeline's do; after that Python 3.11 counts the job's own task as one to be cancelled."""
    failures = [StoreUnavailable("503"), StoreUnavailable("503")]

    async def fail() -> None:
        raise failures.pop()

    async def job(job: Job) -> Result:
        try:
            async with asyncio.TaskGroup() as paths:
                if failures:
                    paths.create_task(asyncio.sleep(60))
                    paths.create_task(fail())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return await succeed(job)

    await bench.push(message())
    async with bench.consuming(job):
        result = await bench.result()
    assert (result["status"], result["attempts"]) == ("completed", 3)
    await bench.assert_nothing_left()
