"""The spool when a job is cancelled or the disk is full."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from worker.adapters.disk_spool import DiskSpool, sweep
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


async def test_what_is_not_a_workers_folder_does_not_stop_a_start(tmp_path: Path) -> None:
    """Of another user, or gone between the listing and the look: both cannot be opened."""
    (tmp_path / "worker-file").write_text("")
    (tmp_path / "worker-gone").symlink_to(tmp_path / "nowhere")
    assert sweep(tmp_path) == 0
    DiskSpool(tmp_path).close()


async def test_many_jobs_may_need_the_folder_first(tmp_path: Path) -> None:
    for _ in range(10):
        spool = DiskSpool(tmp_path)
        tickets = await asyncio.gather(*(spool.put(patches(1, 4)) for _ in range(8)))
        assert len({Path(ticket).parent for ticket in tickets}) == 1
        assert sweep(tmp_path) == 0, "its owner lives"
        spool.close()
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))


async def test_a_folder_that_was_never_finished_is_swept_when_it_is_old(tmp_path: Path) -> None:
    for name, age in ((".worker-old", 3600), (".worker-new", 0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert sweep(tmp_path) == 1
    assert [path.name for path in await asyncio.to_thread(lambda: list(tmp_path.iterdir()))] == [
        ".worker-new"
    ]


async def test_a_folder_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path)
    spool._own.mkdir()
    (spool._own / "somebody's").write_text("")  # the rename onto it fails
    with pytest.raises(SpoolUnavailable):
        await spool.put(patches(1))
    assert [path.name for path in await asyncio.to_thread(lambda: list(tmp_path.iterdir()))] == [
        spool._own.name
    ]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:200])])
async def test_patches_that_are_gone_are_tried_again(
    spool: DiskSpool, damage: Callable[[Path], object]
) -> None:
    ticket = await spool.put(patches(2))
    damage(Path(ticket))
    with pytest.raises(SpoolUnavailable, match="cannot be read back"):
        await spool.take(ticket)
    await spool.drop(ticket)
    await spool.drop(str(Path(ticket).parent / "no" / "folder.npz"))
