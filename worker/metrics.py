"""Every metric of the service, in one place; docs/operations.md says what to do about them.

They live in a registry of their own, which `/metrics` serves (`health.py`).
"""

from __future__ import annotations

import collections
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from worker.errors import WorkerError
from worker.job import BlockReport, BlockStatus, JobStatus, Usage

# A `_created` series beside each counter and histogram says nothing that a restart does not show.
disable_created_metrics()
REGISTRY = CollectorRegistry()

#: From a poster's decoding (5 ms) to a strip that waits for a slow translator (2 min).
_STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_JOB_BUCKETS = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
#: A tile takes 1 ms on a large GPU, seconds on a CPU with a queue.
_TILE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

BUILD = Info("operate_build", "Version of the worker and of Python.", registry=REGISTRY)

JOBS = Counter("operate_jobs", "Jobs that came to their end, by outcome.", ["outcome"], registry=REGISTRY)
RETRIES = Counter(
    "operate_retries", "Jobs given back to be tried again, by error.", ["code"], registry=REGISTRY
)
DEAD_LETTERS = Counter(
    "operate_dead_letters", "Jobs that failed for good, by error.", ["code"], registry=REGISTRY
)
CLAIMS_LOST = Counter(
    "operate_claims_lost", "Claims that went to another worker while ours was at it.", registry=REGISTRY
)
JOB_SECONDS = Histogram(
    "operate_job_seconds", "One run of a job, from claim to result.", buckets=_JOB_BUCKETS, registry=REGISTRY
)
STAGE_SECONDS = Histogram(
    "operate_stage_seconds",
    "Wall time of one stage of a job; translate and inpaint run side by side.",
    ["stage"],
    buckets=_STAGE_BUCKETS,
    registry=REGISTRY,
)
STAGE_CPU_SECONDS = Counter(
    "operate_stage_cpu_seconds", "CPU spent in the pixel thread, by stage.", ["stage"], registry=REGISTRY
)
JOBS_IN_FLIGHT = Gauge("operate_jobs_in_flight", "Jobs being worked on.", registry=REGISTRY)
PIXELS_IN_FLIGHT = Gauge("operate_pixels_in_flight", "Decoded pixels being worked on.", registry=REGISTRY)

QUEUE_JOBS = Gauge(
    "operate_queue_jobs", "Jobs in Redis, by state; the same from every worker.", ["state"], registry=REGISTRY
)
OLDEST_JOB_SECONDS = Gauge(
    "operate_oldest_job_seconds",
    "How long the head of the queue has waited at least; take the maximum over workers.",
    registry=REGISTRY,
)
REDIS_MEMORY_BYTES = Gauge("operate_redis_memory_bytes", "Bytes that Redis uses.", registry=REGISTRY)
REDIS_MEMORY_LIMIT_BYTES = Gauge(
    "operate_redis_memory_limit_bytes",
    "Bytes that Redis may use (maxmemory); full, it refuses the producers' pushes. 0: no limit.",
    registry=REGISTRY,
)

BLOCKS = Counter(
    "operate_blocks", "Blocks of finished jobs, by what became of them.", ["status"], registry=REGISTRY
)
LINES = Counter(
    "operate_lines", "Erased lines, by the route their ground took.", ["route"], registry=REGISTRY
)
TILES = Counter(
    "operate_tiles",
    "Tiles for the network, by side in px and outcome.",
    ["size", "outcome"],
    registry=REGISTRY,
)
TILE_SECONDS = Histogram(
    "operate_tile_seconds",
    "One tile: waiting for a place, the round trip, retries.",
    buckets=_TILE_BUCKETS,
    registry=REGISTRY,
)
TRITON_SECONDS = Histogram(
    "operate_triton_seconds", "One round trip to Triton.", buckets=_TILE_BUCKETS, registry=REGISTRY
)

TRANSLATOR_CALLS = Counter(
    "operate_translator_calls", "Calls of the translator, by outcome.", ["outcome"], registry=REGISTRY
)
TRANSLATOR_SECONDS = Histogram(
    "operate_translator_seconds", "One call of the translator.", buckets=_STAGE_BUCKETS, registry=REGISTRY
)
TOKENS = Counter("operate_tokens", "Tokens charged for, by direction.", ["direction"], registry=REGISTRY)
COST_USD = Counter("operate_cost_usd", "Estimated price of all calls so far.", registry=REGISTRY)
MEMORY_LOOKUPS = Counter(
    "operate_memory_lookups", "Blocks looked up in the translation memory.", ["outcome"], registry=REGISTRY
)

SOURCE_BYTES = Counter("operate_source_bytes", "Bytes of fetched pictures.", registry=REGISTRY)
STORE_BYTES = Counter("operate_store_bytes", "Bytes of stored objects.", registry=REGISTRY)
STORE_ERRORS = Counter("operate_store_errors", "Puts that failed, by error.", ["code"], registry=REGISTRY)

READY = Gauge("operate_ready", "1 while the worker takes jobs and all it needs answers.", registry=REGISTRY)
DEPENDENCY_UP = Gauge(
    "operate_dependency_up",
    "1 where the last check of a dependency succeeded.",
    ["dependency"],
    registry=REGISTRY,
)

KEY_REFUSED = Gauge(
    "operate_key_refused",
    "1 where a dependency refuses this worker's key, until a person has changed it.",
    ["dependency"],
    registry=REGISTRY,
)

ProcessCollector(registry=REGISTRY)


class _LoopCpu(Collector):
    """CPU of the thread that asks: `/metrics` is answered on the event loop's."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        name = "operate_loop_cpu_seconds"
        yield CounterMetricFamily(name, "CPU spent on the event loop.", value=time.thread_time())


REGISTRY.register(_LoopCpu())


def _errors(root: type[WorkerError] = WorkerError) -> Iterator[type[WorkerError]]:
    """Every error that `errors.py` draws."""
    yield root
    for error in root.__subclasses__():
        yield from _errors(error)


def _start_at_zero() -> None:
    """Serve what alerts add up from the start: a series that begins above zero shows no increase."""
    for outcome in (*JobStatus, "repeated"):
        JOBS.labels(str(outcome))
    for status in BlockStatus:
        BLOCKS.labels(str(status))
    for error in _errors():
        DEAD_LETTERS.labels(error.code)
        if error.retryable:
            RETRIES.labels(error.code)
    for code in ("store_unavailable", "auth"):
        STORE_ERRORS.labels(code)
    for outcome in ("hit", "miss"):
        MEMORY_LOOKUPS.labels(outcome)
    TRANSLATOR_CALLS.labels("ok")


_start_at_zero()

#: The stage that the running task is in: `threads.PixelThread` charges CPU to it.
current_stage: ContextVar[str] = ContextVar("current_stage", default="other")


def release() -> str:
    """Which version runs."""
    try:
        return version("operate-worker")
    except PackageNotFoundError:
        return "unknown"


def describe_build() -> None:
    """Say which version runs."""
    BUILD.info({"version": release(), "python": platform.python_version()})


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time one stage of a job and charge its CPU to it."""
    token = current_stage.set(name)
    try:
        with STAGE_SECONDS.labels(name).time():
            yield
    finally:
        current_stage.reset(token)


def count_blocks(blocks: Iterable[BlockReport]) -> None:
    """Add what became of the blocks of a finished job."""
    for status, count in collections.Counter(str(block.status) for block in blocks).items():
        BLOCKS.labels(status).inc(count)


def count_routes(blocks: Iterable[Sequence[str]]) -> None:
    """Add the routes that the lines of some blocks took."""
    for route, count in collections.Counter(str(route) for routes in blocks for route in routes).items():
        LINES.labels(route).inc(count)


def count_usage(usage: Usage) -> None:
    """Add what one call was charged."""
    TOKENS.labels("input").inc(usage.input_tokens)
    TOKENS.labels("output").inc(usage.output_tokens)
    COST_USD.inc(usage.cost_usd or 0.0)


def exposition() -> bytes:
    """The text that Prometheus scrapes; to be called on the event loop."""
    return generate_latest(REGISTRY)
