"""The compose files, as far as they can be checked without a Docker engine."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployment import DOCKERFILE, FILES, exports, flags, load, merge, mounts, seen, stages
from tests.documents import ROOT, commands
from worker.misspelt import COMPOSE_NAMES
from worker.settings import QueueSettings, Settings


def options() -> dict[str, Any]:
    """By variable: the fields of Settings."""
    groups = [field.annotation for field in Settings.model_fields.values()]
    return {
        str(field.alias): field
        for group in groups
        if group is not None
        for field in getattr(group, "model_fields", {}).values()
    }


#: What the images listen on, as nobody tells them otherwise; Triton's HTTP and metrics beside its gRPC.
PORTS = {"redis": 6379, "triton": 8001, "s3": 5000, "pictures": 8080, "prometheus": 9090, "grafana": 3000}
TRITON_HTTP, TRITON_METRICS = 8000, 8002
#: What each service writes to; the rest of its files is read-only.
WRITTEN = {
    "redis": ["/data"],
    "triton": ["/tmp"],
    "worker": ["/tmp", str(options()["SPOOL_DIR"].default)],
    "prometheus": ["/prometheus"],
    "grafana": ["/tmp", "/var/lib/grafana"],
    "pictures": [],
}


@pytest.fixture(scope="module", params=["gpu", "cpu"])
def stack(request: pytest.FixtureRequest) -> Any:
    """What compose sees with the first file alone, and with both."""
    base = load(FILES[0])
    return base if request.param == "gpu" else merge(base, load(FILES[1]))


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
            assert variable in options() or variable.startswith("GF_") or variable in COMPOSE_NAMES, variable
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
        if name in WRITTEN:
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert service["restart"] == "unless-stopped", name
            kept = service["logging"]["options"]
            megabytes = int(kept["max-size"].removesuffix("m")) * int(kept["max-file"])
            assert megabytes <= 250, "a million jobs are 300 MB of lines"


def test_what_is_written_can_be_written(stack: Any) -> None:
    services = stack["services"]
    assert {name for name, service in services.items() if service.get("read_only")} == WRITTEN.keys()
    for name, paths in WRITTEN.items():
        writable = [target for target, (_, allowed) in mounts(services[name]).items() if allowed]
        for path in paths:
            assert any(Path(path).is_relative_to(target) for target in writable), (name, path)
    assert flags(services["prometheus"])["--storage.tsdb.path"] in WRITTEN["prometheus"]


def test_tiles_reach_triton_through_shared_memory(stack: Any) -> None:
    """Without any of these they go through gRPC, in silence and slower."""
    triton, worker = stack["services"]["triton"], stack["services"]["worker"]
    assert (triton["ipc"], worker["ipc"]) == ("shareable", "service:triton")
    assert flags(triton)["--allow-client-shm"] == "true"
    # The files there belong to their user; the image's test holds the worker's.
    assert triton["user"] == "1000:1000"
    number, unit = re.fullmatch(r"(\d+)(mb|gb)", triton["shm_size"]).groups()  # type: ignore[union-attr]
    # Image, mask and answer of every tile that four workers may have there.
    tiles = 4 * options()["TRITON_MAX_INFLIGHT"].default * 7 * (256**2 + 512**2)
    assert int(number) << {"mb": 20, "gb": 30}[unit] > tiles


def test_triton_serves_what_lies_there_at_its_start(stack: Any) -> None:
    triton = stack["services"]["triton"]
    *command, address = triton["healthcheck"]["test"]
    assert command[:3] == ["CMD", "curl", "--fail"]
    # It is live before its models are loaded.
    assert address == f"http://127.0.0.1:{TRITON_HTTP}/v2/health/ready"
    # Polling would load models that the export is just putting in place, one after the other.
    assert flags(triton)["--model-control-mode"] == "none"
    assert int(flags(triton)["--exit-timeout-secs"]) < int(triton["stop_grace_period"].removesuffix("s"))


@pytest.mark.parametrize("release", ["1", "2"])
def test_the_export_fills_what_triton_serves(release: str) -> None:
    """Two releases lie side by side in the volume; one variable says which is meant."""
    services = load(FILES[0], MODEL_RELEASE=release)["services"]
    given = exports(services["export"]["command"])
    served = flags(services["triton"])["--model-repository"]
    assert str(given.out) == served == f"/models/{release}"
    assert services["plans"]["command"] == ["sh", f"{served}/build_plans.sh"]
    # Below the mount: nothing moves into a mount by rename.
    for name, writes in (("export", True), ("plans", True), ("triton", False)):
        assert mounts(services[name])[str(given.out.parent)] == ("models", writes), name
    assert mounts(services["export"])[str(given.cache)] == ("weights", True)
    # What the models name as the place of their engines.
    assert '"/var/cache/triton/' in (ROOT / "export/repository.py").read_text()
    assert mounts(services["triton"])["/var/cache/triton"] == ("engines", True)
    assert given.weights in importlib.import_module("export.downloads").PUBLISHED
    assert given.target == "onnxruntime", "tensorrt serves nothing until its plans are built"


@pytest.mark.parametrize("release", ["1", "2"])
def test_without_a_gpu_the_shipped_models_are_served(release: str) -> None:
    base, over = (load(name, MODEL_RELEASE=release) for name in FILES)
    services = merge(base, over)["services"]
    served = flags(services["triton"])["--model-repository"]
    assert mounts(services["triton"]) == {
        served: ("./model_repository", False),
        "/tmp": ("tmpfs", True),
    }
    assert services["triton"]["build"]["target"] == "triton-cpu"


def test_the_gpu_is_asked_for_where_there_is_one() -> None:
    base = load(FILES[0])
    for stack, wanted in ((base, {"triton", "plans"}), (merge(base, load(FILES[1])), set())):
        services = stack["services"].items()
        asking = {name: service.get("deploy", {}).get("resources") for name, service in services}
        assert {name for name, resources in asking.items() if resources} == wanted
        for name in wanted:
            (device,) = asking[name]["reservations"]["devices"]
            assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_variables_before_documented_commands_are_composes() -> None:
    used = set(re.findall(r"\$\{([A-Z_0-9]+)", (ROOT / FILES[0]).read_text()))
    given = [re.match(r"((?:[A-Z_]+=\S+ +)+)docker compose ", text) for _, text in commands()]
    names = {name for found in given if found for name in re.findall(r"([A-Z_]+)=", found[1])}
    assert "MODEL_RELEASE" in names, "the roll-out of a model"
    assert names <= used


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
    assert found["worker"] | {"names": ["worker"], "port": port} == found["worker"]
    assert found["triton"] | {"names": ["triton"], "port": TRITON_METRICS} == found["triton"]


def test_addresses_lead_to_services(stack: Any) -> None:
    services = stack["services"]
    sources = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    texts = [*services["worker"]["environment"].values(), sources["datasources"][0]["url"]]
    found = [match for text in texts for match in re.findall(r"(?:^|//)([a-z][a-z0-9]*):(\d+)", text)]
    assert {host for host, _ in found} >= {"redis", "triton", "prometheus"}
    for host, port in found:
        if host == "localhost":
            assert any(entry.startswith(f"127.0.0.1:{port}:") for entry in services["s3"]["ports"])
        else:
            assert int(port) == PORTS[host], host
    for name, service in services.items():
        for entry in service.get("ports", []):
            assert entry.endswith(f":{PORTS[name]}"), name
    assert str(PORTS["pictures"]) in services["pictures"]["entrypoint"]


def test_monitoring_finds_its_files(stack: Any) -> None:
    services = stack["services"]
    config = flags(services["prometheus"])["--config.file"]
    assert seen(services["prometheus"], config) == ROOT / "deploy/prometheus/prometheus.yml"
    # Where Grafana looks when nobody tells it otherwise.
    for kind in ("datasources", "dashboards"):
        folder = seen(services["grafana"], f"/etc/grafana/provisioning/{kind}")
        assert list(folder.glob("*.yml")), kind
