"""A job that is cancelled, wherever it is just then, leaves nothing behind: real Triton, real spool."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.integration.test_triton import executed
from worker import schemas
from worker.bootstrap import local_source, local_store, open_pipeline
from worker.embedded import EmbeddedTriton
from worker.job import Job
from worker.settings import Settings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CANCELLATIONS = 8


def page(directory: Path) -> Job:
    """A small page with one line on a ground that only the network can fill."""
    picture = np.random.default_rng(0).integers(0, 256, (17, 27, 3), np.uint8)
    picture = cv2.resize(picture, (320, 200), interpolation=cv2.INTER_CUBIC)
    cv2.putText(picture, "HX", (60, 110), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255, 255, 255), 4)
    cv2.imwrite(str(directory / "page.png"), picture)
    line = {"box": [55, 70, 150, 115], "text": "降噪", "score": 0.99}
    message = {
        "request_id": "r1",
        "image_id": "i1",
        "image_url": str(directory / "page.png"),
        "ocr_result": [line],
    }
    return schemas.parse_job(json.dumps({**message, "glossary": {"降噪": "소음"}}).encode(), "ko")


def settings(
    triton: EmbeddedTriton, directory: Path, monkeypatch: pytest.MonkeyPatch, **more: str
) -> Settings:
    environment = {
        "TRITON_URL": triton.url,
        "TRANSLATOR": "glossary",
        "GLOSSARY_PATH": str(EXAMPLES / "glossary.ko.tsv"),
        "STORAGE": "local",
        "LOCAL_STORAGE_DIR": str(directory / "store"),
        "SPOOL_DIR": str(directory / "spool"),
        **more,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment()


def held() -> tuple[int, int]:
    """Open files, and mapped regions of shared memory."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return sum(1 for _ in Path("/proc/self/fd").iterdir()), sum("/dev/shm/" in line for line in maps)


async def test_a_cancelled_job_leaves_nothing_behind(
    triton: EmbeddedTriton, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So small that patches wait in the spool.
    chosen = settings(triton, tmp_path, monkeypatch, PIXEL_BUDGET="64000")
    (tmp_path / "spool").mkdir()
    loop = asyncio.get_running_loop()
    job = page(tmp_path)
    async with open_pipeline(chosen, local_source(chosen), local_store(chosen)) as pipeline:
        sent = executed(triton).tiles
        await pipeline.run(job)
        assert executed(triton).tiles == sent + 1, "there is a time when the job is with Triton"
        started = loop.time()
        await pipeline.run(job)
        whole, before = loop.time() - started, held()
        for step in range(CANCELLATIONS):
            running = asyncio.create_task(pipeline.run(job))
            done, _ = await asyncio.wait({running}, timeout=whole * step / CANCELLATIONS)
            running.cancel()
            if not done:
                with pytest.raises(asyncio.CancelledError):
                    await running
        # Threads cannot be stopped: what they do is waited for, and thrown away.
        assert (await asyncio.wait_for(pipeline.run(job), 60)).status == "completed"
        await asyncio.sleep(0.2)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert [path for path in (tmp_path / "spool").rglob("*.npz")] == []
        assert held() == before
    assert list((tmp_path / "spool").iterdir()) == []
