"""The composition root: the only place where adapters are built and wired."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2

from worker import metrics, schemas
from worker.adapters.disk_spool import DiskSpool, try_out
from worker.adapters.http_source import FetchOptions, HttpSource
from worker.adapters.local_store import LocalSource, LocalStore
from worker.adapters.metered import (
    MeteredInpainter,
    MeteredSource,
    MeteredStore,
    metered_run,
)
from worker.adapters.onnx_local import OnnxInpainter
from worker.adapters.r2 import R2Options, R2Store
from worker.adapters.rapid_ocr import RapidOcr
from worker.adapters.redis_backlog import RedisBacklog
from worker.adapters.redis_queue import QueueOptions, RedisQueue
from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.attempt import AttemptOptions
from worker.backlog import BacklogSource
from worker.bootstrap_translation import open_desk, read_glossary
from worker.budget import PixelBudget
from worker.consumer import Consumer, ConsumerOptions
from worker.embedded import MODEL_REPOSITORY
from worker.errors import SettingsError
from worker.imaging import codec
from worker.pipeline import Means, Pipeline, PipelineOptions, Ports
from worker.ports import Check, Dependency, ImageSource, Inpainter, ObjectStore
from worker.rendering.fonts import FontOptions, FontSet
from worker.retry_policy import RetryPolicy
from worker.settings import (
    InpaintSettings,
    LimitSettings,
    QueueSettings,
    Settings,
    StorageSettings,
    read_group,
)
from worker.stages import ReadingOptions
from worker.threads import PixelThread
from worker.waiting import WaitingPatches

T = TypeVar("T")

#: Patches that wait in memory may have this share of PIXEL_BUDGET beside the pages themselves.
_WAITING_SHARE = 1 / 16
#: Readiness asks the translator and the store this seldom: a fleet's probes would eat their quota.
_OUTSIDE_FRESH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """The wired worker."""

    consumer: Consumer
    dependencies: tuple[Dependency, ...]
    backlog: BacklogSource


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Build the whole worker; everything it opened is closed on leaving.

    Raises:
        SettingsError: A setting points to something that is not there.
    """
    # It is used only when memory is short, which is no time to learn that it cannot be.
    try_out(settings.limits.spool_dir)
    async with AsyncExitStack() as stack:
        queue, backlog = open_queue(settings.queue, settings.translate.target_language, stack)
        source = await _open_source(settings.limits, stack)
        store, store_check = await open_store(settings.storage, stack)
        pipeline, checks = await _open_pipeline(settings, source, store, settings.queue.redis_url, stack)
        shared = (*checks, Dependency("store", store_check, _OUTSIDE_FRESH_SECONDS))
        consumer = Consumer(
            queue,
            metered_run(pipeline.run),
            _consumer_options(settings),
            checks={dependency.name: dependency.probe for dependency in shared},
        )
        yield Service(consumer, (Dependency("redis", queue), *shared), backlog)


@asynccontextmanager
async def open_pipeline(
    settings: Settings, source: ImageSource, store: ObjectStore
) -> AsyncIterator[Pipeline]:
    """The pipeline alone, between a source and a store of the caller's: one picture without Redis."""
    async with AsyncExitStack() as stack:
        pipeline, _ = await _open_pipeline(settings, source, store, None, stack)
        yield pipeline


def local_source(settings: Settings) -> ImageSource:
    """A source that reads the user's own files."""
    return LocalSource(settings.limits.fetch_max_bytes)


def local_store(settings: Settings) -> ObjectStore:
    """A store in LOCAL_STORAGE_DIR."""
    return LocalStore(_given(settings.storage.local_storage_dir))


def open_ocr() -> RapidOcr:
    """The OCR engine for pictures that come without a result."""
    max_pixels = read_group(LimitSettings).max_pixels
    return RapidOcr(lambda payload: codec.decode(payload, max_pixels=max_pixels).rgb)


async def _open_pipeline(
    settings: Settings, source: ImageSource, store: ObjectStore, redis_url: str | None, stack: AsyncExitStack
) -> tuple[Pipeline, tuple[Dependency, ...]]:
    # Parallelism comes from many processes; OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(1)
    fonts = FontSet.load(FontOptions(settings.service.font_paths))
    inpainter, inpainter_check = await open_inpainter(settings.inpaint, stack)
    glossary = read_glossary(settings.translate.glossary_path)
    desk, translator_check = open_desk(settings.translate, glossary, redis_url, stack)
    pixel_thread = PixelThread()
    stack.callback(pixel_thread.shutdown, wait=False, cancel_futures=True)
    spool = DiskSpool(settings.limits.spool_dir)
    stack.callback(spool.close)
    pixels = settings.limits.pixel_budget
    metrics.describe_build()
    budget, waiting = PixelBudget(pixels), WaitingPatches(spool, int(pixels * _WAITING_SHARE))
    metrics.PIXELS_IN_FLIGHT.set_function(lambda: budget.used)
    options = PipelineOptions(
        reading=ReadingOptions(
            settings.limits.max_pixels,
            settings.translate.ocr_min_score,
            settings.translate.translate_with_image and settings.translate.translator == "gemini",
        ),
        key_template=settings.storage.r2_key_template,
        store_plate=settings.storage.store_layout,
        glossary=glossary,
    )
    ports = Ports(MeteredSource(source), MeteredInpainter(inpainter), MeteredStore(store))
    # As many again are cut, or put back, while those are with the server.
    most_tiles = 2 * settings.inpaint.triton_max_inflight
    pipeline = Pipeline(ports, Means(fonts, pixel_thread, most_tiles, budget, waiting, desk), options)
    translator_dependency = Dependency("translator", translator_check, _OUTSIDE_FRESH_SECONDS)
    return pipeline, (Dependency("inpainter", inpainter_check), translator_dependency)


def open_queue(
    settings: QueueSettings, default_language: str, stack: AsyncExitStack
) -> tuple[RedisQueue, RedisBacklog]:
    """The job list, and what tells how much lies in it."""
    queue = RedisQueue(
        settings.redis_url,
        QueueOptions(
            processor_queue=settings.processor_queue,
            hosting_queue=settings.hosting_queue,
            lease_seconds=settings.lease_seconds,
            result_ttl_seconds=settings.result_ttl_seconds,
            job_max_age_seconds=settings.job_max_age_seconds,
        ),
        job_key=functools.partial(schemas.job_key, default_language=default_language),
    )
    stack.push_async_callback(queue.close)
    backlog = RedisBacklog(settings.redis_url, settings.processor_queue)
    stack.push_async_callback(backlog.close)
    return queue, backlog


async def _open_source(limits: LimitSettings, stack: AsyncExitStack) -> HttpSource:
    source = HttpSource(FetchOptions(limits.fetch_max_bytes, allow_private=limits.fetch_allow_private))
    stack.push_async_callback(source.close)
    return source


async def open_store(settings: StorageSettings, stack: AsyncExitStack) -> tuple[ObjectStore, Check]:
    """Where results are hosted, and what to ask whether it answers."""
    if settings.storage == "local":
        local = LocalStore(_given(settings.local_storage_dir))
        return local, local
    r2 = await stack.enter_async_context(
        R2Store(
            R2Options(
                endpoint_url=str(_given(settings.r2_endpoint_url)),
                bucket=_given(settings.r2_bucket),
                public_base_url=str(_given(settings.r2_public_base_url)),
                access_key_id=_given(settings.r2_access_key_id).get_secret_value(),
                secret_access_key=_given(settings.r2_secret_access_key).get_secret_value(),
            )
        )
    )
    return r2, r2


async def open_inpainter(settings: InpaintSettings, stack: AsyncExitStack) -> tuple[Inpainter, Check]:
    """The models, served or in process, and what to ask whether they work."""
    if settings.inpainter == "onnx":
        local = OnnxInpainter(find_models(settings.onnx_model_dir))
        stack.push_async_callback(local.close)
        return local, local
    triton = TritonInpainter(
        TritonOptions(
            settings.triton_url, settings.triton_max_inflight, shared_memory=settings.triton_shared_memory
        )
    )
    stack.push_async_callback(triton.close)
    return triton, triton


def find_models(directory: Path) -> Path:
    """ONNX_MODEL_DIR as seen from the working directory, else from the folder that holds the package.

    Raises:
        SettingsError: It is in neither, as after an installation that is not editable.
    """
    for place in (directory, MODEL_REPOSITORY.parent / directory):
        if place.is_dir():
            return place
    raise SettingsError(
        f"ONNX_MODEL_DIR: there is no folder {directory}; "
        "set it to the model_repository folder of the repository"
    )


def _consumer_options(settings: Settings) -> ConsumerOptions:
    queue = settings.queue
    return ConsumerOptions(
        concurrency=queue.concurrency,
        lease_seconds=queue.lease_seconds,
        reap_seconds=queue.reap_seconds,
        drain_seconds=queue.drain_seconds,
        attempt=AttemptOptions(
            queue.job_deadline_seconds,
            settings.translate.target_language,
            RetryPolicy(max_age_seconds=queue.job_max_age_seconds),
        ),
    )


def _given(value: T | None) -> T:
    """A setting that Settings has already made sure of."""
    if value is None:
        raise SettingsError("a required setting is missing")
    return value
