"""What a user is told when a command cannot do its work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.acceptance.conftest import EXAMPLES
from tests.acceptance.test_cli import operate
from worker.embedded import free_port


def test_a_long_error_is_one_line_however_narrow_the_terminal(tmp_path: Path) -> None:
    glossary = tmp_path / f"{'long-' * 20}.tsv"
    settings = {"TRANSLATOR": "glossary", "GLOSSARY_PATH": str(glossary), "STORAGE": "local"}
    for command in ("run", "check"):
        finished = operate(command, cwd=tmp_path, COLUMNS="40", CONCURRENCY="x")
        assert finished.stderr.startswith("settings: CONCURRENCY: must be a whole number\n")
        assert finished.returncode == 2
    local = {**settings, "LOCAL_STORAGE_DIR": str(tmp_path), "SPOOL_DIR": str(tmp_path)}
    finished = operate("run", cwd=tmp_path, COLUMNS="40", **local)
    assert finished.stderr == f"settings: GLOSSARY_PATH: {glossary}: No such file or directory\n"
    finished = operate("check", cwd=tmp_path, COLUMNS="40", REDIS_URL="redis://127.0.0.1:1", **local)
    assert finished.returncode == 1
    assert f"failed  translator: GLOSSARY_PATH: {glossary}: No such file or directory\n" in finished.stdout


def test_a_spool_that_cannot_be_written_is_a_wrong_setting_from_the_start(tmp_path: Path) -> None:
    terms = str(EXAMPLES / "glossary.ko.tsv")
    settings = {"TRANSLATOR": "glossary", "GLOSSARY_PATH": terms, "STORAGE": "local"}
    folders = {"LOCAL_STORAGE_DIR": str(tmp_path), "SPOOL_DIR": "/proc/spool"}
    finished = operate("run", cwd=tmp_path, REDIS_URL="redis://127.0.0.1:1", **settings, **folders)
    assert finished.stderr.startswith("settings: SPOOL_DIR: /proc/spool: ")
    assert finished.stderr.count("\n") == 1
    assert finished.returncode == 2


def test_check_goes_on_after_what_fails_and_says_what_to_do(redis_url: str, tmp_path: Path) -> None:
    settings = {
        "REDIS_URL": redis_url,
        "INPAINTER": "onnx",
        "ONNX_MODEL_DIR": "/nowhere",
        "TRANSLATOR": "glossary",
        "GLOSSARY_PATH": "/nowhere.tsv",
        "STORAGE": "local",
        "LOCAL_STORAGE_DIR": "/proc/store",
        "SPOOL_DIR": "/proc/spool",
        "TARGET_LANGUAGE": "th",
    }
    expected = [
        r"ok      redis: Redis .*",
        r"failed  inpainter: ONNX_MODEL_DIR: there is no folder /nowhere; set it to .*",
        r"failed  translator: GLOSSARY_PATH: /nowhere.tsv: No such file or directory",
        r"failed  store: LOCAL_STORAGE_DIR: .*",
        r"failed  fonts: FONT_PATHS: no font has .+, TARGET_LANGUAGE is th; name a file that has",
        r"failed  spool: SPOOL_DIR: /proc/spool: .*; name a folder that uid \d+ can write",
    ]
    finished = operate("check", cwd=tmp_path, **settings)
    assert finished.returncode == 1, finished.stderr
    for line, pattern in zip(finished.stdout.splitlines(), expected, strict=True):
        assert re.fullmatch(pattern, line)
    finished = operate("check", cwd=tmp_path, FONT_PATHS="/nowhere.otf", **settings)
    assert "failed  fonts: FONT_PATHS: cannot read /nowhere.otf\n" in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["submit", "promotion.jpg", "--ocr", "OCR"], 2, "must begin with http:// or https://"),
        (["submit", "http://x/a.jpg", "--ocr", "."], 2, "is a directory"),
        (["submit", "http://x/a.jpg", "--ocr", "OCR", "--to", "Korean!"], 2, "must be a language tag"),
        (["submit", "http://x/a.jpg", "--ocr", "WRONG"], 1, "bad_ocr: ocr_result[0]: has none of box,"),
        (["submit", "http://x/a.jpg", "--ocr", "OCR"], 1, "queue_unavailable: REDIS_URL 127.0.0.1:1: "),
        (["translate", "PICTURE", "--ocr", "OCR", "--to", "Korean!"], 2, "must be a language tag"),
        (["translate", "nowhere.jpg"], 2, "'nowhere.jpg' does not exist"),
        (["translate", "PICTURE", "--glossary", "TERMS", "--out", "WRONG"], 1, "file: "),
        (
            ["render", "WRONG", "--plate", "PICTURE", "--out", "a.gif"],
            1,
            "bad_image: a.gif: must end in .png",
        ),
        (["demo", "nowhere.jpg"], 2, "'nowhere.jpg' does not exist"),
        (["demo", "--out", "WRONG"], 1, "file: "),
        (["dead", "list"], 1, "queue_unavailable: REDIS_URL 127.0.0.1:1: "),
        (["dead", "retry"], 2, "name ids, give a filter, or say --all"),
        (["dance"], 2, "No such command 'dance'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_with_its_exit_code(
    tmp_path: Path, arguments: list[str], code: int, complaint: str
) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('[{"bbbox": [1, 2, 3, 4], "text": "年", "score": 1}]', encoding="utf-8")
    names = {
        "OCR": EXAMPLES / "promotion.ocr.json",
        "PICTURE": EXAMPLES / "promotion.jpg",
        "TERMS": EXAMPLES / "glossary.ko.tsv",
        "WRONG": wrong,
    }
    words = [str(names.get(word, word)) for word in arguments]
    finished = operate(*words, cwd=tmp_path, REDIS_URL="redis://127.0.0.1:1/0", GEMINI_API_KEY="")
    assert complaint in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.returncode == code


def test_a_broken_picture_does_not_keep_the_others_from_being_done(tmp_path: Path) -> None:
    broken, picture = tmp_path / "broken.jpg", EXAMPLES / "comic-page.png"
    broken.write_bytes(b"no picture")
    terms = EXAMPLES / "glossary.ko.tsv"
    finished = operate("translate", broken, picture, "--glossary", terms, cwd=tmp_path)
    assert finished.returncode == 1
    first, second = finished.stdout.splitlines()
    assert first.startswith("broken.jpg: failed, not a picture in a known format")
    assert second.startswith("comic-page.png: ")
    assert finished.stderr == ""


def test_render_says_what_it_cannot_show_and_what_it_set_smaller(tmp_path: Path) -> None:
    sample, ocr = EXAMPLES / "promotion.jpg", EXAMPLES / "promotion.ocr.json"
    terms = EXAMPLES / "glossary.ko.tsv"
    finished = operate("translate", sample, "--ocr", ocr, "--glossary", terms, "--plate", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    layout = tmp_path / "promotion.layout.json"
    content = json.loads(layout.read_bytes())
    block, text = content["blocks"][0], content["blocks"][0]["translation"]

    block["translation"] = f"{text} {text}"
    layout.write_text(json.dumps(content), encoding="utf-8")
    finished = operate("render", layout, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.endswith(" ms, 1 block set smaller\n")

    block["translation"] = "نص عربي 😀"
    layout.write_text(json.dumps(content), encoding="utf-8")
    finished = operate("render", layout, "--out", "lost.png", cwd=tmp_path)
    assert finished.returncode == 1
    assert "blocks[0].translation: no font shows نصعربي😀; set FONT_PATHS" in finished.stderr
    assert not (tmp_path / "lost.png").exists()


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
    assert finished.returncode == 2
    assert finished.stderr.endswith("pip install 'operate-worker[onnx]'\n")


def test_the_demo_says_at_once_that_gemini_is_not_to_be_had(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    finished = operate("demo", cwd=tmp_path, GEMINI_API_KEY="secret-key", GEMINI_BASE_URL=nobody)
    assert finished.returncode == 1
    assert finished.stderr.startswith("demo: Gemini: ")
    assert finished.stderr.endswith("; without GEMINI_API_KEY the samples' glossary translates\n")
    assert "secret-key" not in finished.stderr
    assert not (tmp_path / "demo-output").exists()
