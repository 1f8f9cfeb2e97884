"""The commands as a user types them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from tests.acceptance.conftest import EXAMPLES, Workplace
from worker.embedded import free_port
from worker.job import Image


def operate(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "200", **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_missing_settings_stop_the_start_with_a_line_each(tmp_path: Path) -> None:
    finished = operate("run", cwd=tmp_path, GEMINI_API_KEY="", STORAGE="local", CONCURRENCY="x")
    assert finished.returncode == 2
    assert finished.stderr.splitlines() == [
        "settings: CONCURRENCY: must be a whole number",
        "settings: GEMINI_API_KEY: missing (or set TRANSLATOR=glossary)",
        "settings: LOCAL_STORAGE_DIR: missing (STORAGE=local needs it)",
    ]


def test_the_env_file_that_only_compose_reads_is_pointed_to(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GEMINI_API_KEY=secret-key\nCOLOUR=red\n")
    finished = operate("check", cwd=tmp_path, GEMINI_API_KEY="", STORAGE="local", REDIS_ULR="redis://x")
    assert finished.returncode == 2
    assert finished.stderr.splitlines() == [
        "settings.unknown: REDIS_ULR is not read; is REDIS_URL meant?",
        "settings.unknown: nobody reads these names of .env: COLOUR",
        "settings: GEMINI_API_KEY: missing (or set TRANSLATOR=glossary)",
        "settings: LOCAL_STORAGE_DIR: missing (STORAGE=local needs it)",
        "settings: .env is read by docker compose alone; for this shell: set -a; . ./.env; set +a",
    ]
    finished = operate("run", cwd=tmp_path, REDIS_ULR="redis://x")
    event = json.loads(finished.stderr.splitlines()[0])
    assert (event["event"], event["level"]) == ("settings.unknown", "warning")
    assert event["hint"] == "REDIS_ULR is not read; is REDIS_URL meant?"


def test_the_release_can_be_asked_for(tmp_path: Path) -> None:
    assert operate("--version", cwd=tmp_path).stdout == f"operate-worker {version('operate-worker')}\n"


def test_the_worker_says_when_it_begins_and_when_it_has_stopped(workplace: Workplace) -> None:
    command = [sys.executable, "-m", "worker", "run"]
    settings = {**workplace.environment, "CONCURRENCY": "3"}
    with subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        for line in worker.stderr:
            event = json.loads(line)
            if event["event"] == "worker.started":
                assert (event["queue"], event["concurrency"]) == ("processor_tasks", 3)
                worker.send_signal(signal.SIGTERM)
    assert (event["event"], worker.returncode) == ("worker.stopped", 0)


def test_check_has_one_line_for_each_dependency(workplace: Workplace, tmp_path: Path) -> None:
    finished = operate("check", cwd=tmp_path, **workplace.environment)
    assert finished.returncode == 0, finished.stderr
    assert [line.split()[1] for line in finished.stdout.splitlines()] == [
        "redis:",
        "inpainter:",
        "translator:",
        "store:",
        "fonts:",
        "spool:",
    ]
    assert finished.stderr == ""


def test_check_says_what_is_down_and_no_secret(workplace: Workplace, tmp_path: Path) -> None:
    settings = {
        **workplace.environment,
        "REDIS_URL": f"redis://user:secret-redis@127.0.0.1:{free_port()}/0",
        "STORAGE": "r2",
        "R2_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "R2_BUCKET": "pictures",
        "R2_ACCESS_KEY_ID": "secret-id",
        "R2_SECRET_ACCESS_KEY": "secret-key",
        "R2_PUBLIC_BASE_URL": "http://cdn.example",
    }
    finished = operate("check", cwd=tmp_path, **settings)
    assert finished.returncode == 1
    failed = [line.split()[1] for line in finished.stdout.splitlines() if line.startswith("failed")]
    assert failed == ["redis:", "store:"]
    assert "secret" not in finished.stdout + finished.stderr
    for name in ("REDIS_URL", "R2_ENDPOINT_URL"):
        assert f": {name} {urlsplit(settings[name]).netloc.rpartition('@')[2]}: " in finished.stdout


def test_submit_pushes_a_job_that_the_worker_understands(workplace: Workplace, tmp_path: Path) -> None:
    workplace.start_worker()
    finished = operate(
        "submit",
        f"{workplace.pictures}/promotion.jpg",
        "--ocr",
        EXAMPLES / "promotion.ocr.json",
        "--request-id",
        "order-1",
        cwd=tmp_path,
        **workplace.environment,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == (
        "pushed order-1/promotion (13 lines) onto processor_tasks, 1 waiting there; "
        "the result comes on hosting_tasks\n"
    )
    result = workplace.result()
    assert (result["request_id"], result["image_id"], result["status"]) == (
        "order-1",
        "promotion",
        "completed",
    )


def test_translate_writes_picture_result_and_plate(tmp_path: Path) -> None:
    finished = operate(
        "translate",
        EXAMPLES / "spec-sheet.jpg",
        "--ocr",
        EXAMPLES / "spec-sheet.ocr.json",
        "--glossary",
        EXAMPLES / "glossary.ko.tsv",
        "--plate",
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stderr
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "spec-sheet.ko.jpg",
        "spec-sheet.ko.json",
        "spec-sheet.layout.json",
        "spec-sheet.plate.png",
    }
    result = json.loads((tmp_path / "spec-sheet.ko.json").read_bytes())
    assert result["status"] == "completed"
    assert {block["status"] for block in result["blocks"]} == {"translated", "kept"}
    assert re.fullmatch(r"spec-sheet.jpg: completed, \d+ translated, \d+ kept\n", finished.stdout)
    urls = {result[f"{kind}_url"] for kind in ("image", "layout", "plate")}
    assert written == {*urls, "spec-sheet.ko.json"}
    text = (tmp_path / "spec-sheet.ko.json").read_text(encoding="utf-8")
    assert text.endswith("\n}\n")
    assert result["blocks"][0]["source"] in text


def pixels(picture: Path) -> Image:
    return np.asarray(cv2.imread(str(picture)), np.uint8)


def test_render_gives_the_same_pixels_and_after_an_edit_changes_that_block_alone(tmp_path: Path) -> None:
    sample, ocr = EXAMPLES / "comic-page.png", EXAMPLES / "comic-page.ocr.json"
    terms = EXAMPLES / "glossary.ko.tsv"
    finished = operate("translate", sample, "--ocr", ocr, "--glossary", terms, "--plate", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    layout = tmp_path / "comic-page.layout.json"

    finished = operate("render", layout, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(f"{tmp_path / 'comic-page.png'}: typeset in ")
    translated = pixels(tmp_path / "comic-page.ko.png")
    assert np.array_equal(pixels(tmp_path / "comic-page.png"), translated)

    content = json.loads(layout.read_bytes())
    block = content["blocks"][-1]
    block["translation"] = "와, 따뜻해!"
    layout.write_text(json.dumps(content), encoding="utf-8")
    finished = operate("render", layout, "--out", "edited.png", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    rows, columns = np.nonzero((pixels(tmp_path / "edited.png") != translated).any(axis=2))
    corners = np.array(block["polygon"])
    assert len(rows)
    assert corners[:, 0].min() - 2 <= columns.min() <= columns.max() <= corners[:, 0].max() + 2
    assert corners[:, 1].min() - 2 <= rows.min() <= rows.max() <= corners[:, 1].max() + 2


def test_render_names_what_is_wrong_with_a_layout(tmp_path: Path) -> None:
    layout = tmp_path / "page.layout.json"
    layout.write_text('{"version": 7}', encoding="utf-8")
    finished = operate("render", layout, cwd=tmp_path)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert (
        finished.stderr
        == f"bad_layout: {tmp_path / 'page.plate.png'} is missing; name the erased page with --plate\n"
    )
    finished = operate("render", layout, "--plate", EXAMPLES / "comic-page.png", cwd=tmp_path)
    assert finished.returncode == 1
    assert finished.stderr == "bad_layout: version: this is version 7, only 1 can be read\n"


def test_translate_reads_the_text_itself_and_names_a_broken_picture(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    glossary = tmp_path / "terms.tsv"
    glossary.write_text("年终特惠\t연말 특가\n", encoding="utf-8")
    out = tmp_path / "out"
    finished = operate(
        "translate", EXAMPLES / "promotion.jpg", "--glossary", glossary, "--out", out, cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    result = json.loads((out / "promotion.ko.json").read_bytes())
    translated = [block["source"] for block in result["blocks"] if block["status"] == "translated"]
    assert translated == ["年终特惠"], "RapidOCR found the line, the glossary knew it"
    finished = operate("translate", broken, "--glossary", glossary, "--out", out, cwd=tmp_path)
    assert finished.returncode == 1, finished.stdout
    assert "not a picture in a known format" in finished.stdout + finished.stderr


def processes(*which: str) -> set[int]:
    listed = subprocess.run(["ps", *which, "-o", "pid="], capture_output=True, text=True, check=False)
    return {int(pid) for pid in listed.stdout.split()}


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "worker", "demo", "--out", str(tmp_path)],
        env={**os.environ, "GEMINI_API_KEY": "", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C, and so all they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        yield process
        process.kill()


def children_of(demo: subprocess.Popen[str]) -> set[int]:
    """Redis, Triton and the worker, as soon as all of them run."""
    deadline = time.monotonic() + 60
    while len(children := processes("--ppid", str(demo.pid))) < 3:
        assert demo.poll() is None, "the demo ended early"
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return children


def wait_for_the_end_of(children: set[int]) -> None:
    """At once where the demo stopped them, within a moment where the kernel did it for us."""
    deadline = time.monotonic() + 5
    while left := children & processes("-e"):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def test_the_demo_ends_with_its_pictures(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    children = children_of(demo)
    output, _ = demo.communicate(timeout=240)
    assert demo.returncode == 0, output
    wait_for_the_end_of(children)
    assert "glossary" in output.splitlines()[0]
    table, _, closing = output.partition("kept: ")
    assert max(map(len, table.splitlines()[1:])) <= 80
    assert "..." not in output.partition("output file")[2], "nothing is cut"
    assert f"worker render {tmp_path}/" in closing
    assert re.search(r"spec-sheet.ko.jpg +\d+ translated, \d+ kept ", output)
    assert output.endswith(f"Open {tmp_path / 'contact-sheet.jpg'} first: original, erased, translated.\n")
    message = json.loads((tmp_path / "promotion.ko.json").read_bytes())
    assert all((tmp_path / message[f"{kind}_url"]).is_file() for kind in ("image", "plate", "layout"))
    expected = (
        "spec-sheet.ko.jpg",
        "promotion.plate.png",
        "detail-strip.side-by-side.jpg",
        "comic-page.ko.png",
    )
    assert all((tmp_path / name).stat().st_size > 10_000 for name in expected)


def test_the_demo_stops_everything_on_ctrl_c(demo: subprocess.Popen[str]) -> None:
    children = children_of(demo)
    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=240)
    assert demo.returncode == 130, output
    wait_for_the_end_of(children)
