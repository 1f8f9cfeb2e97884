"""Shared memory at the edges: workers that were killed, a server that goes at the wrong moment."""

from __future__ import annotations

import fcntl
import mmap
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from tests.faults.proxy import Fault, Proxy
from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.embedded import EmbeddedTriton
from worker.errors import InpainterUnavailable


async def fill_a_tile(inpainter: TritonInpainter) -> None:
    size = (await inpainter.tile_sizes())[0]
    await inpainter.inpaint(np.zeros((size, size, 3), np.uint8), np.zeros((size, size, 1), np.uint8))


def own_regions() -> list[str]:
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if "operate-tiles" in line]


def register_and_die(client: InferenceServerClient, name: str) -> None:
    """Do as a worker does, until somebody sweeps up after it."""
    path = Path("/dev/shm") / name
    with path.open("wb") as file:
        # Held, so that no other start sweeps it up before its time.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(bytes(mmap.PAGESIZE))
        file.flush()
        client.register_system_shared_memory(name, f"/{name}", mmap.PAGESIZE)
        path.unlink()


async def test_the_regions_of_the_dead_are_dropped(triton: EmbeddedTriton) -> None:
    client = InferenceServerClient(triton.url)
    register_and_die(client, "operate-tiles-256-0000dead")
    register_and_die(client, "somebody-else")
    inpainter = TritonInpainter(TritonOptions(triton.url))
    await fill_a_tile(inpainter)
    names = set(client.get_system_shared_memory_status().regions)
    await inpainter.close()
    client.unregister_system_shared_memory("somebody-else")
    client.close()
    assert "operate-tiles-256-0000dead" not in names
    assert "somebody-else" in names, "not ours to drop"


async def test_a_server_that_goes_while_memory_is_registered_costs_none(triton: EmbeddedTriton) -> None:
    with Proxy(triton.grpc_port) as proxy:
        inpainter = TritonInpainter(TritonOptions(proxy.address, retry_seconds=0.01))
        size = (await inpainter.tile_sizes())[0]
        assert size
        # The registration is the one message that holds the name of a region.
        proxy.inject(Fault("reset", b"operate-tiles-"))
        with pytest.raises(InpainterUnavailable):
            await fill_a_tile(inpainter)
        assert own_regions() == []
        proxy.lift()
        await fill_a_tile(inpainter)
        assert len(own_regions()) == 1
        await inpainter.close()
    assert own_regions() == []
