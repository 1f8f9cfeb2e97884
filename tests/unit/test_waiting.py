"""Patches that wait, with the real spool on disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from worker.adapters.disk_spool import DiskSpool, sweep
from worker.errors import SpoolUnavailable
from worker.job import Box, Patch
from worker.waiting import WaitingPatches


def patches(count: int, seed: int = 0) -> tuple[Patch, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        Patch(
            number,
            Box(number, 2, number + 10, 12),
            rng.integers(0, 256, (10, 10, 3), np.uint8),
            rng.integers(0, 256, (10, 10), np.uint8),
        )
        for number in range(count)
    )


def files(directory: Path, names: str = "*.npz") -> list[Path]:
    return [path for path in directory.rglob(names)]


@pytest.mark.parametrize("pixels", [1000, 0])
async def test_patches_come_back_as_they_went(tmp_path: Path, pixels: int) -> None:
    spool = DiskSpool(tmp_path)
    waiting = WaitingPatches(spool, pixels)
    async with waiting.keep(patches(3)) as fetch:
        assert len(files(tmp_path)) == (0 if pixels else 1)
        for before, after in zip(patches(3), await fetch(), strict=True):
            assert (before.block_id, before.box) == (after.block_id, after.box)
            np.testing.assert_array_equal(before.rgb, after.rgb)
            np.testing.assert_array_equal(before.alpha, after.alpha)
    assert files(tmp_path) == []
    spool.close()
    assert files(tmp_path, "*") == []


async def test_only_what_exceeds_the_budget_is_spooled(tmp_path: Path) -> None:
    waiting = WaitingPatches(DiskSpool(tmp_path), pixels=250)
    async with waiting.keep(patches(2)), waiting.keep(patches(1)) as fetch:
        assert len(files(tmp_path)) == 1
        assert len(await fetch()) == 1
    async with waiting.keep(patches(2)):
        assert files(tmp_path) == []


async def test_a_job_that_fails_leaves_nothing(tmp_path: Path) -> None:
    waiting = WaitingPatches(DiskSpool(tmp_path), pixels=0)

    async def fail() -> None:
        async with waiting.keep(patches(2)):
            assert len(files(tmp_path)) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert files(tmp_path) == []


async def test_a_spool_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(SpoolUnavailable, match="SPOOL_DIR"):
        await DiskSpool(blocked).put(patches(1))


def test_only_the_dead_are_swept(tmp_path: Path) -> None:
    script = f"""
import asyncio, time
from pathlib import Path
from tests.unit.test_waiting import patches
from worker.adapters.disk_spool import DiskSpool
spool = DiskSpool(Path({str(tmp_path)!r}))
asyncio.run(spool.put(patches(1)))
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        assert sweep(tmp_path) == 0
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert len(files(tmp_path)) == 1
        assert sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
