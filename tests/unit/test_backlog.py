from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from worker.backlog import HeadAge


def test_an_empty_queue_has_no_age() -> None:
    age = HeadAge()
    assert age.update(0.0, waiting=0, taken=0) == 0.0
    assert age.update(5.0, waiting=3, taken=0) == 0.0
    assert age.update(15.0, waiting=3, taken=0) == 10.0
    assert age.update(20.0, waiting=0, taken=3) == 0.0


def test_a_queue_that_moves_keeps_the_age_of_its_head() -> None:
    """Ten jobs wait, one is taken and one comes each second: each head has waited ten seconds."""
    age = HeadAge()
    ages = [age.update(float(second), waiting=10, taken=second) for second in range(60)]
    assert ages[30:] == [9.0] * 30


def test_jobs_that_somebody_deleted_are_forgotten() -> None:
    age = HeadAge()
    age.update(0.0, waiting=100, taken=5)
    assert age.update(10.0, waiting=0, taken=5) == 0.0
    assert age.update(20.0, waiting=1, taken=5) == 0.0


def test_a_redis_that_lost_its_memory_starts_anew() -> None:
    age = HeadAge()
    age.update(0.0, waiting=10, taken=1000)
    assert age.update(60.0, waiting=10, taken=0) == 0.0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=400))
def test_it_never_says_more_than_the_truth(steps: list[tuple[int, int]]) -> None:
    """Against a list that knows when each job came."""
    age, queue, taken = HeadAge(), deque[float](), 0
    for second, (come, go) in enumerate(steps):
        queue.extend([float(second)] * come)
        for _ in range(min(go, len(queue))):
            queue.popleft()
            taken += 1
        truth = second - queue[0] if queue else 0.0
        assert 0.0 <= age.update(float(second), len(queue), taken) <= truth
