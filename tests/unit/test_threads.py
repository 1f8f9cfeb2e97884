"""The thread that works on pixels: one, whose turn it is, and how many cores other threads may use."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path

import pytest

from worker.threads import PixelThread, take_turn, usable_cores

_MULTIPLY = """
import worker
import numpy as np
import os
a = np.ones((600, 600))
a @ a
print(len(os.listdir("/proc/self/task")))
"""


def test_matrix_products_stay_in_the_thread_that_asked() -> None:
    """OpenBLAS's threads spin while they wait; the worker's parallelism is its jobs."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    run = subprocess.run(
        [sys.executable, "-c", _MULTIPLY], env=environment, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) == 1


@pytest.mark.parametrize(
    ("quota", "most"),
    [
        ("50000 100000", 1),
        ("100 100000", 1),
        ("150000 100000", 2),
        ("max 100000", math.inf),
        ("nonsense", math.inf),
    ],
)
def test_a_containers_quota_bounds_the_threads(tmp_path: Path, quota: str, most: float) -> None:
    """One and a half are two: half of the second is better than none of it."""
    file = tmp_path / "cpu.max"
    file.write_text(quota + "\n")
    assert usable_cores(file) == min(most, len(os.sched_getaffinity(0)))


def test_without_a_quota_every_core_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none") == len(os.sched_getaffinity(0))


def test_pixels_are_worked_on_by_one_thread_alone() -> None:
    """Two in one process take half as much CPU again and finish no sooner."""
    at_work, most = [0], [0]

    def work() -> str:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        time.sleep(0.02)
        at_work[0] -= 1
        return threading.current_thread().name

    with PixelThread() as thread:
        names = {future.result(20) for future in [thread.submit(work) for _ in range(4)]}
    assert (len(names), most) == (1, [1])
    assert names != {threading.current_thread().name}


def submit_for(thread: PixelThread, pixels: int, ended: list[int]) -> Future[None]:
    """A step of a page so large, from a task of its own."""

    def submit() -> Future[None]:
        take_turn(pixels)
        return thread.submit(ended.append, pixels)

    return copy_context().run(submit)


@contextmanager
def occupied(thread: PixelThread) -> Iterator[None]:
    """As long as the block runs, the one thread is at something else."""
    begun, over = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        over.wait(10)

    thread.submit(wait)
    begun.wait(10)
    try:
        yield
    finally:
        over.set()


def test_a_poster_passes_strips() -> None:
    ended: list[int] = []
    with PixelThread() as thread, occupied(thread):
        for pixels in (5_000_000, 800_000, 16_000_000, 800_001):
            submit_for(thread, pixels, ended)
    assert ended == [800_000, 800_001, 5_000_000, 16_000_000]


def test_a_strip_lets_only_so_many_pass() -> None:
    ended: list[int] = []
    with PixelThread() as thread, occupied(thread):
        submit_for(thread, 50_000, ended)
        time.sleep(0.1)
        submit_for(thread, 1, ended)
    assert ended == [50_000, 1]


def test_errors_come_to_the_caller_and_the_thread_goes_on() -> None:
    with PixelThread() as thread:
        failed = thread.submit(int, "no number")
        with pytest.raises(ValueError, match="no number"):
            failed.result(10)
        assert thread.submit(int, "1").result(10) == 1


def test_what_was_cancelled_is_not_done() -> None:
    ended: list[int] = []
    with PixelThread() as thread:
        with occupied(thread):
            dropped, kept = (submit_for(thread, pixels, ended) for pixels in (1, 2))
            assert dropped.cancel()
        kept.result(10)
    assert ended == [2]


def test_leaving_cancels_what_waits() -> None:
    ended: list[int] = []
    thread = PixelThread()
    with occupied(thread):
        waiting = [submit_for(thread, pixels, ended) for pixels in (1, 2)]
        thread.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting)
    thread.shutdown()
    assert not ended
