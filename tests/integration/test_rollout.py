"""A new version of the model beside the old one: nothing fails for good while the servers change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from benchmarks.copy_model import write_copy_models
from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.embedded import EmbeddedTriton, has_triton
from worker.errors import InpainterUnavailable
from worker.job import Image, Mask

SIZE = 64


async def fill(inpainter: TritonInpainter, image: Image, mask: Mask) -> Image:
    """Again after a while, as the queue does with the whole job."""
    while True:
        try:
            return await inpainter.inpaint(image, mask)
        except InpainterUnavailable:
            await asyncio.sleep(0.5)


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
async def test_tiles_go_on_while_one_of_two_servers_leaves(tmp_path: Path) -> None:
    """As in a roll-out: both answer, the old one is told to stop, the new one does the rest.

    A server that stops says so, or that it knows no model any more; either may be tried again, uncounted.
    """
    for version in ("1", "2"):
        write_copy_models(tmp_path / version, (SIZE,))
    image = np.full((SIZE, SIZE, 3), 7, np.uint8)
    mask = np.zeros((SIZE, SIZE, 1), np.uint8)
    with EmbeddedTriton(tmp_path / "1") as old, EmbeddedTriton(tmp_path / "2") as new:
        inpainter = TritonInpainter(TritonOptions(f"{old.url},{new.url}", max_inflight=8))
        for stage in ("both", "one"):
            tiles = [asyncio.create_task(fill(inpainter, image, mask)) for _ in range(60)]
            if stage == "both":
                await asyncio.sleep(0.05)
                await asyncio.to_thread(old.stop)
            for filled in await asyncio.gather(*tiles):
                assert (filled == image).all()
        await inpainter.close()
