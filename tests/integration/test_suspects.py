"""Jobs that were in hand when workers died: they run alone, and are charged only for what they did."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.integration.consumers import Bench, message, succeed, with_deadline
from worker import schemas
from worker.job import Job, Result


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
