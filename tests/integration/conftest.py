"""Queues on the session's Redis."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.faults.proxy import Proxy
from tests.integration.consumers import Bench
from tests.integration.queues import Connect, claim, open_queue
from worker.adapters.redis_queue import RedisQueue
from worker.embedded import EmbeddedRedis


@pytest.fixture
async def connect(redis_url: str) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def connect(worker: str) -> RedisQueue:
            queue = open_queue(redis_url, worker)
            stack.push_async_callback(queue.close)
            return queue

        yield connect


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def bench(redis_url: str) -> AsyncIterator[Bench]:
    async with Redis.from_url(redis_url) as client:
        yield Bench(redis_url, client)


@pytest.fixture
def proxy(redis_server: EmbeddedRedis) -> Iterator[Proxy]:
    with Proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
async def distant(redis_url: str, proxy: Proxy) -> AsyncIterator[RedisQueue]:
    """A queue behind the proxy, its scripts known to Redis."""
    queue = open_queue(f"redis://{proxy.address}/0", "distant")
    async with Redis.from_url(redis_url) as client:
        await client.rpush("processor_tasks", "warm", "warm")
        await queue.retry(await claim(queue), 0, "x")
        await queue.reap()
        await queue.ack(await claim(queue), b"")
        await queue.reap()
        assert await queue.reap() == 0
        await client.flushdb()
    yield queue
    await queue.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that only itself vouches for; the key is beside it."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    command += [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(path.with_suffix(".key")),
        "-out",
        str(path),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return path
