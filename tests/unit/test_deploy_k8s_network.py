"""The network policies as a graph: who must reach whom does, by both ends' policies, and nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.manifests import EXPORT, OBJECTS, SENTINEL, SETTINGS, Object, container, labels, named

OURS = named("Namespace", "operate-worker")["metadata"]["name"]
POLICIES = [item["spec"] for item in (*OBJECTS, *EXPORT) if item["kind"] == "NetworkPolicy"]
WITH_SENTINEL = [item["spec"] for item in (*SENTINEL, *EXPORT) if item["kind"] == "NetworkPolicy"]
METRICS = int(SETTINGS["METRICS_PORT"])
GRPC = int(SETTINGS["TRITON_URL"].partition(":")[2])
(TRITON_METRICS,) = [
    port["containerPort"] for port in container("triton")["ports"] if port["name"] == "metrics"
]


@dataclass(frozen=True, slots=True)
class Place:
    """Who speaks, or is spoken to; without a namespace, outside of the cluster."""

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


PLACES = {
    "worker": Place("10.0.0.1", OURS, labels("worker")),
    "triton": Place("10.0.0.2", OURS, labels("triton")),
    "export": Place("10.0.0.3", OURS, labels("export")),
    "a pod of somebody else's": Place("10.0.0.4", OURS),
    "monitoring": Place("10.0.1.1", "monitoring"),
    "DNS": Place("10.0.2.1", "kube-system", {"k8s-app": "kube-dns"}),
    "Redis in the cluster": Place("10.0.3.1", "redis"),
    "Redis beside the cluster": Place("192.168.7.7"),
    "another namespace": Place("10.0.4.1", "default"),
    "the internet": Place("203.0.113.7"),
    # A pod on the host's network has the node's addresses, and this one.
    "NodeLocal DNSCache": Place("169.254.20.10"),
    # DNS too, where the cloud does that itself.
    "the cloud's metadata": Place("169.254.169.254"),
}
RESOLVERS = ("DNS", "NodeLocal DNSCache", "the cloud's metadata")


def selects(selector: Object, found: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}
    return bool(selector.get("matchLabels", {}).items() <= found.items())


def is_peer(peer: Object, place: Place) -> bool:
    """Whether one entry of `from` or `to` means the place."""
    if "ipBlock" in peer:
        address = ipaddress.ip_address(place.address)
        inside = address in ipaddress.ip_network(peer["ipBlock"]["cidr"])
        return inside and not any(
            address in ipaddress.ip_network(part) for part in peer["ipBlock"].get("except", [])
        )
    if not place.namespace:
        return False
    if "namespaceSelector" in peer:
        named_so = {"kubernetes.io/metadata.name": place.namespace}
        here = selects(peer["namespaceSelector"], named_so)
    else:
        here = place.namespace == OURS
    return here and selects(peer.get("podSelector", {}), place.labels)


def lets(policies: list[Any], direction: str, place: Place, peer: Place, port: int, protocol: str) -> bool:
    """Whether the policies that select the place let it speak to the peer, or be spoken to by it."""
    if place.namespace != OURS:
        return True
    side = {"Ingress": "from", "Egress": "to"}[direction]
    selecting = [
        policy
        for policy in policies
        if direction in policy["policyTypes"] and selects(policy["podSelector"], place.labels)
    ]
    return not selecting or any(
        any((entry["port"], entry.get("protocol", "TCP")) == (port, protocol) for entry in rule["ports"])
        and (side not in rule or any(is_peer(entry, peer) for entry in rule[side]))
        for policy in selecting
        for rule in policy.get(direction.lower(), [])
    )


def reaches(policies: list[Any], source: str, target: str, port: int, protocol: str = "TCP") -> bool:
    speaker, spoken_to = PLACES[source], PLACES[target]
    return lets(policies, "Egress", speaker, spoken_to, port, protocol) and lets(
        policies, "Ingress", spoken_to, speaker, port, protocol
    )


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("worker", "triton", GRPC),
        ("worker", "Redis in the cluster", 6379),
        ("worker", "Redis in the cluster", 6380),
        ("worker", "Redis beside the cluster", 6379),
        ("worker", "the internet", 6380),
        *((source, target, 53) for source in ("worker", "export") for target in RESOLVERS),
        ("worker", "monitoring", 4318),
        ("worker", "the internet", 443),
        ("worker", "the internet", 80),
        ("export", "the internet", 443),
        ("monitoring", "worker", METRICS),
        ("monitoring", "triton", TRITON_METRICS),
    ],
)
def test_who_must_reach_whom_does(source: str, target: str, port: int) -> None:
    assert reaches(POLICIES, source, target, port)
    if port == 53:
        assert reaches(POLICIES, source, target, port, "UDP")


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        *((source, target, GRPC) for source in PLACES for target in ("triton",) if source != "worker"),
        *((source, "triton", 8000) for source in PLACES),
        *((source, "worker", METRICS) for source in PLACES if source != "monitoring"),
        *((source, "triton", TRITON_METRICS) for source in PLACES if source != "monitoring"),
        *(("triton", target, port) for target in PLACES for port in (53, 80, 443, 6379)),
        *(("export", target, 443) for target in PLACES if target != "the internet"),
        *(("worker", target, port) for target in PLACES for port in (80, 443) if target != "the internet"),
        *(
            (source, target, 53)
            for source in ("worker", "export")
            for target in PLACES
            if target not in RESOLVERS
        ),
        *((source, "export", 443) for source in PLACES),
        *(("a pod of somebody else's", target, 443) for target in PLACES),
        ("worker", "a pod of somebody else's", 6379),
        ("worker", "Redis in the cluster", 26379),
    ],
)
def test_nobody_else_reaches_anybody(source: str, target: str, port: int) -> None:
    assert not reaches(POLICIES, source, target, port)


def test_with_the_component_workers_reach_the_sentinels() -> None:
    for target in ("Redis in the cluster", "Redis beside the cluster"):
        assert reaches(WITH_SENTINEL, "worker", target, 26379)
    assert not reaches(WITH_SENTINEL, "triton", "Redis in the cluster", 26379)
