"""Why a Redis cannot be worked with, in words that say what to look at and hold no secret."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

#: What Redis says to a client without a password, by version and command.
_NO_PASSWORD = ("HELLO must be called", "Authentication required", "NOAUTH")


def why_away(error: BaseException, *, encrypted: bool) -> str:
    """Why no connection came about, or why it ended.

    Args:
        error: As redis-py raised it; what the system said is in its chain.
        encrypted: Whether TLS was spoken.
    """
    for cause in _chain(error):
        match cause:
            case socket.gaierror():
                return "the name is not found"
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted, {cause.verify_message}"
            case ssl.SSLError():
                return "it speaks no TLS as rediss:// expects it"
            case ConnectionRefusedError():
                return "the connection is refused"
            case TimeoutError():
                hint = ", as where a port without TLS is given as rediss://"
                return f"no answer in time{hint if encrypted else ''}"
    if type(error) is NotConnected or isinstance(error, ConnectionResetError):
        hint = ", as where a port with TLS is given as redis://"
        return f"the connection was closed{'' if encrypted else hint}"
    return type(error).__name__


def words(error: RedisError) -> str:
    """The first words of what Redis said: it quotes commands and keys, never values."""
    said = str(error)
    if any(sign in said for sign in _NO_PASSWORD):
        return "a password is required"
    return said[:160] or type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
