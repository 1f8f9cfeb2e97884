"""Real parts, started once for the whole run: Redis, tritonserver, an S3 API, a Gemini that runs here."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import redis
from aiohttp.test_utils import TestServer

from tests.gemini_server import GeminiServer
from worker.embedded import EmbeddedRedis, EmbeddedTriton, has_triton


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """An empty Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def triton() -> Iterator[EmbeddedTriton]:
    if not has_triton() and sys.version_info >= (3, 13):
        pytest.skip("tritonserver's Python backend needs numpy < 2, which Python 3.13 has not")
    with EmbeddedTriton() as server:
        yield server


@pytest.fixture
async def gemini() -> AsyncIterator[tuple[GeminiServer, str]]:
    """The server and its address."""
    server = GeminiServer()
    async with TestServer(server.application()) as listening:
        yield server, str(listening.make_url("/")).rstrip("/")
