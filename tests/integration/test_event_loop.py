"""Nothing holds up the event loop: leases are renewed there, and every other job waits behind it."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import time
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Any, TypeVarTuple

import pytest
import redis

from benchmarks.copy_model import write_copy_models
from worker.bootstrap import open_service
from worker.embedded import EmbeddedTriton, has_triton, picture_server
from worker.settings import Settings
from worker.submit import build_message

Ts = TypeVarTuple("Ts")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PAGES = ("promotion", "detail-strip", "spec-sheet", "promotion", "detail-strip", "spec-sheet")
#: CPU of the loop's own thread, so that a busy machine does not count.
LIMIT_SECONDS = 0.020


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


async def work(loop: WatchedLoop, url: str, pictures: str) -> None:
    with redis.Redis.from_url(url, socket_timeout=110) as queue:
        for number, name in enumerate(PAGES):
            ocr = json.loads((EXAMPLES / f"{name}.ocr.json").read_bytes())
            message = build_message(f"{pictures}/{name}.jpg", ocr, "loop", f"{number}")
            queue.rpush("processor_tasks", json.dumps(message))
        async with open_service(Settings.from_environment()) as service:
            # As `operate-worker run` does; the rest of this process is the tests' anyway.
            gc.collect()
            gc.freeze()
            await asyncio.sleep(0)
            stop = asyncio.Event()
            loop.watching = True
            running = asyncio.create_task(service.consumer.run(stop))
            for _ in PAGES:
                popped: Any = await asyncio.to_thread(queue.blpop, ["hosting_tasks"], 100)
                assert json.loads(popped[1])["status"] == "completed"
            loop.watching = False
            stop.set()
            await running


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


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
def test_no_callback_takes_long(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_copy_models(tmp_path / "models", (256, 512))
    for name, value in {
        "REDIS_URL": redis_url,
        "TRANSLATOR": "glossary",
        "GLOSSARY_PATH": str(EXAMPLES / "glossary.ko.tsv"),
        "STORAGE": "local",
        "LOCAL_STORAGE_DIR": str(tmp_path / "store"),
        "SPOOL_DIR": str(tmp_path / "spool"),
        "FETCH_ALLOW_PRIVATE": "true",
    }.items():
        monkeypatch.setenv(name, value)
    loop = WatchedLoop()
    with (
        EmbeddedTriton(tmp_path / "models") as triton,
        picture_server(EXAMPLES) as pictures,
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        monkeypatch.setenv("TRITON_URL", triton.url)
        runner.run(work(loop, redis_url, pictures))
    gc.unfreeze()
    assert not loop.slowest
