"""Shared memory for tiles: a file in /dev/shm for each tile size, cut into slots Triton reads and writes.

A slot whose request was cancelled or timed out may still be written by the server, so it rests before it is
used again. The owner holds a file lock: whoever can take it knows that the owner is dead, in any container.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worker.job import Image, Mask

_DIRECTORY = Path("/dev/shm")
_PREFIX = "operate-tiles-"


@dataclass(frozen=True, slots=True)
class Slot:
    """Places of one tile inside the region: byte offsets of image and mask in, of the inpainted tile out."""

    image: int
    mask: int
    inpainted: int


class TileSlots:
    """Slots for tiles of one size.

    Args:
        size: Side of the tile in px.
        count: How many tiles can be in flight.
        rest_seconds: How long an abandoned slot rests.

    Raises:
        OSError: There is no room in /dev/shm.
    """

    def __init__(self, size: int, count: int, rest_seconds: float) -> None:
        self.size = size
        self.name = f"{_PREFIX}{size}-{uuid.uuid4().hex}"
        pixels = size * size
        self.byte_size = 7 * pixels * count
        self._memory = _create(_DIRECTORY / self.name, self.byte_size)
        self._pixels = np.frombuffer(self._memory.map, np.uint8)
        self._free = deque(
            Slot(start, start + 3 * pixels, start + 4 * pixels)
            for start in range(0, self.byte_size, 7 * pixels)
        )
        self._resting: deque[tuple[float, Slot]] = deque()
        self._rest_seconds = rest_seconds

    @property
    def key(self) -> str:
        """The region's name for shm_open."""
        return f"/{self.name}"

    def take(self) -> Slot | None:
        """A free slot; None if all are in use or resting."""
        while self._resting and self._resting[0][0] <= time.monotonic():
            self._free.append(self._resting.popleft()[1])
        return self._free.popleft() if self._free else None

    def give_back(self, slot: Slot) -> None:
        """The server has answered for this slot."""
        self._free.append(slot)

    def abandon(self, slot: Slot) -> None:
        """The server may still write to this slot."""
        self._resting.append((time.monotonic() + self._rest_seconds, slot))

    def write(self, slot: Slot, image: Image, mask: Mask) -> None:
        """Copy a tile in."""
        self._pixels[slot.image : slot.mask] = image.reshape(-1)
        self._pixels[slot.mask : slot.inpainted] = mask.reshape(-1)

    def read(self, slot: Slot) -> Image:
        """Copy the answer out."""
        end = slot.inpainted + 3 * self.size * self.size
        return self._pixels[slot.inpainted : end].reshape(self.size, self.size, 3).copy()

    def close(self) -> None:
        """Remove the file; the memory itself goes when nobody maps it any more."""
        (_DIRECTORY / self.name).unlink(missing_ok=True)
        del self._pixels
        self._memory.map.close()
        os.close(self._memory.file)


@dataclass(frozen=True, slots=True)
class _Memory:
    file: int
    map: mmap.mmap


def _create(path: Path, byte_size: int) -> _Memory:
    """A locked file of its full size: what is promised is there, or the error comes now and not as SIGBUS."""
    unfinished = path.with_name(f".{path.name}")
    file = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.posix_fallocate(file, 0, byte_size)
        mapped = mmap.mmap(file, byte_size)
        # Only now can a sweeper see it, and it is locked already.
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        os.close(file)
        raise
    return _Memory(file, mapped)


def sweep() -> tuple[str, ...]:
    """Remove the files of dead owners; returns their names."""
    return tuple(path.name for path in _DIRECTORY.glob(f"{_PREFIX}*") if _is_orphan(path) and _removed(path))


def is_gone(name: str) -> bool:
    """Whether a region known to the server is one of ours whose file was removed: nobody uses it any more."""
    return name.startswith(_PREFIX) and not (_DIRECTORY / name).exists()


def _is_orphan(path: Path) -> bool:
    with _opened(path) as file:
        if file is None:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        yield None
        return
    try:
        yield file
    finally:
        os.close(file)
