"""What the demo runs on: Redis, Triton, the worker and a picture server, all private, all gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis
from rich.console import Console

from worker.embedded import (
    MODEL_REPOSITORY,
    TRITON_ENVIRONMENT,
    EmbeddedRedis,
    EmbeddedTriton,
    die_with_parent,
    has_triton,
    picture_server,
)
from worker.errors import WorkerError

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
QUEUE, RESULTS = "processor_tasks", "hosting_tasks"


class DemoError(WorkerError):
    """The demo cannot go on."""

    code = "demo"


@dataclass(slots=True)
class WorkerProcess:
    """The worker, and what its log says."""

    log: Path
    process: subprocess.Popen[bytes]
    _told: set[str] = field(default_factory=set)

    def troubles(self) -> Iterator[str]:
        """What the worker waits for, each said once.

        Raises:
            DemoError: It has ended, or waits for a key that only a person can change.
        """
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        if self.process.poll() is not None:
            last = next((line for line in reversed(lines) if line), "")
            raise DemoError(f"the worker ended with {self.process.returncode}: {last}")
        for line in lines:
            event = {}
            with suppress(ValueError):
                event = json.loads(line)
            if event.get("event") == "dependency.refused":
                raise DemoError(event["error"])
            if event.get("event") == "dependency.down" and event["error"] not in self._told:
                self._told.add(event["error"])
                yield event["error"]


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that runs."""

    queue: redis.Redis
    pictures_url: str
    worker: WorkerProcess


@contextmanager
def servers(scratch: Path, images: Sequence[Path], log: Path, console: Console) -> Iterator[Site]:
    """Start everything, and stop it on leaving.

    Args:
        scratch: A temporary folder.
        images: The pictures to be served.
        log: Where the worker writes its log.
        console: Says what is going on.
    """
    pictures = scratch / "pictures"
    pictures.mkdir()
    for image in images:
        shutil.copy(image, pictures / image.name)
    with ExitStack() as stack:
        with console.status("starting Redis, Triton and the worker …"):
            database = stack.enter_context(EmbeddedRedis())
            inpainting = {"INPAINTER": "onnx", "ONNX_MODEL_DIR": str(MODEL_REPOSITORY)}
            if has_triton():
                inpainting = {"INPAINTER": "triton", "TRITON_URL": stack.enter_context(EmbeddedTriton()).url}
            else:
                console.print(f"No tritonserver in {TRITON_ENVIRONMENT.name}: the models run in process.")
            base_url = stack.enter_context(picture_server(pictures))
            environment = _worker_environment(scratch, database.url) | inpainting
            worker = stack.enter_context(_worker(environment, log))
        yield Site(stack.enter_context(redis.Redis.from_url(database.url)), base_url, worker)


def _worker_environment(scratch: Path, redis_url: str) -> dict[str, str]:
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "PROCESSOR_QUEUE": QUEUE,
        "HOSTING_QUEUE": RESULTS,
        "STORAGE": "local",
        "LOCAL_STORAGE_DIR": str(scratch / "store"),
        "SPOOL_DIR": str(scratch / "spool"),
        "STORE_LAYOUT": "true",
        "FETCH_ALLOW_PRIVATE": "true",
        "METRICS_PORT": "0",
    }
    if not environment.get("GEMINI_API_KEY"):
        glossary = scratch / "glossary.tsv"
        terms = (path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.tsv")))
        glossary.write_text("".join(terms), encoding="utf-8")
        environment |= {"TRANSLATOR": "glossary", "GLOSSARY_PATH": str(glossary)}
    return environment


@contextmanager
def _worker(environment: dict[str, str], log: Path) -> Iterator[WorkerProcess]:
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "run"],
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A Ctrl-C at this very moment leaves us without a handle on it.
            preexec_fn=die_with_parent,
        )
    try:
        yield WorkerProcess(log, process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
