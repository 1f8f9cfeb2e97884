"""One job, top to bottom: fetch, decode, blocks, then translate and inpaint side by side, render, upload."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from worker import metrics, stages
from worker.budget import PixelBudget
from worker.erasing import Eraser
from worker.errors import first_error
from worker.imaging import codec
from worker.job import Job, Result
from worker.object_key import object_key
from worker.off_loop import MANY_BLOCKS, off_loop
from worker.ports import ImageSource, Inpainter, ObjectStore
from worker.rendering.fonts import FontSet
from worker.report import Stopwatch, make_result
from worker.stages import Erased, OpenedPage, ReadingOptions, Rendered
from worker.threads import in_thread, take_turn
from worker.translation.desk import Answer, Desk
from worker.translation.glossary import Glossary
from worker.translation.prompt import PageText
from worker.waiting import WaitingPatches


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside systems that one job touches, but for the translators: they are the desk's."""

    source: ImageSource
    inpainter: Inpainter
    store: ObjectStore


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """What holds for all jobs."""

    reading: ReadingOptions
    key_template: str
    store_plate: bool
    glossary: Glossary


@dataclass(frozen=True, slots=True)
class Means:
    """What jobs share of this process."""

    fonts: FontSet
    #: Where pixels are worked on; one thread: see threads.py.
    pixel_thread: Executor
    #: Cut, sent or restored at a time.
    most_tiles: int
    budget: PixelBudget
    waiting: WaitingPatches
    desk: Desk


class Pipeline:
    """Runs jobs, any number at once: it keeps nothing between them."""

    def __init__(self, ports: Ports, means: Means, options: PipelineOptions) -> None:
        self._ports = ports
        self._means = means
        self._options = options
        self._eraser = Eraser(ports.inpainter, means.most_tiles, means.pixel_thread, means.waiting)

    async def run(self, job: Job) -> Result:
        """From a job to its result.

        Raises:
            WorkerError: Why the job failed, and whether it may succeed later.
        """
        watch = Stopwatch()
        thread, most = self._means.pixel_thread, self._options.reading.max_pixels
        with watch("fetch"):
            original = await self._ports.source.fetch(job.image_url)
            pixels = await in_thread(thread, codec.count_pixels, original, max_pixels=most)
        take_turn(pixels)
        async with self._means.budget.hold(pixels):
            result, leftovers = await self._run_decoded(job, original, watch)
            await off_loop(len(result.blocks) >= MANY_BLOCKS, leftovers.clear)
            return result

    async def _run_decoded(self, job: Job, original: bytes, watch: Stopwatch) -> tuple[Result, list[object]]:
        """The result, and the last references to what is left: of 5,000 blocks it takes 60 ms to free."""
        options = self._options
        with watch("decode"):
            opened, text = await in_thread(
                self._means.pixel_thread, stages.read_page, original, job, options.glossary, options.reading
            )
        try:
            async with asyncio.TaskGroup() as paths:
                translating = paths.create_task(self._translate(text, watch))
                erasing = paths.create_task(self._eraser.erase(opened, watch, translating))
        except BaseExceptionGroup as group:
            raise first_error(group) from None
        answer, erased = translating.result(), erasing.result()
        rendered = await self._render(opened, erased, answer, text, original, watch)
        if rendered.too_long:
            with watch("shorten"):
                shorter = await self._means.desk.shorten(text, answer, rendered.too_long)
            if shorter.translations != answer.translations:
                earlier = [rendered]
                rendered = await self._render(opened, erased, shorter, text, original, watch, rendered)
                await off_loop(len(opened.chosen) >= MANY_BLOCKS, earlier.clear)
            answer = shorter
        stages.log_missing_glyphs(rendered)
        with watch("upload"):
            image_url = await self._store(job, rendered.picture)
            editable_urls = await self._store_editable(job, rendered)
        result = make_result(job, opened, rendered, image_url, editable_urls, answer.usage, watch)
        metrics.count_blocks(result.blocks)
        return result, [opened, text, answer, erased, rendered]

    async def _translate(self, text: PageText, watch: Stopwatch) -> Answer:
        with watch("translate"):
            return await self._means.desk.translate(text)

    async def _render(
        self,
        opened: OpenedPage,
        erased: Erased,
        answer: Answer,
        text: PageText,
        original: bytes,
        watch: Stopwatch,
        earlier: Rendered | None = None,
    ) -> Rendered:
        fonts, language = self._means.fonts, text.languages.target
        with watch("render"):
            return await in_thread(
                self._means.pixel_thread,
                stages.render,
                opened,
                erased,
                answer.translations,
                fonts,
                language,
                original,
                earlier,
            )

    async def _store(self, job: Job, picture: codec.Encoded) -> str:
        key = object_key(self._options.key_template, job, picture.extension)
        return await self._ports.store.put(key, picture.payload, picture.content_type)

    async def _store_editable(self, job: Job, rendered: Rendered) -> list[str]:
        wanted = self._options.store_plate
        files = await in_thread(self._means.pixel_thread, stages.encode_editable, rendered) if wanted else ()
        return [await self._store(job, file) for file in files]
