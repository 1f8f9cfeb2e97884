"""The Dockerfile, as far as it can be checked without a Docker engine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.deployment import DOCKERFILE, FILES, exports, flags, load, mounts, stages
from tests.documents import ROOT
from tests.unit.test_deploy_compose import options
from worker.adapters.redis_backlog import RedisBacklog
from worker.embedded import free_port
from worker.health import Monitor, Readiness


def instruction(stage: str, name: str) -> str:
    """What the stage says with it, the last time; continued lines joined."""
    found = re.findall(rf"^{name} (.+)$", stages()[stage].replace("\\\n", " "), re.MULTILINE)
    return str(found[-1])


def shipped() -> set[str]:
    """Every file of the worker's package."""
    found = (ROOT / "worker").rglob("*")
    return {
        str(path.relative_to(ROOT)) for path in found if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_dockerfile_passes_the_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_the_dockerfile_copies_is_in_the_build_context() -> None:
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert any(source == entry or source.startswith(f"{entry}/") for entry in kept), source


def test_the_pinned_packages_are_those_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    pins = dict(
        line.lower().replace("_", "-").split("==")
        for line in (ROOT / "deploy/constraints.txt").read_text().splitlines()
        if "==" in line
    )
    for wanted in map(Requirement, [*project["dependencies"], *extras["fonts"], *extras["otel"]]):
        assert wanted.specifier.contains(pins[wanted.name.lower()]), wanted


@pytest.mark.parametrize("stage", ["worker", "export", "triton-cpu"])
def test_nothing_runs_as_root(stage: str) -> None:
    """One user for all: worker and Triton share files, and the export writes what Triton reads."""
    assert instruction(stage, "USER") == "1000:1000"


def test_volumes_are_their_users_from_the_start() -> None:
    """An empty volume takes over the owner of the image's folder."""
    for stage, service in (("export", "export"), ("worker", "worker")):
        given = set(instruction(stage, "RUN").partition("chown")[2].split())
        assert "1000:1000" in given
        assert mounts(load(FILES[0])["services"][service]).keys() - {"/tmp"} <= given
    made = re.findall(r"mkdir -p (\S+)", instruction("worker", "RUN"))
    assert made == [str(options()["SPOOL_DIR"].default)]


def test_the_images_alone_agree_with_compose() -> None:
    services = load(FILES[0])["services"]
    served = flags(services["triton"])["--model-repository"]
    given = exports(json.loads(instruction("export", "CMD")))
    composed = exports(services["export"]["command"])
    assert (given.out, given.cache, given.weights) == (composed.out, composed.cache, composed.weights)
    assert instruction("triton-cpu", "COPY") == f"model_repository {served}"


async def test_a_worker_that_is_not_ready_stays_healthy(tmp_path: Path) -> None:
    """Nobody restarts it for its translator; but a port that does not answer is no worker."""
    command = json.loads(instruction("worker", "HEALTHCHECK").partition("CMD")[2])
    assert command[0] == "python"
    port = free_port()

    async def healthy() -> bool:
        environment = {**os.environ, "METRICS_PORT": str(port)}
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command[1:], env=environment, stderr=quiet
        )
        return await process.wait() == 0

    draining = asyncio.Event()
    draining.set()
    backlog = RedisBacklog("redis://127.0.0.1:1/0", "processor_tasks")
    async with Monitor(Readiness([], draining), backlog).listen("127.0.0.1", port):
        assert await healthy()
    assert not await healthy()
    await backlog.close()


def test_the_fonts_are_those_the_documents_name() -> None:
    (asked,) = re.findall(r"apt-get install -y --no-install-recommends (.+?) &&", stages()["worker"])
    names = {package.partition("=")[0] for package in asked.split()}
    assert names == {"fonts-nanum"}
    assert "Debian's fonts-nanum" in (ROOT / "README.md").read_text()


def test_the_package_holds_every_file_of_the_worker() -> None:
    """The build's own list; `test_the_workers_image_steps_run` looks at what was installed."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    listed = {
        str(path.relative_to(ROOT))
        for package, globs in patterns.items()
        for pattern in globs
        for path in (ROOT / package).glob(pattern)
    }
    files = shipped()
    assert {name for name in files if not name.endswith(".py")} == listed
    folders = {str(Path(name).parent) for name in files if name.endswith(".py")}
    assert {f"{folder}/__init__.py" for folder in folders} <= files


def _commands(stage: str) -> Iterator[tuple[str, str]]:
    """The stage's COPY and RUN instructions, in order."""
    joined = stages()[stage].replace("\\\n", " ")
    for line in joined.splitlines():
        name, _, rest = line.partition(" ")
        if name in ("COPY", "RUN"):
            yield name, rest


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_workers_image_steps_run(tmp_path: Path) -> None:
    """The build stage's instructions as a script, then the command that the image starts."""
    source, target = tmp_path / "src", tmp_path / "worker"
    source.mkdir()
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    for name, rest in _commands("build"):
        if name == "RUN":
            command = rest.replace("/opt/worker", str(target))
            subprocess.run(command, shell=True, cwd=source, env=environment, check=True)
            continue
        *files, place = rest.split()
        for file in files:
            to = source if place == "./" else source / place
            if (ROOT / file).is_dir():
                shutil.copytree(ROOT / file, to)
            else:
                shutil.copy(ROOT / file, to)
    entry = json.loads(re.findall(r"^ENTRYPOINT (.+)$", stages()["worker"], re.MULTILINE)[0])
    asked = [target / "bin" / entry[0], "--help"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert "run" in done.stdout
    fonts = "from worker.rendering.fonts import FontOptions, FontSet; FontSet.load(FontOptions())"
    subprocess.run([target / "bin" / "python", "-c", fonts], check=True, cwd=tmp_path, env=environment)
    installed = next(target.glob("lib/python3.*/site-packages"))
    assert {name for name in shipped() if not (installed / name).is_file()} == set()
