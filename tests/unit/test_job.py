"""The vocabulary's own arithmetic."""

from __future__ import annotations

import pytest

from worker.job import FREE, Usage


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Usage(1, 2, 0.5), Usage(3, 4, 0.25), Usage(4, 6, 0.75)),
        (Usage(1, 2, 0.5), Usage(3, 4), Usage(4, 6)),
        (Usage(1, 2, 0.5), Usage(), Usage(1, 2, 0.5)),
        (Usage(1, 2), FREE, Usage(1, 2)),
        (FREE, FREE, FREE),
        (Usage(), Usage(), Usage()),
    ],
)
def test_a_cost_is_known_where_that_of_all_tokens_is(one: Usage, other: Usage, both: Usage) -> None:
    assert one + other == other + one == both
