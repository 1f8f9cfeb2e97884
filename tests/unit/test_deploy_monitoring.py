"""Dashboard, alerts and runbook: queries parse, and what they name exists."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from worker import metrics
from worker.backlog import Backlog
from worker.imaging.plan import Route
from worker.job import BlockStatus, JobStatus
from worker.ports import ReplyKind

ROOT = Path(__file__).resolve().parents[2]
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/operate-worker.json").read_text())
RUNBOOK = (ROOT / "docs/operations.md").read_text()
SOURCES = "".join(path.read_text() for path in sorted((ROOT / "worker").rglob("*.py")))
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
#: What Prometheus adds to each series.
SCRAPED = {"instance", "job"}
MODELS = {path.name for path in (ROOT / "model_repository").iterdir() if path.is_dir()}
CODES = {error.code for error in metrics._errors()}
#: What a label can be; an outcome is its metric's own.
VALUES: dict[str, set[str]] = {
    "code": CODES,
    "dependency": set(re.findall(r'\bDependency\("(\w+)"', SOURCES)),
    "direction": set(re.findall(r'\bTOKENS\.labels\("(\w+)"', SOURCES)),
    "model": MODELS,
    "route": {str(route) for route in Route},
    "size": {name.rpartition("_")[2] for name in MODELS},
    "stage": set(re.findall(r'\bwatch\("(\w+)"', SOURCES)),
    "status": set(map(str, BlockStatus)),
    "state": {field.name for field in fields(Backlog)} - {"taken"},
}
OUTCOMES: dict[str, set[str]] = {
    "operate_jobs_total": {*map(str, JobStatus), "repeated"},
    "operate_memory_lookups_total": {"hit", "miss"},
    "operate_tiles_total": {"ok", *CODES},
    "operate_translator_calls_total": {*map(str, ReplyKind), *CODES},
}
#: From the PATH, or as the Makefile lays it down.
PROMTOOL = shutil.which("promtool", path=f"{os.environ['PATH']}:{ROOT / '.cache/prometheus/usr/bin'}")


def exported() -> dict[str, set[str]]:
    """The labels of every series that `/metrics` can hold; some have no sample yet."""
    declared = {
        metric._name: set(metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
    }
    series = {}
    for family in metrics.REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "info": ["_info"]}
        for suffix in suffixes.get(family.type, [""]):
            bounds = {"le"} if suffix == "_bucket" else set()
            series[family.name + suffix] = declared.get(family.name, set()) | bounds
    return series


#: By name of the series.
LABELS = exported() | {
    name: {"gpu_uuid"} if name.startswith("nv_gpu") else {"model", "version"} for name in TRITON
}


def queries() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    scaling = next(yaml.safe_load_all((ROOT / "deploy/k8s/triton-scaling.yaml").read_text()))
    yield "triton-scaling", scaling["spec"]["triggers"][0]["metadata"]["query"]


def parsed(query: str) -> Any:
    return promql_parser.parse(query.replace("$__rate_interval", "5m"))


def children(node: Any) -> Iterator[Any]:
    """The parts of a parsed query that are queries themselves."""
    for attribute in ("expr", "lhs", "rhs", "param", "args", "vector_selector"):
        child = getattr(node, attribute, None)
        for part in child if isinstance(child, list | tuple) else [child]:
            if part is not None:
                yield part


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    for part in children(node):
        yield from selectors(part)


def result_labels(node: Any) -> set[str]:
    """The labels of what a query yields; raises where it groups or matches by one that is not there."""
    if isinstance(node, promql_parser.VectorSelector):
        return LABELS[node.name or ""] | SCRAPED
    found = set[str]().union(*map(result_labels, children(node)))
    if isinstance(node, promql_parser.BinaryExpr) and node.modifier and node.modifier.matching:
        assert set(node.modifier.matching.labels) <= found
    if not isinstance(node, promql_parser.AggregateExpr):
        return found
    named = set(node.modifier.labels) if node.modifier else set()
    assert named <= found
    grouped = node.modifier is None or node.modifier.type == promql_parser.AggModifierType.By
    return named if grouped else found - named


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_queries_parse_and_name_what_exists(where: str, query: str) -> None:
    found = list(selectors(parsed(query)))
    assert found, where
    for selector in found:
        name = selector.name or ""
        assert LABELS.keys() >= {name}
        for matcher in selector.matchers.matchers:
            assert matcher.name in LABELS[name]
            known = OUTCOMES[name] if matcher.name == "outcome" else VALUES[matcher.name]
            exact = matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.NotEqual)
            # Of a pattern, each alternative that is not in brackets.
            patterns = re.split(r"\|(?![^(]*\))", matcher.value)
            for wanted in [re.escape(matcher.value)] if exact else patterns:
                assert any(re.fullmatch(wanted, value) for value in known), f"never {matcher.name}={wanted}"


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_queries_group_by_labels_that_exist(where: str, query: str) -> None:
    found = result_labels(parsed(query))
    legends = [
        target["legendFormat"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        if (panel["title"], target["expr"]) == (where, query)
    ]
    summaries = [rule["annotations"]["summary"] for rule in ALERTS if rule["alert"] == where]
    shown = re.findall(r"\{\{ *(?:\$labels\.)?([a-z_]+) *\}\}", " ".join([*legends, *summaries]))
    assert set(shown) <= found


def test_the_values_of_labels_are_found() -> None:
    """Where the sources no longer say them so, the tests above would refuse everything."""
    assert all(VALUES.values())
    assert VALUES["stage"] >= {"fetch", "inpaint", "render"}
    assert VALUES["dependency"] == {"redis", "inpainter", "translator", "store"}


def test_no_metric_is_forgotten_by_the_dashboard() -> None:
    shown = " ".join(query for _, query in queries())
    families = [family for family in metrics.REGISTRY.collect() if family.name.startswith("operate_")]
    missing = [family.name for family in families if family.name not in shown]
    assert set(missing) <= {"operate_build"}


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_of_what_every_process_serves_only_ours_is_shown(where: str, query: str) -> None:
    """A cluster's Prometheus has `process_…` of everything that runs there."""
    if any((found.name or "").startswith("process_") for found in selectors(parsed(query))):
        assert query.endswith(" and on (job, instance) operate_build_info"), where


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
    assert {("operate_blocks_total", str(status)) for status in BlockStatus} <= series
    assert not any(name.endswith("_created") for name, *_ in series)


def test_each_alert_has_its_place_in_the_runbook() -> None:
    headings = {heading.lower() for heading in re.findall(r"^#+ (\S+)$", RUNBOOK, re.MULTILINE)}
    for rule in ALERTS:
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["alert"].lower() in headings
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_runbook_names_panels_events_and_errors_that_exist() -> None:
    section = RUNBOOK.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    prose = re.sub(r"^    .*$", "", section, flags=re.MULTILINE)
    panels = set(re.findall(r'"([A-Z][^"]+)"', prose))
    assert panels
    assert panels <= {panel["title"] for panel in DASHBOARD["panels"]}
    spans = set(re.findall(r"`([a-z_.]+)`", RUNBOOK))
    events = {span for span in spans if re.fullmatch(r"[a-z_]+\.(?!env$|py$|yml$|md$)[a-z_]+", span)}
    assert "dependency.refused" in events
    for event in events:
        assert f'"{event}"' in SOURCES, f"nothing logs {event}"
    codes = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", prose))
    assert "model_error" in codes
    assert codes <= CODES | LABELS.keys()


def test_the_dashboard_can_be_provisioned() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    # Whoever imports the dashboard elsewhere chooses; here the provisioned one is the only choice.
    (chosen,) = DASHBOARD["templating"]["list"]
    assert (chosen["type"], chosen["query"]) == ("datasource", source["datasources"][0]["type"])
    assert chosen["current"]["value"] == source["datasources"][0]["uid"]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {f"${{{chosen['name']}}}"}
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/operate.yml").read_text())
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]["volumes"]
    folder = provider["providers"][0]["options"]["path"]
    assert any(mount.split(":")[1] == folder for mount in mounts)
