from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from worker.demo_site import DemoError, WorkerProcess


def worker_that_says(tmp_path: Path, *events: Mapping[str, object], code: str = "input()") -> WorkerProcess:
    log = tmp_path / "worker.log"
    log.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    return WorkerProcess(log, subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE))


def end(worker: WorkerProcess) -> None:
    worker.process.communicate()


def test_what_the_worker_waits_for_is_said_once(tmp_path: Path) -> None:
    down = {"event": "dependency.down", "dependency": "translator", "error": "Gemini: 503"}
    worker = worker_that_says(tmp_path, {"event": "worker.started"}, down, down)
    try:
        assert list(worker.troubles()) == ["Gemini: 503"]
        assert list(worker.troubles()) == []
    finally:
        end(worker)


def test_a_key_that_is_refused_ends_the_demo(tmp_path: Path) -> None:
    worker = worker_that_says(tmp_path, {"event": "dependency.refused", "error": "GEMINI_API_KEY: refused"})
    try:
        with pytest.raises(DemoError, match=r"^GEMINI_API_KEY: refused$"):
            list(worker.troubles())
    finally:
        end(worker)


def test_a_worker_that_has_ended_is_quoted(tmp_path: Path) -> None:
    worker = worker_that_says(tmp_path, code="raise SystemExit(2)")
    end(worker)
    worker.log.write_text('{"event": "queue.found"}\nsettings: CONCURRENCY: must be a whole number\n\n')
    with pytest.raises(
        DemoError, match=r"^the worker ended with 2: settings: CONCURRENCY: must be a whole number$"
    ):
        list(worker.troubles())
