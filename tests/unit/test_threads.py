"""Which threads work on pixels, and what they cost."""

from __future__ import annotations

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

from worker.threads import PixelThreads, take_turn, usable_cores

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
    ("quota", "cores"), [("50000 100000", 1), ("100 100000", 1), ("max 100000", None), ("nonsense", None)]
)
def test_a_containers_quota_bounds_the_threads(tmp_path: Path, quota: str, cores: int | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota + "\n")
    assert usable_cores(file) == (cores or len(os.sched_getaffinity(0)))


def test_without_a_quota_every_core_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "none") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_every_core_has_a_page_to_work_on(cores: int) -> None:
    together = threading.Barrier(cores)
    seen: set[str] = set()

    def work() -> None:
        seen.add(threading.current_thread().name)
        together.wait(10)

    with PixelThreads(cores) as threads:
        for done in [threads.submit(work) for _ in range(4)]:
            done.result(20)
    assert len(seen) == cores


def submit_for(threads: PixelThreads, pixels: int, ended: list[int]) -> Future[None]:
    """A step of a page so large, from a task of its own."""

    def submit() -> Future[None]:
        take_turn(pixels)
        return threads.submit(ended.append, pixels)

    return copy_context().run(submit)


@contextmanager
def occupied(threads: PixelThreads) -> Iterator[None]:
    """As long as the block runs, the one thread is at something else."""
    begun, over = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        over.wait(10)

    threads.submit(wait)
    begun.wait(10)
    try:
        yield
    finally:
        over.set()


def test_a_poster_passes_strips() -> None:
    ended: list[int] = []
    with PixelThreads(1) as threads, occupied(threads):
        for pixels in (5_000_000, 800_000, 16_000_000, 800_001):
            submit_for(threads, pixels, ended)
    assert ended == [800_000, 800_001, 5_000_000, 16_000_000]


def test_a_strip_lets_only_so_many_pass() -> None:
    ended: list[int] = []
    with PixelThreads(1) as threads, occupied(threads):
        submit_for(threads, 50_000, ended)
        time.sleep(0.1)
        submit_for(threads, 1, ended)
    assert ended == [50_000, 1]


def test_errors_come_to_the_caller_and_the_thread_goes_on() -> None:
    with PixelThreads(1) as threads:
        failed = threads.submit(int, "no number")
        with pytest.raises(ValueError, match="no number"):
            failed.result(10)
        assert threads.submit(int, "1").result(10) == 1


def test_what_was_cancelled_is_not_done() -> None:
    ended: list[int] = []
    with PixelThreads(1) as threads:
        with occupied(threads):
            dropped, kept = (submit_for(threads, pixels, ended) for pixels in (1, 2))
            assert dropped.cancel()
        kept.result(10)
    assert ended == [2]


def test_leaving_cancels_what_waits() -> None:
    ended: list[int] = []
    threads = PixelThreads(1)
    with occupied(threads):
        waiting = [submit_for(threads, pixels, ended) for pixels in (1, 2)]
        threads.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting)
    threads.shutdown()
    assert not ended
