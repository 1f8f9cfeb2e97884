"""Scenarios, and what strikes in them: each breaks something while jobs are in flight and mends it again."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import worker.adapters
from tests.faults.check import Expected, Verdict, check_jobs, check_leftovers, count_results
from tests.faults.proxy import Fault, Http
from tests.faults.site import LEASE_SECONDS, QUEUE, REAP_SECONDS, Site, Worker, wait_until
from worker.schemas import job_key

_LUA = Path(worker.adapters.__file__).parent / "lua"
#: The doorbell rings once for a burst of jobs; leases are kept before there are jobs.
_NTH = {"moved": 1, "before_identified": 1, "claimed": 1, "renewed": 8, "reaped": 8}
#: A worker that died is replaced by its leases' end; what a job itself takes on this machine comes on top.
CRASH_BOUND = LEASE_SECONDS + REAP_SECONDS + 6.0
#: The clock runs while the event loop is blocked, for two leases (see `at`).
BLOCK_BOUND = CRASH_BOUND + 2 * LEASE_SECONDS
#: A dependency that came back: the last delay before the next try (2 s × 2ⁿ, full jitter) comes on top.
RETRY_BOUND = CRASH_BOUND + 24.0

#: Breaks something while jobs are in flight; whatever must be mended is mended when it returns.
Break = Callable[[Site, Worker], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One fault."""

    name: str
    strike: Break = lambda _site, _worker: None
    jobs: int = 16
    #: Environment of the worker it strikes: a crash point, mostly. A healthy worker stands beside it.
    settings: dict[str, str] = field(default_factory=dict)
    #: Seconds from the end of the fault to the last result.
    bound: float = CRASH_BOUND
    #: Which jobs there are beside or instead of good ones: request id → payload → expected status.
    extra: Callable[[Site, str], dict[bytes, str]] = lambda _site, _request: {}
    may_repeat: bool = False
    #: The exit code of the worker it strikes, where it ends by the fault.
    ends_with: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table."""

    scenario: Scenario
    verdict: Verdict
    recovered: float | None

    @property
    def good(self) -> bool:
        return self.verdict.good and self.recovered is not None and self.recovered <= self.scenario.bound


def run_scenario(site: Site, scenario: Scenario, request: str) -> Outcome:
    """Run one on a site that has a healthy worker, and check it."""
    bystander = _healthy(site)
    struck = site.start_worker(scenario.settings) if scenario.settings else bystander
    jobs = {site.job(request, number): "completed" for number in range(scenario.jobs)}
    jobs |= scenario.extra(site, request)
    site.push(*jobs)
    if scenario.strike is wake_later:
        jobs |= _until(site, scenario, request, lambda: _state(struck) == "T")
    scenario.strike(site, struck)
    if scenario.ends_with is not None:
        jobs |= _until(site, scenario, request, lambda: not struck.alive)
    mended = time.monotonic()
    came = wait_until(lambda: count_results(site) >= len(jobs), scenario.bound + 10)
    recovered = time.monotonic() - mended if came else None
    verdict = check_jobs(site, Expected(jobs, scenario.may_repeat))
    if scenario.ends_with is not None and struck.process.poll() != scenario.ends_with:
        verdict.left.append(f"exit code {struck.process.poll()}, not {scenario.ends_with}")
    if scenario.settings and struck.alive:
        struck.note_tiles()
        struck.signal(signal.SIGTERM)
        struck.process.wait(30)
    return Outcome(scenario, verdict, recovered)


def _until(site: Site, scenario: Scenario, request: str, comes: Callable[[], bool]) -> dict[bytes, str]:
    """Wait for what the struck worker's own work brings about; the jobs pushed to that end."""
    if wait_until(comes, 20):
        return {}
    # One that did not wait at the doorbell yet took no share of the burst.
    more = {site.job(request, scenario.jobs + number): "completed" for number in range(scenario.jobs)}
    site.push(*more)
    wait_until(comes, 30)
    return more


def sweep_up(site: Site) -> list[str]:
    """Stop the fleet, let a last worker do a job and clear up after the killed; returns what is left."""
    site.stop_workers()
    site.start_worker()
    jobs = {site.job("last", number): "completed" for number in range(2)}
    site.push(*jobs)
    wait_until(lambda: count_results(site) >= len(jobs), 30)
    left = check_jobs(site, Expected(jobs)).left
    codes = site.stop_workers()
    return [*left, *(f"exit code {code}" for code in codes if code), *check_leftovers(site)]


def _healthy(site: Site) -> Worker:
    """The worker that stands beside all scenarios; started anew where a scenario has ended it."""
    living = [worker for worker in site.workers if worker.alive]
    return living[0] if living else site.start_worker()


def at(point: str, action: str = "kill") -> dict[str, str]:
    """The environment of a worker that comes to grief at a point (crash.py)."""
    return {
        "CRASH_POINT": point,
        "CRASH_ACTION": action,
        "CRASH_NTH": str(_NTH.get(point, 2)),
        "CRASH_BLOCK_SECONDS": str(2 * LEASE_SECONDS),
    }


def proxy_fault(dependency: str, fault: Fault, seconds: float) -> Break:
    """A fault that lasts."""

    def strike(site: Site, _: Worker) -> None:
        site.proxies[dependency].inject(fault)
        time.sleep(seconds)
        site.proxies[dependency].lift()

    return strike


def proxy_once(dependency: str, fault: Fault) -> Break:
    """A fault that strikes some requests, and is over when it has struck."""

    def strike(site: Site, _: Worker) -> None:
        proxy = site.proxies[dependency]
        proxy.inject(fault)
        struck = wait_until(lambda: proxy.struck >= (fault.times or 1), 30)
        proxy.lift()
        assert struck, f"{dependency}: {fault} struck {proxy.struck} times only"

    return strike


def script_sha(name: str) -> bytes:
    """How a script is called by its digest."""
    return hashlib.sha1((_LUA / f"{name}.lua").read_bytes()).hexdigest().encode()


def lose_the_farewell(site: Site, struck: Worker) -> None:
    """SIGTERM, and the reply to the worker's last words never arrives."""
    site.proxies["redis"].inject(Fault("drop_reply", script_sha("farewell"), times=1))
    struck.note_tiles()
    struck.signal(signal.SIGTERM)
    assert wait_until(lambda: site.proxies["redis"].struck, 30), "no farewell"
    site.proxies["redis"].lift()


def wake_later(_: Site, struck: Worker) -> None:
    """Let a worker that stopped itself sleep past its lease, then go on."""
    stopped = wait_until(lambda: _state(struck) == "T", 30)
    assert stopped, "the worker did not stop itself"
    time.sleep(LEASE_SECONDS + 2 * REAP_SECONDS + 1)
    struck.signal(signal.SIGCONT)


def _state(worker: Worker) -> str:
    stat = Path(f"/proc/{worker.process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


def restart_redis(*, down: float = 0.0, cut: int = 0) -> Break:
    """SIGKILL while jobs are in flight; `cut` bytes of the log's tail are lost, as by a power failure."""

    def strike(site: Site, _: Worker) -> None:
        wait_until(lambda: count_results(site) > 0, 30)
        site.redis.stop(signal.SIGKILL)
        if cut:
            log = site.redis.append_only_file
            with log.open("r+b") as file:
                file.truncate(max(0, log.stat().st_size - cut))
        time.sleep(down)
        site.redis.start()

    return strike


def forget_names(site: Site, _struck: Worker) -> None:
    """As where the log's tail was lost between two scripts: claims are there, their jobs are not."""
    for _ in range(20):
        with site.client as client:
            client.delete(f"{QUEUE}:jobs")
        time.sleep(0.1)


def freeze_redis(seconds: float) -> Break:
    """SIGSTOP, then CONT."""

    def strike(site: Site, _: Worker) -> None:
        os.kill(site.redis.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(site.redis.pid, signal.SIGCONT)

    return strike


def out_of_memory(site: Site, _: Worker) -> None:
    """Redis is full (noeviction), for a while."""
    with site.client as client:
        client.config_set("maxmemory", "1")
        time.sleep(3)
        client.config_set("maxmemory", "0")


def read_only(site: Site, _: Worker) -> None:
    """Redis has become a replica, for a while."""
    with site.client as client:
        client.config_set("replica-serve-stale-data", "yes")
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        time.sleep(3)
        client.execute_command("REPLICAOF", "NO", "ONE")


def restart_triton(site: Site, _: Worker) -> None:
    site.triton.stop(signal.SIGKILL)
    site.triton.start()


def gemini_says(name: str, *, seconds: float = 0.0, times: int = -1, delay: float = 0.0) -> Break:
    """Gemini answers badly: for a while, or so many times."""

    def strike(site: Site, _: Worker) -> None:
        site.gemini.answer(name, times, delay)
        time.sleep(seconds)
        if times < 0:
            site.gemini.answer("well")

    return strike


def terminate(*, twice: bool = False) -> Break:
    """SIGTERM while jobs are in flight."""

    def strike(site: Site, struck: Worker) -> None:
        wait_until(lambda: count_results(site) > 0, 30)
        struck.note_tiles()
        for _ in range(1 + twice):
            struck.signal(signal.SIGTERM)
            time.sleep(0.1)

    return strike


def lose_replies(script: str, gemini: str = "error") -> Break:
    """Two replies of a script never arrive; Gemini fails, so that jobs are given back too."""
    lose = proxy_once("redis", Fault("drop_reply", script_sha(script), times=2))

    def strike(site: Site, struck: Worker) -> None:
        site.gemini.answer(gemini, times=6)
        lose(site, struck)

    return strike


def lose_beginnings(site: Site, struck: Worker) -> None:
    """Jobs one crash from poison say when their turn begins; two replies to that get lost."""
    with site.client as client:
        for payload in client.lrange(QUEUE, 0, -1):
            client.hset(f"{QUEUE}:meta:{job_key(payload, 'ko')}", "crashes", 2)
    proxy_once("redis", Fault("drop_reply", script_sha("begin"), times=2))(site, struck)


def bait_workers(jobs: int) -> Break:
    """Workers that the bait takes down, one after the other, as an orchestrator starts them."""

    def strike(site: Site, struck: Worker) -> None:
        for other in site.workers:
            if other is not struck:
                other.signal(signal.SIGTERM)
        deadline = time.monotonic() + 60
        while count_results(site) < jobs and time.monotonic() < deadline:
            if not struck.alive:
                struck = site.start_worker({"CRASH_BAIT": "1"}, ready=False)
            time.sleep(0.1)

    return strike


UNAVAILABLE = bytes(Http(503))
SLOW_DOWN = bytes(Http(429, {"Retry-After": "1"}))
NOREPLICAS = b"-NOREPLICAS Not enough good replicas to write.\r\n"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
