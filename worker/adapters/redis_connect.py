"""The one way to Redis: to a server, or to whichever server the Sentinels call master just now."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from worker.errors import SettingsError
from worker.redis_address import RedisAddress

#: Sentinels are asked one after the other; one that is slower than this counts as dead.
_SENTINEL_SECONDS = 1.0


def connect(url: str, *, timeout_seconds: float, blocking_seconds: float = 0.0) -> Redis:
    """A client; it connects with its first command, and after a failover to the new master.

    Args:
        url: See `RedisAddress`.
        timeout_seconds: How long a connection or a reply may take.
        blocking_seconds: How long a blocking command may wait beyond that.

    Raises:
        SettingsError: The URL is malformed.
    """
    try:
        client = _connect(RedisAddress.parse(url), timeout_seconds, blocking_seconds)
        # An option that does not exist would be found out only by the first command.
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError, RedisError) as error:
        raise SettingsError(f"REDIS_URL: {str(error).rpartition('__init__() ')[2]}") from None
    return client


def _connect(address: RedisAddress, timeout_seconds: float, blocking_seconds: float) -> Redis:
    options: dict[str, Any] = {
        # redis-py's own retries would repeat a push whose reply was lost.
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout_seconds + blocking_seconds,
        "socket_connect_timeout": timeout_seconds,
        "health_check_interval": 0,
    }
    if not address.sentinels:
        return Redis.from_url(address.server_url, **options)
    return _connect_master(address, options)


def _connect_master(address: RedisAddress, options: dict[str, Any]) -> Redis:
    own = dict(parse_url(address.server_url))
    for name in ("host", "port", "connection_class"):
        own.pop(name, None)
    tls = {name: value for name, value in own.items() if name.startswith("ssl")} | {"ssl": address.encrypted}
    patience = min(_SENTINEL_SECONDS, options["socket_connect_timeout"])
    sentinels = Sentinel(  # type: ignore[no-untyped-call]  # redis-py says no types
        address.sentinels,
        sentinel_kwargs={
            **options,
            **tls,
            **dict(address.sentinel_login),
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
        },
        **(options | own | tls),
    )
    client: Redis = sentinels.master_for(address.service, redis_class=_Master)
    return client


class _Master(Redis):
    """Closes its connections to the Sentinels too."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        pool: Any = self.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()
