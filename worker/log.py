"""Structured logs: one JSON object a line, or plain text for people; never a secret."""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

#: user:password before the @ of any URL, and query values that are keys.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)|(?<=[?&]key=)[^&\s]+", re.IGNORECASE)


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
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            _Redactor(secrets),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


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
