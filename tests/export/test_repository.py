from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.build import BuildOptions, build
from export.errors import ExportError
from export.repository import Target, staged, write_config, write_plan_script
from tests.export.weights import save_safetensors, tiny_lama


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A repository with an old model, another model and a README."""
    out = tmp_path / "repository"
    for name in ("lama_64/1/model.onnx", "lama_64/config.pbtxt", "telea_256/config.pbtxt", "README.md"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(f"old {name}")
    return out


def _options(tmp_path: Path, out: Path, **changes: Any) -> BuildOptions:
    weights = save_safetensors(tiny_lama(), tmp_path / "weights.safetensors")
    return replace(BuildOptions(str(weights), "cpu", (64,), "fp32", out, tmp_path), **changes)


def test_a_build_replaces_its_models_and_nothing_else(tmp_path: Path, old: Path) -> None:
    rows = build(_options(tmp_path, old))
    files = _files(old)
    assert files["telea_256/config.pbtxt"] == b"old telea_256/config.pbtxt"
    assert files["README.md"] == b"old README.md"
    assert set(files) == {
        "README.md",
        "telea_256/config.pbtxt",
        "lama_64/config.pbtxt",
        "lama_64/1/model.onnx",
        "lama_64/1/model.py",
    }
    assert b'name: "lama_64"' in files["lama_64/config.pbtxt"]
    assert [row.name for row in rows] == ["lama_64"]
    assert rows[0].max_levels <= 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tiles": (64, 60)}, "tile size 60: must be a positive multiple of 8"),
        ({"tiles": (64, 64)}, "each tile size once"),
        ({"tiles": ()}, "each tile size once"),
        ({"weights": "nowhere.ckpt"}, "nowhere.ckpt: no such file"),
    ],
)
def test_a_failed_build_leaves_the_old_repository(
    tmp_path: Path, old: Path, changes: dict[str, object], message: str
) -> None:
    before = _files(old)
    with pytest.raises(ExportError, match=message):
        build(_options(tmp_path, old, **changes))
    assert _files(old) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_crash_while_staging_leaves_the_old_repository(old: Path) -> None:
    before = _files(old)
    with pytest.raises(ZeroDivisionError), staged(old) as folder:  # noqa: PT012
        (folder / "lama_64").mkdir()
        raise ZeroDivisionError
    assert _files(old) == before


def test_a_swap_that_fails_half_way_moves_everything_back(old: Path) -> None:
    before = _files(old)
    with pytest.raises(ExportError, match="cannot be replaced"), staged(old) as folder:  # noqa: PT012
        for name in ("lama_64", "lama_96"):
            (folder / name).mkdir()
            (folder / name / "new").touch()
        # A file cannot take the place of what a vanished folder was.
        (folder.parent / "old").rmdir()
    assert _files(old) == before
    assert not (old / "lama_96").exists()


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be written"):
        build(_options(tmp_path, tmp_path / "file"))
    assert (tmp_path / "file").is_file()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("cpu", ['backend: "python"', "KIND_CPU", "intra_op_threads"]),
        (
            "onnxruntime",
            [
                'backend: "onnxruntime"',
                "KIND_GPU",
                'name: "tensorrt"',
                "image:16x256x256x3,mask:16x256x256x1",
            ],
        ),
        ("tensorrt", ['platform: "tensorrt_plan"', "KIND_GPU"]),
    ],
)
def test_configs(target: Target, expected: list[str], tmp_path: Path) -> None:
    write_config(tmp_path, 256, target, "fp16")
    config = (tmp_path / "lama_256" / "config.pbtxt").read_text()
    common = [
        'name: "lama_256"',
        "dims: [256, 256, 3]",
        "dynamic_batching {",
        "max_queue_delay_microseconds",
        "model_warmup",
    ]
    for text in common + expected:
        assert text in config
    for braces in ("{}", "[]"):
        assert config.count(braces[0]) == config.count(braces[1])
    for policy in ("max_queue_size", "timeout_action", "priority_levels"):
        assert policy not in config


def test_the_plan_script_is_complete(tmp_path: Path) -> None:
    write_plan_script(tmp_path, [256, 512])
    script = tmp_path / "build_plans.sh"
    assert script.stat().st_mode & stat.S_IXUSR
    text = script.read_text()
    for part in (
        "--onnx=lama_512/model.onnx",
        "--timingCacheFile=",
        "lama_256/1/model.plan",
        "image:8x512x512x3",
    ):
        assert part in text


def test_tensorrt_puts_the_onnx_beside_the_version(tmp_path: Path) -> None:
    build(_options(tmp_path, tmp_path / "out", target="tensorrt", precision="fp16"))
    assert set(_files(tmp_path / "out")) == {"build_plans.sh", "lama_64/config.pbtxt", "lama_64/model.onnx"}
    assert (tmp_path / "out" / "lama_64" / "1").is_dir()
