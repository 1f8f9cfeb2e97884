"""The Kubernetes manifests against the API's own schemas, and against one another."""

from __future__ import annotations

import copy
import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.unit.test_deploy_compose import options
from worker.settings import QueueSettings

Object = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[2] / "deploy/k8s"
#: What kustomization.yaml says in a comment, for those with Sentinel.
COMPONENT = re.compile(r"^# (components: .+)$", re.MULTILINE)


def kustomization(folder: Path) -> Object:
    found: Object = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return found


def objects(folder: Path) -> list[Object]:
    names = kustomization(folder)["resources"]
    return [found for name in names for found in yaml.safe_load_all((folder / name).read_text())]


def patched(base: list[Object], component: Path) -> list[Object]:
    """As kustomize applies a component: its resources added, its JSON patches made."""
    found = [*copy.deepcopy(base), *objects(component)]
    for patch in kustomization(component)["patches"]:
        wanted = (patch["target"]["kind"], patch["target"]["name"])
        (target,) = [item for item in found if (item["kind"], item["metadata"]["name"]) == wanted]
        for change in yaml.safe_load(patch["patch"]):
            *path, last = change["path"].strip("/").split("/")
            place: Any = target
            for part in path:
                place = place[int(part) if part.isdigit() else part]
            if (change["op"], last) == ("add", "-"):
                place.append(change["value"])
            else:
                assert change["op"] == "replace"
                key = int(last) if last.isdigit() else last
                assert place[key] is not None
                place[key] = change["value"]
    return found


KUSTOMIZATION = kustomization(FOLDER)
OBJECTS = objects(FOLDER)
EXPORT = objects(FOLDER / "export")
SENTINEL = patched(OBJECTS, FOLDER / "components/sentinel")
#: The part of KEDA's schema (keda.sh/v1alpha1) that we use; nobody packages the whole.
POLICIES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["policies"],
    "properties": {
        "stabilizationWindowSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
        "policies": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "value", "periodSeconds"],
                "properties": {
                    "type": {"enum": ["Pods", "Percent"]},
                    "value": {"type": "integer", "minimum": 1},
                    "periodSeconds": {"type": "integer", "minimum": 1, "maximum": 1800},
                },
            },
        },
    },
}
TRIGGER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "metadata"],
    "properties": {
        "type": {"enum": ["redis", "redis-sentinel", "prometheus"]},
        "metricType": {"enum": ["AverageValue", "Value"]},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "authenticationRef": {"type": "object", "required": ["name"]},
    },
}
SCALED_OBJECT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scaleTargetRef", "triggers"],
    "properties": {
        "scaleTargetRef": {"type": "object", "required": ["name"]},
        "minReplicaCount": {"type": "integer", "minimum": 0},
        "maxReplicaCount": {"type": "integer", "minimum": 1},
        "pollingInterval": {"type": "integer", "minimum": 1},
        "cooldownPeriod": {"type": "integer", "minimum": 0},
        "advanced": {
            "properties": {
                "horizontalPodAutoscalerConfig": {
                    "properties": {
                        "behavior": {
                            "additionalProperties": False,
                            "properties": {"scaleUp": POLICIES, "scaleDown": POLICIES},
                        }
                    }
                }
            }
        },
        "triggers": {"type": "array", "minItems": 1, "items": TRIGGER},
    },
}
#: What a trigger cannot do without.
NEEDED = {
    "redis": {"listName", "listLength"},
    "redis-sentinel": {"listName", "listLength"},
    "prometheus": {"serverAddress", "query", "threshold"},
}
#: What its authentication must give it, and what it may.
GIVEN = {
    "redis": ({"address"}, {"username", "password"}),
    "redis-sentinel": ({"addresses", "sentinelMaster"}, {"username", "password", "sentinelPassword"}),
}


def named(kind: str, name: str | None = None) -> Object:
    (found,) = [item for item in OBJECTS if item["kind"] == kind and name in (None, item["metadata"]["name"])]
    return found


def pod(name: str) -> Object:
    spec: Object = named("Deployment", name)["spec"]["template"]["spec"]
    return spec


def pods() -> list[Object]:
    """Of everything that runs."""
    return [
        item["spec"]["template"]["spec"] for item in (*OBJECTS, *EXPORT) if "template" in item.get("spec", {})
    ]


@pytest.mark.parametrize(
    "item",
    [*OBJECTS, *EXPORT, *(item for item in SENTINEL if item not in OBJECTS)],
    ids=lambda item: f"{item['kind']}-{item['metadata']['name']}",
)
def test_objects_keep_their_schema(item: Object) -> None:
    if item["apiVersion"] != "keda.sh/v1alpha1":
        kubernetes_validate.validate(item, kubernetes_validate.latest_version(), strict=True)
    elif item["kind"] == "ScaledObject":
        jsonschema.validate(item["spec"], SCALED_OBJECT)
        for trigger in item["spec"]["triggers"]:
            assert NEEDED[trigger["type"]] <= trigger["metadata"].keys()
    else:
        assert item["kind"] == "TriggerAuthentication"
        for reference in item["spec"]["secretTargetRef"]:
            assert reference.keys() == {"parameter", "name", "key"}


@pytest.mark.parametrize("items", [OBJECTS, SENTINEL], ids=["redis", "sentinel"])
def test_triggers_are_given_what_they_ask_for(items: list[Object]) -> None:
    given = {
        item["metadata"]["name"]: {entry["parameter"] for entry in item["spec"]["secretTargetRef"]}
        for item in items
        if item["kind"] == "TriggerAuthentication"
    }
    for item in items:
        for trigger in item["spec"]["triggers"] if item["kind"] == "ScaledObject" else ():
            if trigger["type"] in GIVEN:
                needed, allowed = GIVEN[trigger["type"]]
                assert needed <= given[trigger["authenticationRef"]["name"]] <= needed | allowed


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
    assert len(pods()) == 3
    for spec in pods():
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert "env" not in container
    assert "Secret" not in {item["kind"] for item in OBJECTS}


def test_the_drain_fits_into_the_grace_period() -> None:
    settings = named("ConfigMap")["data"]
    drain = float(settings.get("DRAIN_SECONDS", QueueSettings.model_fields["drain_seconds"].default))
    assert pod("worker")["terminationGracePeriodSeconds"] >= drain + 10


def test_settings_ports_and_names_agree() -> None:
    settings = named("ConfigMap")["data"]
    assert settings.keys() <= options().keys()
    (container,) = pod("worker")["containers"]
    assert container["ports"][0]["containerPort"] == int(settings["METRICS_PORT"])
    host, _, port = settings["TRITON_URL"].partition(":")
    service = named("Service", host)
    assert service["spec"]["clusterIP"] == "None", "round robin is the client's"
    assert int(port) in {entry["port"] for entry in service["spec"]["ports"]}
    for kind in ("ScaledObject", "PodDisruptionBudget"):
        for name in ("worker", "triton"):
            assert named(kind, name)
    lists = [
        trigger["metadata"]["listName"] for trigger in named("ScaledObject", "worker")["spec"]["triggers"]
    ]
    queue = QueueSettings.model_fields["processor_queue"].default
    assert lists == [queue, f"{queue}:lease"]
    # Waiting: four times what a worker has in flight; claimed: three quarters of it.
    lengths = [
        int(trigger["metadata"]["listLength"])
        for trigger in named("ScaledObject", "worker")["spec"]["triggers"]
    ]
    assert lengths == [4 * int(settings["CONCURRENCY"]), 3 * int(settings["CONCURRENCY"]) // 4]


def test_selectors_find_their_pods() -> None:
    labels = {
        name: named("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        for name in ("worker", "triton")
    }
    wanted = [named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] for name in labels]
    wanted += [named("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"] for name in labels]
    assert all(any(entry.items() <= found.items() for found in labels.values()) for entry in wanted)


def test_the_export_fills_what_triton_serves() -> None:
    (spec,) = [item["spec"]["template"]["spec"] for item in EXPORT if item["kind"] == "Job"]
    arguments = spec["containers"][0]["args"]
    served = next(flag for flag in pod("triton")["containers"][0]["args"] if "--model-repository" in flag)
    assert arguments[arguments.index("--out") + 1] == served.partition("=")[2]
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims <= {item["metadata"]["name"] for item in OBJECTS if item["kind"] == "PersistentVolumeClaim"}
    # By name: the export is typed and checked in its own environment.
    importlib.import_module("export.__main__")._parser().parse_args(arguments)


def test_images_are_pinned() -> None:
    triton = pod("triton")["containers"][0]["image"]
    assert re.search(r":\d+\.\d+-py3$", triton)
    assert triton in (FOLDER.parents[1] / "Dockerfile").read_text()
    assert triton in (FOLDER.parents[1] / "docker-compose.yml").read_text()
    assert KUSTOMIZATION["images"][0]["name"] == pod("worker")["containers"][0]["image"]
