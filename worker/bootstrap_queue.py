"""The queue's part of the composition root: light, for the commands that only talk to Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worker.adapters.dead_letters import DeadLetters
from worker.adapters.redis_server import RedisServer
from worker.settings import QueueSettings, read_group


@asynccontextmanager
async def open_dead_letters() -> AsyncIterator[DeadLetters]:
    """The dead-letter list; of the settings it needs only those of the queue."""
    settings = read_group(QueueSettings)
    letters = DeadLetters(settings.redis_url, settings.processor_queue)
    try:
        yield letters
    finally:
        await letters.close()


@asynccontextmanager
async def open_server(settings: QueueSettings) -> AsyncIterator[RedisServer]:
    """Plain commands, for a producer."""
    server = RedisServer(settings.redis_url)
    try:
        yield server
    finally:
        await server.close()
