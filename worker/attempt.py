"""One claim, from its payload to the answer for it: ack, retry or dead-letter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from worker import metrics, schemas
from worker.breaker import Breaker
from worker.errors import AuthError, JobTimeout, Poisoned, TranslatorQuota, WorkerError
from worker.job import Failure, Job, Result
from worker.ports import Claim, JobQueue
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

    async def run(self, claim: Claim) -> Answer:
        """Run one job; returns how to answer for it."""
        if claim.recorded is not None:
            metrics.JOBS.labels("repeated").inc()
            return partial(self._queue.ack, claim, claim.recorded)
        with structlog.contextvars.bound_contextvars(**self._ids(claim)):
            try:
                if self._options.retry.is_poison(claim):
                    raise Poisoned(f"the worker died {claim.crashes} times with this job in hand")
                job = schemas.parse_job(claim.payload, self._options.default_language)
                return self._succeed(claim, await self._within_deadline(job))
            except WorkerError as error:
                return self._fail(claim, error)
            except Exception:
                # A bug of ours must end in a result too; the trace goes to the log, not to the outside.
                _log.exception("job.bug", claim=claim.id)
                return self._fail(claim, WorkerError("internal error, see the worker's log"))

    def _ids(self, claim: Claim) -> dict[str, str]:
        """What every log line of the job says, also of one that cannot be parsed."""
        identity = schemas.identify(claim.payload, self._options.default_language)
        if identity is None:
            return {}
        ids = {"request_id": identity.request_id, "image_id": identity.image_id}
        return {name: written[:_ID_LENGTH] for name, written in ids.items()}

    async def _within_deadline(self, job: Job) -> Result:
        seconds = self._options.job_deadline_seconds
        try:
            async with asyncio.timeout(seconds) as deadline:
                return await self._run_job(job)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise JobTimeout(f"the job took longer than {seconds:g} s") from None

    def _succeed(self, claim: Claim, result: Result) -> Answer:
        for dependency in self._breaker.succeeded():
            _log.info("dependency.back", dependency=dependency)
        timings = {stage: round(spent, 1) for stage, spent in result.timings_ms.items()}
        _log.info("job.done", status=result.status, timings_ms=timings)
        return partial(
            self._queue.ack, claim, schemas.dump_result(replace(result, attempts=claim.deliveries))
        )

    def _fail(self, claim: Claim, error: WorkerError) -> Answer:
        self._tell_breaker(error)
        delay = self._options.retry.delay(claim, error, random.random())
        if delay is not None:
            _log.warning("job.retry", claim=claim.id, code=error.code, error=error.message, delay=delay)
            metrics.RETRIES.labels(error.code).inc()
            return partial(self._queue.retry, claim, delay, error.code)
        failure = Failure(error.code, error.message)
        result = schemas.failed(claim.payload, self._options.default_language, failure, claim.deliveries)
        _log.error("job.failed", claim=claim.id, code=error.code, error=error.message)
        metrics.DEAD_LETTERS.labels(error.code).inc()
        metrics.JOBS.labels("failed").inc()
        return partial(
            self._queue.bury, claim, schemas.dump_result(result), schemas.dump_dead_letter(claim, result)
        )

    def _tell_breaker(self, error: WorkerError) -> None:
        refused = isinstance(error, AuthError)
        dependency = error.dependency or (_KEYS if refused else None)
        if dependency is None:
            return
        wait = getattr(error, "retry_after", None) or 0.0
        busy = isinstance(error, TranslatorQuota)
        pause = self._breaker.failed(dependency, error.message, refused=refused, busy=busy, wait=wait)
        if pause is not None:
            event = "dependency.refused" if refused else "dependency.down"
            _log.error(event, dependency=dependency, error=error.message, pause=pause)
