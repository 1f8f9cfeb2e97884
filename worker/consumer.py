"""Claims jobs, runs many at once, and sees to it that each ends in exactly one result."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import structlog

from worker import metrics
from worker.attempt import Answer, AttemptOptions, Attempts, Ending, RunJob
from worker.breaker import Breaker
from worker.errors import AuthError, QueueUnavailable, WorkerError
from worker.ports import Check, Claim, JobQueue
from worker.stopping import end_tasks, sleep_unless, unless

_log = structlog.get_logger(__name__)

#: How long giving jobs back may take once the drain deadline has passed.
_RELEASE_SECONDS = 5.0
#: An outage of Redis is logged when it begins, then this often.
_REMIND_SECONDS = 30.0
_AWAY = (QueueUnavailable, AuthError)


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How many jobs at once, and how patient; all times in seconds."""

    concurrency: int
    lease_seconds: float
    reap_seconds: float
    drain_seconds: float
    attempt: AttemptOptions


class Consumer:
    """The worker's main loop.

    Args:
        queue: Where jobs come from.
        run_job: What is done with each.
        breaker: Pauses fetching while something that every job needs is down.
        checks: By dependency, what the breaker asks before it tries a job again.
    """

    def __init__(
        self,
        queue: JobQueue,
        run_job: RunJob,
        options: ConsumerOptions,
        *,
        breaker: Breaker | None = None,
        checks: Mapping[str, Check] | None = None,
    ) -> None:
        self.breaker = breaker or Breaker()
        self._queue = queue
        self._options = options
        self._checks = checks or {}
        self._attempts = Attempts(queue, run_job, self.breaker, options.attempt)
        self._claims: dict[str, Claim] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        #: Claims whose job is over and whose answer is on its way: not to be cancelled any more.
        self._settling: set[str] = set()
        #: Claims that went to another worker while their jobs still run here.
        self._lost: set[str] = set()
        #: Claims of jobs that are one crash short of poison; they run alone.
        self._suspects: set[str] = set()
        self._alone = asyncio.Lock()
        self._changed = asyncio.Event()
        self._draining = self._ended = False
        self._reminded_at = float("-inf")

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> None:
        """Work until `stop` is set, then finish what is in flight and give the rest back; at once on `hurry`.

        Raises:
            SettingsError: The queue is no place to work on.
        """
        await self._greet(stop)
        try:
            async with asyncio.TaskGroup() as group:
                keepers = [
                    group.create_task(self._keep_leases(), name="leases"),
                    group.create_task(self._keep_reaping(), name="reaper"),
                    group.create_task(self._wake_at(stop), name="stop"),
                ]
                try:
                    await self._keep_fetching(stop)
                    await self._drain(hurry or asyncio.Event())
                finally:
                    await end_tasks(keepers)
        finally:
            # What still runs is cancelled with the event loop, and its claims are given back by the queue.
            self._draining, self._ended = False, True

    async def _greet(self, stop: asyncio.Event) -> None:
        """Wait for Redis, and refuse one that is too old or a cluster."""
        while not stop.is_set():
            try:
                _log.info("queue.found", server=await self._queue.check())
                return
            except _AWAY as error:
                self._report(error)
                await sleep_unless(stop, 1.0)

    async def _keep_fetching(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not (limit := await self._room(stop)):
                continue
            try:
                claims = await self._queue.fetch(limit)
            except _AWAY as error:
                self._report(error)
                await sleep_unless(stop, 1.0)
                continue
            self._suspects.update(
                claim.id for claim in filter(self._options.attempt.retry.is_suspect, claims)
            )
            for claim in claims:
                self._start(claim)

    async def _room(self, stop: asyncio.Event) -> int:
        """How many jobs may be taken now; 0 after waiting for that to change."""
        free = self._options.concurrency - len(self._running)
        probing = bool(self.breaker.half_open())
        if free <= 0 or self._suspects or (probing and self._running):
            self._changed.clear()
            await self._changed.wait()
            return 0
        if pause := self.breaker.pause():
            await sleep_unless(stop, pause)
            return 0
        if not probing:
            return free
        return 1 if await unless(stop, self._ask_dependencies()) else 0

    async def _ask_dependencies(self) -> bool:
        """Whether those whose pause is over answer."""
        for dependency in self.breaker.to_ask():
            try:
                if (check := self._checks.get(dependency)) is not None:
                    await check.check()
            except WorkerError as error:
                self._attempts.blame(dependency, error)
                return False
            self.breaker.answered(dependency)
        return True

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._changed.set()

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._handle(claim), name=f"job-{claim.id}")
        self._claims[claim.id], self._running[claim.id] = claim, task
        task.add_done_callback(partial(self._forget, claim))

    def _forget(self, claim: Claim, task: asyncio.Task[None]) -> None:
        del self._claims[claim.id], self._running[claim.id]
        self._settling.discard(claim.id)
        self._lost.discard(claim.id)
        self._suspects.discard(claim.id)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("job.bug", **self._attempts.log_ids(claim), claim=claim.id, exc_info=error)

    async def _handle(self, claim: Claim) -> None:
        """Run one claim to its end: acked, retried, buried, released, or lost to another worker."""
        try:
            async with self._turn(claim):
                await self._settle(claim, await self._attempts.run(claim, partial(self._is_over, claim)))
        except asyncio.CancelledError:
            if not self._draining or claim.id in self._lost:
                raise
            await self._settle(claim, Ending(partial(self._queue.release, claim)))

    def _is_over(self, claim: Claim) -> bool:
        return self._draining or self._ended or claim.id in self._lost

    @asynccontextmanager
    async def _turn(self, claim: Claim) -> AsyncIterator[None]:
        """A suspect runs alone: the next crash must not convict its neighbours too."""
        async with self._alone if claim.id in self._suspects else nullcontext():
            while claim.id in self._suspects and (others := self._unsuspected()):
                await asyncio.wait(others)
            if claim.crashes:
                await self._insist(partial(self._queue.begin, claim))
            yield

    def _unsuspected(self) -> list[asyncio.Task[None]]:
        return [task for name, task in self._running.items() if name not in self._suspects]

    async def _settle(self, claim: Claim, ending: Ending) -> None:
        """Carry an answer to the queue; what is said of the job is true once that has taken it."""
        self._settling.add(claim.id)
        taken, repeated = await self._insist(ending.answer)
        if taken:
            ending.tell()
        elif repeated:
            # The answer of an earlier call was lost; or Redis was, with the job.
            _log.warning("job.unconfirmed", **self._attempts.log_ids(claim), claim=claim.id)
        else:
            self._report_lost(claim)

    def _report_lost(self, claim: Claim) -> None:
        _log.warning("claim.lost", **self._attempts.log_ids(claim), claim=claim.id)
        metrics.CLAIMS_LOST.inc()

    async def _insist(self, answer: Answer) -> tuple[bool, bool]:
        """Repeat a call while Redis is away: every script allows that.

        Returns:
            Whether the queue still knew the claim, and whether the call was repeated: then an earlier one may
            have gone through without an answer.
        """
        repeated = False
        while True:
            try:
                return await answer(), repeated
            except _AWAY as error:
                repeated = True
                self._report(error)
                await asyncio.sleep(0.5)

    async def _keep_leases(self) -> None:
        """Renew at a third of the lease. A blocked event loop stops this, and so gives its jobs away."""
        while True:
            try:
                for claim_id in await self._queue.renew():
                    if claim_id in self._running and claim_id not in self._settling:
                        self._report_lost(self._claims[claim_id])
                        self._lost.add(claim_id)
                        self._running[claim_id].cancel()
                self._reminded_at = float("-inf")
                await asyncio.sleep(self._options.lease_seconds / 3)
            except _AWAY as error:
                self._report(error)
                await asyncio.sleep(min(1.0, self._options.lease_seconds / 10))

    async def _keep_reaping(self) -> None:
        while True:
            try:
                await self._queue.reap()
            except _AWAY as error:
                self._report(error)
            # Jitter, so that the reapers of a fleet do not march in step.
            await asyncio.sleep(self._options.reap_seconds * random.uniform(0.8, 1.2))

    async def _drain(self, hurry: asyncio.Event) -> None:
        """Let running jobs finish until the deadline, then hand the rest back uncounted."""
        tasks = dict(self._running)
        if not tasks:
            return
        _log.info("drain.started", jobs=len(tasks))
        ends = [asyncio.create_task(asyncio.wait(tasks.values())), asyncio.create_task(hurry.wait())]
        await asyncio.wait(ends, timeout=self._options.drain_seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        self._draining = True
        late = {name: task for name, task in tasks.items() if not task.done()}
        for name, task in late.items():
            if name not in self._settling:
                task.cancel()
        if late:
            _log.warning("drain.released", jobs=len(late))
            await asyncio.wait(late.values(), timeout=_RELEASE_SECONDS)

    def _report(self, error: WorkerError) -> None:
        """Say that Redis is away, now and then."""
        if time.monotonic() - self._reminded_at > _REMIND_SECONDS:
            self._reminded_at = time.monotonic()
            _log.error("queue.unavailable", code=error.code, error=error.message)
