"""OpenTelemetry traces, where the extra `otel` is installed and OTEL_EXPORTER_OTLP_ENDPOINT is set.

A span for each job, continuing the trace that the job's `traceparent` names, and one for each stage in it.
Without the extra every function here does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from worker.errors import SettingsError, WorkerError
from worker.job import Job

try:
    from opentelemetry import propagate, trace
    from opentelemetry.trace import Status, StatusCode
except ImportError:
    _installed = False
else:
    _installed = True

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

_NAME = "operate-worker"


def configure(processor: SpanProcessor | None = None) -> None:
    """Start exporting spans; endpoint, headers and sampling are read from the standard OTEL_… variables.

    Args:
        processor: Where spans go instead; for tests.

    Raises:
        SettingsError: The extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT needs OpenTelemetry: pip install 'operate-worker[otel]'"
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": _NAME}))
    provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def span(name: str) -> AbstractContextManager[object]:
    """A child of the running span."""
    if not _installed:
        return nullcontext()
    # No exception texts or stack traces: what leaves the process is the error's code (see `job_span`).
    return trace.get_tracer(_NAME).start_as_current_span(name, record_exception=False)


@contextmanager
def job_span(job: Job) -> Iterator[str | None]:
    """The span of one job; yields the traceparent to hand on: its own, or the job's where nothing traces."""
    if not _installed:
        yield job.traceparent
        return
    parent = propagate.extract({"traceparent": job.traceparent} if job.traceparent else {})
    attributes = {
        "request_id": job.request_id,
        "image_id": job.image_id,
        "target_language": job.target_language,
    }
    tracer = trace.get_tracer(_NAME)
    with tracer.start_as_current_span(
        "job", context=parent, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        try:
            yield carrier.get("traceparent", job.traceparent) if current.is_recording() else job.traceparent
        except WorkerError as error:
            current.set_status(Status(StatusCode.ERROR, error.code))
            raise
