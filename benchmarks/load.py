"""The whole service to saturation: jobs a second, latencies, and where CPU and time go.

    make load                                  a model that only copies: what the worker itself can do
    make load LOAD="--model shipped"           with the shipped network on this machine's CPU

Posters and strips from examples/, all JPEG; a Gemini that thinks 300 ms; a store on disk. A burst finds the
capacity of each number of workers; then jobs arrive at shares of it, at random moments as many users' do.
CPU is the workers' own: Triton, Redis and Gemini run in other processes. What it is held against, decoding
and encoding the same pages, is measured beside the burst: as cold caches, the same busy cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.fleet import EXAMPLES, Fleet, Place, service, workers
from worker.imaging import codec
from worker.submit import build_message

#: Two posters of each kind for one strip.
MIX = ("promotion", "spec-sheet", "promotion", "spec-sheet", "detail-strip")
SHARES = (0.5, 0.8)
_STAGES = ("fetch", "decode", "translate", "mask", "inpaint", "render", "shorten", "upload")
_PATIENCE_SECONDS = 300
#: Between two pages of the yardstick: seldom enough to leave the run its cores.
_PAUSE_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Run:
    """What one stream of jobs took."""

    seconds: float
    #: Of each job, from push to result.
    latencies: tuple[float, ...]
    cpu_seconds: float
    #: Growth of the workers' metrics.
    samples: Mapping[tuple[str, str], float]

    @property
    def jobs(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        return self.jobs / self.seconds

    @property
    def cores(self) -> float:
        """How many the workers kept busy."""
        return self.cpu_seconds / self.seconds

    @property
    def cpu_per_job(self) -> float:
        return self.cpu_seconds / self.jobs

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies, n=100)[percent - 1]

    def per_job(self, name: str, stage: str = "") -> float:
        return self.samples.get((name, stage), 0.0) / self.jobs


class Stream:
    """Pushes jobs and pops their results."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._numbers = itertools.count()
        self._ocr = {name: json.loads((EXAMPLES / f"{name}.ocr.json").read_bytes()) for name in MIX}

    def run(self, fleet: Fleet, jobs: int, rate: float | None = None) -> Run:
        """Send jobs at random, so many a second on average, or all at once; wait for the last result."""
        before, cpu = fleet.samples(), fleet.cpu_seconds()
        pushed: dict[str, float] = {}
        started = time.monotonic()
        pusher = threading.Thread(target=self._push, args=(jobs, rate, pushed))
        pusher.start()
        latencies = tuple(moment - pushed[name] for name, moment in self._pop(jobs))
        seconds = time.monotonic() - started
        pusher.join()
        spent = fleet.cpu_seconds() - cpu
        grown = {key: value - before[key] for key, value in fleet.samples().items()}
        return Run(seconds, latencies, spent, grown)

    def _push(self, jobs: int, rate: float | None, pushed: dict[str, float]) -> None:
        moments, due = random.Random(jobs), time.monotonic()
        for index in range(jobs):
            if rate is not None:
                due += moments.expovariate(rate)
                time.sleep(max(0.0, due - time.monotonic()))
            sample, name = MIX[index % len(MIX)], f"job-{next(self._numbers)}"
            message = build_message(f"{self._place.pictures}/{sample}.jpg", self._ocr[sample], "load", name)
            pushed[name] = time.monotonic()
            self._place.queue.rpush("processor_tasks", json.dumps(message))

    def _pop(self, jobs: int) -> Iterator[tuple[str, float]]:
        for _ in range(jobs):
            popped: Any = self._place.queue.blpop(["hosting_tasks"], timeout=_PATIENCE_SECONDS)
            assert popped is not None, "a result is missing"
            result = json.loads(popped[1])
            assert result["status"] == "completed", result
            yield result["image_id"], time.monotonic()


class Yardstick:
    """CPU seconds of decoding and encoding the pages of the mix, and nothing else, as they add up."""

    def __init__(self) -> None:
        self._payloads = {name: (EXAMPLES / f"{name}.jpg").read_bytes() for name in MIX}
        self._spent: dict[str, list[float]] = {name: [] for name in MIX}

    def measure(self, name: str) -> None:
        """One page more, in the thread that calls."""
        started = time.thread_time()
        page = codec.decode(self._payloads[name], max_pixels=100_000_000)
        codec.encode(page, page.rgb)
        self._spent[name].append(time.thread_time() - started)

    @property
    def seconds(self) -> float:
        """Of a job of the mix, on average."""
        return statistics.fmean(statistics.fmean(self._spent[name]) for name in MIX)


@contextmanager
def beside() -> Iterator[Yardstick]:
    """Measure in a thread of its own as long as the block runs, a page now and then, each at least once."""
    yardstick, over = Yardstick(), threading.Event()

    def measure() -> None:
        for index, name in enumerate(itertools.cycle(MIX)):
            if over.wait(_PAUSE_SECONDS) and index >= len(MIX):
                return
            yardstick.measure(name)

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield yardstick
    finally:
        over.set()
        thread.join()


def alone() -> Yardstick:
    """The same with nothing else at work, five times each."""
    yardstick = Yardstick()
    for name in MIX * 5:
        yardstick.measure(name)
    return yardstick


def sweep_table(rows: Sequence[tuple[int, str, Run]]) -> Table:
    """One row for each stream."""
    table = Table(title="Jobs: two posters of each kind for one strip of 6,000 px")
    for column in ("workers", "arrivals/s", "jobs/s", "p50 s", "p95 s", "p99 s", "cores", "CPU s a job"):
        table.add_column(column, justify="right")
    for count, arrivals, run in rows:
        quantiles = (f"{run.percentile(percent):.2f}" for percent in (50, 95, 99))
        spent = f"{run.cores:.2f}", f"{run.cpu_per_job:.3f}"
        table.add_row(str(count), arrivals, f"{run.rate:.2f}", *quantiles, *spent)
    return table


def stage_table(run: Run, bare: float, undisturbed: float) -> Table:
    """Where a job's wall time and CPU go, on average."""
    table = Table(title="A job on average, one worker, saturated")
    for column in ("stage", "wall s", "CPU s", "share of CPU"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    spent = {stage: run.per_job("operate_stage_cpu_seconds_total", stage) for stage in _STAGES}
    loop = run.per_job("operate_loop_cpu_seconds_total")
    rows: list[tuple[str, float | None, float]]
    rows = [(stage, run.per_job("operate_stage_seconds_sum", stage), spent[stage]) for stage in _STAGES]
    rows.append(("event loop", None, loop))
    rows.append(("other threads", None, run.cpu_per_job - sum(spent.values()) - loop))
    rows.append(("all", run.per_job("operate_job_seconds_sum"), run.cpu_per_job))
    for name, wall, cpu in rows:
        share = f"{cpu / run.cpu_per_job:.0%}"
        table.add_row(name, "" if wall is None else f"{wall:.3f}", f"{cpu:.3f}", share)
    tiles = {size: value for (name, size), value in run.samples.items() if name == "operate_tiles_total"}
    sizes = ", ".join(f"{value / run.jobs:.1f} of {size} px" for size, value in sorted(tiles.items()))
    table.caption = (
        f"{sum(tiles.values()) / run.jobs:.1f} tiles a job ({sizes}); "
        f"decode + encode of the same pages: {bare:.4f} CPU s beside this run ({undisturbed:.4f} "
        f"alone, before it); the worker takes {run.cpu_per_job / bare:.1f} times that"
    )
    return table


def main() -> None:
    """Run the sweep and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", choices=["copy", "shipped"], default="copy")
    parser.add_argument("--workers", default="1,2,4", help="numbers of worker processes [1,2,4]")
    parser.add_argument("--jobs", type=int, default=60, help="jobs in a burst [60]")
    options = parser.parse_args()
    counts = [int(count) for count in options.workers.split(",")]
    console = Console(width=100)
    rows: list[tuple[int, str, Run]] = []
    bursts: list[tuple[int, Run, float]] = []
    undisturbed = alone().seconds
    with service(options.model) as place:
        stream = Stream(place)
        for count in counts:
            with workers(place, count) as fleet:
                stream.run(fleet, len(MIX) * count)  # warms caches and fonts
                with beside() as yardstick:
                    burst = stream.run(fleet, options.jobs)
                rows.append((count, "burst", burst))
                bursts.append((count, burst, yardstick.seconds))
                for share in SHARES if count == counts[0] else ():
                    rate = share * burst.rate
                    arrivals = stream.run(fleet, max(len(MIX) * 4, round(rate * 30)), rate)
                    rows.append((count, f"{rate:.1f} ({share:.0%})", arrivals))
    _, first, bare = bursts[0]
    console.print(f"model: {options.model}; {machine.described()}")
    console.print(sweep_table(rows))
    console.print(stage_table(first, bare, undisturbed))
    for count, burst, bare in bursts[1:]:
        growth, times = burst.cpu_per_job / first.cpu_per_job - 1, burst.cpu_per_job / bare
        console.print(
            f"CPU a job with {count} workers: {growth:+.0%} against {counts[0]}, "
            f"{times:.1f} times decode + encode beside them ({bare:.4f} s)"
        )


if __name__ == "__main__":
    main()
