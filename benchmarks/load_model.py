"""The model server alone, driven by NVIDIA's perf_analyzer.

    make load-model                              the shipped models on this machine's CPU
    make load-model LOAD="--url host:8001"       a server that runs elsewhere, such as the one with the GPU

Concurrency 1 to 32, over gRPC and through shared memory; the mean batch is from Triton's own statistics.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tritonclient.grpc import InferenceServerClient

from benchmarks import machine
from worker.embedded import TRITON_ENVIRONMENT, EmbeddedTriton
from worker.errors import SettingsError

#: From the wheel tritonclient 2.44: the package perf-analyzer needs a newer glibc than Debian 12 has.
PERF_ANALYZER = Path(__file__).resolve().parent.parent / ".cache/perf/bin/perf_analyzer"
CONCURRENCIES = (1, 2, 4, 8, 16, 32)
#: The libraries that perf_analyzer asks for; nvidia-pytriton carries them under longer names.
_LIBRARIES = {"libb64.so.0d": "libb64-*.so.0d", "libcudart.so.12": "libcudart-*.so.12*"}


def measure(url: str, model: str, concurrency: int, way: str, requests: int) -> dict[str, float]:
    """One run of perf_analyzer; its CSV row, and the mean batch that the server saw meanwhile."""
    client = InferenceServerClient(url)
    before = _counts(client, model)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.csv"
        command = [str(PERF_ANALYZER), "-m", model, "-i", "grpc", "-u", url, "-f", str(report)]
        command += [f"--concurrency-range={concurrency}", "--input-data=random", "--max-trials=6"]
        # Windows of a number of tiles, since a CPU may finish none in a second; three of them, steady or not.
        command += ["--measurement-mode=count_windows", "--stability-percentage=999"]
        command += [f"--measurement-request-count={max(requests, 2 * concurrency)}"]
        command += [f"--shared-memory={way}"]
        if way == "system":
            size = int(model.rpartition("_")[2])
            command += [f"--output-shared-memory-size={size * size * 3}"]
        environment = {**os.environ, "LD_LIBRARY_PATH": str(_link_libraries(Path(scratch)))}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if not report.exists():
            raise SettingsError(f"perf_analyzer: {(done.stdout + done.stderr).strip()[-600:]}")
        row = next(csv.DictReader(report.open()))
    tiles, executions = (after - then for after, then in zip(_counts(client, model), before, strict=True))
    client.close()
    return {
        "rate": float(row["Inferences/Second"]),
        "p50": float(row["p50 latency"]) / 1000,
        "p99": float(row["p99 latency"]) / 1000,
        "batch": tiles / max(executions, 1),
    }


def _counts(client: InferenceServerClient, model: str) -> tuple[int, int]:
    """Tiles, and executions of the model."""
    statistics: Any = client.get_inference_statistics(model).model_stats[0]
    return int(statistics.inference_count), int(statistics.execution_count)


def _link_libraries(folder: Path) -> Path:
    for name, pattern in _LIBRARIES.items():
        for found in TRITON_ENVIRONMENT.glob(f"lib/python3.*/site-packages/nvidia_pytriton.libs/{pattern}"):
            link = folder / name
            if not link.exists():
                link.symlink_to(found)
    return folder


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with EmbeddedTriton() as server:
        yield server.url


def _models(url: str) -> list[str]:
    client = InferenceServerClient(url)
    models = sorted(entry.name for entry in client.get_model_repository_index().models)
    client.close()
    return models


class Server:
    """A running server, measured over gRPC and, as long as it can, through shared memory."""

    def __init__(self, url: str, requests: int) -> None:
        self._url, self._requests = url, requests
        self._shared = True

    def cells(self, model: str, concurrency: int, way: str) -> list[str]:
        """tiles/s, p50, p99 and mean batch; dashes for memory that the server does not see.

        Raises:
            SettingsError: perf_analyzer cannot measure the server.
        """
        try:
            if way == "system" and not self._shared:
                return ["–"] * 4
            row = measure(self._url, model, concurrency, way, self._requests)
        except SettingsError as error:
            if way != "system":
                raise
            self._shared = False
            print(f"no shared memory with {self._url}: {error.message}", file=sys.stderr)
            return ["–"] * 4
        # On a CPU a row takes minutes: who stops it early has the numbers so far.
        print(f"{model} {concurrency:>2} in flight, {way}: {row['rate']:.1f} tiles/s", file=sys.stderr)
        return [f"{row['rate']:.1f}", f"{row['p50']:.0f}", f"{row['p99']:.0f}", f"{row['batch']:.1f}"]


def table(url: str, models: Sequence[str], concurrencies: Sequence[int], requests: int) -> Table:
    """One row for each model and concurrency, both ways side by side."""
    shown = Table(title="Tiles a second; p50 and p99 in ms; tiles an execution")
    columns = ("tiles/s", "p50", "p99", "batch")
    for column in ("model", "in flight", *columns, *(f"shm {column}" for column in columns)):
        shown.add_column(column, justify="left" if column == "model" else "right")
    server = Server(url, requests)
    for model in models:
        for concurrency in concurrencies:
            cells = [server.cells(model, concurrency, way) for way in ("none", "system")]
            shown.add_row(model, str(concurrency), *cells[0], *cells[1])
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--url", help="gRPC address of a running server; default: one of our own")
    parser.add_argument("--models", help="names separated by commas; default: all that are served")
    parser.add_argument("--concurrency", default=",".join(map(str, CONCURRENCIES)))
    parser.add_argument("--requests", type=int, default=10, help="tiles in a window, at least [10]")
    options = parser.parse_args()
    with _server(options.url) as url:
        models = options.models.split(",") if options.models else _models(url)
        concurrencies = [int(count) for count in options.concurrency.split(",")]
        shown = table(url, models, concurrencies, options.requests)
    console = Console(width=110)
    console.print(machine.described())
    console.print(shown)


if __name__ == "__main__":
    main()
