from __future__ import annotations

import hashlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.build import BuildOptions, build
from export.errors import ExportError
from export.repository import Target, onnx_path, staged, write_config, write_plan_script
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


def test_everything_is_built_beside_the_output_and_in_its_file_system(old: Path) -> None:
    """Not inside: a server that starts meanwhile takes each folder there for a model."""
    before = _files(old)
    with staged(old) as folder:
        assert folder.parent.parent == old.parent
        assert folder.stat().st_dev == old.stat().st_dev
        assert _files(old) == before


_MOUNTED = """
import sys
from pathlib import Path
from export.__main__ import main
from export.repository import staged
out = Path(sys.argv[1])
with staged(out / "1") as folder:
    (folder / "lama_64").mkdir()
print(*sorted(str(path.relative_to(out)) for path in out.rglob("*")))
sys.exit(main(["build", "--weights", sys.argv[2], "--tiles", "64", "--out", str(out)]))
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare")
def test_a_volume_takes_a_release_but_is_none_itself(tmp_path: Path) -> None:
    """As in the container, where /models is a mount: a release is a folder in it."""
    out = tmp_path / "models"
    out.mkdir()
    weights = save_safetensors(tiny_lama(), tmp_path / "weights.safetensors")
    script = 'mount -t tmpfs none "$1" || exit 77; exec "$2" -c "$3" "$1" "$4"'
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    done = subprocess.run(
        [*inside, out, sys.executable, _MOUNTED, weights], capture_output=True, text=True, check=False
    )
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip("nobody but root may mount here")
    assert done.stdout == "1 1/lama_64\n"
    assert done.returncode == 1
    expected = f"error: {out}: cannot be written (a mount of its own; name a folder in it, such as {out}/1)\n"
    assert done.stderr == expected


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system")
def test_what_cannot_be_put_in_place_is_told_before_the_work(tmp_path: Path) -> None:
    """A folder that lies in another file system than its name, as a mount's does."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        out = tmp_path / "repository"
        out.symlink_to(elsewhere)
        if out.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("no second file system")
        with pytest.raises(ExportError, match="a mount of its own"), staged(out):
            pytest.fail("the work has begun")
        assert list(Path(elsewhere).iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["repository"]


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
    _write_graph(tmp_path, target, b"weights")
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


def _write_graph(repository: Path, target: Target, graph: bytes) -> None:
    path = onnx_path(repository, 256, target)
    (repository / "lama_256/1").mkdir(parents=True, exist_ok=True)
    path.write_bytes(graph)


def test_engines_of_other_weights_are_never_taken(tmp_path: Path) -> None:
    """Releases share the volume of the cache, and ONNX Runtime's own key leaves the weights out."""
    caches = {}
    for release, graph in (("1", b"old"), ("2", b"new"), ("3", b"old")):
        _write_graph(tmp_path / release, "onnxruntime", graph)
        write_config(tmp_path / release, 256, "onnxruntime", "fp16")
        config = (tmp_path / release / "lama_256/config.pbtxt").read_text()
        (caches[release],) = re.findall(r'"trt_engine_cache_path" value: "([^"]+)"', config)
    assert caches["1"] != caches["2"]
    assert caches["1"] == caches["3"]
    # ONNX Runtime makes one folder, not the way to it.
    digest = hashlib.sha256(b"old").hexdigest()[:12]
    assert caches["1"] == f"/var/cache/triton/lama_256-{digest}"


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
