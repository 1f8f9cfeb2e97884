"""Dockerfile and compose files, read as Docker reads them."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path
from typing import Any

import yaml

from tests.documents import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
FILES = ("docker-compose.yml", "docker-compose.cpu.yml")

#: Flags of `docker compose VERB` that the documents use; true: a value follows.
COMPOSE = {
    "up": {"-d": False, "--build": False},
    "run": {"--rm": False, "--build": False},
    "exec": {},
    "ps": {"--all": False},
    "logs": {"--tail": True},
}


class ComposeLoader(yaml.SafeLoader):
    """Knows compose's merge tags."""


def _override(loader: yaml.SafeLoader, node: yaml.Node) -> tuple[str, Any]:
    assert isinstance(node, yaml.SequenceNode)
    return "!override", loader.construct_sequence(node)


ComposeLoader.add_constructor("!override", _override)
ComposeLoader.add_constructor("!reset", lambda loader, node: ("!reset", None))


def merge(base: Any, over: Any) -> Any:
    """As compose merges files: mappings by key, lists appended, the rest replaced."""
    if over is None:
        return base
    if isinstance(over, tuple):
        return over[1]
    if isinstance(base, dict) and isinstance(over, dict):
        merged = base | {key: merge(base.get(key), value) for key, value in over.items()}
        return {key: value for key, value in merged.items() if over.get(key) != ("!reset", None)}
    return [*base, *over] if isinstance(base, list) and isinstance(over, list) else over


def load(name: str, **variables: str) -> Any:
    """A compose file with these variables set, and the defaults for the rest."""
    text = re.sub(
        r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1], found[2]), (ROOT / name).read_text()
    )
    return yaml.load(text, ComposeLoader)


def mounts(service: Any) -> dict[str, tuple[str, bool]]:
    """By path in the container: what is mounted there, and whether it can be written to."""
    volumes = [entry.split(":") for entry in service.get("volumes", [])]
    found = {target: (source, mode != ["ro"]) for source, target, *mode in volumes}
    return found | {target: ("tmpfs", True) for target in service.get("tmpfs", [])}


def seen(service: Any, path: str) -> Path:
    """The file of ours that the container sees there."""
    (place,) = [target for target in mounts(service) if Path(path).is_relative_to(target)]
    return ROOT / mounts(service)[place][0] / Path(path).relative_to(place)


def flags(service: Any) -> dict[str, str]:
    """The values of a command's --name=value, by name."""
    pairs = [part.partition("=") for part in service["command"] if part.startswith("--")]
    return {name: value for name, _, value in pairs}


def exports(arguments: list[str]) -> Any:
    """The export's options, read by its own parser; by name: it is typed in its own environment."""
    return importlib.import_module("export.__main__")._parser().parse_args(arguments)


def stages() -> dict[str, str]:
    """The Dockerfile's stages by name."""
    found = re.split(r"^FROM \S+ AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def compose_parser() -> argparse.ArgumentParser:
    """Of what follows `docker compose`, as far as the documents use it."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("-f", action="append", default=[])
    parser.add_argument("--profile", action="append", default=[])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, flags in COMPOSE.items():
        taken = verbs.add_parser(verb, exit_on_error=False)
        for flag, valued in flags.items():
            taken.add_argument(flag, action="store" if valued else "store_true")
        taken.add_argument("service", nargs="?")
        taken.add_argument("command", nargs=argparse.REMAINDER)
    return parser
