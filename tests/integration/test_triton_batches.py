"""Tiles of several images meet in the server's batches, as the shipped configuration has them."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.test_cancellation import page, settings
from tests.integration.test_triton import executed
from worker.bootstrap import local_source, local_store, open_pipeline
from worker.embedded import MODEL_REPOSITORY, EmbeddedTriton, has_triton

JOBS = 8
#: Copies, and takes as long for a batch as for one tile: a GPU's way, slower than pages come.
_SLOW_MODEL = """
import time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        time.sleep(0.2)
        tiles = [pb_utils.get_input_tensor_by_name(request, "image").as_numpy() for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("inpainted", tile)]) for tile in tiles]
"""


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
async def test_tiles_of_several_images_meet_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tile an image: a batch of several is of several images."""
    model = tmp_path / "models" / "lama_256"
    shutil.copytree(MODEL_REPOSITORY / "lama_256", model, ignore=shutil.ignore_patterns("*.onnx"))
    (model / "1" / "model.py").write_text(_SLOW_MODEL)
    with EmbeddedTriton(tmp_path / "models") as server:
        chosen = settings(server, tmp_path, monkeypatch)
        job = page(tmp_path)
        async with open_pipeline(chosen, local_source(chosen), local_store(chosen)) as pipeline:
            before = executed(server)
            await asyncio.gather(
                *(pipeline.run(replace(job, image_id=f"i{number}")) for number in range(JOBS))
            )
            after = executed(server)
    assert after.tiles - before.tiles == JOBS
    assert after.batches - before.batches <= JOBS / 2
