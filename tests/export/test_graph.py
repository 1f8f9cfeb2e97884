from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from export.compact import CompactLama
from export.errors import ExportError
from export.graph import Precision, TileSpec, export_tile, store_half
from export.lama import Lama
from export.verify import compare, onnx_engine, torch_engine
from tests.export.weights import tiny_compact, tiny_lama


def _inputs(batch: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(batch)
    images = rng.integers(0, 256, (batch, height, width, 3), dtype=np.uint8)
    masks = (rng.random((batch, height, width, 1)) > 0.7).astype(np.uint8) * 255
    return images, masks


@pytest.fixture(scope="module", params=[tiny_lama, tiny_compact], ids=["official", "compact"])
def model(request: pytest.FixtureRequest) -> Lama | CompactLama:
    made: Lama | CompactLama = request.param()
    return made


@pytest.fixture(scope="module")
def square(model: Lama | CompactLama, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 64 px tile model; an export takes seconds, so that all tests but a few share this one."""
    path = tmp_path_factory.mktemp("square") / "model.onnx"
    export_tile(model, TileSpec(64, 64), path)
    return path


@pytest.fixture(
    params=[tiny_lama, pytest.param(tiny_compact, marks=pytest.mark.slow)], ids=["official", "compact"]
)
def exported_anew(request: pytest.FixtureRequest) -> Lama | CompactLama:
    """For tests that export for themselves; the compact one, a large graph, only in the long run."""
    made: Lama | CompactLama = request.param()
    return made


@pytest.mark.parametrize("batch", [1, 2, 5, 8])
def test_the_tile_model_answers_as_torch(model: Lama | CompactLama, square: Path, batch: int) -> None:
    images, masks = _inputs(batch, 64, 64)
    ours, theirs = onnx_engine(square)(images, masks), torch_engine(model)(images, masks)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.array_equal(np.where(masks > 0, images, ours), images)


def test_tiles_need_not_be_square(exported_anew: Lama | CompactLama, tmp_path: Path) -> None:
    export_tile(exported_anew, TileSpec(40, 72), tmp_path / "model.onnx")
    images, masks = _inputs(2, 40, 72)
    ours, theirs = (
        onnx_engine(tmp_path / "model.onnx")(images, masks),
        torch_engine(exported_anew)(images, masks),
    )
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_the_contract_is_in_the_file(square: Path) -> None:
    graph = onnx.load(square).graph
    inputs = {value.name: value.type.tensor_type for value in graph.input}
    outputs = {value.name: value.type.tensor_type for value in graph.output}
    assert {
        name: [d.dim_value for d in value.shape.dim][1:] for name, value in (inputs | outputs).items()
    } == {
        "image": [64, 64, 3],
        "mask": [64, 64, 1],
        "inpainted": [64, 64, 3],
    }
    assert all(value.elem_type == onnx.TensorProto.UINT8 for value in (inputs | outputs).values())
    assert all(value.shape.dim[0].dim_param for value in (inputs | outputs).values()), (
        "the batch must be dynamic"
    )
    assert not {node.op_type for node in graph.node} & {"DFT", "BatchNormalization", "STFT"}


def test_the_waves_are_stored_once(model: Lama | CompactLama, square: Path) -> None:
    """Cosine and sine for each transform size: the tile, of 64², and the bottleneck, whose size depends."""
    shapes = [tuple(tensor.dims) for tensor in onnx.load(square).graph.initializer]
    assert shapes.count((64, 64)) == (2 if isinstance(model, CompactLama) else 0)
    assert all(np.prod(shape) <= 64 * 64 for shape in shapes if len(shape) == 2)


def test_the_file_names_nothing_of_this_machine(square: Path) -> None:
    assert str(Path(__file__).parents[2]).encode() not in square.read_bytes()


def test_the_same_weights_give_the_same_bytes(exported_anew: Lama | CompactLama, tmp_path: Path) -> None:
    for name in ("first", "second"):
        export_tile(exported_anew, TileSpec(32, 32), tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_only_255_means_hole_and_values_between_split_in_the_middle(
    model: Lama | CompactLama, square: Path
) -> None:
    images, _ = _inputs(1, 64, 64)
    masks = np.full((1, 64, 64, 1), 127, np.uint8)
    assert np.array_equal(onnx_engine(square)(images, masks), images)
    masks[:, 10:30, 10:30] = 128
    ours = onnx_engine(square)(images, masks)
    assert np.array_equal(ours, onnx_engine(square)(images, np.where(masks > 127, 255, 0).astype(np.uint8)))


@pytest.mark.parametrize("precision", ["fp16", "fp16-fft32"])
def test_half_precision_is_close_and_keeps_the_contract(
    exported_anew: Lama | CompactLama, precision: Precision, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    export_tile(exported_anew, TileSpec(64, 64, precision), path)
    row = compare("half", onnx_engine(path), torch_engine(exported_anew), 64, path, (1, 2))
    assert row.psnr >= 50


def test_half_precision_storage_halves_the_file(
    model: Lama | CompactLama, square: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(square.read_bytes())
    store_half(path)
    weights = sum(parameter.nbytes for parameter in model.parameters())
    assert square.stat().st_size - path.stat().st_size > 0.35 * weights
    row = compare("stored", onnx_engine(path), torch_engine(model), 64, path, (2,))
    assert row.psnr >= 50


@pytest.mark.parametrize("size", [0, -8, 12, 100])
def test_sizes_that_are_no_multiple_of_eight(model: Lama | CompactLama, size: int, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=f"tile size {size}: must be a positive multiple of 8"):
        export_tile(model, TileSpec(size, size), tmp_path / "model.onnx")
