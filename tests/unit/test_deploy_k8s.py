"""The Kubernetes manifests against the API's own schemas, and against one another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.unit.test_deploy_compose import options
from worker.settings import QueueSettings

FOLDER = Path(__file__).resolve().parents[2] / "deploy/k8s"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    found for name in KUSTOMIZATION["resources"] for found in yaml.safe_load_all((FOLDER / name).read_text())
]
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
        "type": {"enum": ["redis", "prometheus"]},
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
NEEDED = {"redis": {"listName", "listLength"}, "prometheus": {"serverAddress", "query", "threshold"}}


def named(kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [item for item in OBJECTS if item["kind"] == kind and name in (None, item["metadata"]["name"])]
    return found


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = named("Deployment", name)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: f"{item['kind']}-{item['metadata']['name']}")
def test_objects_keep_their_schema(item: dict[str, Any]) -> None:
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


def test_all_files_belong_to_the_kustomization() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])


def test_pods_are_hardened_and_hold_no_secret() -> None:
    for name in ("worker", "triton"):
        spec = pod(name)
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


def test_selectors_find_their_pods() -> None:
    labels = {
        name: named("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        for name in ("worker", "triton")
    }
    wanted = [named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"] for name in labels]
    wanted += [named("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"] for name in labels]
    assert all(any(entry.items() <= found.items() for found in labels.values()) for entry in wanted)


def test_images_are_pinned() -> None:
    triton = pod("triton")["containers"][0]["image"]
    assert re.search(r":\d+\.\d+-py3$", triton)
    assert triton in (FOLDER.parents[1] / "Dockerfile").read_text()
    assert triton in (FOLDER.parents[1] / "docker-compose.yml").read_text()
    assert KUSTOMIZATION["images"][0]["name"] == pod("worker")["containers"][0]["image"]
