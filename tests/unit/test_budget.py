from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from worker.budget import PixelBudget


async def test_a_large_page_is_not_overtaken() -> None:
    budget, order = PixelBudget(10), []

    async def job(name: str, pixels: int) -> None:
        async with budget.hold(pixels):
            order.append(name)
            await asyncio.sleep(0.01)

    await asyncio.gather(job("small", 6), job("large", 9), job("late", 2))
    assert order == ["small", "large", "late"]
    assert budget.used == 0


async def test_a_page_beyond_the_budget_runs_alone() -> None:
    budget = PixelBudget(10)
    async with budget.hold(1000):
        assert budget.used == 10
        waiting = asyncio.create_task(budget.hold(1).__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting


async def test_who_is_cancelled_while_waiting_leaves_no_trace() -> None:
    budget = PixelBudget(10)
    async with budget.hold(10):
        given_up = asyncio.create_task(budget.hold(10).__aenter__())
        patient = asyncio.create_task(budget.hold(3).__aenter__())
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
    await patient
    assert budget.used == 3


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=20))
def test_the_budget_is_kept_whatever_is_cancelled(jobs: list[tuple[int, bool]]) -> None:
    async def run() -> None:
        budget = PixelBudget(20)

        async def job(pixels: int) -> None:
            async with budget.hold(pixels):
                assert budget.used <= 20
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(job(pixels)) for pixels, _ in jobs]
        await asyncio.sleep(0)
        for task, (_, cancelled) in zip(tasks, jobs, strict=True):
            if cancelled:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert budget.used == 0

    asyncio.run(run())


async def test_a_release_in_the_same_moment_does_not_turn_a_cancel_into_an_error() -> None:
    """As when a drain cancels all jobs at once: a job that waits would fail as by a bug, and be buried."""
    budget = PixelBudget(10)

    async def hold(pixels: int) -> None:
        async with budget.hold(pixels):
            await asyncio.sleep(60)

    jobs = [asyncio.create_task(hold(pixels)) for pixels in (10, 5, 5)]
    await asyncio.sleep(0)
    for job in jobs:
        job.cancel()
    ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(error) for error in ended] == [asyncio.CancelledError] * 3
    assert budget.used == 0
    async with budget.hold(10):
        assert budget.used == 10
