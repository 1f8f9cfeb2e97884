from __future__ import annotations

import json
import os
from pathlib import Path

from worker.demo_folder import DemoFolder


def listed(path: Path) -> set[str]:
    return {file.name for file in path.iterdir() if not file.name.startswith(".")}


def run(path: Path, *names: str) -> None:
    with DemoFolder(path) as folder:
        for name in names:
            folder.file(name).write_text(name)


def test_a_run_removes_what_the_last_one_wrote_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out, "a.ko.jpg", "a.layout.json")
    (out / "mine.png").write_text("mine")
    run(out, "b.ko.jpg")
    assert listed(out) == {"b.ko.jpg", "mine.png"}
    run(out)
    assert listed(out) == {"mine.png"}


def test_what_was_changed_since_is_kept(tmp_path: Path) -> None:
    run(tmp_path, "a.ko.jpg", "a.layout.json")
    (tmp_path / "a.layout.json").write_text("edited")
    os.utime(tmp_path / "a.layout.json", ns=(1, 1))
    run(tmp_path, "b.ko.jpg")
    assert listed(tmp_path) == {"a.layout.json", "b.ko.jpg"}


def test_a_run_that_fails_is_tidied_up_too(tmp_path: Path) -> None:
    try:
        with DemoFolder(tmp_path) as folder:
            folder.file("worker.log").write_text("x")
            folder.file("never.jpg")
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        run(tmp_path)
    assert listed(tmp_path) == set()


def test_a_list_that_was_tampered_with_reaches_no_other_folder(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other.txt"
    run(out, "a.jpg")
    other.write_text("keep")
    (list_file,) = (file for file in out.iterdir() if file.name.startswith("."))
    stamp = other.stat().st_mtime_ns
    for content in (json.dumps({"../other.txt": stamp, str(other): stamp, "..": stamp}), "[1]", "{", "\xff"):
        list_file.write_text(content)
        run(out)
    assert other.read_text() == "keep"
