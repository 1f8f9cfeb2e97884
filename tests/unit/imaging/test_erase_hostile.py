"""Pages and paragraphs that no shop makes on purpose: time and memory stay in proportion."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tests.unit.imaging.pages import block_of, line
from tests.unit.imaging.test_erase import plate_of
from worker.imaging.preprocess import prepare
from worker.imaging.quads import line_labels, surroundings
from worker.job import Box, Region


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
