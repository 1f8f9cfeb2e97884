"""Dockerfile and compose files, as far as they can be checked without a Docker engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from moto.server import ThreadedMotoServer
from packaging.requirements import Requirement

from worker.embedded import EmbeddedRedis, EmbeddedTriton, free_port, has_triton
from worker.settings import QueueSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FILES = ("docker-compose.yml", "docker-compose.cpu.yml")
#: Flags that servers older than 26.04 do not know.
NEW_FLAGS = {"--allow-client-shm=true"}


class ComposeLoader(yaml.SafeLoader):
    """Knows compose's merge tags."""


def _override(loader: yaml.SafeLoader, node: yaml.Node) -> tuple[str, Any]:
    assert isinstance(node, yaml.SequenceNode)
    return "!override", loader.construct_sequence(node)


ComposeLoader.add_constructor("!override", _override)
ComposeLoader.add_constructor("!reset", lambda loader, node: ("!reset", None))


def merge(base: Any, over: Any) -> Any:
    """As compose merges files: mappings by key, lists appended, the rest replaced."""
    if isinstance(over, tuple):
        return over[1]
    if isinstance(base, dict) and isinstance(over, dict):
        merged = base | {key: merge(base.get(key), value) for key, value in over.items()}
        return {key: value for key, value in merged.items() if value is not None or key not in over}
    return [*base, *over] if isinstance(base, list) and isinstance(over, list) else over


def load(name: str) -> Any:
    return yaml.load((ROOT / name).read_text(), ComposeLoader)


@pytest.fixture(scope="module", params=["gpu", "cpu"])
def stack(request: pytest.FixtureRequest) -> Any:
    """What compose sees with the first file alone, and with both."""
    base = load(FILES[0])
    return base if request.param == "gpu" else merge(base, load(FILES[1]))


def options() -> dict[str, Any]:
    """By variable: the fields of Settings."""
    groups = [field.annotation for field in Settings.model_fields.values()]
    return {
        str(field.alias): field
        for group in groups
        if group is not None
        for field in getattr(group, "model_fields", {}).values()
    }


def stages() -> dict[str, str]:
    """The Dockerfile's stages by name."""
    found = re.split(r"^FROM \S+ AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def test_compose_files_keep_the_schema(stack: Any, tmp_path: Path) -> None:
    merged = tmp_path / "compose.json"
    merged.write_text(json.dumps(stack))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(merged)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_that_is_referred_to_is_there(stack: Any) -> None:
    for name, service in stack["services"].items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in stack["volumes"], (
                name,
                mount,
            )
        if "build" in service:
            assert service["build"]["target"] in stages()
        assert set(service.get("depends_on", {})) <= set(stack["services"])
        for variable in service.get("environment", {}):
            assert variable in options() or variable.startswith("GF_"), variable
    assert stack["services"]["worker"]["ipc"] == "service:triton"


def test_variables_of_the_compose_file_are_documented() -> None:
    documented = set(
        re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )
    for name in FILES:
        used = set(re.findall(r"\$\{([A-Z_0-9]+)", (ROOT / name).read_text()))
        assert used <= documented, used - documented


def test_a_copied_example_file_changes_nothing() -> None:
    """Compose puts .env into these: an address of the host would lead nowhere in a container."""
    copied = dict(re.findall(r"^([A-Z][A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    for name in FILES:
        for variable, default in re.findall(r"\$\{([A-Z_0-9]+):-([^}]*)\}", (ROOT / name).read_text()):
            assert copied.get(variable, default) == default, variable


def test_every_service_is_hardened(stack: Any) -> None:
    for name, service in stack["services"].items():
        image = service["image"]
        assert not image.endswith(":latest"), image
        assert ":" in image, image
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "only the machine itself may reach it"
        if name in ("redis", "triton", "worker", "prometheus", "grafana", "pictures"):
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name


def test_a_stop_outlasts_the_drain(stack: Any) -> None:
    drain = QueueSettings.model_fields["drain_seconds"].default
    assert int(stack["services"]["worker"]["stop_grace_period"].removesuffix("s")) >= drain + 10


def test_ports_agree(stack: Any) -> None:
    port = options()["METRICS_PORT"].default
    environment = stack["services"]["worker"]["environment"]
    assert (environment["METRICS_HOST"], environment["METRICS_PORT"]) == ("0.0.0.0", str(port))
    assert f"EXPOSE {port}" in DOCKERFILE
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    found = {job["job_name"]: job["dns_sd_configs"][0] for job in scraped}
    assert found["worker"]["port"] == port
    assert {name for job in found.values() for name in job["names"]} <= set(stack["services"])


def test_redis_understands_its_command() -> None:
    arguments = [str(part) for part in load(FILES[0])["services"]["redis"]["command"][1:]]
    arguments = [re.sub(r"\$\{\w+:-(.*)\}", r"\1", part) for part in arguments]
    with EmbeddedRedis(*arguments) as server, redis.Redis.from_url(server.url) as client:
        kept: dict[str, str] = client.config_get("append*") | client.config_get("maxmemory*")
        assert kept["appendonly"] == "yes"
        assert kept["maxmemory-policy"] == "noeviction"
        assert kept["maxmemory"] == str(2 << 30)


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
def test_triton_understands_its_command() -> None:
    """The flags of compose and Kubernetes, together."""
    deployment = next(yaml.safe_load_all((ROOT / "deploy/k8s/triton.yaml").read_text()))
    flags: dict[str, str] = {}
    for command in (
        load(FILES[0])["services"]["triton"]["command"],
        deployment["spec"]["template"]["spec"]["containers"][0]["args"],
    ):
        assert command[0] == "tritonserver"
        flags |= {flag.partition("=")[0]: flag for flag in command[1:] if flag not in NEW_FLAGS}
    del flags["--model-repository"]
    with EmbeddedTriton(ROOT / "model_repository", *flags.values()) as server:
        assert server.pid


def test_the_buckets_healthcheck_makes_the_bucket() -> None:
    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    try:
        _, *command = load(FILES[0])["services"]["s3"]["healthcheck"]["test"]
        script = command[-1].replace("5000", str(port))
        for _ in range(2):
            subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
    finally:
        server.stop()


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
