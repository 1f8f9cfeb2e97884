"""A random soak: a fleet works through many jobs while everything around it fails, from one seed."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.catalogue import bad_payloads
from tests.faults.check import Expected, Verdict, check_jobs, count_results
from tests.faults.proxy import Fault
from tests.faults.scenarios import UNAVAILABLE
from tests.faults.site import Site, Worker, wait_until

WORKERS = 3
#: Seconds between two faults.
_PAUSE = (2.0, 6.0)
_PATIENCE_SECONDS = 180.0

#: A fault → how likely it is.
_FAULTS = {
    "kill worker": 10,
    "stop worker": 1,
    "terminate worker": 2,
    "kill redis": 2,
    "kill triton": 1,
    "quota storm": 2,
    "gemini errors": 1,
    "store 503": 2,
    "store reset": 1,
    "redis reset": 1,
}


@dataclass(frozen=True, slots=True)
class Soak:
    """What happened."""

    verdict: Verdict
    seconds: float
    #: From the last fault to the last result.
    recovered: float
    struck: Counter[str]

    @property
    def summary(self) -> str:
        return ", ".join(f"{count} × {name}" for name, count in self.struck.most_common())


def run_soak(site: Site, jobs: int, seed: int, say: Callable[[str], object]) -> Soak:
    """Submit all jobs, strike at random until most are done, mend everything, wait for the rest."""
    chance = random.Random(seed)
    site.gemini.answer("well", delay=0.05)
    submitted = {site.job(f"s{seed}", number): "completed" for number in range(jobs)}
    submitted |= bad_payloads(site, f"s{seed}")
    payloads = list(submitted)
    chance.shuffle(payloads)
    site.push(*payloads)
    started = time.monotonic()
    fleet = [site.start_worker(ready=False) for _ in range(WORKERS)]
    struck: Counter[str] = Counter()
    wait_until(lambda: count_results(site) > 0, 60)
    while count_results(site) < 0.95 * jobs and time.monotonic() - started < 2 * jobs:
        (name,) = chance.choices(list(_FAULTS), list(_FAULTS.values()))
        _strike(site, fleet, name, chance)
        struck[name] += 1
        say(f"{time.monotonic() - started:6.0f} s  {count_results(site):5d} results  {name}")
        _wait(site, fleet, chance.uniform(*_PAUSE))
    mended = time.monotonic()
    came = wait_until(lambda: count_results(site) >= len(payloads), _PATIENCE_SECONDS)
    ended = time.monotonic()
    verdict = check_jobs(site, Expected(submitted, may_be_poisoned=True), patience=20)
    if not came:
        say("the soak did not come to rest")
    return Soak(verdict, ended - started, ended - mended, struck)


def _wait(site: Site, fleet: list[Worker], seconds: float) -> None:
    """Let the fleet work; whoever ended is replaced, as an orchestrator does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for place, worker in enumerate(fleet):
            if not worker.alive:
                fleet[place] = site.start_worker(ready=False)
            else:
                worker.note_tiles()
        time.sleep(0.3)


def _strike(site: Site, fleet: list[Worker], name: str, chance: random.Random) -> None:
    victim = chance.choice(fleet)
    seconds = chance.uniform(1.0, 4.0)
    match name:
        case "kill worker":
            victim.kill()
        case "stop worker":
            victim.signal(signal.SIGSTOP)
            _wait(site, [worker for worker in fleet if worker is not victim], seconds)
            victim.signal(signal.SIGCONT)
        case "terminate worker":
            victim.signal(signal.SIGTERM)
        case "kill redis":
            site.redis.stop(signal.SIGKILL)
            time.sleep(chance.uniform(0.0, 1.0))
            site.redis.start()
        case "kill triton":
            site.triton.stop(signal.SIGKILL)
            site.triton.start()
        case "quota storm" | "gemini errors":
            site.gemini.answer("quota" if name == "quota storm" else "error", delay=0.05)
            _wait(site, fleet, seconds)
            site.gemini.answer("well", delay=0.05)
        case _:
            dependency, fault = {
                "store 503": ("store", Fault("answer", b"PUT /", reply=UNAVAILABLE)),
                "store reset": ("store", Fault("drop_reply", b"PUT /")),
                "redis reset": ("redis", Fault("reset")),
            }[name]
            site.proxies[dependency].inject(fault)
            _wait(site, fleet, seconds)
            site.proxies[dependency].lift()
