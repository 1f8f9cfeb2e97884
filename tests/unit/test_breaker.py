"""The breaker, with a clock of the test's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.breaker import Breaker, BreakerOptions, CircuitState, Problem

OPTIONS = BreakerOptions(threshold=3, base_seconds=1, cap_seconds=8, refused_seconds=60)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    """A breaker whose circuit `store` has just opened."""
    breaker = Breaker(OPTIONS, clock)
    assert [breaker.failed("store", "503") for _ in range(3)] == [None, None, 1.0]
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(OPTIONS, Clock())
    for _ in range(5):
        assert breaker.failed("store", "503") is None
        assert breaker.failed("store", "503") is None
        assert breaker.succeeded() == ()
    assert breaker.pause() == 0
    assert breaker.states == {}


def test_after_the_pause_one_job_decides() -> None:
    clock = Clock()
    breaker = broken(clock)
    assert breaker.pause() == 1.0
    assert breaker.half_open() == ()
    clock.now += 1
    assert breaker.pause() == 0
    assert breaker.half_open() == breaker.to_ask() == ("store",)
    breaker.answered("store")
    assert breaker.to_ask() == ()
    assert breaker.failed("store", "503 again") == 2.0
    assert breaker.problems == {"store": Problem("503 again")}
    clock.now += 2
    assert breaker.to_ask() == ("store",), "it is asked anew"
    assert breaker.succeeded() == ("store",)
    assert breaker.states == {}
    assert breaker.problems == {}


def test_the_pause_doubles_up_to_its_cap_and_begins_anew_after_a_success() -> None:
    clock = Clock()
    breaker = broken(clock)
    pauses = []
    for _ in range(5):
        clock.now += 100
        pauses.append(breaker.failed("store", "503"))
    assert pauses == [2, 4, 8, 8, 8]
    clock.now += 100
    breaker.succeeded()
    assert [breaker.failed("store", "503") for _ in range(3)] == [None, None, 1]


def test_jobs_that_end_while_it_is_open_prove_nothing() -> None:
    breaker = broken(Clock())
    assert breaker.failed("store", "503") is None
    assert breaker.succeeded() == ()
    assert breaker.states == {"store": CircuitState.OPEN}


def test_a_refused_key_opens_at_once_and_for_long() -> None:
    clock = Clock()
    breaker = Breaker(OPTIONS, clock)
    assert breaker.failed("translator", "GEMINI_API_KEY: refused", refused=True) == 60
    clock.now += 60
    assert breaker.failed("translator", "GEMINI_API_KEY: refused", refused=True) == 60


def test_a_wait_that_was_asked_for_is_kept() -> None:
    breaker = Breaker(OPTIONS, Clock())
    assert [breaker.failed("store", "503", wait=17) for _ in range(3)] == [None, None, 17]


def test_after_a_quotas_pause_all_jobs_flow_again() -> None:
    clock = Clock()
    breaker = Breaker(OPTIONS, clock)
    for _ in range(3):
        pauses = [breaker.failed("translator", "429", busy=True, wait=5) for _ in range(3)]
        assert pauses == [None, None, 5]
        assert breaker.states == {"translator": CircuitState.OPEN}
        clock.now += 5
        assert breaker.half_open() == ()


def test_the_longest_pause_counts() -> None:
    clock = Clock()
    breaker = broken(clock)
    breaker.failed("translator", "refused", refused=True)
    clock.now += 2
    assert breaker.pause() == 58
    assert breaker.states == {"store": CircuitState.HALF_OPEN, "translator": CircuitState.OPEN}


@given(st.lists(st.tuples(st.sampled_from(["fail", "refuse", "succeed", "wait"]), st.integers(1, 100))))
def test_it_never_stays_shut_longer_than_its_cap(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    breaker = Breaker(OPTIONS, clock)
    for step, seconds in steps:
        if step == "succeed":
            breaker.succeeded()
        elif step == "wait":
            clock.now += seconds
        else:
            breaker.failed("store", step, refused=step == "refuse")
        assert 0 <= breaker.pause() <= OPTIONS.refused_seconds
        assert bool(breaker.pause()) is (CircuitState.OPEN in breaker.states.values())
    clock.now += OPTIONS.refused_seconds
    assert breaker.pause() == 0
    breaker.succeeded()
    assert breaker.states == {}


def test_nobody_stops_the_worker_for_a_day() -> None:
    clock = Clock()
    breaker = Breaker(OPTIONS, clock)
    for wait in (86400.0, 1e300):
        pauses = [breaker.failed("translator", "429", busy=True, wait=wait) for _ in range(3)]
        assert pauses == [None, None, 900]
        assert breaker.pause() == 900
        clock.now += 901
