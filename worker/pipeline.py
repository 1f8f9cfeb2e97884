"""One job, top to bottom: fetch, decode, blocks, then translate and inpaint side by side, render, upload."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from worker.job import (
    Job,
    Result,
)
from worker.ports import ImageSource, Inpainter, ObjectStore, Translator
from worker.rendering.fonts import FontSet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside systems one job touches."""

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


class Stopwatch:
    """Milliseconds spent in each named stage."""

    def __init__(self) -> None:
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - started) * 1000
            self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + spent


class Pipeline:
    """Runs jobs; any number at once, since it keeps nothing between them."""

    def __init__(self, ports: Ports, fonts: FontSet, threads: Executor, options: PipelineOptions) -> None:
        self._ports = ports
        self._fonts = fonts
        self._threads = threads
        self._options = options

    async def run(self, job: Job) -> Result:
        """From a job to its result.

        Raises:
            WorkerError: Why the job failed, and whether it may succeed later.
        """
        watch = Stopwatch()
        with watch("fetch"):
            original = await self._ports.source.fetch(job.image_url)
        with watch("decode"):
            page, blocks = await self._in_thread(self._read, original, job)
        chosen = tuple(block for block in blocks if needs_translation(block))
