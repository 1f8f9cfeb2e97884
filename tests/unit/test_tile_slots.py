from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from worker.adapters.tile_slots import TileSlots, sweep


def tile(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (8, 8, 3), np.uint8), rng.integers(0, 2, (8, 8, 1), np.uint8) * 255


def test_tiles_do_not_touch_each_other() -> None:
    slots = TileSlots(8, count=3, rest_seconds=1)
    taken = [slots.take() for _ in range(3)]
    assert slots.take() is None
    region = np.memmap(f"/dev/shm/{slots.name}", np.uint8)
    for seed, slot in enumerate(taken):
        assert slot is not None
        slots.write(slot, *tile(seed))
        region[slot.inpainted : slot.inpainted + 192] = seed
    for seed, slot in enumerate(taken):
        assert slot is not None
        image, mask = tile(seed)
        np.testing.assert_array_equal(region[slot.image : slot.image + 192], image.reshape(-1))
        np.testing.assert_array_equal(region[slot.mask : slot.mask + 64], mask.reshape(-1))
        assert (slots.read(slot) == seed).all()
    slots.close()
    assert not Path(f"/dev/shm/{slots.name}").exists()


def test_an_abandoned_slot_rests() -> None:
    slots = TileSlots(8, count=1, rest_seconds=0.1)
    slot = slots.take()
    assert slot is not None
    slots.abandon(slot)
    assert slots.take() is None
    time.sleep(0.15)
    assert slots.take() == slot
    slots.give_back(slot)
    assert slots.take() == slot
    slots.close()


def test_no_room_is_an_error_and_leaves_nothing() -> None:
    before = set(Path("/dev/shm").iterdir())
    with pytest.raises(OSError, match="space"):
        TileSlots(1 << 20, count=1 << 20, rest_seconds=1)
    assert set(Path("/dev/shm").iterdir()) == before


def test_only_dead_owners_are_swept() -> None:
    script = (
        "from worker.adapters.tile_slots import TileSlots; import time\n"
        "slots = TileSlots(8, 1, 1); print(slots.name, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        name = owner.stdout.readline().strip()
        assert name not in sweep()
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert name in sweep()
    assert not Path(f"/dev/shm/{name}").exists()
