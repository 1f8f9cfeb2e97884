"""Tiles per second through gRPC and through shared memory, with a model that only copies.

    make bench-transport

Both ways in turn, several rounds in one run: quote the ratio, not the absolute number. The model does not
wait for a batch to fill: either way that takes the same time, and it is no transport.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.copy_model import write_copy_models
from benchmarks.machine import described
from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.embedded import EmbeddedTriton

SIZE = 512
TILES = 200
ROUNDS = 5


async def _tiles_per_second(inpainter: TritonInpainter, inflight: int) -> tuple[float, float]:
    """Tiles a second, and milliseconds of this process's CPU a tile."""
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    mask = np.zeros((SIZE, SIZE, 1), np.uint8)
    slots = asyncio.Semaphore(inflight)

    async def one() -> None:
        async with slots:
            await inpainter.inpaint(image, mask)

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(TILES)))
    return TILES / (time.perf_counter() - started), (time.process_time() - cpu) * 1000 / TILES


async def _measure(url: str) -> Table:
    ways: tuple[Literal["off", "on"], ...] = ("off", "on")
    clients = {way: TritonInpainter(TritonOptions(url, shared_memory=way)) for way in ways}
    table = Table(title=f"{SIZE} px tiles, {TILES} a round, median of {ROUNDS} rounds in turn")
    for column in ("in flight", "gRPC tiles/s", "memory tiles/s", "ratio", "gRPC CPU ms", "memory CPU ms"):
        table.add_column(column, justify="right")
    for inflight in (1, 4, 16):
        rates: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(ROUNDS + 1):
            for way in ways:
                rates[way].append(await _tiles_per_second(clients[way], inflight))
        # The first round warms up.
        rate = {way: statistics.median(rate for rate, _ in rates[way][1:]) for way in ways}
        cpu = {way: statistics.median(cpu for _, cpu in rates[way][1:]) for way in ways}
        ratio = statistics.median(
            memory / message
            for (memory, _), (message, _) in zip(rates["on"][1:], rates["off"][1:], strict=True)
        )
        table.add_row(
            str(inflight),
            f"{rate['off']:.0f}",
            f"{rate['on']:.0f}",
            f"{ratio:.2f}",
            f"{cpu['off']:.2f}",
            f"{cpu['on']:.2f}",
        )
    for client in clients.values():
        await client.close()
    return table


def main() -> None:
    """Serve the copying model and print the table."""
    print(described())
    with tempfile.TemporaryDirectory() as repository:
        write_copy_models(Path(repository), (SIZE,), wait=0)
        with EmbeddedTriton(Path(repository)) as server:
            Console().print(asyncio.run(_measure(server.url)))


if __name__ == "__main__":
    main()
