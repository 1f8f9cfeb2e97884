"""A TCP proxy that misbehaves on demand, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from worker.embedded import free_port

T = TypeVar("T")

_CHUNK = 1 << 16
#: An HTTP request comes in several pieces; one that is answered by us is read until this long nothing came.
_QUIET_SECONDS = 0.05

Kind = Literal["refuse", "hang", "reset", "drop_reply", "cut", "answer", "slow"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong.

    refuse       nobody listens
    hang         the request is never passed on, the connection stays open until the fault is lifted
    reset        the connection is reset instead of passing the request on
    drop_reply   the request arrives, its reply is lost and the connection reset
    cut          as drop_reply, after the first `size` bytes of the reply
    answer       the proxy answers itself, with `reply`
    slow         each piece of a request waits for `seconds`
    """

    kind: Kind
    #: Strikes only pieces of requests that hold these bytes.
    match: bytes = b""
    #: How often it strikes; None: until it is lifted.
    times: int | None = None
    size: int = 0
    reply: bytes = b""
    seconds: float = 0.0


@dataclass(eq=False, slots=True)
class _Link:
    """One client's connection and the one behind it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    #: Bytes of the reply that still pass before the connection is reset; None: all of them.
    passing: int | None = None

    def reset(self) -> None:
        for writer in (self.client, self.server):
            _reset(writer)


class Proxy:
    """Stands before a port on the loopback. Use it as a context manager; faults come and go meanwhile."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.struck = 0
        self._target = target
        self._fault: Fault | None = None
        self._left: int | None = None
        self._links: set[_Link] = set()
        self._hanging: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def inject(self, fault: Fault) -> None:
        """Let a fault strike from now on; another one before is lifted."""
        self._do(self._inject(fault))

    def lift(self) -> None:
        """Behave again; connections that hung are reset."""
        self._do(self._lift())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _inject(self, fault: Fault) -> None:
        await self._lift()
        self._fault, self._left, self.struck = fault, fault.times, 0
        if fault.kind == "refuse":
            await self._close()

    async def _lift(self) -> None:
        self._fault = None
        for writer in self._hanging:
            _reset(writer)
        self._hanging.clear()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for link in tuple(self._links):
            link.reset()

    async def _stop(self) -> None:
        await self._close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind, server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        link = _Link(writer, server)
        self._links.add(link)
        try:
            await asyncio.gather(self._requests(link, reader), self._replies(link, behind))
        except (OSError, asyncio.CancelledError):
            link.reset()
        finally:
            self._links.discard(link)
            writer.close()
            server.close()

    async def _requests(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(_CHUNK):
            fault = self._strike(piece)
            if fault is None or await self._passes(fault, link, reader):
                link.server.write(piece)
                await link.server.drain()
        with suppress(OSError, RuntimeError):
            link.server.write_eof()

    def _strike(self, piece: bytes) -> Fault | None:
        """The fault, where it is this piece's turn."""
        fault = self._fault
        if fault is None or fault.match not in piece or self._left == 0:
            return None
        self.struck += 1
        if self._left is not None:
            self._left -= 1
        return fault

    async def _passes(self, fault: Fault, link: _Link, reader: asyncio.StreamReader) -> bool:
        """Do the harm; whether the piece is passed on all the same."""
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault.kind in ("drop_reply", "cut"):
            link.passing = fault.size
        elif fault.kind == "hang":
            self._hanging.add(link.client)
            return False
        elif fault.kind == "answer":
            await _read_until_quiet(reader)
            link.client.write(fault.reply)
            return False
        else:
            link.reset()
            return False
        return True

    async def _replies(self, link: _Link, behind: asyncio.StreamReader) -> None:
        while piece := await behind.read(_CHUNK):
            if link.client in self._hanging:
                continue
            if link.passing is not None:
                piece, link.passing = piece[: link.passing], link.passing - len(piece)
            link.client.write(piece)
            await link.client.drain()
            if link.passing is not None and link.passing <= 0:
                link.reset()
                return
        link.client.close()


@dataclass(slots=True)
class Http:
    """Replies that a proxy before an HTTP server gives by itself."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    def __bytes__(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Fault", f"Content-Length: {len(self.body.encode())}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", self.body]).encode()


async def _read_until_quiet(reader: asyncio.StreamReader) -> None:
    with suppress(TimeoutError):
        while await asyncio.wait_for(reader.read(_CHUNK), _QUIET_SECONDS):
            pass


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection as a crashed host does: by RST, not by FIN."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
