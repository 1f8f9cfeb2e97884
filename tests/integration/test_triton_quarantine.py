"""A slot whose tile timed out may still be written by the server: it is not used again at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.embedded import MODEL_REPOSITORY, EmbeddedTriton, has_triton
from worker.errors import InpainterUnavailable

SIZE = 256
SLOW_MODEL = """
import time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            image = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()
            if image[0, 0, 0, 0] == 3:
                time.sleep(2)
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("inpainted", image)]))
        return answers
"""


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
async def test_a_slot_that_timed_out_rests(tmp_path: Path) -> None:
    source = next(path for path in sorted(MODEL_REPOSITORY.iterdir()) if path.is_dir())
    model = tmp_path / f"slow_{SIZE}"
    shutil.copytree(source, model)
    config = (model / "config.pbtxt").read_text().replace(source.name, model.name)
    (model / "config.pbtxt").write_text(config)
    (model / "1" / "model.py").write_text(SLOW_MODEL)
    image, mask = np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((SIZE, SIZE, 1), np.uint8)
    with EmbeddedTriton(tmp_path) as server:
        options = TritonOptions(
            server.url, max_inflight=2, timeout_seconds=1.0, shared_memory="on", attempts=1
        )
        inpainter = TritonInpainter(options)
        assert (await inpainter.inpaint(image, mask) == image).all()
        image[0, 0, 0] = 3
        with pytest.raises(InpainterUnavailable):
            await inpainter.inpaint(image, mask)
        slots = inpainter._slots[SIZE]
        assert [slots.take() is None for _ in range(2)] == [False, True]
        await inpainter.close()
