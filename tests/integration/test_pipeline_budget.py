"""Decoded pixels in flight are bounded over all jobs: a page waits, undecoded, until there is room."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from tests.fake_translator import FakeMemory, FakeTranslator
from tests.integration.test_pipeline_translation import Inpainter
from tests.unit.rendering.posters import Poster
from worker.adapters.disk_spool import DiskSpool
from worker.adapters.local_store import LocalSource, LocalStore
from worker.budget import PixelBudget
from worker.job import Job, JobStatus
from worker.pipeline import Means, Pipeline, PipelineOptions, Ports
from worker.rendering.fonts import FontSet
from worker.stages import ReadingOptions
from worker.translation.desk import Desk, DeskOptions
from worker.translation.glossary import Glossary
from worker.translation.session import Translators
from worker.waiting import WaitingPatches

WIDTH, HEIGHT = 400, 160


def job(directory: Path, fonts: FontSet, text: str) -> Job:
    poster = Poster.plain(WIDTH, HEIGHT, fonts)
    poster.write([text], 40, 90, 32)
    path = directory / f"{text}.png"
    Pillow.fromarray(np.ascontiguousarray(poster.rgb)).save(path)
    return Job("r", text, str(path), poster.blocks[0].lines, "ko")


async def test_a_page_waits_until_those_in_flight_leave_room(tmp_path: Path) -> None:
    fonts, translator, spool = FontSet.load(), FakeTranslator(), DiskSpool(tmp_path / "spool")
    budget = PixelBudget(WIDTH * HEIGHT * 3 // 2)
    translator.gate.clear()
    with ThreadPoolExecutor(1) as threads:
        desk = Desk(Translators(translator), DeskOptions(), memory=FakeMemory())
        pipeline = Pipeline(
            Ports(LocalSource(1 << 26), Inpainter(), LocalStore(tmp_path / "store")),
            Means(fonts, threads, 8, budget, WaitingPatches(spool, 10**7), desk),
            PipelineOptions(
                ReadingOptions(10**6, 0.5),
                "{image_id}.{extension}",
                store_plate=False,
                glossary=Glossary.of({}),
            ),
        )
        running = [
            asyncio.create_task(pipeline.run(job(tmp_path, fonts, text))) for text in ("新品上市", "限时特惠")
        ]
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if translator.prompts:
                break
        await asyncio.sleep(0.3)
        assert budget.used == WIDTH * HEIGHT, "as many as the header says"
        assert len(translator.prompts) == 1, "the second page is not even decoded"
        translator.gate.set()
        results = await asyncio.gather(*running)
    assert [result.status for result in results] == [JobStatus.COMPLETED] * 2
    assert budget.used == 0
    spool.close()
