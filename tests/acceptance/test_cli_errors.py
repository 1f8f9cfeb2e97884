"""What a user is told when a command cannot do its work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import EXAMPLES
from tests.acceptance.test_cli import operate


def test_a_long_error_is_one_line_however_narrow_the_terminal(tmp_path: Path) -> None:
    glossary = tmp_path / f"{'long-' * 20}.tsv"
    settings = {"TRANSLATOR": "glossary", "GLOSSARY_PATH": str(glossary), "STORAGE": "local"}
    for command in ("run", "check"):
        finished = operate(command, cwd=tmp_path, COLUMNS="40", CONCURRENCY="x")
        assert finished.stderr.startswith("settings: CONCURRENCY: Input should be a valid integer")
        assert finished.stderr.count("\n") == 1
        finished = operate(command, cwd=tmp_path, COLUMNS="40", LOCAL_STORAGE_DIR=str(tmp_path), **settings)
        assert glossary.name in finished.stderr
        assert finished.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{text", "is not JSON"),
        (
            '[{"text": "年", "box": [1, 2], "score": 1}]',
            "ocr_result[0].box: needs four points or [x1, y1, x2, y2]",
        ),
    ],
)
def test_an_ocr_file_that_cannot_be_read_is_named_in_one_line(
    content: str, complaint: str, tmp_path: Path
) -> None:
    ocr = tmp_path / "page.ocr.json"
    ocr.write_text(content, encoding="utf-8")
    terms = EXAMPLES / "glossary.ko.tsv"
    picture = EXAMPLES / "promotion.jpg"
    finished = operate("translate", picture, "--ocr", ocr, "--glossary", terms, cwd=tmp_path, COLUMNS="40")
    assert finished.returncode == 1
    assert sum(complaint in line for line in (finished.stdout + finished.stderr).splitlines()) == 1
    assert "Traceback" not in finished.stderr


def test_submit_names_a_file_that_is_not_json(tmp_path: Path) -> None:
    ocr = tmp_path / "page.ocr.json"
    ocr.write_text("{text", encoding="utf-8")
    finished = operate("submit", "http://x/a.jpg", "--ocr", ocr, cwd=tmp_path, COLUMNS="40")
    assert (finished.returncode, finished.stderr.count("\n")) == (1, 1)
    assert finished.stderr.startswith(f"bad_ocr: {ocr} is not JSON: ")


def test_the_missing_extra_is_named_with_its_brackets(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError")
    terms, ocr = EXAMPLES / "glossary.ko.tsv", EXAMPLES / "promotion.ocr.json"
    finished = operate(
        "translate",
        EXAMPLES / "promotion.jpg",
        "--ocr",
        ocr,
        "--glossary",
        terms,
        cwd=tmp_path,
        PYTHONPATH=str(tmp_path),
    )
    assert finished.returncode == 1
    assert finished.stderr.endswith("pip install 'operate-worker[onnx]'\n")
