from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from export.__main__ import main
from tests.export.weights import save_safetensors, tiny_lama


@pytest.fixture
def weights(tmp_path: Path) -> str:
    return str(save_safetensors(tiny_lama(), tmp_path / "weights.safetensors"))


def test_build_then_verify(weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "repository")
    assert main(["build", "--weights", weights, "--tiles", "32,64", "--out", out]) == 0
    assert main(["verify", "--weights", weights, "--repository", out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["model", "lama_32", "lama_64"] * 2


def test_verify_finds_models_of_other_weights(
    weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "repository")
    assert main(["build", "--weights", weights, "--tiles", "64", "--out", out]) == 0
    other = save_safetensors(tiny_lama(seed=1), tmp_path / "other.safetensors")
    assert main(["verify", "--weights", str(other), "--repository", out]) == 1
    assert "grey levels from torch" in capsys.readouterr().err


def test_verify_the_golden_case(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--golden", str(golden / "tiny.ckpt"), str(golden / "tiny_case.npz")]) == 0
    assert capsys.readouterr().out.count("golden case") == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--weights", "nowhere.pt"],
        ["build", "--weights", __file__],
        ["verify", "--repository", "nowhere"],
        ["verify", "--golden", __file__, __file__],
    ],
)
def test_errors_are_one_line_and_exit_code_one(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "model_repository").exists()


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
