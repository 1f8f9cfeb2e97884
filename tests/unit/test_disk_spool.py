"""The spool when a job is cancelled or the disk is full."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from worker.adapters.disk_spool import DiskSpool
from worker.errors import SpoolUnavailable
from worker.job import Box, Patch


def patches(count: int, side: int = 64) -> tuple[Patch, ...]:
    noise = np.random.default_rng(0)
    return tuple(
        Patch(
            number,
            Box(0, 0, side, side),
            noise.integers(0, 256, (side, side, 3), np.uint8),
            np.full((side, side), 255, np.uint8),
        )
        for number in range(count)
    )


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*.npz")]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[DiskSpool]:
    spool = DiskSpool(tmp_path)
    yield spool
    spool.close()


async def test_a_job_cancelled_while_it_writes_leaves_no_file(spool: DiskSpool, tmp_path: Path) -> None:
    for wait in (0, 0, 0.001, 0.002, 0.005):
        writing = asyncio.create_task(spool.put(patches(40, 256)))
        await asyncio.sleep(wait)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    for _ in range(100):
        await asyncio.sleep(0.02)
        if not files(tmp_path):
            break
    assert files(tmp_path) == []


async def test_a_full_disk_is_an_error_of_ours_and_keeps_no_half_file(
    spool: DiskSpool, tmp_path: Path
) -> None:
    await spool.drop(await spool.put(patches(1)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(SpoolUnavailable, match="SPOOL_DIR"):
            await spool.put(patches(40))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert files(tmp_path) == []
    assert len(await spool.take(await spool.put(patches(2)))) == 2
