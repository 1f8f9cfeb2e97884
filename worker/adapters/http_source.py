"""Pictures from the internet, named by strangers: fetched only from public addresses, within limits.

The resolver refuses private addresses and the connection goes to the very address that was checked, so a name
that resolves differently the second time (DNS rebinding) gains nothing. Redirects are followed by hand, each
checked like the first URL.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from worker.errors import BadUrl, ImageNotFound, SourceUnavailable, TooLarge, WorkerError

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Client errors after which asking again makes sense, as after every 5xx (520 to 530 are those of a CDN).
_TRANSIENT = frozenset({408, 425, 429})
_CHUNK = 1 << 16
#: IPv6 as the internet routes it; NAT64, site-local and all the rest lie outside.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
#: Public by the registries, and yet not the internet: documentation, 6to4 (an IPv4 address in disguise) and
#: its relays, protocol assignments (Oracle's metadata, 192.0.0.192), Azure's platform address.
_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in ("3fff::/20", "2002::/16", "192.88.99.0/24", "192.0.0.0/24", "168.63.129.16/32")
)
#: A host that ends in a number is an IPv4 address to some resolvers: 127.1, 0177.0.0.1, 0x7f000001.
_ENDS_IN_NUMBER = re.compile(r"(?:^|\.)(?:\d+|0[xX][0-9a-fA-F]*)\.?$")


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """Limits of one download."""

    max_bytes: int
    #: Allow loopback and private networks (FETCH_ALLOW_PRIVATE): for demo, tests and trusted networks.
    allow_private: bool = False
    timeout_seconds: float = 30.0
    attempts: int = 3
    max_redirects: int = 3
    connections: int = 64


class _Silent(SourceUnavailable):
    """The host let the time pass. Waiting for it again at once would only keep a job's place from others."""


class _ForbiddenAddress(OSError):
    """A host name leads to an address that is not public."""


class HttpSource:
    """`ImageSource` over http and https. Create it inside the running event loop.

    Args:
        resolver: Turns names into addresses; by default as the machine does.
    """

    def __init__(self, options: FetchOptions, resolver: AbstractResolver | None = None) -> None:
        self._options = options
        self._resolver = resolver = resolver or _Names(options.connections)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=resolver if options.allow_private else _PublicResolver(resolver),
                limit=options.connections,
            ),
            timeout=aiohttp.ClientTimeout(total=options.timeout_seconds, sock_connect=10),
            # A compressed transfer could unpack to anything; pictures are compressed already.
            auto_decompress=False,
            headers={"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "operate-worker"},
            # Neither proxies nor .netrc of the environment, and no cookies between strangers.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def fetch(self, url: str) -> bytes:
        """The file's bytes.

        Raises:
            BadUrl: Not http(s), with a user name in it, or not on a public address.
            ImageNotFound: The host answered with 4xx.
            TooLarge: More than `max_bytes`.
            SourceUnavailable: Refused, reset or 5xx at each attempt, or no answer in time.
        """
        target = _parse(url)
        for attempt in range(1, self._options.attempts + 1):
            try:
                return await self._follow(target)
            except SourceUnavailable as error:
                if attempt == self._options.attempts or isinstance(error, _Silent):
                    raise
                await asyncio.sleep(random.uniform(0, 0.25 * 2**attempt))
        raise AssertionError("attempts must be at least 1")

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
        await self._resolver.close()

    async def _follow(self, url: URL) -> bytes:
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                for _ in range(self._options.max_redirects + 1):
                    self._refuse_private_literal(url)
                    async with self._session.get(url, allow_redirects=False) as response:
                        if response.status not in _REDIRECTS:
                            return await self._read(response)
                        url = _redirect(url, response)
        except aiohttp.ClientConnectorDNSError as error:
            if isinstance(error.os_error, _ForbiddenAddress):
                raise BadUrl(
                    f"image_url: {url.host} is not on a public address (FETCH_ALLOW_PRIVATE)"
                ) from None
            raise SourceUnavailable(f"image_url: the name {url.host} cannot be resolved") from None
        except aiohttp.InvalidURL:
            raise BadUrl("image_url: is not a valid URL") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            failure = _Silent if isinstance(error, TimeoutError) else SourceUnavailable
            raise failure(f"image_url: {url.host} does not answer ({type(error).__name__})") from None
        except ValueError:
            # A name that cannot be asked for: a NUL in it, a label of more than 63 bytes.
            raise BadUrl("image_url: is not a valid URL") from None
        raise BadUrl(f"image_url: more than {self._options.max_redirects} redirects")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        host, limit = response.url.host, self._options.max_bytes
        if error := _status_error(response.status, host):
            raise error
        if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise BadUrl(f"image_url: {host} compresses the transfer, which is not accepted")
        if (response.content_length or 0) > limit:
            raise TooLarge(f"image_url: the file has {response.content_length} bytes, more than {limit}")
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > limit:
                raise TooLarge(f"image_url: the file has more than {limit} bytes")
        if not body:
            raise ImageNotFound(f"image_url: {host} sent an empty file")
        return bytes(body)

    def _refuse_private_literal(self, url: URL) -> None:
        """Addresses written as numbers never reach the resolver."""
        if self._options.allow_private or url.host is None:
            return
        try:
            public = is_public(ipaddress.ip_address(url.host))
        except ValueError:
            public = _ENDS_IN_NUMBER.search(url.host) is None
        if not public:
            raise BadUrl(f"image_url: {url.host} is not a public address (FETCH_ALLOW_PRIVATE)")


class _Names(AbstractResolver):
    """Resolves as the machine does, in threads of its own: a slow name server holds up nobody else."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        ask = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=proto,
                flags=flags,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _PublicResolver(AbstractResolver):
    """Resolves names as `inner` does, and refuses those that lead anywhere but to public addresses."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(ipaddress.ip_address(entry["host"].partition("%")[0])) for entry in found):
            raise _ForbiddenAddress(host)
        return found

    async def close(self) -> None:
        await self._inner.close()


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address belongs to the internet at large: not private, loopback, link-local, metadata."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _GLOBAL_UNICAST:
            return False
    special = any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not special


def _parse(url: str) -> URL:
    try:
        parsed = URL(url)
    except (ValueError, TypeError):
        raise BadUrl("image_url: is not a valid URL") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadUrl("image_url: must be an http or https URL")
    if parsed.user is not None or parsed.password is not None:
        raise BadUrl("image_url: must not hold a user name or password")
    return parsed


def _redirect(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location")
    if not location:
        raise ImageNotFound(f"image_url: {url.host} redirects to nowhere")
    try:
        return _parse(str(url.join(URL(location))))
    except ValueError:
        raise BadUrl("image_url: redirects to an invalid URL") from None


def _status_error(status: int, host: str | None) -> WorkerError | None:
    if status in _TRANSIENT or status >= 500:
        return SourceUnavailable(f"image_url: {host} answered {status}")
    if status != 200:
        return ImageNotFound(f"image_url: {host} answered {status}")
    return None
