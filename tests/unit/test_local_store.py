"""The directory as object store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from worker.adapters.local_store import LocalStore
from worker.errors import StoreUnavailable


async def test_workers_that_share_a_directory_check_it_at_once(tmp_path: Path) -> None:
    stores = [LocalStore(tmp_path / "store") for _ in range(8)]
    for _ in range(10):
        answers = await asyncio.gather(*(store.check() for store in stores))
        assert set(answers) == {f"directory {tmp_path / 'store'} can be written"}
    assert not [*(tmp_path / "store").iterdir()]


async def test_a_directory_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="LOCAL_STORAGE_DIR: Not a directory"):
        await LocalStore(tmp_path / "file" / "store").check()
