"""Everything a fleet of workers needs, real and in processes of its own, each behind a proxy."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import cv2
import numpy as np
import redis

from benchmarks.copy_model import write_copy_models
from tests.faults.outside import BUCKET, GeminiProcess, LockedRedis, PageServer, S3Server
from tests.faults.proxy import Proxy
from worker.embedded import EmbeddedTriton, die_with_parent

_PROJECT = Path(__file__).resolve().parents[2]
QUEUE, RESULTS = "processor_tasks", "hosting_tasks"
LEASE_SECONDS, REAP_SECONDS = 2.0, 0.4
#: Values that must never be seen again outside the environment.
SECRETS = {
    "GEMINI_API_KEY": "secret-gemini-key",
    "R2_ACCESS_KEY_ID": "secret-r2-id",
    "R2_SECRET_ACCESS_KEY": "secret-r2-key",
    "FALLBACK_API_KEY": "secret-fallback-key",
}
WIDTH, HEIGHT = 320, 200
#: Where the two lines of each page stand.
_BOXES = ([20, 30, 200, 60], [20, 110, 260, 140])
_TILES = re.compile(r"/dev/shm/(operate-tiles-\S+)")


def draw_pages(directory: Path, count: int = 6) -> list[str]:
    """Small pages with two lines, every second one on a texture that only the network can fill."""
    directory.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        noise = np.random.default_rng(number).normal(0, 28, (HEIGHT, WIDTH, 3))
        smooth = cv2.GaussianBlur(noise, (0, 0), 2) * 4
        ground = np.full((HEIGHT, WIDTH, 3), 200.0) + (smooth if number % 2 else 0)
        page = np.ascontiguousarray(ground.clip(0, 255), np.uint8)
        for text, left, top in (("NEW", 24, 56), ("WASHING", 24, 136)):
            cv2.putText(page, text, (left, top), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (20, 20, 120), 3)
        name = f"page-{number}.{'jpg' if number % 3 else 'png'}"
        cv2.imwrite(str(directory / name), page)
        names.append(name)
    (directory / "bait.png").write_bytes((directory / names[0]).read_bytes())
    (directory / "broken.png").write_bytes(b"no picture")
    return names


@dataclass(eq=False)
class Worker:
    """One worker process, and what it may leave behind."""

    process: subprocess.Popen[bytes]
    log: Path
    tiles: set[str] = field(default_factory=set)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, sign: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(sign)

    def kill(self) -> None:
        self.note_tiles()
        self.signal(signal.SIGKILL)
        self.process.wait()

    def note_tiles(self) -> None:
        """Remember the names of its shared memory while it can still be asked."""
        with contextlib.suppress(OSError):
            maps = Path(f"/proc/{self.process.pid}/maps").read_text()
            self.tiles |= set(_TILES.findall(maps))


class Site:
    """Servers, proxies and workers; use `open_site`."""

    def __init__(self, directory: Path, password: str) -> None:
        self.directory = directory
        self.pages = draw_pages(directory / "pages")
        self.password = password
        self.redis = LockedRedis(password)
        # A real server whose answers cost nothing: the network is not what is tried here.
        write_copy_models(directory / "models", [256])
        self.triton = EmbeddedTriton(directory / "models")
        self.s3 = S3Server()
        self.gemini = GeminiProcess()
        self.page_server = PageServer(directory / "pages")
        self.workers: list[Worker] = []
        self.proxies: dict[str, Proxy] = {}

    @property
    def client(self) -> redis.Redis:
        """To the Redis itself, past the proxy."""
        return self.redis.client()

    def start_worker(self, settings: Mapping[str, str] | None = None, *, ready: bool = True) -> Worker:
        """Start one worker; `settings`, such as a crash point (see crash.py), are its own."""
        settings = settings or {}
        before = self._known_workers() if ready else set()
        log = self.directory / f"worker-{len(self.workers)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.crash" if has_mishap(settings) else "worker", "run"],
                env={**self.environment(), **settings},
                cwd=_PROJECT,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        worker = Worker(process, log)
        self.workers.append(worker)
        if ready:
            wait_until(lambda: self._known_workers() - before or not worker.alive, 40)
            if not worker.alive:
                raise RuntimeError(f"the worker did not start:\n{log.read_text()[-2000:]}")
        return worker

    def _known_workers(self) -> set[bytes]:
        with self.client as client:
            return set(client.zrange(f"{QUEUE}:workers", 0, -1))

    def environment(self) -> dict[str, str]:
        """What every worker of this site has in its environment."""
        proxies = self.proxies
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("CRASH_")},
            **SECRETS,
            "REDIS_URL": f"redis://:{quote(self.password, safe='')}@{proxies['redis'].address}/0",
            "TRITON_URL": proxies["triton"].address,
            "TRANSLATOR": "gemini",
            "GEMINI_BASE_URL": f"http://{proxies['gemini'].address}",
            "STORAGE": "r2",
            "R2_ENDPOINT_URL": f"http://{proxies['store'].address}",
            "R2_BUCKET": BUCKET,
            "R2_PUBLIC_BASE_URL": "http://cdn.example/pictures",
            "SPOOL_DIR": str(self.directory / "spool"),
            "FETCH_ALLOW_PRIVATE": "true",
            "CONCURRENCY": "6",
            # So small that some patches wait in the spool, not in memory.
            "PIXEL_BUDGET": "1000000",
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "REAP_SECONDS": str(REAP_SECONDS),
            "JOB_DEADLINE_SECONDS": "20",
            "DRAIN_SECONDS": "5",
            "METRICS_PORT": "0",
        }

    def job(self, request_id: str, number: int, page: str | None = None) -> bytes:
        """A producer's message."""
        page = page or self.pages[number % len(self.pages)]
        url = f"http://{self.proxies['pictures'].address}/{page}"
        # Texts that no job has in common, so that no memory can answer for Gemini.
        digest = hashlib.sha256(f"{request_id} {number}".encode()).digest()
        name = "".join(chr(0x4E00 + byte) for byte in digest[:6])
        lines = [
            {"box": box, "text": text + name, "score": 0.95}
            for box, text in zip(_BOXES, ("新品", "洗涤说明"), strict=True)
        ]
        job = {"request_id": request_id, "image_id": f"i{number}", "image_url": url, "ocr_result": lines}
        return json.dumps(job).encode()

    def push(self, *payloads: bytes) -> None:
        with self.client as client:
            client.rpush(QUEUE, *payloads)

    def stop_workers(self) -> list[int]:
        """SIGTERM to all; returns their exit codes."""
        living = [worker for worker in self.workers if worker.alive]
        for worker in living:
            worker.note_tiles()
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGTERM)
        for worker in living:
            try:
                worker.process.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
        return [worker.process.returncode for worker in living]

    def kill_workers(self) -> None:
        for worker in self.workers:
            worker.kill()

    def triton_regions(self) -> set[str]:
        """The workers' regions that the server has mapped."""
        url = f"http://127.0.0.1:{self.triton.http_port}/v2/systemsharedmemory/status"
        with urlopen(url, timeout=5) as reply:
            return {region["name"] for region in json.load(reply)}


def has_mishap(settings: Mapping[str, str]) -> bool:
    return any(name.startswith("CRASH_") for name in settings)


def wait_until(condition: Callable[[], object], seconds: float, pause: float = 0.03) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


@contextlib.contextmanager
def open_site(password: str = "secret-redis-password") -> Iterator[Site]:
    """Start everything but the workers; on leaving everything has ended."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="operate-faults-")))
        site = Site(directory, password)
        for server in (site.redis, site.triton, site.s3, site.gemini, site.page_server):
            stack.enter_context(server)
        ports = {
            "redis": site.redis.port,
            "triton": site.triton.grpc_port,
            "gemini": site.gemini.port,
            "store": site.s3.port,
            "pictures": site.page_server.port,
        }
        for name, port in ports.items():
            site.proxies[name] = stack.enter_context(Proxy(port))
        stack.callback(site.kill_workers)
        yield site
