"""The ports, counted: each wraps what bootstrap chose, so that no adapter counts for itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from prometheus_client import Counter

from worker import metrics, tracing
from worker.charges import charge
from worker.errors import WorkerError
from worker.job import Image, Job, Mask, Result
from worker.ports import ImageSource, Inpainter, ObjectStore, Prompt, Reply, TranslationMemory, Translator


def metered_run(run: Callable[[Job], Awaitable[Result]]) -> Callable[[Job], Awaitable[Result]]:
    """Count, time and trace whole jobs; the result's `traceparent` becomes that of the job's own span."""

    async def counted(job: Job) -> Result:
        in_flight, seconds = metrics.JOBS_IN_FLIGHT.track_inprogress(), metrics.JOB_SECONDS.time()
        with in_flight, seconds, tracing.job_span(job) as traceparent:
            result = await run(job)
        metrics.JOBS.labels(result.status.value).inc()
        return replace(result, traceparent=traceparent)

    return counted


class MeteredSource:
    """An `ImageSource`, its bytes counted."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source

    async def fetch(self, url: str) -> bytes:
        """See `ports.ImageSource`."""
        payload = await self._source.fetch(url)
        metrics.SOURCE_BYTES.inc(len(payload))
        return payload


class MeteredInpainter:
    """An `Inpainter`, its tiles counted and timed."""

    def __init__(self, inpainter: Inpainter) -> None:
        self._inpainter = inpainter

    async def tile_sizes(self) -> tuple[int, ...]:
        """See `ports.Inpainter`."""
        return await self._inpainter.tile_sizes()

    async def inpaint(self, image: Image, mask: Mask) -> Image:
        """See `ports.Inpainter`."""
        size = str(image.shape[0])
        try:
            with metrics.TILE_SECONDS.time():
                inpainted = await self._inpainter.inpaint(image, mask)
        except WorkerError as error:
            metrics.TILES.labels(size, error.code).inc()
            raise
        metrics.TILES.labels(size, "ok").inc()
        return inpainted


class MeteredTranslator:
    """A `Translator`, its calls, tokens and price counted."""

    def __init__(self, translator: Translator) -> None:
        self._translator = translator

    async def ask(self, prompt: Prompt) -> Reply:
        """See `ports.Translator`."""
        with metrics.TRANSLATOR_SECONDS.time(), _errors_counted(metrics.TRANSLATOR_CALLS):
            reply = await self._translator.ask(prompt)
        metrics.TRANSLATOR_CALLS.labels(reply.kind.value).inc()
        metrics.count_usage(reply.usage)
        charge(reply.usage)
        return reply


class MeteredMemory:
    """A `TranslationMemory`, its hits and misses counted."""

    def __init__(self, memory: TranslationMemory) -> None:
        self._memory = memory

    async def recall(self, keys: Sequence[str]) -> Mapping[str, str]:
        """See `ports.TranslationMemory`."""
        known = await self._memory.recall(keys)
        metrics.MEMORY_LOOKUPS.labels("hit").inc(len(known))
        metrics.MEMORY_LOOKUPS.labels("miss").inc(len(keys) - len(known))
        return known

    async def remember(self, translations: Mapping[str, str]) -> None:
        """See `ports.TranslationMemory`."""
        await self._memory.remember(translations)


class MeteredStore:
    """An `ObjectStore`, its bytes and errors counted."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, key: str, payload: bytes, content_type: str) -> str:
        """See `ports.ObjectStore`."""
        with _errors_counted(metrics.STORE_ERRORS):
            url = await self._store.put(key, payload, content_type)
        metrics.STORE_BYTES.inc(len(payload))
        return url


@contextmanager
def _errors_counted(counter: Counter) -> Iterator[None]:
    try:
        yield
    except WorkerError as error:
        counter.labels(error.code).inc()
        raise
