"""One Redis server: connections without retries of their own, scripts, and its errors as ours."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from redis.asyncio.sentinel import MasterNotFoundError
from redis.commands.core import AsyncScript
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from worker.adapters.redis_connect import connect
from worker.adapters.redis_words import why_away, words
from worker.errors import AuthError, QueueUnavailable, SettingsError
from worker.redis_address import RedisAddress

_SOCKET_TIMEOUT = 5.0
_OLDEST = (6, 2)
#: How Redis says, out of a script, that the user may not run a command or touch a key.
_FORBIDDEN = ("can't run this command", "can't access at least one of the keys", "NOPERM", "no permissions")


class RedisServer:
    """Commands and scripts on one server.

    Args:
        url: See `RedisAddress`.
        blocking_seconds: How long a blocking command may wait beyond the usual timeout.
    """

    def __init__(self, url: str, *, blocking_seconds: float = 0.0) -> None:
        self.client = connect(url, timeout_seconds=_SOCKET_TIMEOUT, blocking_seconds=blocking_seconds)
        self._named = f"REDIS_URL {RedisAddress.parse(url).hosts}"
        self._encrypted = url.startswith("rediss")
        self._scripts: dict[str, AsyncScript] = {}

    async def run(self, name: str, keys: Sequence[str], arguments: Sequence[str | bytes | float]) -> Any:
        """Run `lua/<name>.lua`; Redis keeps it after the first time."""
        script = self._scripts.get(name)
        if script is None:
            source = (Path(__file__).parent / "lua" / f"{name}.lua").read_text()
            script = self._scripts[name] = self.client.register_script(source)
        return await self.call(script(keys=keys, args=arguments))

    async def call(self, command: Awaitable[Any]) -> Any:
        """Await a command.

        Raises:
            AuthError: Password, user or the user's rights are refused.
            QueueUnavailable: Any other error; its message says why, in Redis's words where it spoke.
        """
        try:
            return await command
        except (AuthenticationError, NoPermissionError) as error:
            raise AuthError(f"{self._named}: {words(error)}") from None
        except MasterNotFoundError as error:
            raise QueueUnavailable(f"{self._named}: {_why_no_master(error)}") from error
        except ResponseError as error:
            if isinstance(error, ReadOnlyError) or "READONLY" in str(error):
                # The master became a replica; a new connection may find the new master.
                await self.client.connection_pool.disconnect()
                raise QueueUnavailable(f"{self._named}: READONLY, this is a replica") from error
            if any(sign in str(error) for sign in _FORBIDDEN):
                raise AuthError(f"{self._named}: {words(error)}") from None
            raise QueueUnavailable(f"{self._named}: {words(error)}") from error
        except (RedisError, OSError, TimeoutError) as error:
            why = why_away(error, encrypted=self._encrypted)
            raise QueueUnavailable(f"{self._named}: {why}") from error

    async def inspect(self) -> tuple[str, float]:
        """One line about the server, and for how many seconds it has run.

        Raises:
            SettingsError: It is too old, or a cluster.
            AuthError, QueueUnavailable: See `call`.
        """
        info = await self.call(self.client.info())
        if info.get("redis_mode") == "sentinel":
            raise SettingsError("REDIS_URL: this is a Sentinel, write redis+sentinel://host:26379/service/0")
        version = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
        if version < _OLDEST:
            raise SettingsError(
                f"REDIS_URL: Redis {info['redis_version']} is too old, 6.2 or newer is needed"
            )
        if info.get("cluster_enabled") or info.get("redis_mode") == "cluster":
            raise SettingsError("REDIS_URL: Redis Cluster is not supported, the ack spans two keys")
        line = f"{'Valkey' if 'valkey_version' in info else 'Redis'} {info['redis_version']}"
        return ", ".join((line, *_dangers(info))), float(info["uptime_in_seconds"])

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()


def _dangers(info: dict[str, Any]) -> list[str]:
    """What lets this server lose jobs; see docs/operations.md."""
    policy = str(info.get("maxmemory_policy", "noeviction"))
    dangers = [] if info.get("aof_enabled") else ["appendonly is off: a restart loses jobs"]
    if policy != "noeviction" and int(info.get("maxmemory", 0)):
        dangers.append(f"maxmemory-policy is {policy}: it may evict jobs")
    return dangers


def _why_no_master(error: MasterNotFoundError) -> str:
    """The error quotes what each Sentinel said."""
    if "AuthenticationError" in str(error):
        return "the Sentinels refuse the login, REDIS_URL may end in ?sentinel_password=…"
    return "the Sentinels name no master: none answers, or none knows the service of REDIS_URL"
