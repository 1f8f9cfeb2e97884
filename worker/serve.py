"""What `run` and `check` do with the whole worker."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal

import structlog
from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from worker import log, tracing
from worker.bootstrap import open_service
from worker.bootstrap_checks import Part, parts
from worker.endings import slips, warn_of_slips
from worker.errors import WorkerError
from worker.health import Monitor, Readiness
from worker.redis_address import RedisAddress
from worker.settings import Settings

_log = structlog.get_logger(__name__)

#: Longer than any adapter waits for a first answer.
_CHECK_SECONDS = 15.0


async def serve() -> None:
    """Work on jobs until SIGTERM or SIGINT; a second one gives everything back at once.

    Raises:
        SettingsError: A setting is missing or malformed, or points to something that is not there.
    """
    log.configure(json=True)
    for hint in slips(with_env_file=True):
        _log.warning("settings.unknown", hint=hint)
    settings = Settings.from_environment()
    log.configure(json=True, secrets=_secrets(settings))
    stop, hurry = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, on_signal)
    if settings.service.otlp_endpoint is not None:
        tracing.configure()
    async with open_service(settings) as service:
        readiness = Readiness(service.dependencies, stop, lambda: service.consumer.breaker.problems)
        monitor = Monitor(readiness, service.backlog)
        async with monitor.listen(settings.service.metrics_host, settings.service.metrics_port):
            # With its first call an SDK builds what it put off, 25 ms at a stretch: not while jobs run.
            await readiness.problems()
            # What start built lives on; a full collection over it costs 90 ms, as likely as not on the loop.
            gc.collect()
            gc.freeze()
            queue = settings.queue
            _log.info("worker.started", queue=queue.processor_queue, concurrency=queue.concurrency)
            await service.consumer.run(stop, hurry)
    _log.info("worker.stopped")


async def check_everything(out: Console) -> bool:
    """Print one line for each thing the worker needs; whether all of them work.

    Raises:
        SettingsError: A setting is missing or malformed.
    """
    warn_of_slips(with_env_file=True)
    settings = Settings.from_environment()
    log.configure(json=False, secrets=_secrets(settings), level=logging.WARNING)
    needed = list(parts(settings))
    asked = [asyncio.create_task(_ask(part)) for part in needed]
    works = True
    for part, answer in zip(needed, asked, strict=True):
        fine, found = await answer
        works &= fine
        out.print(
            f"{'[green]ok[/]    ' if fine else '[red]failed[/]'}  {part.name}: {escape(found)}",
            soft_wrap=True,
        )
    return works


async def _ask(part: Part) -> tuple[bool, str]:
    try:
        return True, await part.check(_CHECK_SECONDS)
    except WorkerError as error:
        return False, error.message


def _secrets(settings: Settings) -> tuple[str, ...]:
    """Every secret value of the settings, for the log to mask."""
    groups = (getattr(settings, name) for name in type(settings).model_fields)
    values = (getattr(group, field) for group in groups for field in type(group).model_fields)
    found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    urls = filter(None, (settings.queue.redis_url, settings.translate.translation_memory_url))
    return (*found, *(secret for url in urls for secret in RedisAddress.parse(url).secrets))
