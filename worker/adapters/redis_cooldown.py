"""The pace of a translator's calls, in Redis, so that all workers keep to it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)

_PREFIX = "translation"
#: A provider may ask for a day; nobody wants to learn tomorrow that the limit was raised today.
_LONGEST_REST = 900.0


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """What the provider allows."""

    #: 0: no limit.
    requests_per_minute: int = 0

    @property
    def interval(self) -> float:
        """Seconds between two calls; 0: none."""
        return 60.0 / self.requests_per_minute if self.requests_per_minute else 0.0

    @property
    def burst(self) -> int:
        """Calls that may start at once: a second's worth."""
        return max(1, self.requests_per_minute // 60)


class RedisCooldown:
    """`Cooldown` for one translator. Without Redis every call passes: the provider's own 429 remains.

    Args:
        redis: See `redis_memory.connect`.
        translator: Names whose pace it is; workers with the same name share it.
    """

    def __init__(self, redis: Redis, translator: str, limits: PaceLimits) -> None:
        self._limits = limits
        self._keys = [f"{_PREFIX}:rest:{translator}", f"{_PREFIX}:pace:{translator}"]
        folder = Path(__file__).parent / "lua"
        self._pace = redis.register_script((folder / "pace.lua").read_text())
        self._rest = redis.register_script((folder / "rest.lua").read_text())

    async def enter(self, patience: float) -> float:
        """See `ports.Cooldown`."""
        arguments = [self._limits.interval, self._limits.burst, patience]
        wait = await _unless_down(self._pace(keys=self._keys, args=arguments))
        return float(wait or 0.0)

    async def rest(self, seconds: float) -> None:
        """See `ports.Cooldown`."""
        seconds = min(seconds, _LONGEST_REST)
        _log.warning("translator.rests", seconds=seconds)
        await _unless_down(self._rest(keys=self._keys[:1], args=[seconds]))


async def _unless_down(command: Awaitable[Any]) -> Any:
    try:
        return await command
    except (RedisError, OSError, TimeoutError) as error:
        _log.warning("cooldown.unavailable", error=type(error).__name__)
        return None
