"""Patches on disk, for jobs whose translation takes longer than memory allows.

Each process has a folder of its own under SPOOL_DIR and holds a lock in it, so that the next start can tell
the leftovers of the dead from the files of the living, in any container.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.errors import SpoolUnavailable
from worker.job import Box, Patch

_PREFIX = "worker-"
_LOCK = "lock"


class DiskSpool:
    """`Spool` in a directory.

    Args:
        directory: SPOOL_DIR; made at the first use, swept at once if it is there.
    """

    def __init__(self, directory: Path) -> None:
        self._own = directory / f"{_PREFIX}{uuid.uuid4().hex}"
        self._lock: int | None = None
        sweep(directory)

    async def put(self, patches: Sequence[Patch]) -> str:
        """Write patches; returns the ticket to read them with."""
        path = self._own / f"{uuid.uuid4().hex}.npz"
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, path, patches))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # The thread writes on; nobody will have its ticket.
            writing.add_done_callback(lambda _: path.unlink(missing_ok=True))
            raise
        return str(path)

    async def take(self, ticket: str) -> tuple[Patch, ...]:
        """Read patches back and delete them."""
        return await asyncio.to_thread(self._read, ticket)

    async def drop(self, ticket: str) -> None:
        """Delete patches that nobody wants any more."""
        await asyncio.to_thread(Path(ticket).unlink, missing_ok=True)

    def close(self) -> None:
        """Remove the own folder."""
        if self._lock is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def _write(self, path: Path, patches: Sequence[Patch]) -> None:
        arrays: list[NDArray[Any]] = []
        for patch in patches:
            box = patch.box
            place = np.array([patch.block_id, box.left, box.top, box.right, box.bottom], np.int64)
            arrays += [place, patch.rgb, patch.alpha]
        try:
            self._claim_folder()
            np.savez(path, *arrays)
        except OSError as error:
            # Half a file would only keep a full disk full.
            with suppress(OSError):
                path.unlink()
            raise SpoolUnavailable(f"SPOOL_DIR: {error.strerror}") from None

    def _read(self, ticket: str) -> tuple[Patch, ...]:
        with np.load(ticket, allow_pickle=False) as file:
            arrays = [file[f"arr_{index}"] for index in range(len(file.files))]
        Path(ticket).unlink(missing_ok=True)
        triples = zip(arrays[::3], arrays[1::3], arrays[2::3], strict=True)
        return tuple(
            Patch(int(place[0]), Box(*map(int, place[1:])), rgb, alpha) for place, rgb, alpha in triples
        )

    def _claim_folder(self) -> None:
        if self._lock is None:
            self._own.mkdir(parents=True)
            self._lock = _locked(self._own / _LOCK)


def sweep(directory: Path) -> int:
    """Remove the folders of dead workers; returns how many."""
    removed = 0
    for folder in directory.glob(f"{_PREFIX}*"):
        lock = _locked(folder / _LOCK)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            removed += 1
    return removed


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock, or None where somebody alive does."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file
