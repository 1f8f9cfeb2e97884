"""What a stop cuts short: waiting, work that nobody needs any more, tasks that have to end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

_CANCEL_AGAIN_SECONDS = 0.1


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, bool]) -> bool:
    """What comes of it; False where the stop comes first."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.done() and working.result()
    finally:
        await end_tasks((working, stopping))


async def end_tasks(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel until it works: redis-py sends in `asyncio.wait_for`, which Python 3.11 lets swallow it."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=_CANCEL_AGAIN_SECONDS)


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Wait; not past the stop."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
