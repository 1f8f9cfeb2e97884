"""Encryption before servers that are packaged without it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def tls_front(certificate: Path | None, port: int, seen: bytearray | None = None) -> AsyncIterator[int]:
    """TLS in front of a plain server on this machine, as stunnel does it; its port.

    Args:
        certificate: The key is beside it; None: without TLS.
        port: The server's.
        seen: Where what clients say is noted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if context and certificate:
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytearray | None = None
    ) -> None:
        try:
            while piece := await reader.read(1 << 16):
                if said is not None:
                    said += piece
                writer.write(piece)
                await writer.drain()
        except OSError:
            return
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, server, seen), pump(behind, writer))

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with front:
        yield front.sockets[0].getsockname()[1]
