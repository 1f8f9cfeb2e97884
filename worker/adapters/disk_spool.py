"""Patches on disk, for jobs whose translation takes longer than memory allows.

Each process has a folder of its own under SPOOL_DIR and holds a lock in it, so that the next start can tell
the leftovers of the dead from the files of the living, in any container.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import threading
import time
import uuid
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.errors import SettingsError, SpoolUnavailable
from worker.job import Box, Patch

_PREFIX = "worker-"
_LOCK = "lock"
#: No living worker takes so long from making its folder to locking it.
_HALF_MADE_SECONDS = 60.0


class DiskSpool:
    """`Spool` in a directory.

    Args:
        directory: SPOOL_DIR; made at the first use, swept at once if it is there.
    """

    def __init__(self, directory: Path) -> None:
        self._own = directory / f"{_PREFIX}{uuid.uuid4().hex}"
        self._lock: int | None = None
        self._opening = threading.Lock()
        sweep(directory)

    async def put(self, patches: Sequence[Patch]) -> str:
        """Write patches; returns the ticket to read them with."""
        path = self._own / f"{uuid.uuid4().hex}.npz"
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, path, patches))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # The thread writes on; nobody will have its ticket.
            writing.add_done_callback(lambda _: _delete(path))
            raise
        return str(path)

    async def take(self, ticket: str) -> tuple[Patch, ...]:
        """Read patches back and delete them."""
        return await asyncio.to_thread(self._read, ticket)

    async def drop(self, ticket: str) -> None:
        """Delete patches that nobody wants any more; what cannot be deleted is swept at the next start."""
        await asyncio.to_thread(_delete, Path(ticket))

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
            _delete(path)
            raise SpoolUnavailable(f"SPOOL_DIR: {error.strerror}") from None

    def _read(self, ticket: str) -> tuple[Patch, ...]:
        try:
            with Path(ticket).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = [file[f"arr_{index}"] for index in range(len(file.files))]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            # Somebody tidied up, or the disk is failing: the job is done again.
            message = f"SPOOL_DIR: patches cannot be read back ({type(error).__name__})"
            raise SpoolUnavailable(message) from None
        _delete(Path(ticket))
        triples = zip(arrays[::3], arrays[1::3], arrays[2::3], strict=True)
        return tuple(
            Patch(int(place[0]), Box(*map(int, place[1:])), rgb, alpha) for place, rgb, alpha in triples
        )

    def _claim_folder(self) -> None:
        """Make the own folder, once; a sweeper sees it only when it is locked already."""
        with self._opening:
            if self._lock is not None:
                return
            unfinished = self._own.with_name(f".{self._own.name}")
            unfinished.mkdir(parents=True, exist_ok=True)
            lock = _locked(unfinished / _LOCK)
            try:
                if lock is None:
                    raise OSError(errno.ENOLCK, "no file can be locked in it")
                unfinished.rename(self._own)
            except OSError:
                shutil.rmtree(unfinished, ignore_errors=True)
                if lock is not None:
                    os.close(lock)
                raise
            self._lock = lock


def try_out(directory: Path) -> None:
    """Write into SPOOL_DIR as the spool will, making the folder if it is not there.

    Raises:
        SettingsError: It cannot be made, or not be written.
    """
    probe = directory / f".check-{uuid.uuid4().hex}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"SPOOL_DIR: {directory}: {error.strerror}; name a folder that uid {os.getuid()} can write"
        ) from None


def sweep(directory: Path) -> int:
    """Remove the folders of dead workers; returns how many."""
    removed = 0
    # what is still being made is not locked yet: only one left so by a kill is old
    half_made = (path for path in directory.glob(f".{_PREFIX}*") if _age(path) > _HALF_MADE_SECONDS)
    for folder in (*directory.glob(f"{_PREFIX}*"), *half_made):
        lock = _locked(folder / _LOCK)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            removed += 1
    return removed


def _age(path: Path) -> float:
    """Seconds since a folder changed; 0 of one that is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _delete(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock; None where somebody alive does, or it is not ours to open."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file
