"""Nothing holds up the event loop: leases are renewed there, and every other job waits behind it.

The worker runs in a process of its own, so that its first job is the first to use each SDK:

    python -m tests.integration.test_event_loop JOBS REPORT
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import Context
from pathlib import Path
from typing import Any, TypeVarTuple

import numpy as np
import pytest
import redis
from PIL import Image as Pillow

from benchmarks.copy_model import write_copy_models
from tests.faults.outside import BUCKET, GeminiProcess, S3Server
from worker.embedded import EmbeddedTriton, has_triton, picture_server
from worker.ocr_shapes import MAX_LINES
from worker.serve import serve
from worker.submit import build_message, read_ocr

Ts = TypeVarTuple("Ts")

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "examples"
PAGES = ("promotion", "detail-strip", "spec-sheet", "promotion", "detail-strip", "spec-sheet")
#: CPU of the loop's own thread, so that a busy machine does not count.
LIMIT_SECONDS = 0.020
#: Cores that other work heats or shares count slower: what is slow itself is so every time.
RUNS = 3
#: Seconds for a job.
PATIENCE = 250
#: A page of many short lines; and the size of one's cell in px.
COLUMNS, CELL_HEIGHT, CELL_WIDTH = 10, 40, 160


class WatchedLoop(asyncio.SelectorEventLoop):
    """Notes how much CPU each callback took."""

    def __init__(self) -> None:
        super().__init__()
        self.slowest: list[tuple[float, str]] = []
        self.watching = False

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return super().call_soon(self._watched(callback), *args, context=context)

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return super().call_soon_threadsafe(self._watched(callback), *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return super().call_at(when, self._watched(callback), *args, context=context)

    # Not public: what sockets wake up goes around `call_soon`.
    def _add_reader(self, fd: int, callback: Callable[[*Ts], object], *args: *Ts) -> asyncio.Handle:
        loop: Any = super()
        handle: asyncio.Handle = loop._add_reader(fd, self._watched(callback), *args)
        return handle

    def _add_writer(self, fd: int, callback: Callable[[*Ts], object], *args: *Ts) -> asyncio.Handle:
        loop: Any = super()
        handle: asyncio.Handle = loop._add_writer(fd, self._watched(callback), *args)
        return handle

    def _watched(self, callback: Callable[[*Ts], object]) -> Callable[[*Ts], object]:
        def run(*args: *Ts) -> None:
            started = time.thread_time()
            callback(*args)
            spent = time.thread_time() - started
            if self.watching and spent > LIMIT_SECONDS:
                self.slowest.append((spent, repr(getattr(callback, "__self__", callback))[:300]))

        return run


async def work(loop: WatchedLoop, jobs: list[str]) -> None:
    """Serve as `operate-worker run` does, until the jobs are done."""
    serving = asyncio.create_task(serve())
    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=PATIENCE + 10) as queue:
        while not gc.get_freeze_count():  # the last that start does
            assert not serving.done(), "it did not start"
            await asyncio.sleep(0.05)
        await asyncio.sleep(0)  # to count what is frozen takes 25 ms
        loop.watching = True
        await asyncio.to_thread(queue.rpush, "processor_tasks", *jobs)
        popped: list[Any] = [await asyncio.to_thread(queue.blpop, ["hosting_tasks"], PATIENCE) for _ in jobs]
        loop.watching = False
    os.kill(os.getpid(), signal.SIGTERM)
    await serving
    results = [json.loads(result) for _, result in popped]
    assert all(result["status"] == "completed" for result in results), results


def write_large_page(folder: Path, rows: int) -> list[Any]:
    """A page of ten lines in each row, each of four boxes that look like Han characters; its OCR result."""
    cell = np.full((CELL_HEIGHT, CELL_WIDTH, 3), 255, np.uint8)
    for left in range(10, 90, 20):
        cell[12:28, left + 2 : left + 18] = 20
        cell[15:25, left + 5 : left + 15] = 255
    Pillow.fromarray(np.tile(cell, (rows, COLUMNS, 1))).save(folder / "large.png")
    lines = []
    for number in range(rows * COLUMNS):
        row, column = divmod(number, COLUMNS)
        x, y = column * CELL_WIDTH + 10, row * CELL_HEIGHT + 10
        text = f"商品{chr(0x4E00 + row)}{chr(0x4E00 + column)}"
        lines.append([[[x, y], [x + 80, y], [x + 80, y + 20], [x, y + 20]], [text, 0.99]])
    return lines


def busy(seconds: float) -> None:
    started = time.thread_time()
    while time.thread_time() - started < seconds:
        pass


def read(end: socket.socket) -> None:
    end.recv(1)
    busy(1.5 * LIMIT_SECONDS)


async def busy_everywhere() -> None:
    """30 ms of CPU in a task, a timer, and what a socket and another thread call."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WatchedLoop)
    loop.watching = True
    await asyncio.sleep(0)
    busy(1.5 * LIMIT_SECONDS)
    await asyncio.sleep(0.001)
    loop.call_later(0.001, busy, 1.5 * LIMIT_SECONDS)
    await asyncio.sleep(0.1)
    here, there = socket.socketpair()
    with here, there:
        loop.add_reader(here, read, here)
        there.send(b"x")
        await asyncio.sleep(0.1)
        loop.remove_reader(here)
    await asyncio.to_thread(loop.call_soon_threadsafe, busy, 1.5 * LIMIT_SECONDS)
    # Waiting is no work.
    loop.call_soon(time.sleep, 2 * LIMIT_SECONDS)
    await asyncio.sleep(0.1)


def test_the_watch_sees_what_it_is_there_for() -> None:
    loop = WatchedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(busy_everywhere())
    assert len(loop.slowest) == 4, loop.slowest


@pytest.fixture
def gemini() -> Iterator[GeminiProcess]:
    with GeminiProcess() as server:
        yield server


@pytest.fixture
def environment(redis_url: str, gemini: GeminiProcess, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A worker's settings as in production, the real SDKs against servers that run here."""
    write_copy_models(tmp_path / "models", (256, 512))
    with EmbeddedTriton(tmp_path / "models") as triton, S3Server() as s3:
        yield {
            **os.environ,
            "REDIS_URL": redis_url,
            "TRITON_URL": triton.url,
            "GEMINI_API_KEY": "key",
            "GEMINI_BASE_URL": f"http://127.0.0.1:{gemini.port}",
            "R2_ENDPOINT_URL": f"http://127.0.0.1:{s3.port}",
            "R2_BUCKET": BUCKET,
            "R2_ACCESS_KEY_ID": "id",
            "R2_SECRET_ACCESS_KEY": "key",
            "R2_PUBLIC_BASE_URL": f"http://127.0.0.1:{s3.port}/{BUCKET}",
            "SPOOL_DIR": str(tmp_path / "spool"),
            "FETCH_ALLOW_PRIVATE": "true",
            "METRICS_PORT": "0",
        }


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
@pytest.mark.parametrize(
    ("pages", "rows", "answers"),
    [
        (PAGES, 100, "well"),
        pytest.param(
            (), MAX_LINES // COLUMNS, "wordy", marks=(pytest.mark.slow, pytest.mark.timeout(3 * PATIENCE))
        ),
    ],
)
def test_no_callback_takes_long(
    environment: Mapping[str, str],
    redis_url: str,
    gemini: GeminiProcess,
    tmp_path: Path,
    pages: Sequence[str],
    rows: int,
    answers: str,
) -> None:
    """Nor on a page of as many lines as one may have, all of whose translations are too long, twice."""
    gemini.answer(answers)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in {*pages}:
        (pictures / f"{name}.jpg").symlink_to(EXAMPLES / f"{name}.jpg")
    jobs_file, report = tmp_path / "jobs.json", tmp_path / "report.json"
    large = write_large_page(pictures, rows)
    with picture_server(pictures) as address:
        jobs = [
            build_message(
                f"{address}/{name}.jpg", read_ocr(EXAMPLES / f"{name}.ocr.json"), "loop", f"{number}"
            )
            for number, name in enumerate(pages)
        ]
        jobs.append(build_message(f"{address}/large.png", large, "loop", "large"))
        jobs_file.write_text("\n".join(map(json.dumps, jobs)))
        slowest = []
        for _ in range(RUNS):
            with redis.Redis.from_url(redis_url) as queue:
                queue.flushall()
            command = [sys.executable, "-m", __name__, str(jobs_file), str(report)]
            subprocess.run(command, env=environment, cwd=PROJECT, check=True, timeout=PATIENCE + 20)
            slowest.append(json.loads(report.read_bytes()))
            if not slowest[-1]:
                return
    pytest.fail(f"{slowest}")


if __name__ == "__main__":
    watched = WatchedLoop()
    with asyncio.Runner(loop_factory=lambda: watched) as worker:
        worker.run(work(watched, Path(sys.argv[1]).read_text().splitlines()))
    Path(sys.argv[2]).write_text(json.dumps(watched.slowest))
