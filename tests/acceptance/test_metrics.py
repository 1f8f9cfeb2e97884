"""What a worker process says about itself while it works."""

from __future__ import annotations

import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import Workplace
from worker.embedded import free_port


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_job_leaves_its_traces_in_the_metrics(workplace: Workplace) -> None:
    port = free_port()
    workplace.start_worker(METRICS_PORT=str(port))
    workplace.wait_until(lambda: get(port, "/readyz")[0] == 200, seconds=60)
    workplace.push_with_tiles("strip")
    workplace.push("broken", ocr_result="nonsense")
    assert {workplace.result()["status"], workplace.result()["status"]} == {"completed", "failed"}
    found = samples(get(port, "/metrics")[1])
    assert found["operate_jobs_total", "completed"] == 1
    assert found["operate_jobs_total", "failed"] == 1
    assert found["operate_dead_letters_total", "bad_ocr"] == 1
    assert found["operate_queue_jobs", "dead"] == 1
    assert found["operate_jobs_in_flight",] == 0
    assert found["operate_pixels_in_flight",] == 0
    for stage in ("fetch", "decode", "translate", "mask", "inpaint", "render", "upload"):
        assert found["operate_stage_seconds_count", stage] >= 1, stage
    assert found["operate_stage_cpu_seconds_total", "render"] > 0
    assert found["operate_blocks_total", "translated"] >= 1
    assert found["operate_lines_total", "fill"] >= 1
    assert sum(value for key, value in found.items() if key[0] == "operate_tiles_total") >= 1
    assert found["operate_triton_seconds_count",] >= 1
    assert found["operate_translator_calls_total", "ok"] == 1
    assert found["operate_source_bytes_total",] > 1000
    assert found["operate_store_bytes_total",] > 1000
    assert found["operate_ready",] == 1


def test_readiness_names_what_is_down(workplace: Workplace) -> None:
    port = free_port()
    workplace.start_worker(METRICS_PORT=str(port), TRITON_URL=f"127.0.0.1:{free_port()}")
    workplace.wait_until(lambda: get(port, "/healthz")[0] == 200, seconds=60)
    status, body = get(port, "/readyz")
    assert status == 503
    assert "inpainter" in body
    assert "redis" not in body
