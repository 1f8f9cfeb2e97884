"""What `make bench-pages` measures with: its counts, and a run from a page to numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.pages_network import flop_eager, flop_served
from benchmarks.pages_table import SERVED
from benchmarks.pages_ways import Case
from export.build import COMPACT
from export.checkpoints import load_model
from export.compact import CompactLama
from export.lama import Lama
from worker.job import TextLine

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model() -> Lama | CompactLama:
    return load_model(COMPACT)


def test_what_is_counted_is_what_torch_counts_and_the_transforms(model: Lama | CompactLama) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.rand(1, 3, 64, 96), torch.zeros(1, 1, 64, 96))
    without = counter.get_total_flops()
    assert without < flop_eager(model, (64, 96)) < 1.1 * without


def test_the_count_grows_with_the_page(model: Lama | CompactLama) -> None:
    strip = flop_eager(model, (6000, 792)) / (6000 * 792)
    assert strip == pytest.approx(flop_eager(model, (256, 256)) / 256**2, rel=0.05)


def test_served_transforms_are_products_that_grow_faster(model: Lama | CompactLama) -> None:
    small, large = (flop_served(model, (size, size)) for size in (64, 128))
    assert large > 4.2 * small


@pytest.mark.parametrize(
    ("way", "calls"), [("planner", 1), ("whole page", 1), ("line crops", 2), (SERVED, 1)]
)
def test_a_way_is_run_and_measured(way: str, calls: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.pages_network", _case(tmp_path), way]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    run = json.loads(done.stdout)
    assert run["calls"] == calls
    assert run["pixels"] >= 256**2
    assert run["flop"] > 100e3 * run["pixels"]
    assert 0.01 < run["seconds"] < 60
    # At least the eleven planes of the fills, in float32.
    assert run["kilobytes"] * 1024 > (44 * run["pixels"] / calls if way != SERVED else 0)


def test_more_than_the_memory_allowed_is_an_error(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.pages_network",
        _case(tmp_path),
        "whole page",
        "--memory=0.3",
    ]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "memory" in done.stderr.lower()


def _case(folder: Path) -> Path:
    """Two lines of bars on noise that only a network can continue."""
    rng = np.random.default_rng(5)
    page = rng.integers(90, 256, (250, 300, 3)).astype(np.uint8)
    lines = []
    for top in (60, 150):
        for left in range(80, 220, 14):
            page[top : top + 30, left : left + 7] = 0
        quad = [[76, top - 3], [222, top - 3], [222, top + 33], [76, top + 33]]
        lines.append(TextLine(np.array(quad, np.float32), "字", 0.9))
    Case(page, tuple(lines), (True, True)).save(folder / "case.npz")
    return folder / "case.npz"
