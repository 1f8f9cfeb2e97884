from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from worker import log
from worker.embedded import free_port
from worker.errors import InpainterUnavailable, first_error
from worker.report import Stopwatch


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.configure(json=True, secrets=("secret-key",), stream=stream)
    yield stream
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("job.done", status="완료", size=3)
    event = json.loads(stream.getvalue())
    assert (event["event"], event["status"], event["size"], event["level"]) == ("job.done", "완료", 3, "info")


def test_secrets_are_masked_wherever_they_stand(stream: io.StringIO) -> None:
    logger = structlog.get_logger("x")
    logger.info("secret-key", nested={"list": ["a secret-key b"]}, url="redis://user:pass@host/0?key=abc123")
    try:
        raise ValueError("secret-key in a trace, https://u:hunter2@host/")
    except ValueError:
        logger.exception("failed")
    text = stream.getvalue()
    assert not any(secret in text for secret in ("secret-key", "user:pass", "hunter2", "abc123"))
    assert "Traceback" in text
    assert json.loads(text.splitlines()[0])["url"] == "redis://***@host/0?key=***"


def test_a_log_line_says_its_job_and_stage(stream: io.StringIO) -> None:
    watch = Stopwatch()
    with structlog.contextvars.bound_contextvars(request_id="r1", image_id="i1"), watch("render"):
        structlog.get_logger("x").info("layout.shrunk")
    structlog.get_logger("x").info("later")
    inside, after = map(json.loads, stream.getvalue().splitlines())
    assert (inside["request_id"], inside["image_id"], inside["stage"]) == ("r1", "i1", "render")
    assert "stage" not in after


async def test_an_error_says_in_which_stage_it_was_raised() -> None:
    """Out of task groups too; the innermost stage counts."""
    watch = Stopwatch()

    async def fail() -> None:
        raise InpainterUnavailable("Triton: UNAVAILABLE")

    async def erase() -> None:
        with watch("erase"), watch("inpaint"):
            async with asyncio.TaskGroup() as tiles:
                for _ in range(2):
                    tiles.create_task(fail())

    with pytest.raises(BaseExceptionGroup) as raised:
        await erase()
    error = first_error(raised.value)
    assert isinstance(error, InpainterUnavailable)
    assert error.stage == "inpaint"
    assert InpainterUnavailable("later").stage is None


def test_what_is_less_urgent_is_not_written() -> None:
    stream = io.StringIO()
    log.configure(json=True, stream=stream, level=logging.WARNING)
    structlog.get_logger("x").info("onnx.models")
    structlog.get_logger("x").warning("settings.unknown")
    assert json.loads(stream.getvalue())["event"] == "settings.unknown"
    structlog.reset_defaults()


def test_what_a_library_says_is_json_without_secrets_too(stream: io.StringIO) -> None:
    """The real exporter, its collector away, a key in its address."""
    endpoint = f"http://user:hunter2@127.0.0.1:{free_port()}/v1/traces?key=abc123"
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=2)))
    with provider.get_tracer("x").start_as_current_span("secret-key"):
        pass
    provider.force_flush()
    provider.shutdown()
    logging.getLogger("library").error("a %s of a library", "secret-key")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    exported = [line for line in lines if line["logger"].startswith("opentelemetry.")]
    assert any("key=***" in line["event"] for line in exported), "it quotes its address"
    assert lines[-1]["event"] == "a *** of a library"
    assert {line["level"] for line in lines} <= {"warning", "error"}
    assert not any(secret in stream.getvalue() for secret in ("hunter2", "abc123", "secret-key"))


def test_a_librarys_error_brings_its_trace_and_its_job(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        try:
            raise ValueError("secret-key")
        except ValueError:
            logging.getLogger("library").exception("failed")
    logging.getLogger("library").info("of no interest")
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["logger"], line["request_id"], line["event"]) == ("library", "r1", "failed")
    assert line["exception"].endswith("ValueError: ***")


def test_a_second_configuration_takes_the_place_of_the_first(stream: io.StringIO) -> None:
    log.configure(json=False, stream=(later := io.StringIO()))
    logging.getLogger("library").warning("once")
    assert stream.getvalue() == ""
    assert later.getvalue().count("once") == 1
