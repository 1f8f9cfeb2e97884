"""Structured logs: one JSON object a line, or plain text for people; never a secret.

What libraries say through `logging` takes the same way.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

#: Name of our handler at the root of `logging`.
_LIBRARIES = "libraries"
#: user:password before the @ of any URL, and query values that are keys.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)|(?<=[?&]key=)[^&\s]+", re.IGNORECASE)

#: Job, level, time and trace of an event.
_DESCRIBED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.format_exc_info,
)


def configure(
    *,
    json: bool,
    secrets: tuple[str, ...] = (),
    stream: TextIO | None = None,
    level: int = logging.INFO,
) -> None:
    """Set up logging for the process.

    Args:
        json: One JSON object a line; else text for a terminal.
        secrets: Values that are masked wherever they appear.
        stream: Where to write, stderr by default.
        level: What is less urgent is not written.
    """
    stream = stream or sys.stderr
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    redactor = _Redactor(secrets)
    structlog.configure(
        processors=[*_DESCRIBED, redactor, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # A line is one write: libraries write to the stream from threads of their own.
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _take_in_libraries(stream, redactor, renderer)


def _take_in_libraries(
    stream: TextIO, redactor: structlog.typing.Processor, renderer: structlog.typing.Processor
) -> None:
    """Write what libraries warn of, in place of what an earlier call set up for them."""
    handler = logging.StreamHandler(stream)
    handler.set_name(_LIBRARIES)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_DESCRIBED],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redactor, renderer],
        )
    )
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if known.get_name() == _LIBRARIES]:
        root.removeHandler(earlier)
    root.addHandler(handler)


class _Redactor:
    """Masks the process's own secrets, and credentials in URLs, in every string of an event."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self._mask(value) for key, value in event.items()}

    def _mask(self, value: object) -> object:
        if isinstance(value, dict):
            return {key: self._mask(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [self._mask(entry) for entry in value]
        if not isinstance(value, str):
            return value
        for secret in self._secrets:
            value = value.replace(secret, "***")
        return _CREDENTIALS.sub("***", value)
