"""The documents' commands, typed as they stand there into a shell, against the real parts."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.acceptance.conftest import EXAMPLES, Workplace
from tests.documents import ROOT, blocks, documented
from tests.unit.test_deploy_compose import options
from worker.embedded import free_port

README = (ROOT / "README.md").read_text(encoding="utf-8")
#: What docs/operations.md reckons with for a picture; the samples have more text than most.
MOST_RECORD_KB = 4
#: `operate-worker` and `python` are this environment's.
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def typed(command: str, cwd: Path, environment: Mapping[str, str] = os.environ, status: int = 0) -> str:
    """What the command prints."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={**environment, "PATH": PATH, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def variables(printed: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)


def test_the_example_file_can_be_copied_and_read(tmp_path: Path) -> None:
    (copy,) = documented("test_the_example_file_can_be_copied_and_read")
    shutil.copy(ROOT / ".env.example", tmp_path)
    typed(copy, tmp_path)
    reading = re.findall(r"\(a shell: (.+)\)", README)[0]
    found = variables(typed(f"{reading}; env", tmp_path, {}))
    defaults = {name: str(field.default) for name, field in options().items()}
    same = {name for name, value in found.items() if value.lower() == defaults.get(name, "").lower()}
    assert {"CONCURRENCY", "R2_KEY_TEMPLATE", "STORE_LAYOUT", "SPOOL_DIR"} <= same


def test_exported_variables_are_settings(tmp_path: Path) -> None:
    (export,) = documented("test_exported_variables_are_settings")
    found = variables(typed(f"{export}; env", tmp_path, {}))
    assert found.keys() - {"PATH", "COLUMNS", "PWD", "SHLVL", "_"} <= options().keys()


def test_check_finds_everything_well(workplace: Workplace, tmp_path: Path) -> None:
    (check,) = documented("test_check_finds_everything_well")
    lines = typed(check, tmp_path, workplace.environment).splitlines()
    assert {"redis:", "inpainter:", "translator:", "store:"} <= {line.split()[1] for line in lines}
    assert all(line.startswith("ok ") for line in lines)


def test_a_job_goes_round(workplace: Workplace, tmp_path: Path) -> None:
    """Start, ask whether it is ready, push, pop, stop: as the README tells it."""
    order = ["operate-worker", "RPUSH", "BLPOP", "curl", "python", "redis-cli"]
    run, push, pop, ask, submit, size = sorted(
        documented("test_a_job_goes_round"), key=lambda text: order.index(text.split()[0])
    )
    (sample,) = [line for line in blocks(README) if line.startswith('{"request_id"')]
    port, terms = free_port(), tmp_path / "terms.tsv"
    chinese, korean = (re.findall(rf'"{key}": "([^"]+)"', sample)[0] for key in ("source", "translation"))
    terms.write_text((EXAMPLES / "glossary.ko.tsv").read_text() + f"{chinese}\t{korean}\n")
    settings = {**workplace.environment, "METRICS_PORT": str(port), "GLOSSARY_PATH": str(terms), "PATH": PATH}
    with subprocess.Popen(["bash", "-c", f"exec {run}"], env=settings, cwd=tmp_path) as worker:
        try:
            asked = ask.replace("localhost:9100", f"127.0.0.1:{port}")
            workplace.wait_until(lambda: '"ready": true' in typed(f"{asked} || true", tmp_path), seconds=60)
            told = push.replace("https://…/main.jpg", f"{workplace.pictures}/promotion.jpg")
            client: Any = workplace.client
            client.execute_command(*shlex.split(told))
            popped = client.execute_command(*shlex.split(pop)[:-1], 60)
            result = json.loads(popped[1])
            assert result["status"] == "completed", result
            (block,) = result["blocks"]
            assert set(re.findall(r'"(\w+)": ', sample)) <= {*result, *block}
            assert (block["source"], block["translation"]) == (chinese, korean)
            address = f"{workplace.pictures}/spec-sheet.jpg --redis {settings['REDIS_URL']}"
            typed(re.sub(r"https://\S+", address, submit), ROOT, settings)
            for record in client.keys("processor_tasks:done:*"):
                used = client.execute_command(*shlex.split(size.replace("KEY", record.decode()))[1:])
                assert used < 1000 * MOST_RECORD_KB
        finally:
            worker.send_signal(signal.SIGTERM)
    assert worker.returncode == 0


def test_dead_letters_are_looked_at_and_pushed_again(workplace: Workplace, tmp_path: Path) -> None:
    commands = documented("test_dead_letters_are_looked_at_and_pushed_again")
    listing, show, retry, drop = commands
    workplace.push(ocr_result="nonsense")
    workplace.start_worker()
    assert workplace.result()["status"] == "failed"
    environment = workplace.environment
    # As they stand: no such letters.
    for command in (listing, retry, drop):
        typed(command, tmp_path, environment)
    ours = [re.sub(r"--reason \w+", "--reason bad_ocr", command) for command in (listing, retry, drop)]
    listing, retry, drop = (re.sub(r" --older-than \S+", " --older-than 0s", command) for command in ours)
    (line,) = typed(f"{listing} --json", tmp_path, environment).splitlines()
    letter = json.loads(line)
    assert letter["id"] in typed(show.replace("ID", letter["id"]), tmp_path, environment)
    typed(retry, tmp_path, environment)
    # A new submission, which ends in a result of its own.
    assert workplace.result()["status"] == "failed"
    typed(drop, tmp_path, environment)
    assert typed(f"{listing} --json", tmp_path, environment) == ""


def test_the_user_that_redis_needs(redis_url: str) -> None:
    (rights,) = documented("test_the_user_that_redis_needs")
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command(*shlex.split(rights.replace(">PASSWORD", "'>PASSWORD'")))
        try:
            with redis.Redis.from_url(redis_url, username="worker", password="PASSWORD") as user:
                user.rpush("processor_tasks", "x")
                with pytest.raises(redis.exceptions.NoPermissionError):
                    user.flushall()
        finally:
            client.execute_command("ACL", "DELUSER", "worker")


def test_one_picture_without_redis(tmp_path: Path) -> None:
    """The files that README names are those that are written."""
    translate, render = documented("test_one_picture_without_redis")
    for name, given in (("spec-sheet.jpg", "poster.jpg"), ("spec-sheet.ocr.json", "poster.ocr.json")):
        shutil.copy(EXAMPLES / name, tmp_path / given)
    shutil.copy(EXAMPLES / "glossary.ko.tsv", tmp_path / "terms.tsv")
    (tmp_path / "model_repository").symlink_to(ROOT / "model_repository")
    typed(translate, tmp_path)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    promised = README.partition(translate)[2].partition(render)[0]
    assert written == set(re.findall(r"`(poster\.[\w.]+)`", promised))
    typed(render, tmp_path)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*written, "poster.png"}


def test_what_is_named_explains_itself(tmp_path: Path) -> None:
    for command in documented("test_what_is_named_explains_itself"):
        first, *others = command.split(" | ")
        group = first.rpartition(" ")[0]
        for each in (first, *(f"{group} {other}" for other in others)):
            assert each in typed(f"{each} --help", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_samples_are_drawn_again(tmp_path: Path) -> None:
    here, elsewhere = sorted(documented("test_the_samples_are_drawn_again"), key=len)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "examples/promotion.jpg").unlink()
    typed(here, tmp_path)
    assert (tmp_path / "examples/promotion.jpg").exists()
    typed(elsewhere.replace("DIR", str(tmp_path / "drawn")), ROOT)
    assert len(list((tmp_path / "drawn").glob("*.ocr.json"))) == 4


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_load_test_runs() -> None:
    """With one worker and few jobs."""
    given = documented("test_the_load_test_runs")
    (short,) = {
        re.sub(r"( LOAD=.+)?$", " LOAD='--workers 1 --jobs 5'", command, count=1) for command in given
    }
    assert "CPU s a job" in typed(short, ROOT)
