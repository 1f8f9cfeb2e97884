"""What the ways of erasing a page cost, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

PLANNER, SERVED = "planner", "planner, served"
#: Each is run; all but the last with the same engine, so that they compare.
WAYS = (PLANNER, "whole page", "line crops", SERVED)

HEAD = (
    "| page | way | CPU s | pages/s | calls | Mpx | GFLOP | peak MB | GFLOP × | time × |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one way took for one page, or for several."""

    #: CPU seconds, from the lines to the plate.
    seconds: float
    #: Calls of the network, their pixels, and what was computed for them.
    calls: int
    pixels: int
    flop: float
    #: Memory at most, less what model, page and libraries had taken before.
    kilobytes: int


#: The reason is one where a way could not be run.
Runs = Mapping[str, Run | str]


def rows(name: str, runs: Runs, pages: int = 1) -> Iterator[str]:
    """A Markdown row for each way.

    Args:
        name: Of the page.
        runs: What each way took for it.
        pages: How many pages that was.
    """
    planner = runs[PLANNER]
    for way, run in runs.items():
        head = f"| {name if way == PLANNER else ''} | {way} |"
        if isinstance(run, str):
            yield f"{head} {run} |" + " |" * 7
            continue
        flop = time = "–"
        if isinstance(planner, Run) and way != SERVED:
            flop, time = _times(run.flop, planner.flop), _times(run.seconds, planner.seconds)
        yield (
            f"{head} {run.seconds:.3f} | {pages / run.seconds:.3f} | {run.calls} | {run.pixels / 1e6:.2f}"
            f" | {run.flop / 1e9:,.1f} | {run.kilobytes * 1024 / 1e6:,.0f} | {flop} | {time} |"
        )


def together(pages: Sequence[Runs]) -> dict[str, Run | str]:
    """Several pages one after another: sums, and the largest peak."""
    return {way: _sum([runs[way] for runs in pages]) for way in pages[0]}


def _sum(runs: Sequence[Run | str]) -> Run | str:
    done = [run for run in runs if isinstance(run, Run)]
    if len(done) < len(runs):
        return f"{len(runs) - len(done)} of {len(runs)} pages not run"
    return Run(
        seconds=sum(run.seconds for run in done),
        calls=sum(run.calls for run in done),
        pixels=sum(run.pixels for run in done),
        flop=sum(run.flop for run in done),
        kilobytes=max(run.kilobytes for run in done),
    )


def _times(value: float, planner: float) -> str:
    return f"{value / planner:.1f}" if planner else "–"
