"""The local file system as picture source and object store: for demo, tests, `operate-worker translate`."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from pathlib import Path

from worker.errors import ImageNotFound, StoreUnavailable, TooLarge


class LocalSource:
    """`ImageSource` whose URLs are paths. Only for pictures the user named on the command line."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    async def fetch(self, url: str) -> bytes:
        """The file's bytes; raises `ImageNotFound` or `TooLarge`."""
        return await asyncio.to_thread(self._read, Path(url))

    def _read(self, path: Path) -> bytes:
        try:
            if path.stat().st_size > self._max_bytes:
                raise TooLarge(f"{path}: has more than {self._max_bytes} bytes")
            return path.read_bytes()
        except OSError as error:
            raise ImageNotFound(f"{path}: {error.strerror}") from None


class LocalStore:
    """`ObjectStore` in a directory; URLs are file://. An object appears whole or not at all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, key: str, payload: bytes, content_type: str) -> str:
        """Write one object; raises `StoreUnavailable` where the directory cannot be written."""
        return await asyncio.to_thread(self._write, key, payload)

    async def check(self) -> str:
        """The directory can be written."""
        probe = f".check-{uuid.uuid4().hex}"  # each worker's own: the directory may be shared
        await self.put(probe, b"", "text/plain")
        await asyncio.to_thread((self._directory / probe).unlink, missing_ok=True)
        return f"directory {self._directory} can be written"

    def _write(self, key: str, payload: bytes) -> str:
        path = self._directory / key
        # The random part keeps two writers of one key apart.
        unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(payload)
            unfinished.replace(path)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink()
            raise StoreUnavailable(f"LOCAL_STORAGE_DIR: {error.strerror}") from None
        return path.resolve().as_uri()
