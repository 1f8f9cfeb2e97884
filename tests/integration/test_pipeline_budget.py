"""Many pages at once: decoded pixels are bounded, and small pages do not wait for large ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import pytest
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
from worker.threads import PixelThread
from worker.translation.desk import Desk, DeskOptions
from worker.translation.glossary import Glossary
from worker.translation.session import Translators
from worker.waiting import WaitingPatches

P = ParamSpec("P")
T = TypeVar("T")

WIDTH, HEIGHT = 400, 160
OPTIONS = PipelineOptions(
    ReadingOptions(10**7, 0.5), "{image_id}.{extension}", store_plate=False, glossary=Glossary.of({})
)


class WatchedThread(PixelThread):
    """Tells of each step that it is given; it is given them on the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.given = asyncio.Semaphore(0)

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.given.release()
        return super().submit(work, *args, **kwargs)


@pytest.fixture(scope="module")
def fonts() -> FontSet:
    return FontSet.load()


@contextmanager
def opened(
    directory: Path, fonts: FontSet, translator: FakeTranslator, budget: PixelBudget, thread: PixelThread
) -> Iterator[Pipeline]:
    spool = DiskSpool(directory / "spool")
    desk = Desk(Translators(translator), DeskOptions(), memory=FakeMemory())
    with thread:
        yield Pipeline(
            Ports(LocalSource(1 << 26), Inpainter(), LocalStore(directory / "store")),
            Means(fonts, thread, 8, budget, WaitingPatches(spool, 10**7), desk),
            OPTIONS,
        )
    spool.close()


def job(directory: Path, fonts: FontSet, text: str, height: int = HEIGHT) -> Job:
    poster = Poster.plain(WIDTH, height, fonts)
    poster.write([text], 40, 90, 32)
    path = directory / f"{text}.png"
    Pillow.fromarray(np.ascontiguousarray(poster.rgb)).save(path)
    return Job("r", text, str(path), poster.blocks[0].lines, "ko")


async def test_a_page_waits_until_those_in_flight_leave_room(tmp_path: Path, fonts: FontSet) -> None:
    translator, budget = FakeTranslator(), PixelBudget(WIDTH * HEIGHT * 3 // 2)
    translator.gate.clear()
    with opened(tmp_path, fonts, translator, budget, PixelThread()) as pipeline:
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


async def test_a_poster_passes_the_strip_that_began_before_it(tmp_path: Path, fonts: FontSet) -> None:
    translator, thread, running = FakeTranslator(), WatchedThread(), []
    counted, decoding = threading.Event(), threading.Event()
    jobs = job(tmp_path, fonts, "限时特惠", 8000), job(tmp_path, fonts, "新品上市")
    with opened(tmp_path, fonts, translator, PixelBudget(10**8), thread) as pipeline:
        async with asyncio.timeout(20):
            thread.submit(counted.wait, 20)
            await thread.given.acquire()
            for one in jobs:
                running.append(asyncio.create_task(pipeline.run(one)))
                await thread.given.acquire()
            # The next they ask for is to be decoded; both, before the thread comes to either.
            thread.submit(decoding.wait, 20)
            counted.set()
            for _ in range(3):
                await thread.given.acquire()
            decoding.set()
            await asyncio.gather(*running)
    assert translator.asked == [["新品上市"], ["限时特惠"]]
