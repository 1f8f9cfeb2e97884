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
from benchmarks.pages_table import PLANNER, SERVED
from benchmarks.pages_ways import Ink
from export.build import COMPACT
from export.checkpoints import load_model
from export.compact import CompactLama
from export.lama import Lama
from tests.lettered import lettered_page

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
    ("way", "calls", "pixels"),
    [("whole page", 1, 408 * 504), ("line crops", 2, 208 * 424 + 192 * 440)],
)
def test_a_way_is_run_and_measured(way: str, calls: int, pixels: int, tmp_path: Path) -> None:
    run = _measured(way, tmp_path)
    assert (run["calls"], run["pixels"]) == (calls, pixels)


@pytest.mark.parametrize("way", [PLANNER, SERVED])
def test_the_planner_runs_in_torch_and_as_served(way: str, tmp_path: Path) -> None:
    run = _measured(way, tmp_path)
    assert run["pixels"] in (run["calls"] * 256**2, run["calls"] * 512**2)


def test_the_erased_page_is_written(tmp_path: Path) -> None:
    plate = tmp_path / "plate.npy"
    assert _measure("whole page", tmp_path, f"--plate={plate}").returncode == 0
    case = lettered_page()
    changed = (np.load(plate) != case.page).any(axis=2)
    ink = Ink.of(case)
    assert all(changed[region.box.slices][region.mask > 0].mean() > 0.5 for region in ink.regions)
    outside = np.ones(changed.shape, np.bool_)
    for region in ink.regions:
        outside[region.box.slices] &= region.mask == 0
    assert not changed[outside].any()


def test_more_than_the_memory_allowed_is_an_error(tmp_path: Path) -> None:
    done = _measure("whole page", tmp_path, "--memory=0.3")
    assert done.returncode == 1
    assert "memory" in done.stderr.lower()


def _measured(way: str, folder: Path) -> dict[str, float]:
    done = _measure(way, folder)
    assert done.returncode == 0, done.stderr
    run: dict[str, float] = json.loads(done.stdout)
    assert run["calls"] > 0
    assert run["flop"] > 100e3 * run["pixels"]
    assert 0.1 < run["seconds"] < 60
    # Forty float32 planes of one call, at least.
    assert run["kilobytes"] * 1024 > 160 * run["pixels"] / run["calls"]
    return run


def _measure(way: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    lettered_page().save(folder / "case.npz")
    command = [sys.executable, "-m", "benchmarks.pages_network", str(folder / "case.npz"), way, *options]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
