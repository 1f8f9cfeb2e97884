"""One job, top to bottom: fetch, decode, blocks, then translate and inpaint side by side, render, upload."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from worker import stages
from worker.budget import PixelBudget
from worker.errors import first_error
from worker.imaging import codec
from worker.imaging.postprocess import restore
from worker.imaging.preprocess import Tile
from worker.job import Job, Page, Patch, Region, Result, TextBlock, Translation, Usage
from worker.object_key import object_key
from worker.ports import ImageSource, Inpainter, ObjectStore, Translator
from worker.rendering.fonts import FontSet
from worker.report import Stopwatch, make_result
from worker.stages import OpenedPage
from worker.translation.session import Languages, translate_blocks
from worker.waiting import WaitingPatches

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside systems that one job touches."""

    source: ImageSource
    inpainter: Inpainter
    translator: Translator
    store: ObjectStore


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """What holds for all jobs."""

    max_pixels: int
    ocr_min_score: float
    key_template: str
    store_plate: bool
    glossary: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Means:
    """What jobs share of this process."""

    fonts: FontSet
    #: Where pixels are worked on; OpenCV and Pillow let go of the GIL.
    threads: Executor
    budget: PixelBudget
    waiting: WaitingPatches


class Pipeline:
    """Runs jobs, any number at once: it keeps nothing between them."""

    def __init__(self, ports: Ports, means: Means, options: PipelineOptions) -> None:
        self._ports = ports
        self._means = means
        self._options = options

    async def run(self, job: Job) -> Result:
        """From a job to its result.

        Raises:
            WorkerError: Why the job failed, and whether it may succeed later.
        """
        watch = Stopwatch()
        with watch("fetch"):
            original = await self._ports.source.fetch(job.image_url)
            pixels = await self._in_thread(codec.count_pixels, original, max_pixels=self._options.max_pixels)
        async with self._means.budget.hold(pixels):
            return await self._run_decoded(job, original, watch)

    async def _run_decoded(self, job: Job, original: bytes, watch: Stopwatch) -> Result:
        with watch("decode"):
            opened = await self._in_thread(
                stages.open_page, original, job.lines, self._options.max_pixels, self._options.ocr_min_score
            )
        try:
            async with asyncio.TaskGroup() as paths:
                translating = paths.create_task(self._translate(job, opened.chosen, watch))
                inpainting = paths.create_task(self._inpaint(opened, watch, translating))
        except BaseExceptionGroup as group:
            raise first_error(group) from None
        (translations, usage), erased = translating.result(), inpainting.result()
        with watch("render"):
            rendered = await self._in_thread(
                stages.render, opened, erased, translations, self._means.fonts, job.target_language, original
            )
        with watch("upload"):
            image_url = await self._store(job, rendered.picture)
            editable_urls = await self._store_editable(job, opened.page, rendered)
        return make_result(job, opened, rendered, image_url, editable_urls, usage, watch)

    async def _translate(
        self, job: Job, blocks: Sequence[TextBlock], watch: Stopwatch
    ) -> tuple[tuple[Translation, ...], Usage]:
        languages = Languages(job.source_language, job.target_language)
        glossary = {**self._options.glossary, **job.glossary}
        with watch("translate"):
            return await translate_blocks(self._ports.translator, blocks, languages, glossary)

    async def _inpaint(
        self, opened: OpenedPage, watch: Stopwatch, translating: asyncio.Task[Any]
    ) -> stages.Erased:
        """The patches, kept out of the way until the translation is there too."""
        regions, patches = await self._erase(opened, watch) if opened.chosen else ((), ())
        async with self._means.waiting.keep(patches) as fetch:
            del patches
            await asyncio.wait({translating})
            return stages.Erased(regions, await fetch())

    async def _erase(
        self, opened: OpenedPage, watch: Stopwatch
    ) -> tuple[tuple[Region, ...], tuple[Patch, ...]]:
        """Mask and preprocess in a thread, tiles to the model server, postprocess in threads."""
        sizes = await self._ports.inpainter.tile_sizes()
        with watch("mask"):
            regions, prepared = await self._in_thread(stages.mask_page, opened, sizes)
        with watch("inpaint"):
            async with asyncio.TaskGroup() as tiles:
                filling = [tiles.create_task(self._fill(tile)) for tile in prepared.tiles]
        return regions, (*prepared.fills, *(patch for task in filling for patch in task.result()))

    async def _fill(self, tile: Tile) -> tuple[Patch, ...]:
        inpainted = await self._ports.inpainter.inpaint(tile.image, tile.mask)
        return await self._in_thread(restore, tile, inpainted)

    async def _store(self, job: Job, picture: codec.Encoded) -> str:
        key = object_key(self._options.key_template, job, picture.extension)
        return await self._ports.store.put(key, picture.payload, picture.content_type)

    async def _store_editable(self, job: Job, page: Page, rendered: stages.Rendered) -> list[str]:
        wanted = self._options.store_plate
        files = await self._in_thread(stages.encode_editable, page, rendered) if wanted else ()
        return [await self._store(job, file) for file in files]

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = functools.partial(work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._means.threads, call)
