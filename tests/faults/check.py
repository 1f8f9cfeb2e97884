"""The checker: after quiet, results and dead letters are what was submitted, and nothing else is left."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.faults.crash import UNREADABLE
from tests.faults.site import QUEUE, RESULTS, Site, wait_until
from worker.schemas import MAX_JOB_BYTES

_SHARED_MEMORY = Path("/dev/shm")
_PUBLIC = "http://cdn.example/pictures/"


@dataclass(frozen=True, slots=True)
class Expected:
    """What was submitted: raw payload → the status its result must have."""

    jobs: Mapping[bytes, str]
    #: A result may come again: Redis itself forgot what it had said.
    may_repeat: bool = False
    #: A job may be taken for poison: its workers were killed at random, so now and then three times in a row.
    may_be_poisoned: bool = False


@dataclass(slots=True)
class Verdict:
    """What came out; all is well when nothing is `wrong`."""

    jobs: int
    missing: int = 0
    duplicates: int = 0
    #: Jobs whose status is not the expected one.
    wrong_status: Counter[str] = field(default_factory=Counter)
    #: Jobs that were taken for poison, where that may be.
    poisoned: int = 0
    left: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.missing or self.duplicates or self.wrong_status or self.left)


def name_of(payload: bytes) -> str:
    """How a job is known in its result; all payloads without readable ids share one name."""
    if len(payload) > MAX_JOB_BYTES or UNREADABLE in payload:
        return "None/None"
    try:
        job = json.loads(payload)
        return f"{job['request_id']}/{job['image_id']}"
    except (ValueError, TypeError, KeyError, RecursionError):
        return "None/None"


def internal_keys(site: Site) -> set[str]:
    """What the queue keeps of jobs that are not finished."""
    prefix = f"{QUEUE}:"
    with site.client as client:
        keys = {key.decode() for key in client.scan_iter(f"{QUEUE}*", count=1000)}
    names = {key.removeprefix(prefix) for key in keys}
    return {name for name in names if name == QUEUE or name.split(":")[0] in _INTERNAL}


_INTERNAL = ("inbox", "claims", "lease", "jobs", "unread", "delayed", "meta")


def count_results(site: Site) -> int:
    with site.client as client:
        return int(client.llen(RESULTS))


def check_jobs(site: Site, expected: Expected, *, patience: float = 10.0) -> Verdict:
    """Look at the queue when all has come to rest, and take the results away."""
    wait_until(lambda: not internal_keys(site), patience)
    with site.client as client:
        results = [json.loads(raw) for raw in client.lrange(RESULTS, 0, -1)]
        letters = [json.loads(raw) for raw in client.lrange(f"{QUEUE}:dead", 0, -1)]
        client.delete(RESULTS, f"{QUEUE}:dead")
    verdict = Verdict(jobs=len(expected.jobs))
    verdict.left += [f"key {name}" for name in sorted(internal_keys(site))]
    _count(expected, results, verdict)
    _check_letters(results, letters, verdict)
    _check_store(site, results, verdict)
    return verdict


def _count(expected: Expected, results: list[dict[str, Any]], verdict: Verdict) -> None:
    wanted = Counter(name_of(payload) for payload in expected.jobs)
    found = Counter(f"{result['request_id']}/{result['image_id']}" for result in results)
    verdict.missing = (wanted - found).total()
    surplus = found - wanted
    verdict.duplicates = sum(count for name, count in surplus.items() if name in wanted)
    verdict.left += [f"result of an unknown job {name}" for name in surplus if name not in wanted]
    if expected.may_repeat:
        verdict.duplicates = 0
    statuses = {name_of(payload): status for payload, status in expected.jobs.items()}
    for result in results:
        wanted_status = statuses.get(f"{result['request_id']}/{result['image_id']}")
        code = (result["error"] or {}).get("code", "")
        if expected.may_be_poisoned and code == "poisoned":
            verdict.poisoned += 1
        elif wanted_status not in (None, result["status"]):
            verdict.wrong_status[f"{result['status']} {code}".strip()] += 1


def _check_letters(results: list[dict[str, Any]], letters: list[dict[str, Any]], verdict: Verdict) -> None:
    """A failed job is kept, a finished one is not."""
    failed = Counter(str(result["image_id"]) for result in results if result["status"] == "failed")
    kept = Counter(str(letter["image_id"]) for letter in letters)
    for name in (failed - kept) + (kept - failed):
        verdict.left.append(f"{failed[name]} failures but {kept[name]} dead letters of {name}")
    for letter in letters:
        base64.b64decode(letter["payload"], validate=True)


def _check_store(site: Site, results: list[dict[str, Any]], verdict: Verdict) -> None:
    """Each result's object is there, and each object belongs to a result."""
    hosted = {unquote(result["image_url"].removeprefix(_PUBLIC)) for result in results if result["image_url"]}
    requests = {key.partition("/")[0] for key in hosted}
    requests |= {str(result["request_id"]) for result in results}
    stored = {key for request in requests for key in site.s3.keys(f"{request}/")}
    verdict.left += [f"orphan object {key}" for key in sorted(stored - hosted)]
    verdict.left += [f"object {key} is missing" for key in sorted(hosted - stored)]


def check_leftovers(site: Site) -> list[str]:
    """After the last worker has ended: spool, shared memory and the server's regions."""
    spool = [path.relative_to(site.directory) for path in (site.directory / "spool").rglob("*")]
    tiles = {name for worker in site.workers for name in worker.tiles}
    left = [f"spool {path}" for path in spool]
    left += [f"/dev/shm/{name}" for name in sorted(tiles) if (_SHARED_MEMORY / name).exists()]
    return left + [f"Triton region {name}" for name in sorted(site.triton_regions())]
