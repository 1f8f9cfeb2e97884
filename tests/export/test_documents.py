"""The documents' `python -m export` commands, as far as they need no download."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from export.__main__ import main
from tests.documents import ROOT, documented

REPOSITORY = ROOT / "model_repository"


def arguments(command: str) -> list[str]:
    """What follows `python -m export`."""
    return shlex.split(command)[3:]


def test_the_shipped_models_are_built_again(tmp_path: Path) -> None:
    """The smaller of them: the other takes minutes."""
    (build,) = documented("test_the_shipped_models_are_built_again")
    assert main([*arguments(build.replace("256,512", "256")), "--out", str(tmp_path)]) == 0
    for name in ("config.pbtxt", "1/model.py"):
        path = Path("lama_256", name)
        assert (tmp_path / path).read_bytes() == (REPOSITORY / path).read_bytes()
    model = Path("lama_256/1/model.onnx")
    assert (tmp_path / model).stat().st_size == (REPOSITORY / model).stat().st_size


def test_a_running_server_is_verified(
    serve: Callable[[Path], str], capsys: pytest.CaptureFixture[str]
) -> None:
    (verify,) = documented("test_a_running_server_is_verified")
    assert main(arguments(verify.replace("HOST:8001", serve(REPOSITORY)))) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} >= {"lama_256", "lama_512"}
