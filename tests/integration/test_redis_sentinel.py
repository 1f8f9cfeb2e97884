"""Redis behind Sentinels: a job before a failover, a job after it, and what is said meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any, TypeVar

import pytest
from redis import Redis, RedisError
from redis.asyncio import SSLConnection

from tests.integration.consumers import Bench, message, succeed
from tests.integration.queues import claim, open_queue
from worker.adapters.redis_backlog import RedisBacklog
from worker.adapters.redis_connect import connect
from worker.adapters.redis_memory import RedisMemory
from worker.adapters.redis_memory import connect as connect_memory
from worker.bootstrap_queue import open_dead_letters
from worker.embedded import EmbeddedRedis, find_redis_server, free_port
from worker.errors import AuthError, QueueUnavailable, SettingsError, WorkerError
from worker.job import Job, Result
from worker.submit import push

T = TypeVar("T")

SERVICE = "jobs"
PASSWORD = "hunter2"
#: Sentinel must see the master dead, elect and promote.
FAILOVER_SECONDS = 10.0


class GuardedRedis(EmbeddedRedis):
    """A Redis that asks for a password."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("--requirepass", PASSWORD, "--masterauth", PASSWORD, *arguments)

    def _is_ready(self) -> bool:
        try:
            return bool(self.replication())
        except RedisError:
            return False

    def replication(self) -> dict[str, object]:
        with Redis(port=self.port, password=PASSWORD, socket_timeout=1) as client:
            found: dict[str, object] = client.info("replication")
            return found


class EmbeddedSentinel(EmbeddedRedis):
    """A Sentinel that decides alone."""

    def __init__(self, master: EmbeddedRedis, *, password: str | None = None) -> None:
        super().__init__()
        self._master, self._password = master, password

    def _command(self, directory: Path) -> tuple[Sequence[str | Path], dict[str, str]]:
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self._master.port} 1",
            f"sentinel auth-pass {SERVICE} {PASSWORD}",
            f"sentinel down-after-milliseconds {SERVICE} 500",
            f"sentinel failover-timeout {SERVICE} 2000",
        ]
        if self._password:
            lines.append(f"requirepass {self._password}")
        (directory / "sentinel.conf").write_text("\n".join(lines))
        return [find_redis_server(), directory / "sentinel.conf", "--sentinel"], {}

    def _is_ready(self) -> bool:
        return self.accepts("PING")

    def master_port(self) -> int:
        with Redis(port=self.port) as client:
            return int(client.sentinel_get_master_addr_by_name(SERVICE)[1])

    def accepts(self, *words: str) -> bool:
        """Whether it says yes to a command, and has something to say."""
        with Redis(port=self.port, password=self._password) as client:
            try:
                return bool(client.execute_command(*words))
            except RedisError:
                return False


@dataclass(frozen=True, slots=True)
class Site:
    """One master, one replica, two Sentinels, the first of them not there."""

    master: GuardedRedis
    replica: GuardedRedis
    sentinel: EmbeddedSentinel

    def url(self, password: str = PASSWORD, service: str = SERVICE) -> str:
        hosts = f"127.0.0.1:{free_port()},127.0.0.1:{self.sentinel.port}"
        return f"redis+sentinel://:{password}@{hosts}/{service}/0"


@pytest.fixture
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        master = stack.enter_context(GuardedRedis())
        replica = stack.enter_context(GuardedRedis("--replicaof", "127.0.0.1", str(master.port)))
        wait_until(lambda: replica.replication()["master_link_status"] == "up")
        sentinel = stack.enter_context(EmbeddedSentinel(master))
        wait_until(lambda: sentinel.accepts("SENTINEL", "REPLICAS", SERVICE))
        yield Site(master, replica, sentinel)


def in_step(site: Site) -> bool:
    """Whether the replica has all that the master had."""
    return site.replica.replication()["master_repl_offset"] == site.master.replication()["master_repl_offset"]


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + FAILOVER_SECONDS
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat until Redis is back, as the consumer does."""
    deadline = time.monotonic() + FAILOVER_SECONDS
    while True:
        try:
            return await call()
        except (QueueUnavailable, RedisError):
            assert time.monotonic() < deadline, "Redis did not come back"
            await asyncio.sleep(0.05)


async def test_jobs_go_on_when_the_master_dies(site: Site) -> None:
    master_is_dead = asyncio.Event()

    async def run(job: Job) -> Result:
        if job.image_id == "in-hand":
            await master_is_dead.wait()
        return await succeed(job)

    async with connect(site.url(), timeout_seconds=5, blocking_seconds=10) as client:
        bench = Bench(site.url(), client)
        async with bench.consuming(run):
            await bench.push(message("before"), message("in-hand"))
            assert (await bench.result())["image_id"] == "before"
            wait_until(lambda: in_step(site))
            site.master.stop(SIGKILL)
            master_is_dead.set()
            await insist(lambda: bench.push(message("after")))
            assert {(await bench.result())["image_id"] for _ in range(2)} == {"in-hand", "after"}
        assert site.replica.replication()["role"] == "master"
        assert await bench.letters() == []
        await bench.assert_nothing_left()


async def test_a_master_that_was_demoted_is_left(site: Site) -> None:
    queue = open_queue(site.url(), "a")
    assert await queue.renew() == frozenset()
    wait_until(lambda: site.sentinel.accepts("SENTINEL", "FAILOVER", SERVICE))
    wait_until(lambda: site.sentinel.master_port() == site.replica.port)
    # As Sentinel does it some seconds later, but without closing the connections.
    with Redis(port=site.master.port, password=PASSWORD) as old:
        old.replicaof("127.0.0.1", site.replica.port)
    with pytest.raises(QueueUnavailable):
        await queue.renew()
    with Redis(port=site.replica.port, password=PASSWORD) as new:
        new.rpush("processor_tasks", "one")
    # Each of the queue's two clients has to learn it.
    assert (await insist(lambda: claim(queue))).payload == b"one"
    await queue.close()


async def test_everything_that_uses_redis_finds_the_master(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", site.url())
    assert await push({"request_id": "r"}) == ("processor_tasks", "hosting_tasks", 1)
    backlog = RedisBacklog(site.url(), "processor_tasks")
    assert (await backlog.sample()).waiting == 1
    await backlog.close()
    async with open_dead_letters() as letters:
        assert [letter async for letter in letters.walk()] == []
    async with connect_memory(site.url()) as client:
        memory = RedisMemory(client, 60)
        await memory.remember({"key": "번역"})
        assert await memory.recall(["key"]) == {"key": "번역"}


async def test_what_is_wrong_is_said(site: Site) -> None:
    await refuses(site.url(password="wrong"), AuthError, "REDIS_URL")
    await refuses(site.url(service="work"), QueueUnavailable, "none knows the service of REDIS_URL")
    await refuses(f"redis+sentinel://127.0.0.1:{free_port()}/jobs", QueueUnavailable, "none answers")
    await refuses(f"redis://127.0.0.1:{site.sentinel.port}/0", SettingsError, "this is a Sentinel")


async def test_a_sentinel_may_ask_for_a_password_of_its_own(site: Site) -> None:
    with EmbeddedSentinel(site.master, password="sesame") as guarded:
        url = f"redis+sentinel://:{PASSWORD}@127.0.0.1:{guarded.port}/{SERVICE}"
        await refuses(url, QueueUnavailable, r"\?sentinel_password=")
        queue = open_queue(f"{url}?sentinel_password=sesame", "a")
        assert "0 jobs waiting" in await queue.check()
        await queue.close()


async def refuses(url: str, error: type[WorkerError], words: str) -> None:
    queue = open_queue(url, "a")
    with pytest.raises(error, match=words) as refused:
        await queue.check()
    assert "wrong" not in refused.value.message
    await queue.close()


def test_tls_reaches_the_sentinels_too() -> None:
    client = connect("rediss+sentinel://h1,h2:1/jobs/3?ssl_ca_certs=ca.pem", timeout_seconds=5)
    pool: Any = client.connection_pool
    assert issubclass(pool.connection_class, SSLConnection)
    assert pool.connection_kwargs["db"] == 3
    for sentinel in pool.sentinel_manager.sentinels:
        assert issubclass(sentinel.connection_pool.connection_class, SSLConnection)
        assert sentinel.connection_pool.connection_kwargs["ssl_ca_certs"] == "ca.pem"


@pytest.mark.parametrize("option", ["socket_timeout=soon", "magic=1"])
@pytest.mark.parametrize("server", ["redis://h/0", "redis+sentinel://h/jobs/0"])
def test_a_wrong_option_is_found_at_once(server: str, option: str) -> None:
    with pytest.raises(SettingsError, match=f"REDIS_URL: .*{option.partition('=')[0]}"):
        connect(f"{server}?{option}", timeout_seconds=5)
