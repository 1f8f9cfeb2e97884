"""A worker that is told to stop: what runs is finished or handed back, uncounted, and soon."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.integration.consumers import OPTIONS, Bench, Switch, message, succeed, with_deadline
from worker.errors import BadImage, InpainterUnavailable, StoreUnavailable
from worker.job import Job, Result


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


async def test_a_stop_does_not_wait_for_a_dependency_that_hangs(bench: Bench) -> None:
    """An orchestrator kills a worker that takes longer than its grace."""
    asked = asyncio.Event()

    class Hanging(Switch):
        async def check(self) -> str:
            asked.set()
            await asyncio.sleep(60)
            return "never"

    triton = Hanging(InpainterUnavailable("Triton: DEADLINE_EXCEEDED"))
    await bench.push(*(message(f"i{number}") for number in range(6)))
    async with bench.consuming(triton.job, checks={"inpainter": triton}):
        await asked.wait()
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 5


async def test_a_cancelled_job_is_handed_back_however_it_ends(bench: Bench) -> None:
    """Libraries turn a cancel into errors of their own: what the drain interrupts is not the job's fault."""
    started: asyncio.Queue[str] = asyncio.Queue()
    errors = {
        "bug": RuntimeError("the pool is shut down"),
        "ours": BadImage("cut off"),
        "down": StoreUnavailable("x"),
    }

    async def job(job: Job) -> Result:
        started.put_nowait(job.image_id)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise errors[job.image_id] from None
        raise AssertionError

    await bench.push(*map(message, errors))
    async with bench.consuming(job, replace(with_deadline(60), drain_seconds=0)):
        for _ in errors:
            await started.get()
    assert await bench.client.llen("hosting_tasks") == 0
    assert set(await bench.client.lrange("processor_tasks", 0, -1)) == set(map(message, errors))
    async with bench.consuming(succeed):
        assert {(await bench.result())["attempts"] for _ in errors} == {1}
