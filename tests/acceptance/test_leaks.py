"""One process through many jobs: memory, descriptors, shared memory and Redis are back where they were."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.check import Expected, check_jobs, count_results
from tests.faults.site import QUEUE, Site, Worker, open_site, wait_until
from worker.embedded import has_triton

#: First use loads fonts, compiles, fills pools and lets the allocator find its size.
WARM_UP_JOBS = 100


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one worker holds when it has nothing to do."""

    megabytes: float
    descriptors: int
    threads: int
    tiles: frozenset[str]
    regions: frozenset[str]
    spooled: int
    keys: Counter[str]


def measure(site: Site, worker: Worker) -> Footprint:
    process = Path(f"/proc/{worker.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    worker.note_tiles()
    # Results are remembered for two seconds here.
    wait_until(lambda: not kinds(site)["done"], 10)
    return Footprint(
        megabytes=int(status["VmRSS"].split()[0]) / 1000,
        descriptors=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        tiles=frozenset(worker.tiles),
        regions=frozenset(site.triton_regions()),
        spooled=len(list((site.directory / "spool").rglob("*.npz"))),
        keys=kinds(site),
    )


def kinds(site: Site) -> Counter[str]:
    """How many keys of each kind Redis has, the memory of translations aside."""
    with site.client as client:
        keys = [key.decode() for key in client.scan_iter("*", count=1000)]
    return Counter(
        key.removeprefix(f"{QUEUE}:").split(":")[0] for key in keys if not key.startswith("transl")
    )


def work(site: Site, name: str, jobs: int) -> None:
    payloads = {site.job(name, number): "completed" for number in range(jobs)}
    site.push(*payloads)
    assert wait_until(lambda: count_results(site) >= jobs, 60 + jobs)
    verdict = check_jobs(site, Expected(payloads))
    assert verdict.good, verdict


@pytest.fixture
def site() -> Iterator[Site]:
    if not has_triton():
        pytest.skip("needs tritonserver")
    with open_site() as opened:
        yield opened


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("jobs", "megabytes"), [(300, 30), pytest.param(2000, 30, marks=pytest.mark.slow)])
def test_nothing_grows_with_the_number_of_jobs(site: Site, jobs: int, megabytes: int) -> None:
    worker = site.start_worker({"RESULT_TTL_SECONDS": "2"})
    work(site, "warm", WARM_UP_JOBS)
    before = measure(site, worker)
    started = time.monotonic()
    work(site, "leak", jobs)
    spent = time.monotonic() - started
    after = measure(site, worker)
    print(f"{jobs} jobs in {spent:.0f} s\n{before}\n{after}")  # noqa: T201 - the numbers are what one looks at
    assert after.megabytes - before.megabytes <= megabytes
    # Pools of connections breathe.
    assert abs(after.descriptors - before.descriptors) <= 8
    assert after.threads <= before.threads + 4
    assert after.tiles == before.tiles
    assert after.regions == before.regions
    assert len(after.regions) == 1, "the pages have tiles of one size"
    assert (after.spooled, after.keys) == (0, before.keys)
    assert site.stop_workers() == [0]
    assert site.triton_regions() == set()
