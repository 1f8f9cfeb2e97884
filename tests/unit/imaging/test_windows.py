"""Windows cover the ink with its context, for no more work than a plain grid or a crop of each line."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.imaging.plan import Hole, PlanOptions, Window
from worker.imaging.windows import plan_windows, work
from worker.job import Box

SIZES = (256, 512)
OPTIONS = PlanOptions()
#: Px of page that the network must see beside ink.
CONTEXT = 64


def hole_of(box: Box, number: int = 0, gap: int = 0) -> Hole:
    """A line of ink; with a gap, glyphs of so many px with as much ground between them."""
    mask = np.full((box.height, box.width), 255, np.uint8)
    if gap:
        mask[:, np.arange(box.width) // gap % 2 == 1] = 0
    return Hole(number, 0, box, mask, mask)


def plain_grid(holes: list[Hole], page: Box, size: int) -> int:
    """Pixels of a grid over all ink, each cell with its context in its tile, fading into the one before."""

    def count(low: int, high: int, end: int) -> int:
        tiles = 0
        while low < high:
            start = max(low - CONTEXT, 0)
            low = end if start + size >= end else start + size - CONTEXT
            low -= 0 if low >= high else OPTIONS.cut_overlap
            tiles += 1
        return tiles

    boxes = [hole.box for hole in holes]
    across = count(min(b.left for b in boxes), max(b.right for b in boxes), page.right)
    down = count(min(b.top for b in boxes), max(b.bottom for b in boxes), page.bottom)
    return across * down * size**2


def assert_covered(holes: list[Hole], windows: tuple[Window, ...], page: Box) -> None:
    wanted, covered = (np.zeros((page.height, page.width), np.uint8) for _ in range(2))
    for hole in holes:
        wanted[hole.box.slices] |= hole.mask
    for window in windows:
        box = window.box
        assert window.size in SIZES
        assert 0 <= box.left < box.right <= page.right
        assert 0 <= box.top < box.bottom <= page.bottom
        for hole in window.holes:
            if window.scale == 1:
                assert hole.box.left - box.left >= min(CONTEXT, hole.box.left)
                assert hole.box.top - box.top >= min(CONTEXT, hole.box.top)
                assert box.right - hole.box.right >= min(CONTEXT, page.right - hole.box.right)
                assert box.bottom - hole.box.bottom >= min(CONTEXT, page.bottom - hole.box.bottom)
            covered[hole.box.slices] |= hole.mask
    assert np.array_equal(wanted, covered)


LINES = st.lists(
    st.tuples(st.integers(0, 1100), st.integers(0, 1500), st.integers(4, 700), st.integers(4, 50)),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(LINES, st.integers(60, 1200), st.integers(60, 1600), st.sampled_from([0, 7]))
def test_all_ink_is_covered_with_its_context_for_no_more_than_a_grid(
    lines: list[tuple[int, int, int, int]], width: int, height: int, gap: int
) -> None:
    page = Box(0, 0, width, height)
    boxes = [
        Box(left, top, min(left + long, width), min(top + tall, height))
        for left, top, long, tall in lines
        if left < width and top < height
    ]
    holes = [hole_of(box, number, gap) for number, box in enumerate(boxes)]
    windows = plan_windows(holes, page, SIZES, OPTIONS)
    assert_covered(holes, windows, page)
    if holes:
        assert work(windows) <= plain_grid(holes, page, max(SIZES))
        assert work(windows) <= sum(plain_grid([hole], page, max(SIZES)) for hole in holes)


def test_a_page_of_a_tiles_size_is_one_window_at_most() -> None:
    page = Box(0, 0, 512, 512)
    holes = [hole_of(Box(10, 30 * row, 500, 30 * row + 20), row, 6) for row in range(17)]
    (window,) = plan_windows(holes, page, SIZES, OPTIONS)
    assert (window.size, window.box) == (512, page)


def test_a_paragraph_is_cut_along_common_columns() -> None:
    page = Box(0, 0, 1024, 1024)
    holes = [hole_of(Box(60, 40 + 38 * row, 950, 68 + 38 * row), row, 5) for row in range(24)]
    windows = plan_windows(holes, page, SIZES, OPTIONS)
    assert_covered(holes, windows, page)
    assert work(windows) <= 9 * 512**2


def test_small_lines_share_small_windows() -> None:
    page = Box(0, 0, 800, 1000)
    labels = [hole_of(Box(100, 300 + 40 * row, 220, 326 + 40 * row), row, 6) for row in range(3)]
    (window,) = plan_windows(labels, page, SIZES, OPTIONS)
    assert window.size == 256
    wide = plan_windows([hole_of(Box(200, 500, 440, 530), 0, 6)], page, SIZES, OPTIONS)
    assert [window.size for window in wide] == [256, 256]  # cut between glyphs: half of one large window
    solid = plan_windows([hole_of(Box(200, 500, 440, 530))], page, SIZES, OPTIONS)
    assert [window.size for window in solid] == [256, 256]  # one cut through ink is worth half a large window
    long = plan_windows([hole_of(Box(200, 500, 560, 530))], page, SIZES, OPTIONS)
    assert [window.size for window in long] == [512]  # two are not


@pytest.mark.parametrize("size", SIZES)
def test_what_fits_a_window_only_without_its_context_is_cut(size: int) -> None:
    page = Box(0, 0, 1000, 1000)
    for wide, tiles in ((size - 128, 1), (size - 127, 2), (size - 40, 2)):
        holes = [hole_of(Box(200, 500, 200 + wide, 530))]
        windows = plan_windows(holes, page, (size,), OPTIONS)
        assert len(windows) == tiles
        assert_covered(holes, windows, page)
        at_the_edge = [hole_of(Box(0, 0, wide + 64, 30))]  # there is nothing beyond it to be seen
        windows = plan_windows(at_the_edge, page, (size,), OPTIONS)
        assert len(windows) == tiles
        assert_covered(at_the_edge, windows, page)


def test_a_window_that_another_has_room_for_is_saved() -> None:
    """The lower label was to share the upper one's window until two small ones cost less."""
    page = Box(0, 0, 1000, 1000)
    boxes = [Box(760, 140, 880, 180), Box(840, 460, 900, 490), Box(600, 630, 860, 660)]
    holes = [hole_of(box, number) for number, box in enumerate(boxes)]
    windows = plan_windows(holes, page, SIZES, OPTIONS)
    assert_covered(holes, windows, page)
    assert [(window.size, len(window.holes)) for window in windows] == [(256, 1), (512, 2)]


@pytest.mark.parametrize("size", [(640, 20_000), (20_000, 640)])
def test_hundreds_of_lines_on_a_strip_are_planned_quickly(size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    page = Box(0, 0, *size)
    places = random.integers(0, (size[0] - 80, size[1] - 20), (600, 2))
    holes = [hole_of(Box(x, y, x + 80, y + 20), n) for n, (x, y) in enumerate(places.tolist())]
    started = time.thread_time()
    windows = plan_windows(holes, page, SIZES, OPTIONS)
    assert time.thread_time() - started < 4
    assert work(windows) <= plain_grid(holes, page, 512)
