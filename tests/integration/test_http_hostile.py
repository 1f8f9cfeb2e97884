"""Hosts that mean harm: names that lead inside, endless answers, URLs made to confuse."""

from __future__ import annotations

import asyncio
import re
import socket
import string
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from worker.adapters.http_source import FetchOptions, HttpSource
from worker.errors import BadUrl, SourceUnavailable, TooLarge, WorkerError

OPTIONS = FetchOptions(max_bytes=10_000, allow_private=True, timeout_seconds=1.0, attempts=1)
PICTURE = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\npicture"


class Names(AbstractResolver):
    """A resolver whose answers change, as an attacker's do; keeps what it was asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        return


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::1"], ["169.254.169.254"]]
)
async def test_a_name_on_a_private_address_is_never_asked(answer: list[str]) -> None:
    names = Names(answer)
    source = HttpSource(FetchOptions(max_bytes=10_000, attempts=1), names)
    async with raw_server(PICTURE) as (port, asked):
        with pytest.raises(BadUrl, match=r"shop\.example is not on a public address \(FETCH_ALLOW_PRIVATE\)"):
            await source.fetch(f"http://shop.example:{port}/a.jpg")
    await source.close()
    assert (names.asked, asked) == (["shop.example"], [])


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    names = Names(["127.0.0.1"], ["192.0.2.1"])
    source = HttpSource(OPTIONS, names)
    async with raw_server(PICTURE) as (port, _):
        assert await source.fetch(f"http://shop.example:{port}/a.jpg") == b"picture"
    await source.close()
    assert names.asked == ["shop.example"], "a second look-up could answer otherwise"


async def test_names_that_take_long_hold_up_no_others() -> None:
    """The event loop has a handful of threads for all; a name of a dead server keeps one for 30 s."""
    source, ended = HttpSource(OPTIONS), threading.Event()
    others = [asyncio.create_task(asyncio.to_thread(ended.wait, 10)) for _ in range(64)]
    async with raw_server(PICTURE) as (port, _):
        try:
            assert await source.fetch(f"http://localhost:{port}/a.jpg") == b"picture"
        finally:
            ended.set()
            await asyncio.gather(*others)
            await source.close()


@asynccontextmanager
async def raw_server(
    head: bytes, piece: bytes = b"", pause: float = 0.0
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Sends a head, then the same piece again and again; gives its port and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(head)
            while piece and not writer.is_closing():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
        except OSError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


@pytest.mark.parametrize(
    ("head", "piece", "pause", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Header: " + b"a" * 4000 + b"\r\n", 0.0, SourceUnavailable),
        (b"HTTP/1.1 200 OK\r\nX-Header: ", b"a" * 60_000, 0.0, SourceUnavailable),
        (b"HTTP/1.1 200 OK\r\n", b"X: a\r\n", 0.05, SourceUnavailable),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05, SourceUnavailable),
        (b"nonsense", b"nonsense", 0.0, SourceUnavailable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\n", b"x", 0.0, TooLarge),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 60_000, 0.0, TooLarge),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", b"x", 0.0, BadUrl),
        (b"HTTP/1.1 302 Found\r\nLocation: //[\r\n\r\n", b"x", 0.0, BadUrl),
        (b"HTTP/1.1 302 Found\r\nLocation: //\xff\xfe/\r\n\r\n", b"x", 0.0, WorkerError),
    ],
)
async def test_a_hostile_server_gains_nothing(
    head: bytes, piece: bytes, pause: float, error: type[WorkerError]
) -> None:
    source = HttpSource(OPTIONS)
    async with raw_server(head, piece, pause) as (port, _):
        with pytest.raises(error):
            await source.fetch(f"http://127.0.0.1:{port}/a.jpg")
    await source.close()


async def test_a_broken_certificate_is_the_hosts_affair() -> None:
    source = HttpSource(OPTIONS)
    async with raw_server(PICTURE) as (port, _):
        with pytest.raises(SourceUnavailable):
            await source.fetch(f"https://127.0.0.1:{port}/a.jpg")
    await source.close()


class NoNames(AbstractResolver):
    """Knows no name, so that no test asks the internet."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError(None, "unknown name")

    async def close(self) -> None:
        return


HOSTS = st.text(string.ascii_letters + string.digits + ".-_[]:%@#?/\\\0 ０①。é\ud800", max_size=20)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTS | st.builds("{}.{}".format, HOSTS, st.just("a" * 70)))
async def test_any_url_is_refused_or_not_found(host: str) -> None:
    # Nothing here may really be asked.
    assume(not re.search(r"\d+\.\d+\.\d+|\[.*:", host))
    source = HttpSource(FetchOptions(max_bytes=1, timeout_seconds=1, attempts=1), NoNames())
    try:
        with pytest.raises(WorkerError):
            await source.fetch(f"http://{host}/a.jpg")
    finally:
        await source.close()
