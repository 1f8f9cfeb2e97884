"""What the documents say is so: settings, links, and every command in them."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

from tests.unit.test_deploy_compose import FILES, load, merge, options
from worker.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/operations.md",
    "docs/architecture.md",
    "model_repository/README.md",
)
README = (ROOT / "README.md").read_text()
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


def test_every_setting_is_in_the_readme() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    named = set(
        re.findall(
            r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b(?:CONCURRENCY|INPAINTER|TRANSLATOR|STORAGE)\b", table
        )
    )
    assert named == set(options())


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, "docs/decisions.md", "examples/README.md", "benchmarks/RESULTS.md"]
)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / document).parent / link).exists(), link


def commands() -> list[tuple[str, str]]:
    """Indented lines of the documents that begin with a program we know, and commands in the text."""
    found = []
    for document in DOCUMENTS:
        text = (ROOT / document).read_text()
        blocks = re.findall(r"^    ([a-z][\w-]* .*)$", text, re.MULTILINE)
        inline = re.findall(r"`((?:make|docker compose|kubectl|python -m|operate-worker) [^`…]+)`", text)
        programs = ("make", "docker", "kubectl", "pip", "python", "operate-worker", "cp")
        # What stands apart on the right says what the command does.
        found += [(document, re.split(r" {3,}", line)[0]) for line in blocks if line.split()[0] in programs]
        found += [(document, line) for line in inline]
    return found


@pytest.mark.parametrize(("document", "command"), commands())
def test_commands_can_be_given(document: str, command: str) -> None:
    words = shlex.split(command.replace("…", "X"), comments=True)
    checks = {
        "make": _check_make,
        "docker": _check_compose,
        "kubectl": _check_kubectl,
        "pip": _check_pip,
        "python": _check_python,
        "operate-worker": _check_worker,
        "cp": _check_copy,
    }
    checks[words[0]](words)


def _check_copy(words: list[str]) -> None:
    _exists(words[1])


def _exists(path: str) -> None:
    assert (ROOT / path).exists(), path


def _check_make(words: list[str]) -> None:
    targets = [word for word in words[1:] if "=" not in word]
    makefile = (ROOT / "Makefile").read_text()
    variables = [word.partition("=")[0] for word in words[1:] if "=" in word]
    assert all(f"$({name})" in makefile for name in variables)
    subprocess.run(["make", "-n", *targets], cwd=ROOT, check=True, capture_output=True)


def _check_compose(words: list[str]) -> None:
    assert words[1] == "compose"
    parser = argparse.ArgumentParser()
    parser.add_argument("-f", action="append", default=[])
    parser.add_argument("--profile", action="append", default=[])
    parser.add_argument("verb", choices=["up", "run", "exec", "ps", "logs"])
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    given = parser.parse_args(words[2:])
    stack = load(given.f[0]) if given.f else load(FILES[0])
    for name in given.f[1:]:
        stack = merge(stack, load(name))
    profiles = {profile for service in stack["services"].values() for profile in service.get("profiles", [])}
    assert set(given.profile) <= profiles
    named = [word for word in given.rest if not word.startswith("-") and not word.isdigit()]
    if given.verb in ("run", "exec") or named:
        assert named[0] in stack["services"]
    if given.verb == "exec" and named[1:]:
        _check_worker(given.rest[given.rest.index(named[0]) + 1 :])


def _check_kubectl(words: list[str]) -> None:
    if "-k" in words:
        _exists(f"{words[words.index('-k') + 1]}/kustomization.yaml")
    if "-p" in words:
        (change,) = json.loads(words[words.index("-p") + 1])
        place: Any = next(yaml.safe_load_all((ROOT / "deploy/k8s/triton.yaml").read_text()))
        for part in change["path"].strip("/").split("/"):
            place = place[int(part) if part.isdigit() else part]
        assert place.partition("=")[0] == change["value"].partition("=")[0]
    names = {
        f"{found['kind'].lower()}/{found['metadata']['name']}"
        for path in (ROOT / "deploy/k8s").glob("*.yaml")
        for found in yaml.safe_load_all(path.read_text())
        if "metadata" in found
    }
    assert {word for word in words if word.startswith("deployment/")} <= names


def _check_pip(words: list[str]) -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    extras = re.findall(r"\[(.*)\]", words[-1])
    assert set(",".join(extras).split(",")) <= {*known, ""}


def _check_python(words: list[str]) -> None:
    assert words[1:3] == ["-m", "export"]
    # By name: the export is typed and checked in its own environment.
    importlib.import_module("export.__main__")._parser().parse_args(words[3:])


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


def test_there_are_commands_in_the_documents() -> None:
    programs = {command.split()[0] for _, command in commands()}
    assert programs == {"make", "docker", "kubectl", "pip", "python", "operate-worker", "cp"}
