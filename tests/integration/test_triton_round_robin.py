"""Several servers share the tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from benchmarks.copy_model import write_copy_models
from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.embedded import EmbeddedTriton, has_triton

SIZE = 64


def tiles_of(server: EmbeddedTriton) -> int:
    client = InferenceServerClient(server.url)
    try:
        return sum(int(one.inference_count) for one in client.get_inference_statistics().model_stats)
    finally:
        client.close()


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
async def test_tiles_go_to_both_servers_in_turn(tmp_path: Path) -> None:
    write_copy_models(tmp_path, (SIZE,))
    image, mask = np.full((SIZE, SIZE, 3), 7, np.uint8), np.zeros((SIZE, SIZE, 1), np.uint8)
    with EmbeddedTriton(tmp_path) as one, EmbeddedTriton(tmp_path) as other:
        inpainter = TritonInpainter(TritonOptions(f"{one.url},{other.url}"))
        for _ in range(20):
            assert (await inpainter.inpaint(image, mask) == image).all()
        counts = tiles_of(one), tiles_of(other)
        await inpainter.close()
    assert sum(counts) >= 20
    assert min(counts) >= 5
