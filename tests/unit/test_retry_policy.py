"""Budgets: which failures count, and how long a job waits."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import (
    AuthError,
    BadImage,
    InpainterUnavailable,
    JobTimeout,
    ModelError,
    SourceUnavailable,
    StoreUnavailable,
    TranslatorQuota,
    WorkerError,
)
from worker.ports import Claim
from worker.retry_policy import RetryPolicy

POLICY = RetryPolicy(max_age_seconds=3600)


def claim(*, age: float = 0.0, crashes: int = 0, **failures: int) -> Claim:
    return Claim("a-1", b"", 1 + crashes + sum(failures.values()), crashes, age, None, failures)


@pytest.mark.parametrize("error", [JobTimeout("x"), ModelError("x")])
def test_what_may_lie_with_the_job_has_three_attempts(error: WorkerError) -> None:
    others = {"store_unavailable": 9, "inpainter_unavailable": 9}
    for before in (0, 1):
        assert POLICY.delay(claim(crashes=2, **others, **{error.code: before}), error, 0.5) is not None
    assert POLICY.delay(claim(**{error.code: 2}), error, 0.5) is None


def test_a_pictures_host_may_be_away_for_half_an_hour() -> None:
    away = SourceUnavailable("x")
    assert POLICY.delay(claim(age=1799, source_unavailable=500), away, 0.5) is not None
    assert POLICY.delay(claim(age=1800, source_unavailable=2), away, 0.5) is None
    # It was another dependency that took so long.
    assert POLICY.delay(claim(age=3000, store_unavailable=20, source_unavailable=1), away, 0.5) is not None


def test_a_host_that_never_comes_back_is_asked_some_twenty_times() -> None:
    """Each try takes a place from other jobs."""
    away = SourceUnavailable("x")
    for seed in range(100):
        spreads, age, tries = Random(seed), 0.0, 1
        while (
            delay := POLICY.delay(claim(age=age, source_unavailable=tries - 1), away, spreads.random())
        ) is not None:
            age, tries = age + delay, tries + 1
        assert 1800 <= age < 2100
        assert 12 <= tries <= 35


@pytest.mark.parametrize("error", [StoreUnavailable("x"), InpainterUnavailable("x"), AuthError("x")])
def test_what_is_down_costs_no_attempts_but_the_jobs_age(error: WorkerError) -> None:
    assert POLICY.delay(claim(age=3599, crashes=2, **{error.code: 500}), error, 0.5) is not None
    assert POLICY.delay(claim(age=3600, **{error.code: 1}), error, 0.5) is None


def test_a_content_error_is_final() -> None:
    assert POLICY.delay(claim(), BadImage("x"), 0.5) is None


def test_the_bound_doubles_with_each_failure_up_to_its_cap() -> None:
    delays = [POLICY.delay(claim(store_unavailable=count), StoreUnavailable("x"), 1.0) for count in range(10)]
    assert delays == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_crashes_make_a_suspect_then_poison() -> None:
    verdicts = [(POLICY.is_suspect(claim(crashes=n)), POLICY.is_poison(claim(crashes=n))) for n in range(5)]
    assert verdicts == [(False, False), (False, False), (True, False), (False, True), (False, True)]


@given(st.floats(0, 3599), st.integers(0, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e6))
def test_a_delay_is_never_longer_than_the_time_that_is_left(
    age: float, failures: int, spread: float, asked: float | None
) -> None:
    delay = POLICY.delay(
        claim(age=age, translator_quota=failures), TranslatorQuota("429", retry_after=asked), spread
    )
    assert delay is not None
    assert 0 <= delay <= 3600 - age
    assert delay >= min(asked or 0.0, 900, 3600 - age)
    assert delay <= min(asked or 0.0, 900) + 300
