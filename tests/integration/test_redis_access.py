"""Which Redis is accepted, with which rights, and over TLS."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.faults.proxy import Fault, Proxy
from tests.integration.queues import (
    OPTIONS,
    claim,
    cluster,
    job_of,
    open_queue,
)
from worker.adapters.redis_queue import RedisQueue
from worker.embedded import EmbeddedRedis
from worker.errors import AuthError, QueueUnavailable, SettingsError


async def test_a_cluster_is_refused() -> None:
    with cluster() as server:
        queue = open_queue(server.url, "a")
        with pytest.raises(SettingsError, match="REDIS_URL: Redis Cluster is not supported"):
            await queue.check()
        await queue.close()


async def test_an_old_redis_is_refused(distant: RedisQueue, proxy: Proxy) -> None:
    info = b"redis_version:6.0.16\r\nredis_mode:standalone\r\nuptime_in_seconds:9\r\n"
    proxy.inject(Fault("answer", b"INFO", reply=b"$%d\r\n%b\r\n" % (len(info), info), times=1))
    with pytest.raises(SettingsError, match=r"Redis 6\.0\.16 is too old"):
        await distant.check()


#: What the worker's user needs; docs/operations.md.
RIGHTS = ("+@read", "+@write", "+@blocking", "+@scripting", "+@connection", "+@transaction", "-@dangerous")


@asynccontextmanager
async def user(server: EmbeddedRedis, *rights: str) -> AsyncIterator[RedisQueue]:
    """A queue whose Redis user has these rights on the queue's keys and no others."""
    async with Redis.from_url(server.url) as client:
        await client.acl_setuser(
            "worker",
            enabled=True,
            reset=True,
            passwords=["+pass"],
            keys=["processor_tasks*", "hosting_tasks"],
            categories=[right for right in rights if "@" in right],
            commands=[right for right in rights if "@" not in right],
        )
        queue = open_queue(server.url.replace("//", "//worker:pass@"), "a")
        try:
            yield queue
        finally:
            await queue.close()
            await client.acl_deluser("worker")


async def test_a_user_with_few_rights_is_enough(
    redis_url: str, redis_server: EmbeddedRedis, client: Redis
) -> None:
    await client.rpush("processor_tasks", "one", "two", "three")
    async with user(redis_server, *RIGHTS, "+info", "+time") as queue:
        assert (await queue.check()).endswith("3 jobs waiting")
        one, two, three = await queue.fetch(3)
        assert await queue.renew() == frozenset()
        assert await queue.ack(one, b"result")
        assert await queue.retry(two, 0, "store_unavailable")
        assert await queue.release(three)
        assert await queue.reap() == 1
        assert len(await queue.fetch(1)) == 1


async def test_rights_that_are_missing_are_named(redis_url: str, redis_server: EmbeddedRedis) -> None:
    async with user(redis_server, "+@connection", "+@scripting") as queue:
        with pytest.raises(AuthError, match="info"):
            await queue.check()
        with pytest.raises(AuthError, match="REDIS_URL"):
            await queue.fetch(1)


async def test_a_wrong_password_is_an_auth_error_without_the_password(redis_url: str) -> None:
    queue = open_queue(redis_url.replace("//", "//worker:hunter2@"), "a")
    with pytest.raises(AuthError) as refused:
        await queue.fetch(1)
    assert "hunter2" not in refused.value.message
    await queue.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that only itself vouches for; the key is beside it."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=redis"]
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


@asynccontextmanager
async def tls_front(certificate: Path, port: int) -> AsyncIterator[int]:
    """TLS in front of a plain Redis, as stunnel does it: the packaged redis-server is built without TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(1 << 16):
                writer.write(piece)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, server), pump(behind, writer))

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with front:
        yield front.sockets[0].getsockname()[1]


async def test_rediss_is_encrypted_and_believes_only_its_authority(
    certificate: Path, redis_url: str, redis_server: EmbeddedRedis, client: Redis
) -> None:
    await client.rpush("processor_tasks", "one")
    async with tls_front(certificate, redis_server.port) as port:
        url = f"rediss://127.0.0.1:{port}/0"
        queue = RedisQueue(f"{url}?ssl_ca_certs={certificate}", OPTIONS, job_key=job_of)
        assert await queue.ack(await claim(queue), b"result")
        await queue.close()
        stranger = RedisQueue(url, OPTIONS, job_key=job_of)
        with pytest.raises(QueueUnavailable):
            await stranger.fetch(1)
        await stranger.close()
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result"]
