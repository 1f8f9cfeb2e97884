"""The Kubernetes manifests against the schemas of Kubernetes and KEDA, and against one another."""

from __future__ import annotations

import copy
import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from pydantic import ValidationError

from tests.manifests import (
    EXPORT,
    FOLDER,
    OBJECTS,
    SENTINEL,
    SETTINGS,
    TEMPLATES,
    Object,
    container,
    flags,
    kustomization,
    labels,
    named,
    pod,
)
from tests.unit.test_deploy_compose import options
from worker import health

ROOT = FOLDER.parents[1]
DEPLOYMENTS = ("worker", "triton")
#: What kustomization.yaml says in a comment, for those with Sentinel.
COMPONENT = re.compile(r"^# (components: .+)$", re.MULTILINE)
ALL = [*OBJECTS, *EXPORT, *(item for item in SENTINEL if item not in OBJECTS)]
KEDA = [item for item in ALL if item["apiVersion"].startswith("keda.sh/")]


def read(item: Object) -> Any:
    """What KEDA's models make of it: they leave out what they do not know, and turn "3" into 3."""
    model = getattr(keda, item["kind"])
    return model.model_validate(item).model_dump(mode="json", by_alias=True, exclude_unset=True)


def fields(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all fields that a schema knows."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(key, str):
            yield (*path, key)
        # A trigger's metadata is its scaler's alone.
        if isinstance(child, dict | list) and key != "metadata":
            yield from fields(child, (*path, key))


@pytest.mark.parametrize("item", ALL, ids=lambda item: f"{item['kind']}-{item['metadata']['name']}")
def test_objects_keep_their_schema(item: Object) -> None:
    if item in KEDA:
        assert read(item) == item
    else:
        kubernetes_validate.validate(item, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("item", KEDA, ids=lambda item: item["kind"])
def test_a_misspelt_field_is_noticed(item: Object) -> None:
    """Each of them: the models themselves let it pass."""
    for path in fields(item["spec"], ("spec",)):
        changed = copy.deepcopy(item)
        place: Any = changed
        for part in path[:-1]:
            place = place[part]
        place[f"{path[-1]}s"] = place.pop(path[-1])
        try:
            assert read(changed) != changed, path
        except ValidationError:
            continue


@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "export", FOLDER / "components/sentinel"])
def test_all_files_belong_to_the_kustomization(folder: Path) -> None:
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization(folder)["resources"])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
def test_kustomize_makes_of_them_what_we_think(tmp_path: Path) -> None:
    """With the component switched on, as the comment says."""
    copied = tmp_path / "k8s"
    shutil.copytree(FOLDER, copied)
    text, switched = COMPONENT.subn(r"\1", (FOLDER / "kustomization.yaml").read_text())
    assert switched == 1
    for folder, switch, ours in (
        (copied, None, OBJECTS),
        (copied, text, SENTINEL),
        (copied / "export", None, EXPORT),
    ):
        if switch is not None:
            (folder / "kustomization.yaml").write_text(switch)
        command = ["kubectl", "kustomize", str(folder)]
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        specs = {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(made)}
        assert len(specs) == len(ours)
        for item in ours:
            found = specs[item["kind"], item["metadata"]["name"]]
            if item["kind"] in ("ScaledObject", "TriggerAuthentication", "NetworkPolicy"):
                assert found["spec"] == item["spec"]
            assert item["kind"] == "Namespace" or found["metadata"]["namespace"] == "operate-worker"


def test_pods_are_hardened_and_hold_no_secret() -> None:
    assert TEMPLATES.keys() == {"worker", "triton", "export"}
    for name in TEMPLATES:
        assert pod(name)["securityContext"]["runAsNonRoot"] is True
        assert pod(name)["automountServiceAccountToken"] is False
        security = container(name)["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert "env" not in container(name)
    assert "Secret" not in {item["kind"] for item in OBJECTS}


def test_what_is_written_to_is_mounted() -> None:
    """All else is read-only, in the image as in the volume that Triton serves."""
    spool = SETTINGS.get("SPOOL_DIR", str(options()["SPOOL_DIR"].default))
    # Folders of TensorRT's engines, as the exported models name them.
    engines = re.findall(r'value: "(/[^"{]+)', (ROOT / "export/repository.py").read_text())
    assert engines
    arguments = container("export")["args"]
    written = {
        "worker": ["/tmp", spool],
        "triton": ["/tmp", "/dev/shm", *engines],
        "export": ["/tmp", *(arguments[arguments.index(flag) + 1] for flag in ("--out", "--cache"))],
    }
    for name, paths in written.items():
        volumes = {volume.pop("name"): volume for volume in copy.deepcopy(pod(name)["volumes"])}
        writable = {
            PurePosixPath(mount["mountPath"])
            for mount in container(name)["volumeMounts"]
            if not mount.get("readOnly") and "configMap" not in volumes[mount["name"]]
        }
        for path in map(PurePosixPath, paths):
            assert writable & {path, *path.parents}, f"{name} cannot write to {path}"


def test_volumes_are_claimed_for_several_nodes() -> None:
    """The export fills on one node what Triton serves on others."""
    claims = {item["metadata"]["name"]: item for item in OBJECTS if item["kind"] == "PersistentVolumeClaim"}
    for name in TEMPLATES:
        for volume in pod(name)["volumes"]:
            if "persistentVolumeClaim" in volume:
                claim = claims[volume["persistentVolumeClaim"]["claimName"]]
                assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "ReadWriteMany" in (ROOT / "docs/operations.md").read_text()


def test_probes_ask_for_what_they_decide() -> None:
    """A dependency that is away takes pods out of rotation, but restarts none."""
    asked = {
        name: {
            probe: container(name)[f"{probe}Probe"]["httpGet"]
            for probe in ("startup", "liveness", "readiness")
        }
        for name in DEPLOYMENTS
    }
    paths = {name: {probe: get["path"] for probe, get in probes.items()} for name, probes in asked.items()}
    alive, ready = "/v2/health/live", "/v2/health/ready"
    assert paths == {
        "worker": {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"},
        "triton": {"startup": ready, "liveness": alive, "readiness": ready},
    }
    for name, probes in asked.items():
        ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
        assert {ports[get["port"]] for get in probes.values()} == {
            "worker": {int(SETTINGS["METRICS_PORT"])},
            "triton": {8000},
        }[name]
    assert container("worker")["readinessProbe"]["timeoutSeconds"] > health._CHECK_SECONDS


def test_a_stop_is_given_the_time_it_takes() -> None:
    drain = float(SETTINGS.get("DRAIN_SECONDS", options()["DRAIN_SECONDS"].default))
    assert pod("worker")["terminationGracePeriodSeconds"] >= drain + 10
    assert pod("triton")["terminationGracePeriodSeconds"] >= int(flags("triton")["--exit-timeout-secs"]) + 10


def test_a_worker_has_the_core_that_its_one_pixel_thread_can_use() -> None:
    resources = container("worker")["resources"]
    assert resources["limits"]["cpu"] == resources["requests"]["cpu"] == "1"
    assert "for 70 % use, a worker on each |" in (ROOT / "docs/operations.md").read_text()
    assert container("triton")["resources"]["limits"]["nvidia.com/gpu"] == 1


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_nodes_can_be_drained(name: str) -> None:
    """While Redis is away, no pod is ready: only the policy lets them be evicted then."""
    budget = named("PodDisruptionBudget", name)["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["maxUnavailable"] in (1, "20%")


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_selectors_find_their_pods_and_no_others(name: str) -> None:
    deployment = named("Deployment", name)["spec"]
    selectors = [deployment["selector"], named("PodDisruptionBudget", name)["spec"]["selector"]]
    selectors += [spread["labelSelector"] for spread in pod(name).get("topologySpreadConstraints", [])]
    if name == "triton":
        selectors.append({"matchLabels": named("Service", name)["spec"]["selector"]})
    for selector in selectors:
        wanted = selector["matchLabels"].items()
        assert [other for other in TEMPLATES if wanted <= labels(other).items()] == [name]


def test_settings_and_ports_agree() -> None:
    assert options().keys() >= SETTINGS.keys()
    assert container("worker")["ports"] == [
        {"name": "metrics", "containerPort": int(SETTINGS["METRICS_PORT"])}
    ]
    assert SETTINGS["METRICS_HOST"] == "0.0.0.0", "the kubelet and Prometheus come from outside"
    sources = [{kind: {"name": "operate-worker"}} for kind in ("configMapRef", "secretRef")]
    assert container("worker")["envFrom"] == sources
    for name in DEPLOYMENTS:
        ports = {port["name"]: str(port["containerPort"]) for port in container(name)["ports"]}
        scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": ports["metrics"]}
        assert TEMPLATES[name]["metadata"]["annotations"] == scraped


def test_workers_find_every_triton_pod() -> None:
    host, _, port = SETTINGS["TRITON_URL"].partition(":")
    service = named("Service", host)["spec"]
    assert service["clusterIP"] == "None", "round robin is the client's"
    ports = {entry["name"]: entry["containerPort"] for entry in container("triton")["ports"]}
    served = {entry["port"]: ports[entry["targetPort"]] for entry in service["ports"]}
    # Headless: names lead to the pods themselves, nobody translates ports.
    assert served == {int(port): int(port)}
    # Else a client would keep to the pods that were there when it started.
    assert 60_000 <= int(flags("triton")["--grpc-max-connection-age"]) <= 600_000


def test_the_export_fills_what_triton_serves() -> None:
    arguments = container("export")["args"]
    assert arguments[arguments.index("--out") + 1] == flags("triton")["--model-repository"]
    mounted = {
        name: {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}["models"]
        for name in ("export", "triton")
    }
    assert mounted == {"export": "/models", "triton": "/models"}
    for name in mounted:
        (volume,) = [volume for volume in pod(name)["volumes"] if volume["name"] == "models"]
        assert volume["persistentVolumeClaim"]["claimName"] == "models"
    # By name: the export is typed and checked in its own environment.
    importlib.import_module("export.__main__")._parser().parse_args(arguments)


def test_images_are_pinned() -> None:
    triton = container("triton")["image"]
    assert re.search(r":\d+\.\d+-py3$", triton)
    assert triton in (ROOT / "Dockerfile").read_text()
    assert triton in (ROOT / "docker-compose.yml").read_text()
    for folder, name in ((FOLDER, "worker"), (FOLDER / "export", "export")):
        (image,) = kustomization(folder)["images"]
        assert image["name"] == container(name)["image"]
        assert re.fullmatch(r"\d+\.\d+\.\d+", str(image["newTag"]))
