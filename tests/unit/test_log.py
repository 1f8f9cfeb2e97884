from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from worker import log
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
