"""All scenarios: the fault list times the places where each can strike."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.faults import scenarios as do
from tests.faults.crash import POINTS, UNREADABLE
from tests.faults.proxy import Fault
from tests.faults.scenarios import RETRY_BOUND, Scenario, at
from tests.faults.site import LEASE_SECONDS, Site

_KILLED = -9


def bad_payloads(site: Site, request: str) -> dict[bytes, str]:
    """What strangers push; what has no ids is new in each request, or it is answered from its record."""
    name = request.encode()
    return {
        b"not json " + name: "failed",
        b"\xff\xfe\x00 not even text " + name: "failed",
        b"[" * 100_000 + name: "failed",
        site.job(request, 1_000_000, "none.png"): "failed",
        site.job(request, 1_000_001, "broken.png"): "failed",
        b'{"request_id": "%b", "image_id": "i1000002"}' % name: "failed",
    }


def huge_payload(_: Site, request: str) -> dict[bytes, str]:
    """50 MB of text in a job that is none."""
    names = b'{"request_id": "%b", "image_id": "i1000003", "ocr_result": "' % request.encode()
    return {names + b"x" * 50_000_000 + b'"}': "failed"}


def unreadable(site: Site, request: str) -> dict[bytes, str]:
    """A job that takes down each worker that reads it, before anybody knows which job it is."""
    job = json.loads(site.job(request, 1_000_005))
    return {json.dumps(job | {"text": UNREADABLE.decode()}).encode(): "failed"}


def bait(site: Site, request: str) -> dict[bytes, str]:
    """A picture that takes down each worker that fetches it."""
    return {site.job(request, 1_000_004, "bait.png"): "failed"}


def all_scenarios(*, outage: float = 5.0) -> Iterator[Scenario]:
    """Every fault; `outage` is how many seconds a dependency stays away."""
    yield from crashes()
    yield from queue_faults(outage)
    yield from dependency_faults(outage)
    yield from bad_jobs()


def crashes() -> Iterator[Scenario]:
    """The worker itself, at each step."""
    for point in POINTS:
        yield Scenario(f"SIGKILL {point}", settings=at(point), ends_with=_KILLED)
    for point in ("claimed", "translated", "before_acked"):
        yield Scenario(f"SIGSTOP > lease {point}", do.wake_later, settings=at(point, "stop"))
    for point in ("claimed", "stored", "before_acked"):
        settings = at(point, "block")
        yield Scenario(f"event loop blocked {point}", settings=settings, bound=do.BLOCK_BOUND)
    for point in ("claimed", "fetched", "rendered", "stored", "acked"):
        yield Scenario(f"SIGTERM {point}", settings=at(point, "term"), ends_with=0)
        yield Scenario(f"SIGTERM twice {point}", settings=at(point, "term_twice"), ends_with=0)
    yield Scenario("SIGTERM in flight", do.terminate(), settings={"DRAIN_SECONDS": "5"}, ends_with=0)
    yield Scenario("SIGTERM, no time to drain", do.terminate(), settings={"DRAIN_SECONDS": "0"}, ends_with=0)


def queue_faults(outage: float) -> Iterator[Scenario]:
    """Redis and the way there."""
    for script in ("claim", "identify", "renew", "finish", "retry", "reap"):
        yield Scenario(f"reply lost: {script}", do.lose_replies(script), bound=RETRY_BOUND)
    for script in ("pace", "remember", "terms"):
        yield Scenario(f"reply lost: {script}", do.lose_replies(script), bound=RETRY_BOUND)
    yield Scenario("reply lost: rest", do.lose_replies("rest", gemini="quota"), bound=RETRY_BOUND)
    yield Scenario("reply lost: begin", do.lose_beginnings, bound=RETRY_BOUND)
    farewell = do.lose_the_farewell
    yield Scenario("reply lost: farewell", farewell, settings={"DRAIN_SECONDS": "5"}, ends_with=0)
    yield Scenario("reply lost: BLMOVE", do.proxy_once("redis", Fault("drop_reply", b"BLMOVE", times=2)))
    yield Scenario("reply cut: BLMOVE", do.proxy_once("redis", Fault("cut", b"BLMOVE", times=2, size=7)))
    yield Scenario("Redis SIGKILL, restart", do.restart_redis())
    yield Scenario("Redis SIGKILL, AOF tail cut", do.restart_redis(cut=200), may_repeat=True)
    yield Scenario("Redis forgot whose claims", do.forget_names)
    yield Scenario(f"Redis down {outage:g} s", do.restart_redis(down=outage))
    yield Scenario("Redis frozen > lease", do.freeze_redis(LEASE_SECONDS + 2))
    yield Scenario("Redis refused", do.proxy_fault("redis", Fault("refuse"), outage))
    yield Scenario("Redis hangs", do.proxy_fault("redis", Fault("hang"), outage))
    yield Scenario("Redis resets", do.proxy_fault("redis", Fault("reset"), outage))
    yield Scenario("Redis slow", do.proxy_fault("redis", Fault("slow", seconds=0.2), outage))
    yield Scenario("Redis LOADING", do.proxy_fault("redis", Fault("answer", reply=do.LOADING), 3))
    lonely = Fault("answer", b"EVALSHA", reply=do.NOREPLICAS)
    yield Scenario("Redis without replicas", do.proxy_fault("redis", lonely, 3))
    yield Scenario("Redis out of memory", do.out_of_memory)
    yield Scenario("Redis READONLY", do.read_only)


def dependency_faults(outage: float) -> Iterator[Scenario]:
    """Triton, Gemini, the store and the pictures' host: down, then back."""

    def lasting(name: str, dependency: str, fault: Fault) -> Scenario:
        return Scenario(name, do.proxy_fault(dependency, fault, outage), bound=RETRY_BOUND)

    for dependency in ("triton", "gemini", "store", "pictures"):
        for kind in ("refuse", "hang", "reset"):
            yield lasting(f"{dependency} {kind}", dependency, Fault(kind))
    yield Scenario("Triton SIGKILL, restart", do.restart_triton, bound=RETRY_BOUND)
    for name in ("quota", "error"):
        yield Scenario(f"Gemini {name}", do.gemini_says(name, times=6), bound=RETRY_BOUND)
    # One bad reply is asked for again in halves; a block that stays bad alone would stay as it is.
    for name in ("truncated", "nonsense", "blocked"):
        yield Scenario(f"Gemini {name}", do.gemini_says(name, times=1), bound=RETRY_BOUND)
    yield Scenario("Gemini 429 storm", do.gemini_says("quota", seconds=outage), bound=RETRY_BOUND)
    # Nobody asks again within a minute: a key is changed by people.
    yield Scenario("Gemini key refused", do.gemini_says("refused", seconds=2), bound=RETRY_BOUND + 60)
    yield lasting("store 503", "store", Fault("answer", b"PUT /", reply=do.UNAVAILABLE))
    yield lasting("store 429", "store", Fault("answer", b"PUT /", reply=do.SLOW_DOWN))
    yield lasting("store slow", "store", Fault("slow", seconds=0.3))
    lost = Fault("drop_reply", b"PUT /", times=4)
    yield Scenario("store reset after the body", do.proxy_once("store", lost), bound=RETRY_BOUND)
    cut = Fault("cut", b"GET /", times=3, size=900)
    yield Scenario("picture cut short", do.proxy_once("pictures", cut), bound=RETRY_BOUND)
    yield lasting("picture slow", "pictures", Fault("slow", seconds=0.5))


def bad_jobs() -> Iterator[Scenario]:
    """What is pushed may be anything."""
    yield Scenario("bad payloads", extra=bad_payloads)
    yield Scenario("50 MB payload", extra=huge_payload, bound=60)
    yield Scenario("crash bait", do.bait_workers(17), extra=bait, settings={"CRASH_BAIT": "1"})
    strike = do.bait_workers(17)
    yield Scenario("crash bait, unread", strike, extra=unreadable, settings={"CRASH_BAIT": "1"})
