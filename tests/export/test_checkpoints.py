from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from export.checkpoints import load_model
from export.compact import CompactLama
from export.errors import ExportError
from export.lama import Lama
from tests.export.weights import save_safetensors, tensors_of, tiny_compact, tiny_lama


def _same(ours: nn.Module, theirs: nn.Module) -> bool:
    return all(
        torch.equal(value, theirs.state_dict()[name])
        for name, value in ours.state_dict().items()
        if not name.endswith("num_batches_tracked")
    )


class _Foreign:
    """What a Lightning checkpoint drags along; `weights_only=True` refuses the file because of it."""

    def __init__(self) -> None:
        self.monitor = "fid"


class _Command:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.path}",)


def test_training_checkpoint(tmp_path: Path) -> None:
    model = tiny_lama()
    state = {f"generator.{name}": value for name, value in tensors_of(model).items()}
    state["discriminator.model.0.weight"] = torch.zeros(3)
    torch.save(
        {"state_dict": state, "epoch": 3, "callbacks": {_Foreign: [_Foreign()]}}, tmp_path / "best.ckpt"
    )
    loaded = load_model(tmp_path / "best.ckpt")
    assert isinstance(loaded, Lama)
    assert loaded.size == model.size
    assert _same(loaded, model)


class _Inpainting(nn.Module):
    """The shape of the TorchScript file: the generator at `model.generator`."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.generator = generator

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        out: Tensor = self.model.generator(image, mask)  # type: ignore[operator]  # torch: Module or Tensor
        return out


@pytest.mark.filterwarnings("ignore")
def test_torchscript_without_running_it(tmp_path: Path) -> None:
    model = tiny_lama()
    inputs = (torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))
    traced = torch.jit.trace(_Inpainting(model), inputs, check_trace=False)  # type: ignore[no-untyped-call]  # untyped
    traced.save(str(tmp_path / "big-lama.pt"))
    loaded = load_model(tmp_path / "big-lama.pt")
    assert isinstance(loaded, Lama)
    assert loaded.size == model.size
    assert _same(loaded, model)


@pytest.mark.parametrize("make", [tiny_lama, tiny_compact])
def test_safetensors(make: type, tmp_path: Path) -> None:
    model = make()
    loaded = load_model(save_safetensors(model, tmp_path / "weights.safetensors"))
    assert type(loaded) is type(model)
    assert loaded.size == model.size
    assert _same(loaded, model)


def test_half_precision_storage_and_no_counters(tmp_path: Path) -> None:
    model = tiny_compact()
    half = {name: value.half() for name, value in tensors_of(model).items() if value.is_floating_point()}
    torch.save(half, tmp_path / "half.pt")
    loaded = load_model(tmp_path / "half.pt")
    assert isinstance(loaded, CompactLama)
    assert loaded.head.weight.dtype == torch.float32
    assert torch.allclose(loaded.head.weight, model.head.weight, atol=1e-3)


def test_a_pickle_that_runs_a_command_does_not(tmp_path: Path) -> None:
    state = {f"generator.{name}": value for name, value in tensors_of(tiny_lama()).items()}
    torch.save({"state_dict": state, "hook": _Command(tmp_path / "executed")}, tmp_path / "evil.ckpt")
    load_model(tmp_path / "evil.ckpt")
    assert not (tmp_path / "executed").exists()


def test_missing_unknown_and_misshapen_keys_are_listed(tmp_path: Path) -> None:
    tensors = tensors_of(tiny_lama())
    del tensors["model.2.bn_l.weight"]
    tensors["model.99.extra"] = torch.zeros(1)
    tensors["model.1.bn_l.bias"] = torch.zeros(7)
    torch.save({f"generator.{name}": value for name, value in tensors.items()}, tmp_path / "odd.ckpt")
    with pytest.raises(ExportError) as error:
        load_model(tmp_path / "odd.ckpt")
    text = str(error.value)
    assert "1 missing: model.2.bn_l.weight" in text
    assert "1 unknown: model.99.extra" in text
    assert "1 misshapen: model.1.bn_l.bias (7,) instead of (4,)" in text
    assert "\n" not in text


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    tensors = tensors_of(tiny_lama())
    tensors["model.1.bn_l.bias"][0] = float("nan")
    torch.save(tensors, tmp_path / "nan.pt")
    with pytest.raises(ExportError, match=r"not finite: model\.1\.bn_l\.bias"):
        load_model(tmp_path / "nan.pt")


def _truncated(path: Path) -> None:
    torch.save(tensors_of(tiny_lama()), path)
    path.write_bytes(path.read_bytes()[:-4000])


def _zip_of_something(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")


def _malformed_pickle(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02K")


def _short_storage(path: Path) -> None:
    torch.save(tensors_of(tiny_lama()), path.with_suffix(".whole"))
    with zipfile.ZipFile(path.with_suffix(".whole")) as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            archive.writestr(name, content[: len(content) // 2] if "/data/" in name else content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"\x89PNG\r\n" * 50), "not a torch checkpoint, or a truncated one"),
        (_truncated, "not a torch checkpoint, or a truncated one"),
        (_zip_of_something, "not one that torch wrote"),
        (_malformed_pickle, "cannot be read"),
        (_short_storage, "shorter than promised"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "not a torch checkpoint"),
        (lambda path: torch.save({"conv.weight": torch.zeros(3)}, path), "not LaMa's weights"),
        (
            lambda path: torch.save({"model.0.weight": torch.zeros(3)}, path),
            "no tensor named model.1.ffc.convl2l.weight",
        ),
        (lambda path: None, "no such file"),
    ],
)
def test_files_that_hold_no_lama(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make(tmp_path / "file.pt")
    with pytest.raises(ExportError, match=message) as error:
        load_model(tmp_path / "file.pt")
    assert "\n" not in str(error.value)


def test_a_broken_safetensors_file(tmp_path: Path) -> None:
    path = save_safetensors(tiny_compact(), tmp_path / "weights.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ExportError, match="truncated"):
        load_model(path)
