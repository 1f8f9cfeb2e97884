"""The full fault matrix and a random soak; prints a table and ends with 1 where a promise is broken.

make chaos [JOBS=3000] [SEED=1]
python -m tests.faults --only "SIGKILL" --jobs 0
"""

from __future__ import annotations

import argparse
import re
import sys
import time

from rich.console import Console
from rich.table import Table

from benchmarks.machine import described
from tests.faults.catalogue import all_scenarios
from tests.faults.scenarios import Outcome, run_scenario, sweep_up
from tests.faults.site import Site, open_site
from tests.faults.soak import Soak, run_soak

_out = Console(width=118)


def main() -> int:
    """Run what was asked for; the exit code."""
    arguments = _arguments()
    _out.print(described())
    started = time.monotonic()
    outcomes, soak, left = [], None, []
    with open_site() as site:
        if not arguments.soak_only:
            outcomes = _run_matrix(site, arguments.only, arguments.outage)
            left = sweep_up(site)
        if arguments.jobs:
            soak = run_soak(site, arguments.jobs, arguments.seed, _out.print)
            left += sweep_up(site)
    _print(outcomes, soak)
    for line in left:
        _out.print(f"left over: {line}", style="red")
    _out.print(f"{time.monotonic() - started:.0f} s, seed {arguments.seed}")
    good = all(outcome.good for outcome in outcomes) and (soak is None or soak.verdict.good) and not left
    return 0 if good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--jobs", type=int, default=3000, help="length of the soak; 0 for none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="scenarios whose name matches this expression")
    parser.add_argument("--soak-only", action="store_true")
    parser.add_argument("--outage", type=float, default=5.0, help="seconds a dependency stays away")
    return parser.parse_args()


def _run_matrix(site: Site, only: str, outage: float) -> list[Outcome]:
    site.start_worker()
    chosen = [scenario for scenario in all_scenarios(outage=outage) if re.search(only, scenario.name)]
    outcomes = []
    for number, scenario in enumerate(chosen):
        outcome = run_scenario(site, scenario, f"m{number}")
        _out.print(*_cells(outcome), "" if outcome.good else outcome.verdict.left[:3])
        outcomes.append(outcome)
    return outcomes


def _cells(outcome: Outcome) -> tuple[str, ...]:
    verdict = outcome.verdict
    wrong = ", ".join(f"{count} {what}" for what, count in verdict.wrong_status.items())
    recovered = "never" if outcome.recovered is None else f"{outcome.recovered:.1f}"
    bound = f"{outcome.scenario.bound:.1f}"
    problems = "; ".join(filter(None, [wrong, *verdict.left[:2]]))
    return (
        outcome.scenario.name,
        str(verdict.jobs),
        str(verdict.missing),
        str(verdict.duplicates),
        recovered,
        bound,
        problems or "-",
    )


def _print(outcomes: list[Outcome], soak: Soak | None) -> None:
    table = Table("fault", "jobs", "missing", "duplicates", "recovered s", "bound s", "else wrong")
    for outcome in outcomes:
        table.add_row(*_cells(outcome), style="" if outcome.good else "red")
    if outcomes:
        _out.print(table)
    if soak is not None:
        verdict = soak.verdict
        wrong = [*(f"{count} {what}" for what, count in verdict.wrong_status.items()), *verdict.left[:5]]
        found = f"missing {verdict.missing}, duplicates {verdict.duplicates}, poisoned {verdict.poisoned}"
        _out.print(
            f"soak: {verdict.jobs} jobs in {soak.seconds:.0f} s, {soak.summary}; {found}, last result "
            f"{soak.recovered:.1f} s after the last fault, else wrong: {'; '.join(wrong) or '-'}"
        )


if __name__ == "__main__":
    sys.exit(main())
