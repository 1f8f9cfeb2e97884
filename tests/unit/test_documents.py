"""What the documents say is so: settings, links, and every command in them."""

from __future__ import annotations

import importlib
import json
import math
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from typing import Any

import click
import pytest
import typer
import yaml

from tests.deployment import FILES, compose_parser, load, merge, stages
from tests.documents import CHECKED, DOCUMENTS, ROOT, RUN, bare, commands, ways
from tests.unit.test_deploy_compose import options
from worker.cli import app

README = (ROOT / "README.md").read_text()
RESULTS = (ROOT / "benchmarks/RESULTS.md").read_text()
ENVIRONMENT = (ROOT / ".env.example").read_text().partition("# The rest is for docker-compose.yml alone.")[0]


def test_every_setting_is_in_the_example_file_with_its_default_and_one_line() -> None:
    lines = [line for line in ENVIRONMENT.splitlines()[1:] if line]
    comments, settings = lines[::2], lines[1::2]
    assert all(re.match(r"# \S", comment) for comment in comments)
    found = dict(line.removeprefix("# ").split("=", 1) for line in settings)
    assert found == {name: _written(field.default) for name, field in options().items()}


def _written(default: Any) -> str:
    if default is None or default == ():
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    """A row names one setting or several, with a default for each, or one for all."""
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for names, defaults in re.findall(r"^\| ([A-Z].*?) \| (.*?) \|", table, re.MULTILINE):
        settings, values = names.split(", "), defaults.split(", ")
        each = values * len(settings) if len(values) == 1 else values
        found |= {name: _in_full(value) for name, value in zip(settings, each, strict=True)}
    assert found == {name: _written(field.default) for name, field in options().items()}
    mentioned = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", table))
    assert mentioned <= set(options())


def _in_full(value: str) -> str:
    """A default of README's table as .env.example has it."""
    amount, _, unit = value.partition(" ")
    if unit:
        return str(int(amount) * {"MiB": 1 << 20, "million": 10**6}[unit])
    # REDIS_URL: where another setting's value is taken, a default of its own is none.
    return "" if value in ("–", "REDIS_URL") else value


def test_the_sizes_of_a_fleet_add_up() -> None:
    """The measured numbers stand in one table; whoever changes one is told here what else it changes."""
    section = (
        (ROOT / "docs/operations.md").read_text().partition("## How many of each")[2].partition("\n## ")[0]
    )
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\|.+\|$", section, re.M)
    ]
    measured = {row[0]: float(row[2]) for row in rows if re.fullmatch(r"[A-Z]", row[0]) and row[0] != "G"}
    sums = {row[0].split(",")[0]: row[2] for row in rows if len(row) == 3}
    peak = float(re.findall(r"P = (\d+)", section)[0])
    assert peak == round(2e6 / 86400)
    cores = peak * measured["C"]
    wanted = {
        "cores at work in workers": round(cores),
        "cores to order": math.ceil(cores / 0.7),
        "tiles a second": round(peak * measured["N"]),
        "Gemini calls a minute": round(peak * 60),
        "Redis for a day's records": round(measured["R"]),
        "Redis for a week's translations": round(1.8 * 7 * measured["B"], 1),
    }
    assert {name: float(sums[name].replace(",", "")) for name in wanted} == wanted
    waiting = 2
    kept = sum(float(sums[name]) for name in wanted if name.startswith("Redis"))
    assert kept + waiting < int(re.findall(r"REDIS_MAXMEMORY=(\d+)gb", section)[0])
    assert re.findall(r"takes ([\d.]+) s of the worker's CPU", README) == [f"{measured['C']:g}"]
    (burst,) = re.findall(r"^\| 1 \| burst \|.* ([\d.]+) \|$", RESULTS, re.M)
    (tiles,) = re.findall(r"^([\d.]+) tiles a job, ", RESULTS, re.M)
    assert (measured["C"], measured["N"]) == (round(float(burst), 2), float(tiles))


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / document).parent / link).exists(), link


def test_every_command_is_run_or_it_is_said_why_not() -> None:
    """A command that is new belongs into one of the two tables of `tests/documents.py`."""
    unsettled = [command for command in commands() if len(ways(command.text)) != 1]
    assert not unsettled
    used = {pattern for command in commands() for pattern in ways(command.text)}
    assert used == {*RUN, *CHECKED}, "the documents no longer say this"


def test_the_tests_that_run_commands_are_there() -> None:
    for where in set(RUN.values()):
        file, _, name = where.partition("::")
        source = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {name}(" in source, where
        if file.endswith(("test_document_commands.py", "export/test_documents.py")):
            assert f'documented("{name}")' in source, f"{name} does not ask what it has to run"


@pytest.mark.parametrize("command", list(dict.fromkeys(bare(text) for _, text in commands())))
def test_commands_can_be_given(command: str) -> None:
    """All of them, those that are run elsewhere too: names, flags and files are there."""
    words = shlex.split(command.replace("…", "X"), comments=True)
    checks: dict[str, Callable[[list[str]], None]] = {
        "make": _check_make,
        "docker": _check_docker,
        "kubectl": _check_kubectl,
        "pip": _check_pip,
        "python": _check_python,
        "pytest": lambda words: _exists(words[-1]),
        "operate-worker": _check_worker,
        "cp": lambda words: _exists(words[1]),
    }
    # The others are short, and run.
    if words[0] in checks:
        checks[words[0]](words)


def _exists(path: str) -> None:
    assert (ROOT / path).exists(), path


def test_make_knows_its_targets() -> None:
    """All of the documents' at once: each call asks for the environments first."""
    given = [bare(text).split()[1] for _, text in commands() if bare(text).startswith("make ")]
    subprocess.run(["make", "-n", *dict.fromkeys(given)], cwd=ROOT, check=True, capture_output=True)


def _check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    variables = [word.partition("=")[0] for word in words[1:] if "=" in word]
    assert all(f"$({name})" in makefile for name in variables)


def _check_docker(words: list[str]) -> None:
    {"compose": _check_compose, "build": _check_build}[words[1]](words)


def _check_build(words: list[str]) -> None:
    """The image that a kustomization names, from the stage of its name."""
    given = dict(zip(words[2:-2:2], words[3:-2:2], strict=True))
    folder = {"worker": "deploy/k8s", "export": "deploy/k8s/export"}[given["--target"]]
    (image,) = yaml.safe_load((ROOT / folder / "kustomization.yaml").read_text())["images"]
    assert given.pop("--target") in stages()
    assert given == {"--tag": f"{image['newName']}:{image['newTag']}"}
    assert words[-2:] == ["--push", "."]


def _check_compose(words: list[str]) -> None:
    given = compose_parser().parse_args(words[2:])
    stack = load(given.f[0]) if given.f else load(FILES[0])
    for name in given.f[1:]:
        stack = merge(stack, load(name))
    services = stack["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", [])}
    assert set(given.profile) <= profiles
    if given.service or given.verb in ("run", "exec"):
        asked = services[given.service].get("profiles", given.profile)
        assert not asked or set(asked) & set(given.profile), f"{given.service} is not in that profile"
    if given.command and given.command[0] == "redis-cli":
        assert given.service == "redis"
        lists = {word for word in given.command if word.endswith("_tasks")}
        assert lists <= {options()["HOSTING_QUEUE"].default}
    elif given.command:
        _check_worker(given.command)
        for path in (word for word in given.command if word.startswith("/")):
            _mounted(services[given.service], path)


def _mounted(service: Any, path: str) -> None:
    """The file of ours that the container sees there."""
    for source, target in (mount.split(":")[:2] for mount in service["volumes"]):
        if path.startswith(f"{target}/"):
            _exists(f"{source}/{path.removeprefix(target)}")
            return
    raise AssertionError(f"nothing is mounted at {path}")


def _check_kubectl(words: list[str]) -> None:
    if "-k" in words:
        _exists(f"{words[words.index('-k') + 1]}/kustomization.yaml")
    if "-p" in words:
        (change,) = json.loads(words[words.index("-p") + 1])
        place: Any = next(yaml.safe_load_all((ROOT / "deploy/k8s/triton.yaml").read_text()))
        for part in change["path"].strip("/").split("/"):
            place = place[int(part) if part.isdigit() else part]
        assert place.partition("=")[0] == change["value"].partition("=")[0]
    objects = [
        found
        for path in (ROOT / "deploy/k8s").glob("*.yaml")
        for found in yaml.safe_load_all(path.read_text())
        if "metadata" in found
    ]
    names = {f"{found['kind'].lower()}/{found['metadata']['name']}" for found in objects}
    assert {word for word in words if "/" in word and word.split("/")[0] in ("deployment", "job")} <= names
    if "-n" in words:
        assert f"namespace/{words[words.index('-n') + 1]}" in names
    if (offline := _without_a_cluster(words)) is not None and shutil.which("kubectl"):
        told = {part for word in words[3:] for part in word.split("/")}
        manifests = [found for found in objects if found["kind"] == "Deployment"]
        given = yaml.safe_dump_all(found for found in manifests if found["metadata"]["name"] in told)
        subprocess.run(offline, cwd=ROOT, check=True, capture_output=True, text=True, input=given)


def _without_a_cluster(words: list[str]) -> list[str] | None:
    """The same command as far as kubectl itself can carry it out; None where it has to ask."""
    if "apply" in words:
        return ["kubectl", "kustomize", words[-1]]
    if "create" in words:
        # The file with the secrets is its reader's own.
        return [
            *(word.replace("secrets.env", ".env.example") for word in words),
            "--dry-run=client",
            "-o=yaml",
        ]
    if "patch" in words:
        # Instead of the object in the cluster, the manifest of the same name.
        named = [word for word in words if not re.fullmatch(r"deployment|triton", word)]
        return [*named, "--local", "-o=yaml", "--filename=-"]
    return None


def _check_pip(words: list[str]) -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    extras = re.findall(r"\[(.*)\]", words[-1])
    assert set(",".join(extras).split(",")) <= {*known, ""}


def _check_python(words: list[str]) -> None:
    if words[1] != "-m":
        _exists(words[1])
        return
    module = words[2]
    if module == "export":
        # By name: the export is typed and checked in its own environment.
        if words[3:]:
            importlib.import_module("export.__main__")._parser().parse_args(words[3:])
        return
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    known = set(re.findall(r'add_argument\(\s*"(--[\w-]+)"', source))
    assert {word for word in words[3:] if word.startswith("--")} <= known
    for word in words[3:]:
        if word.startswith("export/"):
            _exists(word)


def _check_worker(words: list[str]) -> None:
    assert words[0] == "operate-worker"
    command: Any = typer.main.get_command(app)
    arguments = words[1:]
    context = click.Context(command)
    while arguments and hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
        context = click.Context(command, parent=context, info_name=name)
    known = {flag for parameter in command.get_params(context) for flag in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= {*known, "--help"}


def test_every_measurement_says_of_which_commit_it_is() -> None:
    """Numbers without one cannot be taken again; the machine stands once, above all of them."""
    head, *sections = re.split(r"^## ", RESULTS, flags=re.MULTILINE)
    assert "Machine: " in head
    measured = [section for section in sections if re.search(r"^\|[ :|-]+\|$", section, re.MULTILINE)]
    assert measured
    assert not [
        section.splitlines()[0] for section in measured if not re.search(r"\bcommit [0-9a-f]{7}\b", section)
    ]
