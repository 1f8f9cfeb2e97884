"""Dashboard and alerts use metrics that exist, in queries that parse."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from worker import metrics
from worker.job import JobStatus

ROOT = Path(__file__).resolve().parents[2]
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/operate-worker.json").read_text())
#: What a real tritonserver 2.51 serves on its /metrics, then what it adds where there is a GPU.
TRITON = {
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_request_duration_us",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_input_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_inference_compute_output_duration_us",
    "nv_inference_pending_request_count",
    "nv_gpu_utilization",
    "nv_gpu_memory_used_bytes",
}


#: From the PATH, or as the Makefile lays it down.
PROMTOOL = shutil.which("promtool", path=f"{os.environ['PATH']}:{ROOT / '.cache/prometheus/usr/bin'}")


def exported() -> set[str]:
    """Every name that the worker's `/metrics` can hold; those without labels yet have no sample."""
    names = set()
    for family in metrics.REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "info": ["_info"]}
        names |= {family.name + suffix for suffix in suffixes.get(family.type, [""])}
    return names


def queries() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    scaling = next(yaml.safe_load_all((ROOT / "deploy/k8s/triton-scaling.yaml").read_text()))
    yield "triton-scaling", scaling["spec"]["triggers"][0]["metadata"]["query"]


def selectors(node: Any) -> Iterator[str]:
    """The metric names in a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name or ""
        return
    for attribute in ("expr", "lhs", "rhs", "param", "args", "vector_selector"):
        child = getattr(node, attribute, None)
        for part in child if isinstance(child, list | tuple) else [child]:
            if part is not None:
                yield from selectors(part)


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_queries_parse_and_name_metrics_that_exist(where: str, query: str) -> None:
    names = set(selectors(promql_parser.parse(query.replace("$__rate_interval", "5m"))))
    assert names, where
    assert names <= exported() | TRITON


def test_no_metric_is_forgotten_by_the_dashboard() -> None:
    shown = " ".join(query for _, query in queries())
    families = [family for family in metrics.REGISTRY.collect() if family.name.startswith("operate_")]
    missing = [family.name for family in families if family.name not in shown]
    assert set(missing) <= {"operate_build"}


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool")
def test_alerts_fire_when_they_must_and_only_then() -> None:
    folder = ROOT / "deploy/prometheus"
    for *verb, file in (("check", "config", "prometheus.yml"), ("test", "rules", "alerts.test.yml")):
        command = [str(PROMTOOL), *verb, str(folder / file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tried_both_ways() -> None:
    trials = [
        trial
        for test in yaml.safe_load((ROOT / "deploy/prometheus/alerts.test.yml").read_text())["tests"]
        for trial in test["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in ALERTS}
    assert {trial["alertname"] for trial in trials if trial.get("exp_alerts")} == names
    assert {trial["alertname"] for trial in trials if not trial.get("exp_alerts")} == names


def test_what_alerts_add_up_is_there_from_the_start() -> None:
    """A sum over no series is nothing, not zero; and a series that begins above zero shows no increase."""
    series = {
        (sample.name, *sample.labels.values())
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
    }
    assert {("operate_retries_total", "auth"), ("operate_dead_letters_total", "bad_ocr")} <= series
    assert {("operate_jobs_total", str(status)) for status in JobStatus} <= series
    assert not any(name.endswith("_created") for name, *_ in series)


def test_each_alert_has_its_place_in_the_runbook() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    headings = {heading.lower() for heading in re.findall(r"^#+ (\S+)$", text, re.MULTILINE)}
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["alert"].lower() in headings
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_dashboard_can_be_provisioned() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    uids = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    assert uids == {source["datasources"][0]["uid"]}
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/operate.yml").read_text())
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]["volumes"]
    folder = provider["providers"][0]["options"]["path"]
    assert any(mount.split(":")[1] == folder for mount in mounts)
