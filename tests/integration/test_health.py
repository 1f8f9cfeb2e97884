"""The operator's port, over HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import redis
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from worker.adapters.redis_backlog import RedisBacklog
from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.breaker import Problem
from worker.embedded import EmbeddedRedis, EmbeddedTriton, free_port
from worker.errors import AuthError, SourceUnavailable, WorkerError
from worker.health import Monitor, Readiness
from worker.ports import Dependency


class FakeProbe:
    """A dependency that answers as told."""

    def __init__(self, problem: WorkerError | None = None) -> None:
        self.problem = problem
        self.asked = 0

    async def check(self) -> str:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return "fine"


class Port:
    """The operator's port of a worker that is not there."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session

    async def get(self, path: str) -> tuple[int, str]:
        async with self._session.get(f"{self._url}{path}") as reply:
            return reply.status, await reply.text()


@asynccontextmanager
async def listening(readiness: Readiness, redis_url: str = "redis://127.0.0.1:1/0") -> AsyncIterator[Port]:
    backlog, port = RedisBacklog(redis_url, "processor_tasks"), free_port()
    async with Monitor(readiness, backlog).listen("127.0.0.1", port), aiohttp.ClientSession() as session:
        yield Port(f"http://127.0.0.1:{port}", session)
    await backlog.close()


def samples(text: str) -> dict[tuple[str, str], float]:
    """By name and the value of the only label, '' for none."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_ready_means_that_all_dependencies_answer() -> None:
    good, bad = FakeProbe(), FakeProbe(AuthError("GEMINI_API_KEY: refused"))
    dependencies = [Dependency("redis", good, 0.0), Dependency("translator", bad, 0.0)]
    async with listening(Readiness(dependencies, asyncio.Event())) as port:
        status, body = await port.get("/readyz")
        assert status == 503
        assert "GEMINI_API_KEY: refused" in body
        assert await port.get("/healthz") == (200, "ok\n")
        bad.problem = None
        assert (await port.get("/readyz"))[0] == 200


async def test_the_bare_address_names_the_paths() -> None:
    async with listening(Readiness([], asyncio.Event())) as port:
        status, body = await port.get("/")
        assert status == 200
        for path in body.partition(":")[2].split():
            assert (await port.get(path))[0] == 200


async def test_a_draining_worker_is_alive_but_not_ready() -> None:
    stop = asyncio.Event()
    async with listening(Readiness([], stop)) as port:
        assert (await port.get("/readyz"))[0] == 200
        stop.set()
        assert (await port.get("/readyz"))[0] == 503
        assert (await port.get("/healthz"))[0] == 200


async def test_a_worker_that_fetches_nothing_is_not_ready() -> None:
    pauses = {"keys": Problem("GEMINI_API_KEY: refused")}
    async with listening(Readiness([], asyncio.Event(), lambda: pauses)) as port:
        assert (await port.get("/readyz"))[0] == 503
        pauses.clear()
        assert (await port.get("/readyz"))[0] == 200


async def test_metrics_say_whose_key_is_refused_until_it_is_changed() -> None:
    """Asked of the dependency itself, or seen by a job and then by the pause it caused."""
    pauses = {"store": Problem("R2_SECRET_ACCESS_KEY: refused", refused=True)}
    probe = FakeProbe(AuthError("REDIS_URL: WRONGPASS"))
    dependencies = [Dependency("redis", probe, 0.0), Dependency("inpainter", FakeProbe(), 0.0)]
    with capture_logs() as logs:
        async with listening(Readiness(dependencies, asyncio.Event(), lambda: pauses)) as port:
            for _ in range(2):
                found = samples((await port.get("/metrics"))[1])
                assert found["operate_key_refused", "redis"] == found["operate_key_refused", "store"] == 1
                assert found["operate_key_refused", "inpainter"] == 0
            probe.problem = SourceUnavailable("Redis: connection refused")
            pauses.clear()
            found = samples((await port.get("/metrics"))[1])
    assert found["operate_key_refused", "redis"] == 0, "away is not refused"
    assert ("operate_key_refused", "store") not in found
    told = [line["event"] for line in logs if line.get("dependency") == "redis"]
    assert told == ["dependency.refused", "dependency.down"]


async def test_answers_are_shared_while_they_are_fresh() -> None:
    probe = FakeProbe()
    async with listening(Readiness([Dependency("store", probe, 60.0)], asyncio.Event())) as port:
        await asyncio.gather(*(port.get("/readyz") for _ in range(5)))
    assert probe.asked == 1


async def test_metrics_count_the_queue(redis_url: str, redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.rpush("processor_tasks", "a", "b", "c")
        client.rpush("processor_tasks:dead", "x")
    probe = FakeProbe(WorkerError("down"))
    async with listening(Readiness([Dependency("redis", probe)], asyncio.Event()), redis_url) as port:
        status, text = await port.get("/metrics")
        assert status == 200
        found = samples(text)
        assert found["operate_queue_jobs", "waiting"] == 3
        assert found["operate_queue_jobs", "dead"] == 1
        assert found["operate_dependency_up", "redis"] == 0
        assert found["operate_ready", ""] == 0
        assert found["operate_loop_cpu_seconds_total", ""] > 0


async def test_metrics_say_how_full_redis_is(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        try:
            for limit in (0, 1 << 30):
                client.config_set("maxmemory", limit)
                client.set("filler", b"x" * (1 << 20))
                async with listening(Readiness([], asyncio.Event()), redis_url) as port:
                    found = samples((await port.get("/metrics"))[1])
                assert found["operate_redis_memory_limit_bytes", ""] == limit
                assert 1 << 20 < found["operate_redis_memory_bytes", ""] < 1 << 30
        finally:
            client.config_set("maxmemory", 0)


async def test_metrics_are_served_while_redis_is_away() -> None:
    async with listening(Readiness([], asyncio.Event())) as port:
        assert (await port.get("/metrics"))[0] == 200


async def test_a_port_that_is_taken_does_not_stop_the_worker() -> None:
    backlog = RedisBacklog("redis://127.0.0.1:1/0", "q")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with capture_logs() as logs:
            async with Monitor(Readiness([], asyncio.Event()), backlog).listen(
                "127.0.0.1", other.getsockname()[1]
            ):
                pass
    assert [entry["event"] for entry in logs] == ["metrics.not_served"]
    await backlog.close()


async def test_triton_is_ready_when_a_tile_goes_through(triton: EmbeddedTriton) -> None:
    inpainter = TritonInpainter(TritonOptions(triton.url))
    readiness = Readiness([Dependency("inpainter", inpainter, 0.0)], asyncio.Event())
    assert await readiness.problems() == {}
    await inpainter.close()
