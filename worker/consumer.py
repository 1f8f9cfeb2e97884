"""Claims jobs, runs the pipeline on many at once, and sees to it that each ends in exactly one result."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog

from worker import schemas
from worker.errors import (
    AuthError,
    JobTimeout,
    Poisoned,
    QueueUnavailable,
    SourceUnavailable,
    WorkerError,
)
from worker.job import Failure, Job, Result
from worker.ports import Claim, JobQueue

_log = structlog.get_logger(__name__)

#: Runs one job; `pipeline.Pipeline.run`.
RunJob = Callable[[Job], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How many jobs at once, and how patient; all times in seconds."""

    concurrency: int
    lease_seconds: float
    reap_seconds: float
    job_max_age_seconds: float
    job_deadline_seconds: float
    drain_seconds: float
    default_language: str
    #: A job that took its worker down this often is poison.
    max_crashes: int = 3
    #: The picture's host is the job's affair, not ours: it gets this many deliveries.
    max_source_attempts: int = 3
    retry_base_seconds: float = 2.0
    retry_cap_seconds: float = 300.0


class Consumer:
    """The worker's main loop.

    Args:
        queue: Where jobs come from.
        run_job: What is done with each.
    """

    def __init__(self, queue: JobQueue, run_job: RunJob, options: ConsumerOptions) -> None:
        self._queue = queue
        self._run_job = run_job
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._draining = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what is in flight and give the rest back."""
        keepers = [
            asyncio.create_task(self._keep_leases(), name="leases"),
            asyncio.create_task(self._keep_reaping(), name="reaper"),
        ]
        try:
            await self._keep_fetching(stop)
            await self._drain()
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep_fetching(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not await self._take_slot(stop):
                return
            try:
                claim = await self._queue.fetch()
            except (QueueUnavailable, AuthError) as error:
                _log.error("queue.unavailable", code=error.code, error=error.message)
                claim = None
                await _sleep_unless(stop, 1.0)
            if claim is None:
                self._slots.release()
            else:
                self._start(claim)

    async def _take_slot(self, stop: asyncio.Event) -> bool:
        """Wait for a free slot; False if `stop` came first."""
        if not self._slots.locked():
            return await self._slots.acquire()
        waiters = {asyncio.ensure_future(self._slots.acquire()), asyncio.ensure_future(stop.wait())}
        _, pending = await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        for waiter in pending:
            waiter.cancel()
        return not stop.is_set()

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._handle(claim), name=f"job-{claim.id}")
        self._running[claim.id] = task
        task.add_done_callback(lambda _: self._ended(claim))

    def _ended(self, claim: Claim) -> None:
        del self._running[claim.id]
        self._slots.release()

    async def _handle(self, claim: Claim) -> None:
        """Run one claim to its end: acked, retried, buried, released, or lost to another worker."""
        try:
            answer = await self._attempt(claim)
        except asyncio.CancelledError:
            if self._draining:
                await asyncio.shield(self._settle(lambda: self._queue.release(claim)))
            raise
        await self._settle(answer)

    async def _attempt(self, claim: Claim) -> Callable[[], Awaitable[bool]]:
        """Run the job; returns how to answer for it."""
        if claim.recorded is not None:
            recorded = claim.recorded
            return lambda: self._queue.ack(claim, recorded)
        try:
            if claim.crashes >= self._options.max_crashes:
                raise Poisoned(f"the worker died {claim.crashes} times with this job in hand")
            job = schemas.parse_job(claim.payload, self._options.default_language)
            with structlog.contextvars.bound_contextvars(request_id=job.request_id, image_id=job.image_id):
                result = await self._within_deadline(job)
        except WorkerError as error:
            return self._answer_error(claim, error)
        except Exception:
            # A bug of ours must end in a result too; the trace goes to the log, not to the outside.
            _log.exception("job.bug", claim=claim.id)
            return self._answer_error(claim, WorkerError("internal error, see the worker's log"))
        message = schemas.dump_result(replace(result, attempts=claim.deliveries))
        _log.info("job.done", status=result.status, timings_ms=result.timings_ms)
        return lambda: self._queue.ack(claim, message)

    async def _within_deadline(self, job: Job) -> Result:
        seconds = self._options.job_deadline_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._run_job(job)
        except TimeoutError:
            raise JobTimeout(f"the job took longer than {seconds:g} s") from None

    def _answer_error(self, claim: Claim, error: WorkerError) -> Callable[[], Awaitable[bool]]:
        language = self._options.default_language
        if self._may_retry(claim, error):
            delay = self._delay(claim, error)
            _log.warning("job.retry", claim=claim.id, code=error.code, error=error.message, delay=delay)
            return lambda: self._queue.retry(claim, delay, f"{error.code}: {error.message}")
        failure = Failure(error.code, error.message)
        result = schemas.failed(claim.payload, language, failure, claim.deliveries)
        envelope = schemas.dump_dead_letter(claim.payload, result, reason=error.code)
        _log.error("job.failed", claim=claim.id, code=error.code, error=error.message)
        return lambda: self._queue.bury(claim, schemas.dump_result(result), envelope)

    def _may_retry(self, claim: Claim, error: WorkerError) -> bool:
        if not error.retryable or claim.age > self._options.job_max_age_seconds:
            return False
        if isinstance(error, SourceUnavailable | JobTimeout):
            return claim.deliveries < self._options.max_source_attempts
        return True

    def _delay(self, claim: Claim, error: WorkerError) -> float:
        """Full jitter: anywhere up to a bound that doubles with each delivery."""
        asked = getattr(error, "retry_after", None) or 0.0
        bound = self._options.retry_base_seconds * 2 ** min(claim.deliveries - 1, 16)
        return float(asked + random.uniform(0, min(bound, self._options.retry_cap_seconds)))

    async def _settle(self, answer: Callable[[], Awaitable[bool]]) -> None:
        """Carry an answer to the queue, repeating it while Redis is away: every script allows that."""
        while True:
            try:
                if not await answer():
                    _log.warning("claim.lost")
                return
            except (QueueUnavailable, AuthError) as error:
                _log.error("queue.unavailable", code=error.code, error=error.message)
                await asyncio.sleep(0.5)

    async def _keep_leases(self) -> None:
        """Renew at a third of the lease. A blocked event loop stops this, and so gives its jobs away."""
        while True:
            try:
                for claim_id in await self._queue.renew():
                    if (task := self._running.get(claim_id)) is not None:
                        _log.warning("claim.lost", claim=claim_id)
                        task.cancel()
                await asyncio.sleep(self._options.lease_seconds / 3)
            except (QueueUnavailable, AuthError):
                await asyncio.sleep(min(1.0, self._options.lease_seconds / 10))

    async def _keep_reaping(self) -> None:
        while True:
            try:
                await self._queue.reap()
            except (QueueUnavailable, AuthError) as error:
                _log.error("queue.unavailable", code=error.code, error=error.message)
            # Jitter, so that the reapers of a fleet do not march in step.
            await asyncio.sleep(self._options.reap_seconds * random.uniform(0.8, 1.2))

    async def _drain(self) -> None:
        """Let running jobs finish until the deadline, then hand the rest back uncounted."""
        tasks = set(self._running.values())
        if not tasks:
            return
        _log.info("drain.started", jobs=len(tasks))
        _, late = await asyncio.wait(tasks, timeout=self._options.drain_seconds)
        self._draining = True
        for task in late:
            task.cancel()
        if late:
            _log.warning("drain.released", jobs=len(late))
            await asyncio.wait(late, timeout=_RELEASE_SECONDS)


#: How long giving jobs back may take once the drain deadline has passed.
_RELEASE_SECONDS = 5.0


async def _sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
