"""The three ways of `make bench-pages` erase the same ink, and its table compares them."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bench_pages import run
from benchmarks.pages_table import HEAD, Run, Runs, rows, together
from benchmarks.pages_ways import MARGIN, Case, crop_box, in_crops, in_tiles, whole
from tests.lettered import lettered_page, line
from worker.job import Image, Mask

RUN = Run(seconds=2.0, calls=3, pixels=2_000_000, flop=6e9, kilobytes=1000)


class Blurring:
    """A network of any size."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, image: Image, mask: Mask) -> Image:
        self.shapes.append(image.shape)
        assert mask.shape == (*image.shape[:2], 1)
        return np.where(mask > 0, cv2.blur(image, (31, 31)), image).astype(np.uint8)


@pytest.fixture(scope="module")
def case() -> Case:
    return lettered_page()


def test_a_case_goes_to_another_process(case: Case, tmp_path: Path) -> None:
    case.save(tmp_path / "case.npz")
    again = Case.load(tmp_path / "case.npz")
    assert np.array_equal(again.page, case.page)
    assert again.erased == case.erased
    assert [(line.text, line.score) for line in again.lines] == [("字", 0.9)] * 3
    assert np.array_equal(again.lines[1].polygon, case.lines[1].polygon)


def test_the_whole_page_goes_through_once_at_a_multiple_of_eight(case: Case) -> None:
    network = Blurring()
    plate = whole(case, network)
    assert network.shapes == [(408, 504, 3)]
    assert_erased(case, plate)


def test_each_line_is_a_crop(case: Case) -> None:
    network = Blurring()
    plate = in_crops(case, network)
    # Text 36 px high with 128 px on each side, as far as the page goes, at a multiple of eight.
    assert network.shapes == [(208, 424, 3), (192, 440, 3)]
    assert_erased(case, plate)


def test_the_planner_asks_for_served_sizes(case: Case) -> None:
    network = Blurring()
    plate = in_tiles(case, network, (256,))
    assert network.shapes
    assert set(network.shapes) == {(256, 256, 3)}
    assert_erased(case, plate)


def assert_erased(case: Case, plate: Image) -> None:
    """Both words are gone, and nothing else."""
    dark = (plate.max(axis=2) < 30).astype(np.uint8)
    assert [int(dark[top : top + 40].sum()) > 100 for top in (38, 188, 338)] == [False, True, False]
    assert np.array_equal(plate[120:300], case.page[120:300])
    assert plate.shape == case.page.shape


@given(left=st.floats(-50, 900), top=st.floats(-50, 700), width=st.floats(1, 900), height=st.floats(1, 90))
def test_a_crop_holds_its_line_and_lies_on_the_page(
    left: float, top: float, width: float, height: float
) -> None:
    page = np.zeros((700, 900, 3), np.uint8)
    low, high = np.clip([left, top], 0, [899, 699]), np.clip([left + width, top + height], 1, [900, 700])
    box = crop_box(line(*low, *high), page)
    assert 0 <= box.left <= low[0] <= high[0] <= box.right <= 900
    assert 0 <= box.top <= low[1] <= high[1] <= box.bottom <= 700
    assert box.width <= high[0] - low[0] + 2 * MARGIN + 2


def test_ways_are_compared_with_the_planner() -> None:
    slower = Run(seconds=9.0, calls=1, pixels=4_750_000, flop=60e9, kilobytes=2_000_000)
    runs: Runs = {
        "planner": RUN,
        "whole page": slower,
        "line crops": "more than 600 s",
        "planner, served": RUN,
    }
    table = list(rows("page", runs))
    assert table == [
        "| page | planner | 2.000 | 0.500 | 3 | 2.00 | 6.0 | 1 | 1.0 | 1.0 |",
        "|  | whole page | 9.000 | 0.111 | 1 | 4.75 | 60.0 | 2,048 | 10.0 | 4.5 |",
        "|  | line crops | more than 600 s | | | | | | | |",
        "|  | planner, served | 2.000 | 0.500 | 3 | 2.00 | 6.0 | 1 | – | – |",
    ]
    assert {row.count("|") for row in (*HEAD, *table)} == {11}


def test_without_a_planner_nothing_is_compared() -> None:
    for planner in ("cannot run: no torch", Run(0.5, 0, 0, 0.0, 10)):
        last = list(rows("page", {"planner": planner, "whole page": RUN}))[-1]
        assert last.endswith("| 4.0 |" if isinstance(planner, Run) else "| – |")
        assert "| 6.0 | 1 | – |" in last


def test_pages_add_up_unless_one_is_missing() -> None:
    pages: list[Runs] = [
        {"planner": RUN, "whole page": RUN},
        {"planner": RUN, "whole page": "more than 600 s"},
    ]
    assert together(pages) == {
        "planner": Run(seconds=4.0, calls=6, pixels=4_000_000, flop=12e9, kilobytes=1000),
        "whole page": "1 of 2 pages not run",
    }
    assert "| 4.000 | 0.500 |" in next(rows("both", together(pages), 2))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (f"echo a warning; echo '{json.dumps(asdict(RUN))}'", RUN),
        (
            "echo Traceback >&2; echo 'RuntimeError: not enough memory' >&2; exit 1",
            "cannot run: RuntimeError",
        ),
        ("kill -9 $$", "cannot run: exit -9"),
        ("exec sleep 30", "more than 0 s"),
    ],
)
def test_what_cannot_be_run_says_why(script: str, expected: Run | str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    limit = 0.2 if "sleep" in script else 60
    options = argparse.Namespace(torch=python, models=tmp_path, rounds=1, memory=1.0, limit=limit)
    found = run("planner", tmp_path / "case.npz", options)
    assert found == expected or (isinstance(expected, str) and str(found).startswith(expected))
