"""The job queue on plain Redis lists: nothing popped is ever only in a worker's memory.

Keys, all under the processor list's name as prefix (`processor_tasks:…`):
    inbox:<worker>   list        jobs moved by BLMOVE, not yet claimed
    workers          sorted set  worker → deadline of its heartbeat
    claims           hash        claim id → raw payload
    lease            sorted set  claim id → deadline
    delayed          sorted set  claim id + payload → when to try again
    meta:<job>       hash        deliveries, crashes, first seen, last error
    done:<job>       string      the result, zlib-compressed, expiring
    dead             list        envelopes of jobs that failed

All deadlines are by Redis TIME, never by a worker's clock. Every transition is one Lua script, fenced by the
claim id, and safe to repeat.
"""

from __future__ import annotations

import hashlib
import time
import uuid
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import AuthenticationError, RedisError

from worker.errors import AuthError, QueueUnavailable, SettingsError
from worker.ports import Claim

_log = structlog.get_logger(__name__)

#: BLMOVE waits this long; it is never cancelled, so a stop takes up to as long.
_BLOCK_SECONDS = 1
_SOCKET_TIMEOUT = 5.0
#: A worker silent for longer than this cannot come back (see reap.lua).
_FORGET_WORKER_SECONDS = 3600
_OLDEST_REDIS = (6, 2)


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Names and times of the queue; see docs/operations.md."""

    processor_queue: str
    hosting_queue: str
    lease_seconds: float
    result_ttl_seconds: int
    #: How long Redis remembers a job that is not finished, in seconds.
    job_max_age_seconds: float


class RedisQueue:
    """`JobQueue` for one worker process.

    Args:
        url: redis:// or rediss://, with user and password if needed.
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
        self._worker = worker_id or uuid.uuid4().hex
        # redis-py's own retries would repeat a push whose reply was lost.
        self._redis = self._connect(url, _SOCKET_TIMEOUT)
        self._blocking = self._connect(url, _BLOCK_SECONDS + _SOCKET_TIMEOUT)
        self._scripts = {
            path.stem: self._redis.register_script(path.read_text())
            for path in (Path(__file__).parent / "lua").glob("*.lua")
        }
        self._held: set[str] = set()
        self._finishing: set[str] = set()
        self._renewed_at = float("-inf")
        self._reap_from = float("-inf")

    @staticmethod
    def _connect(url: str, timeout: float) -> Redis:
        return Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout,
            socket_connect_timeout=_SOCKET_TIMEOUT,
            health_check_interval=0,
        )

    def _key(self, *parts: str) -> str:
        return ":".join((self._options.processor_queue, *parts))

    async def fetch(self) -> Claim | None:
        """Claim the next job; waits about a second, then answers None.

        BLMOVE's reply is only a doorbell, the inbox is the truth: a reply that gets lost leaves the job
        there, where the next call finds it.
        """
        if time.monotonic() - self._renewed_at > self._options.lease_seconds / 2:
            # A worker must be known to the reaper before anything can lie in its inbox.
            await self.renew()
        inbox = self._key("inbox", self._worker)
        payload: bytes | None = await self._call(self._redis.lindex(inbox, 0))
        if payload is None:
            payload = await self._call(
                self._blocking.blmove(
                    self._options.processor_queue, inbox, timeout=_BLOCK_SECONDS, src="LEFT", dest="RIGHT"
                )
            )
        return None if payload is None else await self._claim(inbox, payload)

    async def _claim(self, inbox: str, payload: bytes) -> Claim | None:
        job = self._job_key(payload)
        claim_id = f"{job}:{uuid.uuid4().hex}"
        reply = await self._run(
            "claim",
            [inbox, self._key("claims"), self._key("lease"), self._key("meta", job), self._key("done", job)],
            [
                claim_id,
                hashlib.sha1(payload, usedforsecurity=False).hexdigest(),
                self._options.lease_seconds,
                int(2 * self._options.job_max_age_seconds),
            ],
        )
        if reply is None:
            return None
        payload, deliveries, crashes, age, record = reply
        recorded = zlib.decompress(record) if record else None
        self._held.add(claim_id)
        return Claim(claim_id, payload, deliveries, crashes, float(age), recorded)

    async def renew(self) -> frozenset[str]:
        """Extend the heartbeat and all leases of this worker; returns the ids of claims that were lost."""
        started = time.monotonic()
        lost = await self._run(
            "renew",
            [self._key("workers"), self._key("lease")],
            [self._worker, self._options.lease_seconds, *self._held],
        )
        self._renewed_at = started
        # Whatever is being acked while this call runs is gone from the leases, but not lost.
        names = frozenset(claim.decode() for claim in lost) & (self._held - self._finishing)
        self._held -= names
        return names

    async def ack(self, claim: Claim, result: bytes) -> bool:
        """Hand the result on, record it and drop the claim, all at once. False: the claim was lost."""
        return await self._finish(claim, result, b"")

    async def bury(self, claim: Claim, result: bytes, envelope: bytes) -> bool:
        """As `ack`, and keep `envelope` in the dead-letter list."""
        return await self._finish(claim, result, envelope)

    async def _finish(self, claim: Claim, result: bytes, envelope: bytes) -> bool:
        job = claim.id.partition(":")[0]
        keys = [
            self._key("claims"),
            self._key("lease"),
            self._key("meta", job),
            self._key("done", job),
            self._options.hosting_queue,
            self._key("dead"),
        ]
        record = zlib.compress(result)
        return await self._let_go(
            "finish", keys, claim, [result, record, self._options.result_ttl_seconds, envelope]
        )

    async def retry(self, claim: Claim, delay: float, reason: str) -> bool:
        """Give the job back, to be claimed again after `delay` seconds."""
        return await self._give_back(claim, max(delay, 0.0), reason)

    async def release(self, claim: Claim) -> bool:
        """Give the job back at once, to the head of the queue, as if it had never been claimed."""
        return await self._give_back(claim, -1, "")

    async def _give_back(self, claim: Claim, delay: float, reason: str) -> bool:
        job = claim.id.partition(":")[0]
        keys = [
            self._key("claims"),
            self._key("lease"),
            self._key("meta", job),
            self._options.processor_queue,
            self._key("delayed"),
        ]
        return await self._let_go("retry", keys, claim, [delay, reason])

    async def _let_go(
        self, script: str, keys: Sequence[str], claim: Claim, arguments: Sequence[str | bytes | float]
    ) -> bool:
        self._finishing.add(claim.id)
        try:
            done = await self._run(script, keys, [claim.id, *arguments])
            self._held.discard(claim.id)
        finally:
            self._finishing.discard(claim.id)
        return bool(done)

    async def reap(self) -> int:
        """Give back what dead workers held, promote retries that are due; returns how many jobs moved.

        After Redis was away every lease looks expired, so reaping waits until live workers could renew.
        """
        if time.monotonic() < self._reap_from:
            return 0
        queue = self._options.processor_queue
        expired, drained, promoted = await self._run(
            "reap",
            [queue, *(self._key(name) for name in ("claims", "lease", "workers", "delayed"))],
            [self._key("inbox", ""), self._key("meta", ""), _FORGET_WORKER_SECONDS],
        )
        if expired or drained:
            _log.warning("queue.reaped", claims=expired, inbox=drained)
        return int(expired + drained + promoted)

    async def check(self) -> str:
        """Redis answers, is new enough and no cluster."""
        info = await self._call(self._redis.info())
        version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
        if version < _OLDEST_REDIS:
            raise SettingsError(
                f"REDIS_URL: Redis {info['redis_version']} is too old, 6.2 or newer is needed"
            )
        if info.get("cluster_enabled") or info.get("redis_mode") == "cluster":
            raise SettingsError("REDIS_URL: Redis Cluster is not supported, the ack spans two keys")
        waiting = await self._call(self._redis.llen(self._options.processor_queue))
        return f"Redis {info['redis_version']}, {waiting} jobs waiting"

    async def close(self) -> None:
        """Sign off and close the connections."""
        try:
            await self._redis.zrem(self._key("workers"), self._worker)
        except RedisError:
            _log.info("queue.no_farewell", worker=self._worker)
        await self._redis.aclose()
        await self._blocking.aclose()

    async def _run(self, name: str, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any:
        script: AsyncScript = self._scripts[name]
        return await self._call(script(keys=keys, args=arguments))

    async def _call(self, command: Awaitable[Any]) -> Any:
        try:
            return await command
        except AuthenticationError as error:
            raise AuthError(
                f"REDIS_URL: Redis refused the password or user: {type(error).__name__}"
            ) from None
        except (RedisError, OSError, TimeoutError) as error:
            self._reap_from = time.monotonic() + self._options.lease_seconds
            raise QueueUnavailable(f"Redis: {type(error).__name__}") from error
