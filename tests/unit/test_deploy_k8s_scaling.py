"""What KEDA scales, on what, and by how much: what its schema leaves to the scalers."""

from __future__ import annotations

import math
import re
from urllib.parse import urlsplit

import pytest

from tests.manifests import FOLDER, OBJECTS, SENTINEL, SETTINGS, Object, container, named
from tests.unit.test_deploy_compose import options

#: By scaler: what its metadata must hold, and what else docs/operations.md tells to set or we do.
REDIS = ({"listName", "listLength"}, {"enableTLS", "databaseIndex"})
METADATA = {
    "redis": REDIS,
    "redis-sentinel": REDIS,
    "prometheus": ({"serverAddress", "query", "threshold"}, {"ignoreNullValues"}),
}
#: What its authentication must give it, and what it may.
GIVEN = {
    "redis": ({"address"}, {"username", "password"}),
    "redis-sentinel": ({"addresses", "sentinelMaster"}, {"username", "password", "sentinelPassword"}),
}
STACKS = pytest.mark.parametrize("items", [OBJECTS, SENTINEL], ids=["redis", "sentinel"])


def scaled(items: list[Object]) -> list[Object]:
    return [item["spec"] for item in items if item["kind"] == "ScaledObject"]


def triggers(items: list[Object]) -> list[Object]:
    return [trigger for spec in scaled(items) for trigger in spec["triggers"]]


@STACKS
def test_what_is_scaled_is_there(items: list[Object]) -> None:
    """Each Deployment once, and its manifest leaves the number to KEDA."""
    deployments = {item["metadata"]["name"]: item["spec"] for item in items if item["kind"] == "Deployment"}
    targets = [spec["scaleTargetRef"] for spec in scaled(items)]
    assert sorted(target["name"] for target in targets) == sorted(deployments)
    assert {target.get("kind", "Deployment") for target in targets} == {"Deployment"}
    assert not any("replicas" in spec for spec in deployments.values())


@STACKS
def test_triggers_say_what_their_scalers_ask_for(items: list[Object]) -> None:
    given = {
        item["metadata"]["name"]: {entry["parameter"] for entry in item["spec"]["secretTargetRef"]}
        for item in items
        if item["kind"] == "TriggerAuthentication"
    }
    for trigger in triggers(items):
        needed, allowed = METADATA[trigger["type"]]
        assert needed <= trigger["metadata"].keys() <= needed | allowed
        if trigger["type"] in GIVEN:
            needed, allowed = GIVEN[trigger["type"]]
            assert needed <= given[trigger["authenticationRef"]["name"]] <= needed | allowed
            # A number for each pod: jobs are shared out.
            assert trigger.get("metricType", "AverageValue") == "AverageValue"
        else:
            # A ratio is not shared out.
            assert trigger["metricType"] == "Value"
            assert 0 < float(trigger["metadata"]["threshold"]) < math.inf
            assert trigger["metadata"]["ignoreNullValues"] == "true"


def test_secrets_are_those_that_the_documents_name() -> None:
    texts = [FOLDER.parents[1] / "docs/operations.md", FOLDER / "components/sentinel/kustomization.yaml"]
    documented = set(re.findall(r"\bREDIS_\w+", "".join(path.read_text() for path in texts)))
    for item in (*OBJECTS, *SENTINEL):
        if item["kind"] == "TriggerAuthentication":
            for entry in item["spec"]["secretTargetRef"]:
                assert entry["name"] == "operate-worker"
                assert entry["key"] in documented


def test_prometheus_is_asked_where_it_is() -> None:
    (trigger,) = named("ScaledObject", "triton")["spec"]["triggers"]
    address = urlsplit(trigger["metadata"]["serverAddress"])
    assert (address.scheme, address.port, address.path) == ("http", 9090, "")
    # KEDA asks from a namespace of its own.
    service, namespace = str(address.hostname).split(".")
    said = f"Service `{service}` in namespace `{namespace}`"
    assert said in (FOLDER / "kustomization.yaml").read_text()
    ingress = named("NetworkPolicy", "triton")["spec"]["ingress"]
    assert {"kubernetes.io/metadata.name": namespace} in [
        peer["namespaceSelector"]["matchLabels"]
        for rule in ingress
        for peer in rule["from"]
        if "namespaceSelector" in peer
    ]


@STACKS
def test_workers_follow_what_waits_and_what_is_claimed(items: list[Object]) -> None:
    """That the queue's keys are called so is tried in tests/integration/test_deploy_k8s_lists.py."""
    found = [trigger["metadata"] for trigger in named("ScaledObject", "worker", items)["spec"]["triggers"]]
    # KEDA reads no ConfigMap: whoever changes a setting there changes it in worker-scaling.yaml too.
    queue, concurrency = (
        SETTINGS.get(name, options()[name].default) for name in ("PROCESSOR_QUEUE", "CONCURRENCY")
    )
    assert [entry["listName"] for entry in found] == [queue, f"{queue}:lease"]
    # Waiting: four times what a worker has in flight; claimed: three quarters of it.
    lengths = [int(entry["listLength"]) for entry in found]
    assert lengths == [4 * int(concurrency), 3 * int(concurrency) // 4]


@pytest.mark.parametrize("load", [0.5, 1.5, 2, 3.5, 4, 6, 7.5, 10, 16, 40])
@pytest.mark.parametrize("start", [2, 3, 5, 8])
def test_the_number_of_gpus_comes_to_rest(load: float, start: int) -> None:
    """While the load stays: `load` times as many tiles are in flight as one GPU computes at once."""
    spec = named("ScaledObject", "triton")["spec"]
    metadata = spec["triggers"][0]["metadata"]
    least, most, target = spec["minReplicaCount"], spec["maxReplicaCount"], float(metadata["threshold"])
    added = re.match(r"(\d+) \+ sum", metadata["query"])
    pods, seen = start, list[int]()
    for _ in range(20):
        waiting = max(0.0, load / pods - 1)
        metric = (int(added[1]) if added else 0) + waiting
        # As the HorizontalPodAutoscaler does: nothing within a tenth of the target.
        wanted = pods if abs(metric / target - 1) <= 0.1 else math.ceil(round(pods * metric / target, 9))
        pods = min(max(wanted, least), most)
        seen.append(pods)
    assert len(set(seen[10:])) == 1, seen
    # Tiles wait no longer than the target says, but where there are no more GPUs; none too many is kept.
    assert load / pods <= target * 1.1 or pods == most
    assert pods == least or load / (pods - 1) > target * 0.9


def test_gpus_are_given_the_time_to_start() -> None:
    """One is taken away where it was not wanted for longer than the start of another may take."""
    probe = container("triton")["startupProbe"]
    spec = named("ScaledObject", "triton")["spec"]
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] > probe["periodSeconds"] * probe["failureThreshold"]
    assert spec["minReplicaCount"] == 2
    assert "two at least, for roll-outs" in (FOLDER.parents[1] / "docs/operations.md").read_text()


@pytest.mark.parametrize("name", ["worker", "triton"])
def test_the_autoscaler_takes_what_it_is_told(name: str) -> None:
    """Its limits are in no schema: the API server checks them when KEDA has made its object."""
    spec = named("ScaledObject", name)["spec"]
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
    assert spec["pollingInterval"] >= 1
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour.keys() == {"scaleUp", "scaleDown"}
    for rules in behaviour.values():
        assert 0 <= rules["stabilizationWindowSeconds"] <= 3600
        for policy in rules["policies"]:
            assert policy["type"] in ("Pods", "Percent")
            assert policy["value"] >= 1
            assert 1 <= policy["periodSeconds"] <= 1800
    up, down = behaviour["scaleUp"], behaviour["scaleDown"]
    assert up["stabilizationWindowSeconds"] < down["stabilizationWindowSeconds"], "bursts come back"
