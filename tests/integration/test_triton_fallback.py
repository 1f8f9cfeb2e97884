"""Where /dev/shm has no room, tiles go in the message."""

from __future__ import annotations

import resource
import signal

import numpy as np

from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.embedded import EmbeddedTriton


async def test_without_room_for_slots_tiles_go_in_the_message(triton: EmbeddedTriton) -> None:
    inpainter = TritonInpainter(TritonOptions(triton.url))
    size = (await inpainter.tile_sizes())[0]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    image = np.full((size, size, 3), 90, np.uint8)
    try:
        filled = await inpainter.inpaint(image, np.zeros((size, size, 1), np.uint8))
        assert (await inpainter.check()).endswith("by gRPC")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        await inpainter.close()
    np.testing.assert_array_equal(filled, image)
