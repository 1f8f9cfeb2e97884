"""The whole service for a load test: Redis, Triton, a Gemini that runs here, worker processes, pictures."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import redis
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.copy_model import write_copy_models
from worker.embedded import (
    MODEL_REPOSITORY,
    EmbeddedRedis,
    EmbeddedTriton,
    die_with_parent,
    free_port,
    picture_server,
)
from worker.translation.glossary import look_up, parse_glossary
from worker.translation.han import fold

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: How long the local Gemini thinks, in seconds.
GEMINI_SECONDS = 0.3
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run takes place."""

    queue: redis.Redis
    pictures: str
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Worker processes that are ready."""

    processes: tuple[subprocess.Popen[bytes], ...]
    ports: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """User and system time of all workers so far."""
        return sum(_cpu_seconds(process.pid) for process in self.processes)

    def samples(self) -> dict[tuple[str, str], float]:
        """The workers' metrics, summed; by name and the value of the first label, of tiles their size."""
        found: dict[tuple[str, str], float] = defaultdict(float)
        for port in self.ports:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as reply:
                text = reply.read().decode()
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    label = sample.labels.get("size") or next(iter(sample.labels.values()), "")
                    found[sample.name, label] += sample.value
        return found


@contextmanager
def service(model: Literal["copy", "shipped"]) -> Iterator[Place]:
    """Everything but the workers.

    Args:
        model: `copy` answers at once, as a GPU with time to spare does; `shipped` computes on this machine.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="operate-load-")))
        repository = MODEL_REPOSITORY
        if model == "copy":
            repository = scratch / "models"
            write_copy_models(repository, (256, 512))
        database = stack.enter_context(EmbeddedRedis())
        triton = stack.enter_context(EmbeddedTriton(repository))
        pictures = stack.enter_context(picture_server(EXAMPLES))
        gemini = stack.enter_context(_gemini())
        environment = {
            **os.environ,
            "REDIS_URL": database.url,
            "TRITON_URL": triton.url,
            "TRANSLATOR": "gemini",
            "GEMINI_API_KEY": "local",
            "GEMINI_BASE_URL": gemini,
            "STORAGE": "local",
            "LOCAL_STORAGE_DIR": str(scratch / "store"),
            "SPOOL_DIR": str(scratch / "spool"),
            "FETCH_ALLOW_PRIVATE": "true",
            # The samples come again and again; each is to be asked for.
            "TRANSLATION_MEMORY_TTL_SECONDS": "0",
        }
        yield Place(
            stack.enter_context(redis.Redis.from_url(database.url, socket_timeout=600)), pictures, environment
        )


@contextmanager
def workers(place: Place, count: int) -> Iterator[Fleet]:
    """Start worker processes and wait until each is ready; stop them afterwards."""
    ports = tuple(free_port() for _ in range(count))
    processes = tuple(
        subprocess.Popen(
            [sys.executable, "-m", "worker", "run"],
            env={**place.environment, "METRICS_PORT": str(port)},
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        for port in ports
    )
    try:
        for port, process in zip(ports, processes, strict=True):
            _wait_until_ready(port, process)
        yield Fleet(processes, ports)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10):
                return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"a worker on port {port} ended with {process.returncode}") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def _gemini() -> Iterator[str]:
    """As much of Gemini's protocol as the SDK asks, in a thread of this process: not in the workers' CPU."""
    terms = parse_glossary((EXAMPLES / "glossary.ko.tsv").read_text(encoding="utf-8"), "glossary.ko.tsv")
    folded = {fold(source): target for source, target in terms.items()}

    async def generate(request: web.Request) -> web.Response:
        body = await request.json()
        content = json.loads(body["contents"][0]["parts"][0]["text"])
        await asyncio.sleep(GEMINI_SECONDS)
        translations = [
            {"id": block["id"], "text": look_up(block["text"], folded) or "번역한 글"}
            for block in content["blocks"]
        ]
        return web.json_response(_completion(json.dumps({"translations": translations})))

    async def model(_: web.Request) -> web.Response:
        return web.json_response({"name": "models/local", "version": "1"})

    application = web.Application()
    application.router.add_post("/{version}/models/{model}", generate)
    application.router.add_get("/{version}/models/{model}", model)
    port, loop = free_port(), asyncio.new_event_loop()

    async def listen() -> None:
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()

    loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _completion(text: str) -> dict[str, Any]:
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {"promptTokenCount": 400, "candidatesTokenCount": 150, "totalTokenCount": 550},
        "modelVersion": "local",
    }
