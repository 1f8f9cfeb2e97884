"""Counts what lies in Redis, over a connection of its own, so that no claim ever waits for a scrape."""

from __future__ import annotations

from redis.exceptions import RedisError

from worker.adapters.redis_connect import connect
from worker.backlog import Backlog
from worker.errors import QueueUnavailable
from worker.redis_address import RedisAddress

_TIMEOUT_SECONDS = 2.0


class RedisBacklog:
    """`BacklogSource` for the keys that `redis_queue.py` describes."""

    def __init__(self, url: str, processor_queue: str) -> None:
        self._queue = processor_queue
        self._redis = connect(url, timeout_seconds=_TIMEOUT_SECONDS)
        self._named = f"REDIS_URL {RedisAddress.parse(url).hosts}"

    async def sample(self) -> Backlog:
        """One round trip."""
        queue = self._queue
        try:
            async with self._redis.pipeline(transaction=True) as counts:
                counts.llen(queue)
                counts.zcard(f"{queue}:delayed")
                counts.zcard(f"{queue}:lease")
                counts.llen(f"{queue}:dead")
                counts.get(f"{queue}:taken")
                counts.info("memory")
                waiting, delayed, claimed, dead, taken, memory = await counts.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise QueueUnavailable(f"{self._named}: {type(error).__name__}") from None
        used, limit = int(memory["used_memory"]), int(memory.get("maxmemory", 0))
        return Backlog(waiting, delayed, claimed, dead, int(taken or 0), used, limit)

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()
