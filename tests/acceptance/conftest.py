"""The worker as its users run it: a process of its own on a real Redis and a real tritonserver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import redis

from worker.embedded import EmbeddedTriton, picture_server

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OCR = json.loads((EXAMPLES / "promotion.ocr.json").read_bytes())
#: A page of which some blocks stand on grounds that only the network can go on with.
WITH_TILES = "detail-strip"


class Workplace:
    """Starts workers, pushes jobs as a producer does and pops results as a consumer does."""

    def __init__(self, url: str, pictures: str, environment: dict[str, str]) -> None:
        self.client = redis.Redis.from_url(url, socket_timeout=600)
        self.pictures = pictures
        self.environment = environment
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self, **settings: str) -> subprocess.Popen[bytes]:
        worker = subprocess.Popen(
            [sys.executable, "-m", "worker", "run"],
            env={**self.environment, **settings},
            start_new_session=True,
        )
        self.workers.append(worker)
        return worker

    def push(self, image_id: str = "i1", **changes: Any) -> None:
        job = {
            "request_id": "r1",
            "image_id": image_id,
            "image_url": f"{self.pictures}/promotion.jpg",
            "ocr_result": OCR,
        }
        self.client.rpush("processor_tasks", json.dumps({**job, **changes}))

    def push_with_tiles(self, image_id: str) -> None:
        """Push a page that needs the network; the others' grounds are all filled without it."""
        self.push(
            image_id,
            image_url=f"{self.pictures}/{WITH_TILES}.jpg",
            ocr_result=json.loads((EXAMPLES / f"{WITH_TILES}.ocr.json").read_bytes()),
        )

    def result(self, seconds: float = 60) -> dict[str, Any]:
        popped = self.client.blpop(["hosting_tasks"], timeout=seconds)
        assert popped is not None, "no result"
        found: dict[str, Any] = json.loads(popped[1])
        return found

    def wait_until(self, condition: Callable[[], object], seconds: float = 30) -> None:
        import time

        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.02)

    def left_over(self) -> set[str]:
        """Keys that only jobs in progress may have."""
        keys = {key.decode() for key in self.client.keys("*") if isinstance(key, bytes)}
        return {
            key for key in keys if not any(part in key for part in (":done:", ":dead", ":workers", ":taken"))
        }

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        self.client.close()


def path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


@pytest.fixture
def workplace(redis_url: str, triton: EmbeddedTriton, tmp_path: Path) -> Iterator[Workplace]:
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "TRITON_URL": triton.url,
        "TRANSLATOR": "glossary",
        "GLOSSARY_PATH": str(EXAMPLES / "glossary.ko.tsv"),
        "STORAGE": "local",
        "LOCAL_STORAGE_DIR": str(tmp_path / "store"),
        "SPOOL_DIR": str(tmp_path / "spool"),
        "FETCH_ALLOW_PRIVATE": "true",
        "METRICS_PORT": "0",
        "LEASE_SECONDS": "2",
        "REAP_SECONDS": "0.2",
    }
    with picture_server(EXAMPLES) as url:
        workplace = Workplace(redis_url, url, environment)
        yield workplace
        workplace.close()
