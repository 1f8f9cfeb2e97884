"""REDIS_URL taken apart: one server, or the service whose master the Sentinels know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, unquote_plus, urlencode

_URL = re.compile(
    r"(?P<scheme>rediss?)(?P<sentinel>\+sentinel)?://(?:(?P<login>[^/?#]*)@)?(?P<hosts>[^/?#@]*)"
    r"(?:/(?P<path>[^?#]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+)(?::(?P<port>\d{1,5}))?")
_PORT, _SENTINEL_PORT = 6379, 26379
_SENTINEL_LOGIN = ("sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is, and how to log in there."""

    #: As redis-py reads it; behind Sentinels its host is only a place-holder.
    server_url: str = field(repr=False)
    #: Host and port, or those of the Sentinels, for people: no login, no options.
    hosts: str = ""
    #: Host and port of each; none: `server_url` is the server itself.
    sentinels: tuple[tuple[str, int], ...] = ()
    #: By what name the Sentinels know the master.
    service: str = ""
    encrypted: bool = False
    #: User and password for the Sentinels themselves, under redis-py's names.
    sentinel_login: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    #: All passwords, as they stand in the URL and as Redis gets them.
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Take a URL apart.

        One server: `redis[s]://user:password@host:6379/0?option=…`; behind Sentinels:
        `redis[s]+sentinel://user:password@host1:26379,host2:26379/service/0?option=…`. The password is the
        server's own; `sentinel_username` and `sentinel_password` among the options are for Sentinels that ask
        for one. All other options are redis-py's.

        Raises:
            ValueError: In words that do not quote the URL.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise ValueError("must be redis://…, rediss://…, redis+sentinel://… or rediss+sentinel://…")
        secrets = _secrets(found["login"] or "", found["query"] or "")
        if found["sentinel"] is None:
            _check_database(found["path"] or "")
            if found["hosts"] and _host(found["hosts"]) is None:
                raise ValueError("must name one host and port, such as redis://host:6379/0")
            name, port = _host(found["hosts"], _PORT) or ("localhost", _PORT)
            return cls(url, _written(name, port), secrets=secrets)
        service, _, database = (found["path"] or "").partition("/")
        _check_database(database)
        sentinels = tuple(_host(host) for host in found["hosts"].split(","))
        if not service or not all(sentinels):
            raise ValueError(
                "must name Sentinels and service: redis+sentinel://host:26379,host:26379/service/0"
            )
        options = parse_qsl(found["query"] or "", keep_blank_values=True)
        login = f"{found['login']}@" if found["login"] else ""
        rest = urlencode([(name, value) for name, value in options if name not in _SENTINEL_LOGIN])
        return cls(
            f"{found['scheme']}://{login}master/{database}?{rest}",
            ",".join(_written(*sentinel) for sentinel in filter(None, sentinels)),
            tuple(filter(None, sentinels)),
            unquote(service),
            found["scheme"] == "rediss",
            tuple(
                (name.removeprefix("sentinel_"), value) for name, value in options if name in _SENTINEL_LOGIN
            ),
            secrets,
        )


def _host(text: str, default_port: int = _SENTINEL_PORT) -> tuple[str, int] | None:
    found = _HOST.fullmatch(text)
    port = int(found["port"] or default_port) if found is not None else 0
    return (found["name"].strip("[]"), port) if found is not None and 0 < port < 1 << 16 else None


def _written(name: str, port: int) -> str:
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _secrets(login: str, query: str) -> tuple[str, ...]:
    written = {login.partition(":")[2], *re.findall(r"password=([^&]*)", query)} - {""}
    return tuple(sorted(written | set(map(unquote, written)) | set(map(unquote_plus, written))))


def _check_database(path: str) -> None:
    if path and not path.isdecimal():
        raise ValueError("must end in the number of a database, such as /0")
