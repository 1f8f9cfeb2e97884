"""What the dead left behind goes when the next worker starts, without anybody asking for it."""

from __future__ import annotations

import uuid
from pathlib import Path

from worker.adapters.disk_spool import DiskSpool
from worker.adapters.triton import TritonInpainter, TritonOptions


def test_opening_the_spool_sweeps_it(tmp_path: Path) -> None:
    left = tmp_path / "worker-0000dead"
    left.mkdir()
    (left / "lock").write_bytes(b"")
    (left / "patches.npz").write_bytes(b"")
    DiskSpool(tmp_path).close()
    assert not left.exists()


async def test_the_tiles_of_the_dead_are_swept_before_the_first_tile() -> None:
    left = Path("/dev/shm") / f"operate-tiles-8-{uuid.uuid4().hex}"
    left.write_bytes(b"")
    try:
        inpainter = TritonInpainter(TritonOptions("127.0.0.1:1"))
        await inpainter.close()
        assert not left.exists()
    finally:
        left.unlink(missing_ok=True)
