"""One claim, from its payload to the answer for it: ack, retry or dead-letter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import structlog

from worker import charges, metrics, schemas
from worker.breaker import Breaker
from worker.errors import AuthError, JobTimeout, Poisoned, TranslatorQuota, WorkerError
from worker.job import FREE, Failure, Job, JobIdentity, Result, Usage
from worker.off_loop import LARGE_PAYLOAD, MANY_BLOCKS, off_loop
from worker.ports import Claim, JobQueue
from worker.report import cut_off_stages
from worker.retry_policy import RetryPolicy

_log = structlog.get_logger(__name__)

#: Runs one job; `pipeline.Pipeline.run`.
RunJob = Callable[[Job], Awaitable[Result]]
#: Tells the queue how a claim ended; may be repeated until it goes through.
Answer = Callable[[], Awaitable[bool]]

#: The circuit of keys that were refused, where the error does not say whose they are.
_KEYS = "keys"
#: Ids of jobs that parse are no longer than this; those of others are cut for the log.
_ID_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Ending:
    """How a claim ends: what the queue is told, and what is said of it once the queue has taken that."""

    answer: Answer
    tell: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class AttemptOptions:
    """What holds for every try."""

    job_deadline_seconds: float
    default_language: str
    retry: RetryPolicy


class Attempts:
    """Runs claims. It decides what becomes of each; the caller carries the answer to the queue."""

    def __init__(self, queue: JobQueue, run_job: RunJob, breaker: Breaker, options: AttemptOptions) -> None:
        self._queue = queue
        self._run_job = run_job
        self._breaker = breaker
        self._options = options

    async def run(self, claim: Claim, is_over: Callable[[], bool]) -> Ending:
        """Run one job; returns how it ends.

        Args:
            claim: The job.
            is_over: Whether the job is no longer this worker's to answer for: it is cancelled, by a drain or
                since the claim was lost.

        Raises:
            asyncio.CancelledError: It was over before the job came through.
        """
        if claim.recorded is not None:
            ids = await off_loop(_is_large(claim), self.log_ids, claim)
            metrics.JOBS.labels("repeated").inc()
            tell = _later(_log.info, "job.repeated", claim=claim.id, **ids)
            return Ending(partial(self._queue.ack, claim, claim.recorded), tell)
        with ExitStack() as bound:
            charged = bound.enter_context(charges.collected())
            try:
                job = await off_loop(_is_large(claim), self._read, claim)
                ids = {"request_id": job.request_id, "image_id": job.image_id}
                bound.enter_context(structlog.contextvars.bound_contextvars(**ids))
                return await self._succeed(claim, await self._within_deadline(job))
            except (Exception, asyncio.CancelledError) as error:
                if is_over():
                    # What a cancel cuts off need not say so.
                    raise asyncio.CancelledError from error
                spent = sum(charged, claim.spent)
                if isinstance(error, WorkerError):
                    return await self._fail(claim, error, spent)
                # A bug of ours must end in a result too; the trace goes to the log, not to the outside.
                _log.exception("job.bug", claim=claim.id)
                return await self._fail(claim, WorkerError("internal error, see the worker's log"), spent)

    def log_ids(self, claim: Claim) -> dict[str, str]:
        """What the log says of a job, as far as it can be read."""
        if not claim.readable:
            return {}
        return _log_ids(schemas.identify(claim.payload, self._options.default_language))

    def _read(self, claim: Claim) -> Job:
        if not claim.readable:
            raise Poisoned("workers died while they read this job")
        if self._options.retry.is_poison(claim):
            raise Poisoned(f"the worker died {claim.crashes} times with this job in hand")
        return schemas.parse_job(claim.payload, self._options.default_language)

    async def _within_deadline(self, job: Job) -> Result:
        seconds = self._options.job_deadline_seconds
        with cut_off_stages() as cut_off:
            try:
                async with asyncio.timeout(seconds) as deadline:
                    return await self._run_job(job)
            except Exception:
                # What the deadline cuts off need not say so.
                if not deadline.expired():
                    raise
                late = JobTimeout(f"the job took longer than {seconds:g} s")
                # Of those side by side, the one that was longest at it.
                late.stage = min(cut_off)[1] if cut_off else None
                raise late from None

    async def _succeed(self, claim: Claim, result: Result) -> Ending:
        spent = claim.spent + (result.usage or FREE)
        usage = None if result.usage is None and spent == FREE else spent
        final = replace(result, attempts=claim.deliveries, usage=usage)
        message = await off_loop(len(final.blocks) >= MANY_BLOCKS, schemas.dump_result, final)
        for dependency in self._breaker.succeeded():
            _log.info("dependency.back", dependency=dependency)
        timings = {stage: round(spent, 1) for stage, spent in result.timings_ms.items()}
        tell = _later(_log.info, "job.done", status=result.status, timings_ms=timings)
        return Ending(partial(self._queue.ack, claim, message), tell)

    async def _fail(self, claim: Claim, error: WorkerError, spent: Usage) -> Ending:
        if dependency := error.dependency or (_KEYS if isinstance(error, AuthError) else None):
            self.blame(dependency, error)
        delay = self._options.retry.delay(claim, error, random.random())
        told = {"claim": claim.id, "stage": error.stage, "code": error.code, "error": error.message}
        if delay is not None:
            metrics.RETRIES.labels(error.code).inc()
            tell = _later(_log.warning, "job.retry", **told, delay=delay)
            return Ending(partial(self._queue.retry, claim, delay, error.code, spent), tell)
        failure = Failure(error.code, error.message)
        result, message, envelope = await off_loop(_is_large(claim), self._dead_letter, claim, failure, spent)
        metrics.DEAD_LETTERS.labels(error.code).inc()
        metrics.JOBS.labels("failed").inc()
        tell = _later(_log.error, "job.failed", **_log_ids(result), **told)
        return Ending(partial(self._queue.bury, claim, message, envelope), tell)

    def _dead_letter(self, claim: Claim, failure: Failure, spent: Usage) -> tuple[Result, bytes, bytes]:
        """The result of a job that failed, as it is and as a message, and its dead letter."""
        legible = claim.payload if claim.readable else b""
        result = schemas.failed(legible, self._options.default_language, failure, claim.deliveries)
        result = replace(result, usage=spent if spent != FREE else None)
        return result, schemas.dump_result(result), schemas.dump_dead_letter(claim, result)

    def blame(self, dependency: str, error: WorkerError) -> None:
        """Tell the breaker, and the log, that a dependency failed."""
        refused, busy = isinstance(error, AuthError), isinstance(error, TranslatorQuota)
        wait = getattr(error, "retry_after", None) or 0.0
        pause = self._breaker.failed(dependency, error.message, refused=refused, busy=busy, wait=wait)
        if pause is not None:
            event = "dependency.refused" if refused else "dependency.down"
            _log.error(event, dependency=dependency, error=error.message, pause=pause)


def _later(say: Callable[..., None], event: str, **facts: object) -> Callable[[], None]:
    """A line that still names its job when the job's context has ended."""
    return partial(say, event, **{**structlog.contextvars.get_contextvars(), **facts})


def _is_large(claim: Claim) -> bool:
    return len(claim.payload) >= LARGE_PAYLOAD


def _log_ids(named: JobIdentity | Result | None) -> dict[str, str]:
    """Request and image, cut and escaped where they are none of a job that parses."""
    ids = {"request_id": named.request_id, "image_id": named.image_id} if named is not None else {}
    return {
        name: written[:_ID_LENGTH].encode(errors="backslashreplace").decode()
        for name, written in ids.items()
        if written is not None
    }
