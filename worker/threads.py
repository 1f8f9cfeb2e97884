"""The thread that works on pixels: whose turn it is, and which stage is charged for its CPU."""

from __future__ import annotations

import asyncio
import functools
import itertools
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from queue import Empty, PriorityQueue
from typing import Any, ParamSpec, TypeVar

from worker import metrics

P = ParamSpec("P")
T = TypeVar("T")

_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
#: How long a page stands back for smaller ones that come later, seconds a pixel: a strip 5 s, a poster one.
_STANDS_BACK = 1e-6
#: When it is the turn of the running task's page, in seconds of the monotonic clock.
_turn: ContextVar[float] = ContextVar("turn", default=0.0)


def usable_cores(quota_file: Path = _CPU_QUOTA) -> int:
    """How many cores this process may use: those it may run on, at most its container's quota.

    More threads than that are throttled together.

    Args:
        quota_file: Of cgroup v2, "quota period" in µs or "max period"; without one there is no quota.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text().split()
        return cores if quota == "max" else max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def take_turn(pixels: int) -> None:
    """Say how large the running task's page is: its steps, and those of tasks begun from now on, queue so."""
    _turn.set(time.monotonic() + pixels * _STANDS_BACK)


class PixelThread(Executor):
    """One thread for all work on pixels; what waits for it goes by its page's turn.

    Two would finish no sooner: between calls of a few microseconds each, they wait for each other's lock on
    the interpreter, and that alone costs half as much CPU again. Another core is another process's.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pixels")
        self._waiting: PriorityQueue[tuple[float, int, Future[Any], Callable[[], Any]]] = PriorityQueue()
        self._numbers = itertools.count()

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As the base class; turn and stage are those of the caller's context: threads do not inherit it."""
        spent = metrics.STAGE_CPU_SECONDS.labels(metrics.current_stage.get())

        def charged() -> T:
            started = time.thread_time()
            try:
                return work(*args, **kwargs)
            finally:
                spent.inc(time.thread_time() - started)

        future: Future[T] = Future()
        self._waiting.put((_turn.get(), next(self._numbers), future, charged))
        self._pool.submit(self._run_next)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As the base class."""
        while cancel_futures:
            try:
                self._waiting.get_nowait()[2].cancel()
            except Empty:
                break
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _run_next(self) -> None:
        """Run what waits and comes first; each `submit` calls for one."""
        try:
            _, _, future, work = self._waiting.get_nowait()
        except Empty:
            return
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(work())
        except BaseException as error:  # the caller's to raise, as in the base class
            future.set_exception(error)
            # Or the error's traceback would hold this frame, which holds the error.
            del future


async def in_thread(thread: Executor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run one synchronous step there, and wait for it without holding up the event loop."""
    call = functools.partial(work, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(thread, call)
