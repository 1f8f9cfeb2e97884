"""No secret in what the worker writes, answers or serves: recognisable ones, every failure."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.faults.catalogue import bad_payloads
from tests.faults.check import count_results
from tests.faults.proxy import Fault, Http
from tests.faults.site import QUEUE, RESULTS, SECRETS, Site, Worker, open_site, wait_until
from worker.embedded import free_port, has_triton

#: Told apart even where it has to be escaped in a URL.
PASSWORD = "secret-redis/pass@word"
NEEDLES = (*SECRETS.values(), PASSWORD, quote(PASSWORD, safe=""), "secret-redis")
#: Each dependency, and the error of its absence.
DEPENDENCIES = {
    "store": "store_unavailable",
    "pictures": "source_unavailable",
    "triton": "inpainter_unavailable",
    "gemini": "translator_unavailable",
    "redis": "queue_unavailable",
}
DENIED = Http(403, {}, f"<Error><Code>AccessDenied</Code><Message>{' '.join(NEEDLES)}</Message></Error>")


@pytest.fixture
def site() -> Iterator[Site]:
    if not has_triton():
        pytest.skip("needs tritonserver")
    with open_site(PASSWORD) as opened:
        yield opened


class Evidence:
    """Everything that came out of a site's workers, gathered bit by bit."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.texts: dict[str, str] = {}

    def collect(self, what: str, results: int) -> set[str]:
        """Wait for results; keep them, their dead letters and the queue's notes. Returns the error codes."""
        assert wait_until(lambda: count_results(self.site) >= results, 40), what
        with self.site.client as client:
            found = [raw.decode() for raw in client.lrange(RESULTS, 0, -1)]
            letters = [raw.decode() for raw in client.lrange(f"{QUEUE}:dead", 0, -1)]
            notes = [str(client.hgetall(key)) for key in client.scan_iter(f"{QUEUE}:meta:*")]
            client.delete(RESULTS, f"{QUEUE}:dead")
        self.texts[what] = "\n".join([*found, *letters, *notes])
        errors = [json.loads(raw)["error"] for raw in found]
        return {error["code"] for error in errors if error}

    def serve(self, port: int) -> None:
        """What the operator's port says."""
        for path in ("metrics", "readyz", "healthz"):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as reply:
                    self.texts[path] = reply.read().decode()
            except urllib.error.HTTPError as error:
                self.texts[path] = error.read().decode()


def wait_until_it_says(worker: Worker, code: str) -> None:
    assert wait_until(lambda: f'"{code}"' in worker.log.read_text(), 30), worker.log.read_text()


def fail_in_every_way(site: Site, worker: Worker, evidence: Evidence) -> None:
    """Bad jobs, and each dependency away until the worker has said so."""
    site.push(site.job("bug", 1))
    assert evidence.collect("bug", 1) == {"internal"}
    payloads = bad_payloads(site, "bad")
    site.push(*payloads)
    codes = evidence.collect("bad jobs", len(payloads))
    assert codes >= {"bad_message", "image_not_found", "bad_image"}
    for number, (name, code) in enumerate(DEPENDENCIES.items()):
        site.proxies[name].inject(Fault("refuse"))
        site.push(site.job(name, 2 * number + 1))
        wait_until_it_says(worker, code)
        site.proxies[name].lift()
    evidence.collect("dependencies", len(DEPENDENCIES))


def refuse_the_keys(site: Site, evidence: Evidence, **settings: str) -> None:
    """Gemini, or the second translator that is asked for what it blocks, refuses the key and quotes it."""
    for answer in ("blocked", "refused"):
        site.gemini.answer(answer)
        worker = site.start_worker(settings)
        site.push(site.job(answer, 1))
        wait_until_it_says(worker, "auth")
        site.stop_workers()
        evidence.texts[answer] = worker.log.read_text()


def run_check(site: Site, **changes: str) -> str:
    """`operate-worker check`, as an operator runs it."""
    finished = subprocess.run(
        [sys.executable, "-m", "worker", "check"],
        env={**site.environment(), **changes},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 1
    return finished.stdout + finished.stderr


@pytest.mark.timeout(300)
def test_no_secret_ever_comes_out(site: Site) -> None:
    port = free_port()
    evidence = Evidence(site)
    bug = {"CRASH_POINT": "fetched", "CRASH_ACTION": "bug", "METRICS_PORT": str(port)}
    worker = site.start_worker(bug)
    fail_in_every_way(site, worker, evidence)
    evidence.serve(port)
    site.stop_workers()
    evidence.texts["log"] = worker.log.read_text()
    second = f"http://127.0.0.1:{site.gemini.port}/fallback"
    refuse_the_keys(site, evidence, FALLBACK_BASE_URL=second, FALLBACK_MODEL="second")
    site.proxies["store"].inject(Fault("answer", reply=bytes(DENIED)))
    wrong = f"redis://:secret-redis-wrong@{site.proxies['redis'].address}/0"
    evidence.texts["check"] = run_check(site, REDIS_URL=wrong, GEMINI_BASE_URL="http://127.0.0.1:1")

    assert "job.bug" in evidence.texts["log"], "the trace was written"
    assert "***" in evidence.texts["log"]
    for place, text in evidence.texts.items():
        assert text, place
        assert not [needle for needle in NEEDLES if needle in text], place
