"""Each job ends in exactly one result: on a real Redis, with a pipeline that does as the test says."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.integration.consumers import OPTIONS, Bench, message, succeed, with_deadline
from worker import schemas
from worker.charges import charge
from worker.errors import BadImage, InpainterUnavailable, StoreUnavailable, WorkerError
from worker.job import Job, Result, Usage


async def test_jobs_run_side_by_side_up_to_the_limit(bench: Bench) -> None:
    running, most = 0, 0

    async def job(job: Job) -> Result:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        return await succeed(job)

    await bench.push(*(message(f"i{number}") for number in range(10)))
    async with bench.consuming(job):
        results = [await bench.result() for _ in range(10)]
    assert {result["image_id"] for result in results} == {f"i{number}" for number in range(10)}
    assert most == OPTIONS.concurrency
    await bench.assert_nothing_left()


@pytest.mark.parametrize(
    ("payload", "code", "named"),
    [
        (b"not json", "bad_message", "not JSON"),
        (b"\xff\x00", "bad_message", "not JSON"),
        (message(image_url=None), "bad_message", "image_url"),
        (message(ocr_result="x"), "bad_ocr", "ocr_result"),
        (message(ocr_result=[{"box": [1, 1, 1, 1], "text": "x"}]), "bad_ocr", "ocr_result[0].box"),
    ],
)
async def test_a_broken_job_fails_once_and_is_kept(
    bench: Bench, payload: bytes, code: str, named: str
) -> None:
    await bench.push(payload)
    async with bench.consuming(succeed):
        result = await bench.result()
    assert (result["status"], result["error"]["code"]) == ("failed", code)
    assert named in result["error"]["message"]
    (letter,) = await bench.letters()
    assert base64.b64decode(letter["payload"]) == payload
    await bench.assert_nothing_left()


async def test_a_content_error_is_final(bench: Bench) -> None:
    async def job(_: Job) -> Result:
        raise BadImage("the file is not a picture")

    await bench.push(message())
    async with bench.consuming(job):
        result = await bench.result()
    assert result["error"] == {"code": "bad_image", "message": "the file is not a picture"}
    assert result["attempts"] == 1
    assert len(await bench.letters()) == 1


async def test_a_dependency_that_comes_back_costs_nothing_but_time(bench: Bench) -> None:
    calls = 0

    async def job(job: Job) -> Result:
        nonlocal calls
        calls += 1
        if calls <= 5:
            raise InpainterUnavailable("Triton: UNAVAILABLE")
        return await succeed(job)

    await bench.push(message())
    async with bench.consuming(job):
        result = await bench.result()
    assert (result["status"], result["attempts"]) == ("completed", 6)
    assert await bench.letters() == []
    await bench.assert_nothing_left()


async def test_a_bug_is_one_failed_result_without_its_trace(bench: Bench) -> None:
    async def job(_: Job) -> Result:
        raise KeyError("secret detail")

    await bench.push(message())
    async with bench.consuming(job):
        result = await bench.result()
    assert result["error"]["code"] == "internal"
    assert "secret" not in json.dumps(result)


@pytest.mark.parametrize("told", [asyncio.CancelledError(), BadImage("cut off"), RuntimeError("cut off")])
async def test_a_job_past_its_deadline_is_given_up(bench: Bench, told: BaseException) -> None:
    async def job(_: Job) -> Result:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise told from None
        raise AssertionError

    await bench.push(message())
    async with bench.consuming(job, with_deadline(0.1)):
        result = await bench.result()
    assert (result["error"]["code"], result["attempts"]) == ("job_timeout", 3)


async def test_a_job_that_kills_workers_is_poison(bench: Bench) -> None:
    key = schemas.job_key(message(), "ko")
    await bench.client.hset(f"processor_tasks:meta:{key}", "crashes", "3")
    await bench.push(message())
    async with bench.consuming(succeed):
        result = await bench.result()
    assert result["error"]["code"] == "poisoned"


async def test_the_same_job_twice_runs_once_and_answers_twice(bench: Bench) -> None:
    calls = 0

    async def job(job: Job) -> Result:
        nonlocal calls
        calls += 1
        return await succeed(job)

    async with bench.consuming(job):
        await bench.push(message())
        first = await bench.result()
        await bench.push(message())
        assert await bench.result() == first
    assert calls == 1
    await bench.assert_nothing_left()


async def test_a_failure_answers_the_same_bytes_and_no_corrected_job(bench: Bench) -> None:
    wrong, right = message(ocr_result="x"), message()
    async with bench.consuming(succeed):
        answers = []
        for payload in (wrong, wrong, right, right, wrong):
            await bench.push(payload)
            answers.append(await bench.result())
    failure, repeated, *completed = answers
    assert (failure["status"], repeated) == ("failed", failure)
    assert [result["status"] for result in completed] == ["completed"] * 3, "the job is done by then"
    assert len(await bench.letters()) == 1
    await bench.assert_nothing_left()


async def test_a_job_corrected_wrongly_is_answered_by_its_latest_failure(bench: Bench) -> None:
    first, second = message(ocr_result="x"), message(ocr_result=[7])
    async with bench.consuming(succeed):
        answers = []
        for payload in (first, second, second):
            await bench.push(payload)
            answers.append((await bench.result())["error"]["message"])
    assert answers[0] != answers[1] == answers[2]
    assert len(await bench.letters()) == 2


async def test_a_corrected_job_pushed_while_the_wrong_one_runs_is_run(bench: Bench) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def job(job: Job) -> Result:
        if not begun.is_set():
            begun.set()
            await go.wait()
            raise BadImage("no picture")
        return await succeed(job)

    async with bench.consuming(job):
        await bench.push(message())
        await begun.wait()
        await bench.push(message(image_url="http://x/b.jpg"))
        go.set()
        assert [(await bench.result())["status"] for _ in range(2)] == ["failed", "completed"]
    await bench.assert_nothing_left()


async def test_a_stop_finishes_what_is_in_flight_and_takes_nothing_new(bench: Bench) -> None:
    started = asyncio.Event()

    async def job(job: Job) -> Result:
        started.set()
        await asyncio.sleep(0.5)
        return await succeed(job)

    await bench.push(message("first"))
    async with bench.consuming(job) as stop:
        await started.wait()
        stop.set()
        await asyncio.sleep(1.2)
        await bench.push(message("second"))
    assert (await bench.result())["image_id"] == "first"
    assert await bench.client.llen("processor_tasks") == 1


async def test_what_does_not_finish_in_time_is_handed_back_uncounted(bench: Bench) -> None:
    started = asyncio.Event()

    async def job(_: Job) -> Result:
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    await bench.push(message())
    async with bench.consuming(job, replace(with_deadline(60), drain_seconds=0.2)):
        await started.wait()
    assert await bench.client.lrange("processor_tasks", 0, -1) == [message()]
    async with bench.consuming(succeed):
        assert (await bench.result())["attempts"] == 1


async def test_a_worker_that_lost_its_claim_does_not_answer(bench: Bench) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def stuck(_: Job) -> Result:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        raise AssertionError

    await bench.push(message())
    async with bench.consuming(stuck, replace(with_deadline(60), reap_seconds=60)):
        await started.wait()
        # As after a pause longer than the lease: another worker's reaper takes the job away.
        (claim_id,) = await bench.client.hkeys("processor_tasks:claims")
        await bench.client.hdel("processor_tasks:claims", claim_id)
        await bench.client.zrem("processor_tasks:lease", claim_id)
        await asyncio.wait_for(cancelled.wait(), 5)
    assert await bench.client.llen("hosting_tasks") == 0


async def test_a_stop_is_not_swallowed_while_redis_is_busy(bench: Bench) -> None:
    busy = replace(OPTIONS, reap_seconds=1e-4, lease_seconds=1e-3)
    async with AsyncExitStack() as stack:
        stops = [await stack.enter_async_context(bench.consuming(succeed, busy)) for _ in range(20)]
        await asyncio.sleep(0.2)
        for stop in stops:
            stop.set()


async def test_what_was_paid_is_not_forgotten_where_the_last_run_paid_nothing(bench: Bench) -> None:
    failures: list[WorkerError] = [StoreUnavailable("503")]

    async def job(job: Job) -> Result:
        if failures:
            charge(Usage(100, 10, 0.25))
            raise failures.pop()
        return replace(await succeed(job), usage=None)

    await bench.push(message())
    async with bench.consuming(job):
        result = await bench.result()
    assert result["usage"] == {"input_tokens": 100, "output_tokens": 10, "cost_usd": 0.25}


async def test_a_result_says_what_all_runs_of_the_job_cost(bench: Bench) -> None:
    failures: list[WorkerError] = [StoreUnavailable("503"), InpainterUnavailable("away")]

    async def translate() -> None:
        charge(Usage(100, 10, 0.25))

    async def job(job: Job) -> Result:
        # In a task of its own, as the translation is.
        await asyncio.create_task(translate())
        if job.image_id == "bad":
            raise BadImage("no picture")
        if failures:
            raise failures.pop()
        return replace(await succeed(job), usage=Usage(100, 10, 0.25))

    await bench.push(message())
    async with bench.consuming(job):
        result = await bench.result()
        assert result["usage"] == {"input_tokens": 300, "output_tokens": 30, "cost_usd": 0.75}
        await bench.push(message("bad"))
        failed = await bench.result()
        assert failed["usage"] == {"input_tokens": 100, "output_tokens": 10, "cost_usd": 0.25}
    await bench.assert_nothing_left()
