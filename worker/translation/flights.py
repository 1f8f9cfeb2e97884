"""Texts that are being translated right now: whoever wants the same waits for the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar

from worker.job import FREE, TextBlock, Usage

A = TypeVar("A")

#: Finds the answers for some blocks, by key, and what that cost.
Find = Callable[[Mapping[str, TextBlock]], Coroutine[Any, Any, tuple[Mapping[str, A], Usage]]]


class Flights(Generic[A]):
    """Shares the answers of calls in progress among the jobs of this process.

    A flight is a task of its own: a job that is cancelled leaves it flying, since the call is paid for, its
    answer will be remembered, and other jobs may wait for it.
    """

    def __init__(self) -> None:
        self._flying: dict[str, asyncio.Task[tuple[Mapping[str, A], Usage]]] = {}

    async def join(self, wanted: Mapping[str, TextBlock], find: Find[A]) -> tuple[dict[str, A], Usage]:
        """Get an answer for each key: from the flights that already carry it, the rest from a new one.

        Returns:
            The answers by key, and what the new flight cost.

        Raises:
            WorkerError: What `find` raised, here or where the flight began.
        """
        fresh = {key: block for key, block in wanted.items() if key not in self._flying}
        own = asyncio.create_task(find(fresh), name="translation") if fresh else None
        if own is not None:
            self._flying.update(dict.fromkeys(fresh, own))
            own.add_done_callback(lambda task: self._land(fresh, task))
        flights = {self._flying[key] for key in wanted}
        # Unlike gather, wait leaves the tasks alone when the waiter is cancelled.
        await asyncio.wait(flights)
        answers = {key: answer for flight in flights for key, answer in flight.result()[0].items()}
        return {key: answers[key] for key in wanted}, own.result()[1] if own is not None else FREE

    async def close(self) -> None:
        """Cancel what still flies."""
        flights = set(self._flying.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _land(self, keys: Mapping[str, TextBlock], task: asyncio.Task[Any]) -> None:
        for key in keys:
            del self._flying[key]
        if not task.cancelled():
            # Nobody may be left to look at the error.
            task.exception()
