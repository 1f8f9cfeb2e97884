"""The most telling faults; `make chaos` runs all of them, and a soak (tests/faults)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.faults.catalogue import all_scenarios
from tests.faults.scenarios import run_scenario, sweep_up
from tests.faults.site import Site, open_site
from worker.embedded import has_triton

TELLING = (
    "SIGKILL moved",
    "SIGKILL stored",
    "SIGSTOP > lease before_acked",
    "reply lost: finish",
    "Redis SIGKILL, restart",
    "Triton SIGKILL, restart",
    "Gemini quota",
    "store reset after the body",
)
pytestmark = pytest.mark.timeout(300)
SCENARIOS = {scenario.name: scenario for scenario in all_scenarios() if scenario.name in TELLING}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if not has_triton():
        pytest.skip("needs tritonserver")
    with open_site() as opened:
        opened.start_worker()
        yield opened


@pytest.mark.parametrize("name", TELLING)
def test_each_job_ends_in_exactly_one_result(site: Site, name: str) -> None:
    scenario = replace(SCENARIOS[name], jobs=10)
    outcome = run_scenario(site, scenario, f"a{TELLING.index(name)}")
    assert outcome.good, outcome


def test_nothing_stays_behind(site: Site) -> None:
    assert sweep_up(site) == []
