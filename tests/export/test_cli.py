from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from export.__main__ import main
from tests.export.weights import save_safetensors, tiny_lama


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights, and a repository built from them by the command."""
    folder = tmp_path_factory.mktemp("cli")
    weights = save_safetensors(tiny_lama(), folder / "weights.safetensors")
    out = str(folder / "repository")
    assert main(["build", "--weights", str(weights), "--tiles", "32,64", "--out", out]) == 0
    return folder


def _verify(folder: Path, weights: Path) -> int:
    return main(["verify", "--weights", str(weights), "--repository", str(folder / "repository")])


def test_verify_what_was_built(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(folder, folder / "weights.safetensors") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["model", "lama_32", "lama_64"]


def test_verify_finds_models_of_other_weights(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = save_safetensors(tiny_lama(seed=1), folder / "other.safetensors")
    assert _verify(folder, other) == 1
    assert "grey levels from torch" in capsys.readouterr().err


def test_verify_the_golden_case(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--golden", str(golden / "tiny.ckpt"), str(golden / "tiny_case.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["golden case, torch", "golden case, float ONNX"]
    assert max(float(line.split()[-1]) for line in lines) <= 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "--weights", "nowhere.pt"], "nowhere.pt: no such file"),
        (["build", "--weights", __file__], "not a torch checkpoint"),
        (["build", "--weights", "truncated.safetensors"], "truncated"),
        (["build", "--weights", "other.safetensors"], "not LaMa's weights"),
        (["build", "--weights", "big-lama", "--cache", "cache"], "published is 344c77bb"),
        (["build", "--weights", "weights.safetensors", "--tiles", "64,60"], "tile size 60"),
        (["build", "--weights", "weights.safetensors", "--tiles", "64,64"], "each tile size once"),
        (["build", "--weights", "weights.safetensors", "--out", "/proc/nowhere"], "cannot be written"),
        (["build", "--weights", "weights.safetensors", "--out", "weights.safetensors"], "cannot be written"),
        (["verify", "--repository", "nowhere"], "no model named lama_SIZE"),
        (["verify", "--golden", __file__, __file__], "not a golden case"),
    ],
)
def test_errors_are_one_line_and_leave_the_old_repository(
    arguments: list[str],
    message: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = (folder / "weights.safetensors").read_bytes()
    Path("weights.safetensors").write_bytes(weights)
    Path("truncated.safetensors").write_bytes(weights[:-100])
    save_file({"conv.weight": torch.zeros(3)}, "other.safetensors")
    Path("cache").mkdir()
    Path("cache/big-lama.pt").write_bytes(weights)
    old = Path("model_repository/lama_64/config.pbtxt")
    old.parent.mkdir(parents=True)
    old.write_text("old")
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert [path for path in Path("model_repository").rglob("*") if path.is_file()] == [old]
    assert old.read_text() == "old"


@pytest.mark.parametrize("arguments", [["build", "--tiles", "a,b"], ["build", "--target", "npu"], []])
def test_the_command_line_itself(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_code:
        main(arguments)
    assert exit_code.value.code == 2


def test_without_torch_one_line_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; from export.__main__ import main; sys.exit(main(['build']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: torch is missing: pip install -r export/requirements.txt\n"
