"""Keeps work that grows with a page's text off the event loop, where it is enough to hold up other jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: Lines or blocks from which a step is worth a thread: steps take 5 to 15 µs for each, the way there and
#: back 30 µs, or 5 ms where the pixel thread holds the interpreter's lock.
MANY_BLOCKS = 200
#: The same in bytes of a job's payload: a line has about a hundred.
LARGE_PAYLOAD = 20_000


async def off_loop(large: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one synchronous step: in a thread where there is much to do, else at once.

    It is none of the pixel thread's: nobody waits here behind another page's mask.
    """
    return await asyncio.to_thread(work, *args, **kwargs) if large else work(*args, **kwargs)
