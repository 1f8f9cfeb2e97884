"""A random network of big-lama's full size: what the official weights will go through."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.checkpoints import load_model
from export.graph import TileSpec, export_tile
from export.lama import Lama, LamaSize
from export.verify import compare, onnx_engine, torch_engine
from tests.export.weights import randomised, tensors_of

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
def test_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = randomised(Lama(LamaSize()))
    tensors = tensors_of(model)
    assert len(tensors) == 989
    torch.save(
        {"state_dict": {f"generator.{name}": value for name, value in tensors.items()}},
        tmp_path / "best.ckpt",
    )
    loaded = load_model(tmp_path / "best.ckpt")
    assert loaded.size == LamaSize()
    assert all(torch.equal(value, tensors[name]) for name, value in loaded.state_dict().items())
    path = tmp_path / "model.onnx"
    export_tile(loaded, TileSpec(256, 256), path)
    assert 195e6 < path.stat().st_size < 215e6
    row = compare("big-lama", onnx_engine(path), torch_engine(model), 256, path, (1, 2))
    assert row.max_levels <= 1
