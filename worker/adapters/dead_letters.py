"""The dead-letter list, for the operator: read page by page, retried and dropped one by one, atomically."""

from __future__ import annotations

from collections.abc import AsyncIterator

from worker.adapters.redis_server import RedisServer
from worker.errors import BadMessage
from worker.schemas import DeadLetter, dead_job_key, parse_dead_letter

#: Envelopes that are read at once; each holds its job's whole payload.
_PAGE = 50


class DeadLetters:
    """Envelopes of jobs that failed.

    Args:
        url: As for `RedisQueue`.
        processor_queue: The list whose jobs these were.
    """

    def __init__(self, url: str, processor_queue: str) -> None:
        self._server = RedisServer(url)
        self._queue = processor_queue
        self._list = f"{processor_queue}:dead"

    async def now(self) -> float:
        """Seconds since the epoch by the clock that stamps the letters."""
        seconds, microseconds = await self._server.call(self._server.client.time())
        return float(seconds + microseconds / 1e6)

    async def walk(self) -> AsyncIterator[DeadLetter]:
        """The letters that are there now, newest first, while others come and go.

        Backwards, since a letter that is removed shifts only those behind it, and a job that is retried and
        fails again is appended: neither is met twice. Entries that are no envelopes are skipped.
        """
        end = int(await self._server.call(self._server.client.llen(self._list))) - 1
        while end >= 0:
            start = max(0, end - _PAGE + 1)
            page: list[bytes] = await self._server.call(self._server.client.lrange(self._list, start, end))
            for envelope in reversed(page):
                try:
                    yield parse_dead_letter(envelope)
                except BadMessage as error:
                    # Takes a quarter of this command's start, and is hardly ever needed.
                    import structlog

                    structlog.get_logger(__name__).warning(
                        "dead.unreadable", error=error.message, size=len(envelope)
                    )
            end = start - 1

    async def retry(self, letter: DeadLetter) -> bool:
        """Push the job again as a new submission. False: the letter is gone, nothing was pushed."""
        job = dead_job_key(letter)
        names = ("lease", f"meta:{job}", f"done:{job}")
        keys = [self._list, self._queue, *(f"{self._queue}:{name}" for name in names)]
        return bool(await self._server.run("dead_retry", keys, [letter.envelope, letter.payload]))

    async def drop(self, letter: DeadLetter) -> bool:
        """Forget the job and its failure: pushed once more, it runs. False: the letter is gone already."""
        keys = [self._list, f"{self._queue}:done:{dead_job_key(letter)}"]
        return bool(await self._server.run("dead_drop", keys, [letter.envelope, letter.payload]))

    async def close(self) -> None:
        """Close the connection."""
        await self._server.close()
