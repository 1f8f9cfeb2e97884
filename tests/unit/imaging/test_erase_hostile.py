"""Pages and paragraphs that no shop makes on purpose: time and memory stay in proportion."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from tests.unit.imaging.pages import block_of, line
from tests.unit.imaging.test_erase import planned, plate_of, scene
from tests.unit.imaging.test_pattern import stripes
from worker.imaging.plan import Hole, PlanOptions, Route
from worker.imaging.preprocess import prepare
from worker.imaging.quads import line_labels, surroundings
from worker.imaging.windows import plan_windows
from worker.job import Box, Image, Region


def test_a_page_of_thirty_thousand_rows_costs_what_its_text_costs() -> None:
    strip = np.tile(scene(600, 600), (50, 1, 1))
    costs = []
    for page, low in ((strip[:600].copy(), 500), (strip, 29_900)):
        boxes = Box(10, 50, 50, 70), Box(10, low, 50, low + 30)
        assert [tile.size for tile in planned(page, *boxes).tiles] == [256, 256]
        costs.append((cpu_of(page, *boxes), memory_of(page, *boxes)))
    (short_cpu, short_memory), (long_cpu, long_memory) = costs
    assert long_cpu < 2 * short_cpu  # to sum up the strip's pixels takes as long as both lines twice
    assert long_memory < 1.1 * short_memory


def cpu_of(page: Image, *boxes: Box) -> float:
    """Seconds for planning a page and cutting its tiles; the best of several, as others are at work here."""
    tries = []
    for _ in range(5):
        started = time.thread_time()
        list(planned(page, *boxes).tiles)
        tries.append(time.thread_time() - started)
    return min(tries)


def memory_of(page: Image, *boxes: Box) -> int:
    """The most bytes that the same takes beside the page."""
    tracemalloc.start()
    try:
        list(planned(page, *boxes).tiles)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_lines_of_a_long_paragraph_are_told_apart_in_little_memory() -> None:
    """All lines of a notice on a picture are one block: an array of its size for each would be gigabytes."""
    quads = [line(0, 40 * row, 600, 40 * row + 30).polygon for row in range(60)]
    box = Box(0, 0, 600, 2400)
    tracemalloc.start()
    try:
        labels = line_labels(quads, surroundings(quads, box), box)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    assert [int(labels[40 * row + 15, 300]) for row in range(60)] == list(range(60))


def test_where_a_line_and_its_surroundings_are_too_large_no_pattern_is_sought() -> None:
    """A box may span a strip, and the search holds hundreds of bytes for each of its pixels."""
    page, box = stripes(500, 300), Box(150, 120, 300, 160)
    mask = np.full((box.height, box.width), 255, np.uint8)
    block, region = block_of(line(150, 120, 300, 160)), Region(0, box, mask, mask)
    for most, route in ((500 * 300, Route.PATTERN), (box.width * box.height, Route.NETWORK)):
        prepared = prepare(page, (block,), (region,), (256,), PlanOptions(most_sought=most))
        assert prepared.routes == {0: (route,)}


def test_pieces_of_a_long_hole_do_not_keep_what_was_left_of_it() -> None:
    mask = np.full((40_000, 50), 255, np.uint8)
    hole = Hole(0, 0, Box(0, 0, 50, 40_000), mask, mask)
    tracemalloc.start()
    try:
        windows = plan_windows([hole], Box(0, 0, 50, 40_000), (256,), PlanOptions())
        assert tracemalloc.get_traced_memory()[1] < 10 * mask.nbytes
    finally:
        tracemalloc.stop()
    assert len(windows) > 100


@pytest.mark.parametrize(("width", "height", "tall"), [(2, 1200, 33), (1200, 2, 48), (1, 400, 33)])
def test_ink_in_a_sliver_of_a_page_is_erased(width: int, height: int, tall: int) -> None:
    for seed in range(6):
        random = np.random.default_rng(seed)
        page = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
        mask = (random.random((height, width)) < 0.05).astype(np.uint8) * 255
        region = Region(0, Box(0, 0, width, height), mask, mask)
        prepared = prepare(page, (block_of(line(0, 0, width, tall)),), (region,), (256,))
        plate = plate_of(page, prepared, lambda tile: 255 - tile.image)
        assert np.array_equal(plate[mask == 0], page[mask == 0])
