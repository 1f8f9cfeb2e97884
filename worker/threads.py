"""The threads that work on pixels, with their CPU charged to the stage that asked for it."""

from __future__ import annotations

import asyncio
import functools
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from worker import metrics

P = ParamSpec("P")
T = TypeVar("T")

_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota_file: Path = _CPU_QUOTA) -> int:
    """How many cores this process may use: those it may run on, at most its container's quota.

    More threads than that are throttled together, the event loop's with them.

    Args:
        quota_file: Of cgroup v2, "quota period" in µs or "max period"; without one there is no quota.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text().split()
        return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


class PixelThreads(ThreadPoolExecutor):
    """A thread for each core; OpenCV and Pillow let go of the GIL."""

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As the base class; the stage is that of the caller's context, which a thread does not inherit."""
        spent = metrics.STAGE_CPU_SECONDS.labels(metrics.current_stage.get())

        def charged() -> T:
            started = time.thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                spent.inc(time.thread_time() - started)

        return super().submit(charged)


async def in_thread(threads: Executor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one synchronous step there, and wait for it without holding up the event loop."""
    call = functools.partial(work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(threads, call)
