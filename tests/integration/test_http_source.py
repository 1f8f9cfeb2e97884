"""Downloads from a real local server; the address rules with names that really resolve."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from worker.adapters.http_source import FetchOptions, HttpSource, is_public
from worker.embedded import free_port
from worker.errors import BadUrl, ImageNotFound, SourceUnavailable, TooLarge, WorkerError

PICTURE = bytes(range(256)) * 40
OPTIONS = FetchOptions(max_bytes=len(PICTURE), allow_private=True, timeout_seconds=1.0, attempts=2)

BODIES = {"picture.jpg": PICTURE, "large.jpg": PICTURE + b"x", "empty.jpg": b""}
REDIRECTS = {
    "moved.jpg": "/picture.jpg",
    "metadata.jpg": "http://169.254.169.254/latest/meta-data",
    "file.jpg": "file:///etc/passwd",
    "loop.jpg": "/loop.jpg",
}
STATUSES = {"flaky.jpg": 503, "404": 404, "403": 403, "204": 204, "500": 500, "522": 522, "429": 429}


class Site:
    """Pages that behave and misbehave."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/{name}", self.answer)
        return application

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.calls.append(name)
        if name in REDIRECTS:
            raise web.HTTPFound(REDIRECTS[name])
        if name in BODIES:
            return web.Response(body=BODIES[name])
        if name == "flaky.jpg" and self.calls.count(name) > 1:
            return web.Response(body=PICTURE)
        if name == "chunked.jpg":
            return await self._stream(request, [PICTURE, PICTURE])
        if name == "slow.jpg":
            return await self._stream(request, [b"x"] * 50, pause=0.1)
        if name == "gzip.jpg":
            return web.Response(body=PICTURE, headers={"Content-Encoding": "gzip"})
        return web.Response(status=STATUSES[name])

    @staticmethod
    async def _stream(request: web.Request, parts: list[bytes], pause: float = 0.0) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await asyncio.sleep(pause)
            await response.write(part)
        return response


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, TestServer]]:
    pages = Site()
    server = TestServer(pages.application())
    await server.start_server()
    yield pages, server
    await server.close()


@pytest.fixture
async def source() -> AsyncIterator[HttpSource]:
    opened = HttpSource(OPTIONS)
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", ["picture.jpg", "moved.jpg", "flaky.jpg"])
async def test_a_picture_arrives(site: tuple[Site, TestServer], source: HttpSource, name: str) -> None:
    assert await source.fetch(str(site[1].make_url(name))) == PICTURE


@pytest.mark.parametrize(
    ("name", "error", "calls"),
    [
        ("large.jpg", TooLarge, 1),
        ("chunked.jpg", TooLarge, 1),
        ("empty.jpg", ImageNotFound, 1),
        ("404", ImageNotFound, 1),
        ("403", ImageNotFound, 1),
        ("204", ImageNotFound, 1),
        ("500", SourceUnavailable, 2),
        ("522", SourceUnavailable, 2),
        ("429", SourceUnavailable, 2),
        ("slow.jpg", SourceUnavailable, 1),
        ("gzip.jpg", BadUrl, 1),
        ("file.jpg", BadUrl, 1),
        ("loop.jpg", BadUrl, 4),
    ],
)
async def test_what_goes_wrong_has_its_error(
    site: tuple[Site, TestServer], source: HttpSource, name: str, error: type[WorkerError], calls: int
) -> None:
    pages, server = site
    with pytest.raises(error) as caught:
        await source.fetch(str(server.make_url(name)))
    assert caught.value.message.startswith("image_url: ")
    assert len(pages.calls) == calls


async def test_a_closed_port_is_not_the_jobs_fault(source: HttpSource) -> None:
    with pytest.raises(SourceUnavailable):
        await source.fetch(f"http://127.0.0.1:{free_port()}/a.jpg")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/picture.jpg",
        "http://localhost:{port}/picture.jpg",
        "http://[::1]:{port}/picture.jpg",
        "http://[::ffff:127.0.0.1]:{port}/picture.jpg",
        "http://2130706433:{port}/picture.jpg",
        "http://0x7f.0.0.1:{port}/picture.jpg",
        "http://0177.0.0.1:{port}/picture.jpg",
        "http://0.0.0.0:{port}/picture.jpg",
        "http://127.1:{port}/picture.jpg",
        "http://127.0.0.1.:{port}/picture.jpg",
        "http://0x7f000001:{port}/picture.jpg",
        "http://１２７。0。0。1:{port}/picture.jpg",
        "http://%31%32%37.0.0.1:{port}/picture.jpg",
        "http://[::1%25lo]:{port}/picture.jpg",
        "http://[::127.0.0.1]:{port}/picture.jpg",
        "http://example.com@127.0.0.1:{port}/picture.jpg",
        "http://10.0.0.1/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://user:password@example.com/a.jpg",
        "ftp://example.com/a.jpg",
        "file:///etc/passwd",
        "/etc/passwd",
        "http://",
        "nonsense",
    ],
)
async def test_private_addresses_are_never_asked(site: tuple[Site, TestServer], url: str) -> None:
    pages, server = site
    source = HttpSource(FetchOptions(max_bytes=10_000, timeout_seconds=2.0, attempts=1))
    try:
        with pytest.raises(BadUrl) as caught:
            await source.fetch(url.replace("{port}", str(server.port)))
    finally:
        await source.close()
    assert pages.calls == []
    private = "public address" in caught.value.message
    assert caught.value.message.endswith(" (FETCH_ALLOW_PRIVATE)") == private
    assert private or "http://10." not in url
    assert "password" not in caught.value.message.removesuffix("must not hold a user name or password")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("172.16.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("169.254.169.254", False),
        ("100.100.100.200", False),
        ("192.0.0.192", False),
        ("168.63.129.16", False),
        ("192.88.99.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b:1::7f00:1", False),
        ("::ffff:0:7f00:1", False),
        ("::127.0.0.1", False),
        ("2001:0:7f00:1::", False),
        ("3fff::1", False),
        ("fd00::1", False),
        ("fd00:ec2::254", False),
        ("fe80::1", False),
        ("fec0::1", False),
    ],
)
def test_what_counts_as_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public
