"""Which Redis is accepted, with which rights, and over TLS."""

from __future__ import annotations

import asyncio
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
from tests.integration.tls import tls_front
from worker import metrics
from worker.adapters.redis_queue import RedisQueue
from worker.embedded import EmbeddedRedis, free_port
from worker.errors import AuthError, QueueUnavailable, SettingsError
from worker.health import Readiness
from worker.ports import Dependency


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
    # For a lease's time after a server's start nobody reaps.
    uptime = (await client.info("server"))["uptime_in_seconds"]
    await asyncio.sleep(max(0, OPTIONS.lease_seconds + 1 - uptime))
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


@pytest.mark.parametrize("rights", [("+@read",), ("+@read", "+@scripting")], ids=["no scripts", "no writes"])
async def test_a_user_who_may_only_read_is_refused_from_the_start(
    redis_url: str, redis_server: EmbeddedRedis, rights: tuple[str, ...]
) -> None:
    """Readiness, and the metric of refused keys, go by the check."""
    async with user(redis_server, *rights, "+@connection", "+info", "+time") as queue:
        readiness = Readiness([Dependency("redis", queue)], asyncio.Event())
        assert (await readiness.problems())["redis"].startswith("REDIS_URL ")
        assert metrics.REGISTRY.get_sample_value("operate_key_refused", {"dependency": "redis"}) == 1


async def test_who_only_checks_takes_no_workers_share(redis_url: str, client: Redis) -> None:
    queue = open_queue(redis_url, "a")
    await queue.check()
    await queue.close()
    (now, _) = await client.time()
    assert await client.zcount("processor_tasks:workers", now + 1, "+inf") == 0
    assert await client.exists("processor_tasks:lease", "processor_tasks:claims") == 0


async def test_a_wrong_password_is_an_auth_error_without_the_password(redis_url: str) -> None:
    queue = open_queue(redis_url.replace("//", "//worker:hunter2@"), "a")
    with pytest.raises(AuthError) as refused:
        await queue.fetch(1)
    assert "hunter2" not in refused.value.message
    await queue.close()


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
        with pytest.raises(QueueUnavailable, match="its certificate is not trusted"):
            await stranger.fetch(1)
        await stranger.close()
    assert await client.lrange("hosting_tasks", 0, -1) == [b"result"]


async def why(url: str) -> str:
    """What the worker says of a Redis that it cannot work with."""
    queue = open_queue(url, "a")
    with pytest.raises((QueueUnavailable, AuthError)) as refused:
        await queue.check()
    await queue.close()
    assert "hunter2" not in refused.value.message
    return refused.value.message


async def test_why_redis_is_away_is_said(redis_server: EmbeddedRedis) -> None:
    assert await why("redis://:hunter2@nosuchhost.invalid") == (
        "REDIS_URL nosuchhost.invalid:6379: the name is not found"
    )
    assert (await why(f"redis://:hunter2@127.0.0.1:{free_port()}")).endswith("the connection is refused")
    impatient = f"rediss://:hunter2@127.0.0.1:{redis_server.port}?socket_connect_timeout=0.3"
    assert (await why(impatient)).endswith(
        "no answer in time, as where a port without TLS is given as rediss://"
    )


async def test_a_port_that_wants_tls_is_named(certificate: Path, redis_server: EmbeddedRedis) -> None:
    async with tls_front(certificate, redis_server.port) as port:
        said = await why(f"redis://:hunter2@127.0.0.1:{port}")
    assert said.endswith("the connection was closed, as where a port with TLS is given as redis://")


async def test_a_password_that_redis_asks_for_since_today_is_named() -> None:
    with EmbeddedRedis() as server:
        async with Redis.from_url(server.url) as client:
            await client.config_set("requirepass", "hunter2")
        assert (await why(server.url)).endswith(": a password is required")
        assert "invalid username-password pair" in await why(server.url.replace("//", "//:hunter22@"))
