"""The operator's port: `/metrics`, `/healthz` (the event loop turns), `/readyz` (what is needed answers)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from worker import metrics
from worker.backlog import BacklogSource, HeadAge
from worker.breaker import Problem
from worker.errors import AuthError, QueueUnavailable, WorkerError
from worker.ports import Dependency

_log = structlog.get_logger(__name__)

#: A dependency that says nothing for so long is down; below the patience of a kubelet and of Prometheus.
_CHECK_SECONDS = 5.0


@dataclass(slots=True)
class _Standing:
    """What the last check of one dependency found."""

    problem: Problem | None
    checked_at: float


class Readiness:
    """Whether the worker can do its work, asked of the real dependencies.

    Args:
        dependencies: Each is asked again when its last answer is older than its `fresh_seconds`.
        stop: Set once the worker drains.
        pauses: Why no job is fetched just now, by dependency; `Breaker.problems`.
    """

    def __init__(
        self,
        dependencies: Sequence[Dependency],
        stop: asyncio.Event,
        pauses: Callable[[], Mapping[str, Problem]] = dict,
    ) -> None:
        self._dependencies = dependencies
        self._stop = stop
        self._pauses = pauses
        self._standing: dict[str, _Standing] = {}
        self._asking = asyncio.Lock()

    async def problems(self) -> dict[str, str]:
        """What is wrong, by dependency; empty when the worker is ready. Messages are public."""
        if self._stop.is_set():
            metrics.READY.set(0)
            return {"worker": "draining"}
        async with self._asking:
            await asyncio.gather(*(self._ask(dependency) for dependency in self._dependencies))
        checked = {name: standing.problem for name, standing in self._standing.items() if standing.problem}
        found = {**self._pauses(), **checked}
        metrics.READY.set(not found)
        metrics.KEY_REFUSED.clear()
        for name in found.keys() | self._standing.keys():
            metrics.KEY_REFUSED.labels(name).set(name in found and found[name].refused)
        return {name: problem.message for name, problem in found.items()}

    async def _ask(self, dependency: Dependency) -> None:
        last = self._standing.get(dependency.name)
        if last is not None and time.monotonic() - last.checked_at < dependency.fresh_seconds:
            return
        problem = None
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await dependency.probe.check()
        except WorkerError as error:
            problem = Problem(error.message, isinstance(error, AuthError))
        except TimeoutError:
            problem = Problem(f"no answer in {_CHECK_SECONDS:g} s")
        if problem is not None and (last is None or last.problem != problem):
            event = "dependency.refused" if problem.refused else "dependency.down"
            _log.warning(event, dependency=dependency.name, error=problem.message)
        self._standing[dependency.name] = _Standing(problem, time.monotonic())
        metrics.DEPENDENCY_UP.labels(dependency.name).set(problem is None)


class Monitor:
    """Answers on the operator's port. Reads only, and says nothing that is not public."""

    def __init__(self, readiness: Readiness, backlog: BacklogSource) -> None:
        self._readiness = readiness
        self._backlog = backlog
        self._head = HeadAge()

    @asynccontextmanager
    async def listen(self, host: str, port: int) -> AsyncIterator[None]:
        """Serve while the block runs; port 0: not at all.

        A port that is taken costs the metrics, not the jobs: two workers may share a machine.
        """
        if port == 0:
            yield
            return
        application = web.Application()
        application.router.add_get("/", self._index)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/healthz", self._alive)
        application.router.add_get("/readyz", self._ready)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                _log.error("metrics.not_served", host=host, port=port, error=error.strerror)
            yield
        finally:
            await runner.cleanup()

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text=f"operate-worker {metrics.release()}: /metrics /healthz /readyz\n")

    async def _alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        problems = await self._readiness.problems()
        return web.json_response(
            {"ready": not problems, "problems": problems}, status=503 if problems else 200
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        await asyncio.gather(self._readiness.problems(), self._count_queue())
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _count_queue(self) -> None:
        try:
            backlog = await self._backlog.sample()
        except QueueUnavailable:
            # The last numbers stand; that Redis is away is `operate_dependency_up`'s to say.
            return
        for state in ("waiting", "delayed", "claimed", "dead"):
            metrics.QUEUE_JOBS.labels(state).set(getattr(backlog, state))
        metrics.REDIS_MEMORY_BYTES.set(backlog.memory)
        metrics.REDIS_MEMORY_LIMIT_BYTES.set(backlog.memory_limit)
        age = self._head.update(time.monotonic(), backlog.waiting, backlog.taken)
        metrics.OLDEST_JOB_SECONDS.set(age)
