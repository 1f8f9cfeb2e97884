"""Triton models that only copy: what is left when the network costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_CONFIG = """
name: "copy_{size}"
backend: "python"
max_batch_size: 16
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: [{size}, {size}, 3] }},
  {{ name: "mask" data_type: TYPE_UINT8 dims: [{size}, {size}, 1] }}
]
output [{{ name: "inpainted" data_type: TYPE_UINT8 dims: [{size}, {size}, 3] }}]
dynamic_batching {{ max_queue_delay_microseconds: {wait} }}
instance_group [{{ count: 1 kind: KIND_CPU }}]
"""

_MODEL = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        tiles = [pb_utils.get_input_tensor_by_name(request, "image").as_numpy() for request in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("inpainted", tile)]) for tile in tiles]
"""


def write_copy_models(repository: Path, sizes: Sequence[int], wait: int = 2000) -> None:
    """A model repository of the tensor contract, one model for each tile size.

    Args:
        repository: Where it is written.
        sizes: Of tiles, px.
        wait: Microseconds that a tile waits for others to join it in a batch.
    """
    for size in sizes:
        version = repository / f"copy_{size}" / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(_MODEL)
        (version.parent / "config.pbtxt").write_text(_CONFIG.format(size=size, wait=wait))
