"""The job queue on plain Redis lists: nothing popped is ever only in a worker's memory.

Keys, all under the processor list's name as prefix (`processor_tasks:…`):
    inbox:<worker>   list        jobs moved by BLMOVE, not yet claimed
    workers          sorted set  worker → deadline of its heartbeat
    claims           hash        claim id → raw payload
    lease            sorted set  claim id → deadline
    jobs             hash        claim id → job, once the worker has read the payload
    unread           hash        SHA-1 of a payload → how often a worker died before it had read it
    delayed          sorted set  claim id + payload → when to try again
    meta:<job>       hash        holder, waiting (claim ids), deliveries, crashes, failed:<code>, spent, first
    done:<job>       string      the result, zlib-compressed, expiring; a failure ends in its payload's SHA-1
    dead             list        envelopes of jobs that failed (see dead_letters.py)
    taken            string      how many jobs were ever taken off the queue

All deadlines are by Redis TIME, never by a worker's clock. Every transition is one Lua script, fenced by the
claim id, and safe to repeat.
"""

from __future__ import annotations

import time
import uuid
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from worker.adapters.queue_claims import Taken, dump_spent, read_claim, read_taken
from worker.adapters.redis_server import RedisServer
from worker.errors import AuthError, QueueUnavailable
from worker.job import FREE, Usage
from worker.off_loop import LARGE_PAYLOAD, off_loop
from worker.ports import Claim

T = TypeVar("T")

_log = structlog.get_logger(__name__)

#: BLMOVE waits this long; it is never cancelled, so a stop takes up to as long.
_BLOCK_SECONDS = 1
#: A worker silent for longer than this cannot come back (see reap.lua).
_FORGET_WORKER_SECONDS = 3600
#: What is known of an unfinished job outlives any time that it may wait in the queue.
_REMEMBER_SECONDS = 7 * 86400
#: A job pushed again while it runs is looked at this often.
_TWIN_SECONDS = 1.0
#: reap.lua moves this many of each kind in one call.
_REAP_BATCH = 100
#: Results are small and repetitive: more effort buys little.
_ZLIB_LEVEL = 1


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Names and times of the queue; see docs/operations.md."""

    processor_queue: str
    hosting_queue: str
    lease_seconds: float
    result_ttl_seconds: int
    #: For how long a job that is not finished is tried again, in seconds.
    job_max_age_seconds: float


class RedisQueue:
    """`JobQueue` for one worker process.

    Args:
        url: See `RedisAddress`.
        job_key: Names the job of a payload; equal for two submissions of the same job.
        worker_id: Unique among live workers; random by default.
    """

    def __init__(
        self,
        url: str,
        options: QueueOptions,
        *,
        job_key: Callable[[bytes], str],
        worker_id: str | None = None,
    ) -> None:
        self._options = options
        self._job_key = job_key
        self._worker = worker_id or uuid.uuid4().hex[:16]
        self._server = RedisServer(url)
        self._doorbell = RedisServer(url, blocking_seconds=_BLOCK_SECONDS)
        self._inbox = self._key("inbox", self._worker)
        self._meta, self._done = self._key("meta", ""), self._key("done", "")
        self._remember = int(max(_REMEMBER_SECONDS, 2 * options.job_max_age_seconds))
        self._claims = 0
        #: Claim ids that claim.lua was called with and whose reply has not come.
        self._asked: list[str] = []
        self._unidentified: dict[str, Taken] = {}
        #: Claim id → job, '' until it is known.
        self._held: dict[str, str] = {}
        self._finishing: set[str] = set()
        self._lost: set[str] = set()
        self._renewed_at = float("-inf")
        self._reap_from = float("-inf")

    def _key(self, *parts: str) -> str:
        return ":".join((self._options.processor_queue, *parts))

    async def check(self) -> str:
        """Redis answers, is new enough and no cluster, and lets this worker run a script that writes."""
        line, uptime = await self._guard(self._server.inspect())
        await self._beat()
        # A server that has just come back: whoever lives has not renewed yet.
        grace = self._options.lease_seconds - uptime
        self._reap_from = max(self._reap_from, time.monotonic() + grace)
        count = self._server.client.llen(self._options.processor_queue)
        waiting = await self._guard(self._server.call(count))
        return f"{line}, {waiting} jobs waiting"

    async def fetch(self, limit: int) -> list[Claim]:
        """Claim up to `limit` jobs, as many as there are; waits about a second for the first.

        BLMOVE's reply is only a doorbell: one that gets lost leaves the job in the inbox for the next call.
        """
        if not self._known_alive():
            # A worker must be known to the reaper before anything can lie in its inbox.
            await self._beat()
        if not self._unidentified and not await self._take(limit):
            queue, inbox = self._options.processor_queue, self._inbox
            command = self._doorbell.client.blmove(
                queue, inbox, timeout=_BLOCK_SECONDS, src="LEFT", dest="RIGHT"
            )
            if await self._guard(self._doorbell.call(command)) is None:
                return []
            await self._take(limit)
        return await self._identify()

    async def _take(self, limit: int) -> bool:
        """Let claim.lua take jobs; after a lost reply it is asked with the same claim ids again."""
        before = len(self._asked)
        for _ in range(limit - before):
            self._claims += 1
            self._asked.append(f"{self._worker}-{self._claims}")
        names = ("claims", "lease", "workers", "taken", "unread")
        reply = await self._run(
            "claim",
            [self._options.processor_queue, self._inbox, *(self._key(name) for name in names)],
            [self._worker, self._options.lease_seconds, before, *self._asked],
        )
        self._asked = []
        self._unidentified |= read_taken(reply)
        self._held |= dict.fromkeys(self._unidentified, "")
        return bool(self._unidentified)

    async def _identify(self) -> list[Claim]:
        """Tell Redis which jobs the claims are for; lost ones drop out, and twins that must wait."""
        if not self._unidentified:
            return []
        size = sum(len(taken.payload) for taken in self._unidentified.values())
        jobs = await off_loop(size >= LARGE_PAYLOAD, self._name_jobs)
        named = [
            part
            for name, taken in self._unidentified.items()
            for part in (name, jobs[name], int(taken.readable))
        ]
        keys = [self._key(name) for name in ("claims", "lease", "jobs", "delayed", "unread")]
        known = await self._run(
            "identify", keys, [self._meta, self._done, self._remember, _TWIN_SECONDS, *named]
        )
        told, self._unidentified = self._unidentified, {}
        claims = []
        for name, facts in zip(told, known, strict=True):
            if not facts or name not in self._held:
                self._held.pop(name, None)
                continue
            self._held[name] = jobs[name]
            claims.append(read_claim(name, told[name], facts))
        return claims

    def _name_jobs(self) -> dict[str, str]:
        return {name: taken.job(self._job_key) for name, taken in self._unidentified.items()}

    async def renew(self) -> frozenset[str]:
        """Extend all leases of this worker; returns the ids of claims that were lost."""
        await self._beat()
        lost, self._lost = frozenset(self._lost), set()
        return lost

    async def _beat(self) -> None:
        started, held = time.monotonic(), frozenset(self._held)
        reply = await self._run(
            "renew",
            [self._key("workers"), self._key("lease")],
            # What claim.lua may have given in a reply that got lost is held too.
            [self._worker, self._options.lease_seconds, *held, *self._asked],
        )
        self._renewed_at = started
        # Whatever is being acked while this call runs is gone from the leases, but not lost.
        gone = {claim.decode() for claim in reply} & held & (self._held.keys() - self._finishing)
        for claim_id in gone:
            del self._held[claim_id]
        self._lost |= gone

    def _known_alive(self) -> bool:
        return time.monotonic() - self._renewed_at < self._options.lease_seconds / 2

    async def ack(self, claim: Claim, result: bytes) -> bool:
        """Hand the result on, record it and drop the claim, all at once. False: the claim was lost."""
        return await self._finish(claim, result, b"")

    async def bury(self, claim: Claim, result: bytes, envelope: bytes) -> bool:
        """As `ack`, and keep `envelope` in the dead-letter list."""
        return await self._finish(claim, result, envelope)

    async def _finish(self, claim: Claim, result: bytes, envelope: bytes) -> bool:
        keys = [*self._claim_keys(), self._options.hosting_queue, self._key("dead"), self._key("unread")]
        record = zlib.compress(result, _ZLIB_LEVEL)
        ttl = self._options.result_ttl_seconds
        arguments = (self._meta, self._done, result, record, ttl, envelope)
        return await self._let_go("finish", keys, claim.id, arguments)

    async def retry(self, claim: Claim, delay: float, code: str, spent: Usage = FREE) -> bool:
        """Give the job back because of the error `code`, to be claimed again after `delay` seconds."""
        return await self._give_back(claim.id, delay, code, dump_spent(spent))

    async def release(self, claim: Claim) -> bool:
        """Give the job back at once, to the head of the queue, as if it had never been claimed."""
        return await self._give_back(claim.id, 0.0, "")

    async def _give_back(self, claim_id: str, delay: float, code: str, spent: str = "") -> bool:
        keys = [*self._claim_keys(), self._options.processor_queue, self._key("delayed")]
        return await self._let_go("retry", keys, claim_id, [self._meta, delay, code, spent])

    async def begin(self, claim: Claim) -> bool:
        """Say that a job with crashes runs from now on; one that happens before is not held against it."""
        return bool(
            await self._run("begin", [self._key("claims"), self._key("jobs")], [claim.id, self._meta])
        )

    def _claim_keys(self) -> list[str]:
        return [self._key(name) for name in ("claims", "lease", "jobs")]

    async def _let_go(
        self, script: str, keys: Sequence[str], claim_id: str, arguments: Sequence[str | bytes | float]
    ) -> bool:
        self._finishing.add(claim_id)
        try:
            done = await self._run(script, keys, [claim_id, self._held.get(claim_id, ""), *arguments])
            self._held.pop(claim_id, None)
        finally:
            self._finishing.discard(claim_id)
        return bool(done)

    async def reap(self) -> int:
        """Give back what dead workers held, promote retries that are due; returns how many jobs moved.

        Who has not renewed does not judge: after Redis was away, or this worker stood still, every lease
        looks expired, so reaping waits until live workers could renew.
        """
        names = ("claims", "lease", "jobs", "workers", "delayed", "unread")
        keys = [self._options.processor_queue, *(self._key(name) for name in names)]
        inboxes = self._key("inbox", "")
        arguments = (inboxes, self._meta, self._remember, _FORGET_WORKER_SECONDS)
        moved, more = 0, True
        while more and self._known_alive() and time.monotonic() >= self._reap_from:
            expired, drained, promoted = await self._run("reap", keys, arguments)
            if expired or drained:
                _log.warning("queue.reaped", claims=expired, inbox=drained)
            moved += expired + drained + promoted
            more = max(expired, drained, promoted) >= _REAP_BATCH
        return moved

    async def close(self) -> None:
        """Give back what is still held, sign off and close the connections."""
        try:
            if self._renewed_at > float("-inf"):
                await self._say_farewell()
        except (QueueUnavailable, AuthError) as error:
            _log.info("queue.no_farewell", worker=self._worker, error=error.message)
        await self._server.close()
        await self._doorbell.close()

    async def _say_farewell(self) -> None:
        for claim_id in (*self._held, *self._asked):
            await self._give_back(claim_id, 0.0, "")
        keys = [self._options.processor_queue, self._inbox, self._key("workers")]
        await self._run("farewell", keys, [self._worker])

    async def _run(self, name: str, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any:
        return await self._guard(self._server.run(name, keys, arguments))

    async def _guard(self, command: Awaitable[T]) -> T:
        """Note when Redis is away: for a lease's time after that nothing is reaped."""
        try:
            return await command
        except QueueUnavailable:
            self._reap_from = time.monotonic() + self._options.lease_seconds
            raise
