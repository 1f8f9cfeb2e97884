"""Spans as an exporter gets them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from worker import tracing
from worker.adapters.metered import metered_run
from worker.errors import BadImage
from worker.job import Job, JobStatus, Result
from worker.report import Stopwatch

JOB = Job("r1", "i1", "https://host/a.jpg", (), "ko")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def run(job: Job) -> Result:
    """As the pipeline does: two stages in a row, then two side by side."""
    watch = Stopwatch()
    with watch("fetch"):
        await asyncio.sleep(0)

    async def path(stage: str) -> None:
        with watch(stage):
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as paths:
        paths.create_task(path("translate"))
        paths.create_task(path("inpaint"))
    if job.image_id == "bad":
        raise BadImage("no picture")
    return Result(JobStatus.COMPLETED, job.request_id, job.image_id, "ko", traceparent=job.traceparent)


async def test_without_a_provider_the_traceparent_passes_through() -> None:
    result = await metered_run(run)(replace(JOB, traceparent=PARENT))
    assert result.traceparent == PARENT


@pytest.fixture(scope="module")
def provided() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    tracing.configure(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture
def exporter(provided: InMemorySpanExporter) -> InMemorySpanExporter:
    provided.clear()
    return provided


async def test_one_span_for_each_stage_in_the_producers_trace(exporter: InMemorySpanExporter) -> None:
    result = await metered_run(run)(replace(JOB, traceparent=PARENT))
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans.keys() == {"job", "fetch", "translate", "inpaint"}
    job = spans["job"]
    assert f"{job.context.trace_id:032x}" == PARENT.split("-")[1]
    assert job.parent is not None
    assert f"{job.parent.span_id:016x}" == PARENT.split("-")[2]
    for stage in ("fetch", "translate", "inpaint"):
        parent = spans[stage].parent
        assert parent is not None
        assert parent.span_id == job.context.span_id
    assert result.traceparent == f"00-{job.context.trace_id:032x}-{job.context.span_id:016x}-01"
    assert dict(job.attributes or {})["request_id"] == "r1"


@pytest.mark.parametrize("traceparent", [None, "nonsense", "00-00-00-00"])
async def test_a_job_without_a_trace_starts_one(
    exporter: InMemorySpanExporter, traceparent: str | None
) -> None:
    result = await metered_run(run)(replace(JOB, traceparent=traceparent))
    (job,) = [span for span in exporter.get_finished_spans() if span.name == "job"]
    assert job.parent is None
    assert result.traceparent is not None
    assert result.traceparent.split("-")[1] == f"{job.context.trace_id:032x}"


async def test_a_failure_leaves_its_code_and_nothing_else(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(BadImage):
        await metered_run(run)(replace(JOB, image_id="bad"))
    (job,) = [span for span in exporter.get_finished_spans() if span.name == "job"]
    assert job.status.status_code is trace.StatusCode.ERROR
    assert job.status.description == "bad_image"
    assert not job.events
