"""Small operations on masks, and the surface they are read off."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.imaging.pages import flat, gradient
from worker.imaging import ground
from worker.imaging.pixels import (
    both,
    box_of,
    colour_cells,
    colour_density,
    counted,
    level_at,
    level_counts,
    parts,
    pieces,
    some_of,
    those,
)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=60), st.floats(0, 0.999))
def test_a_quantile_of_levels_is_that_of_the_sorted_levels(levels: list[int], share: float) -> None:
    counts = np.bincount(levels, minlength=256)
    assert level_at(counts, share) == sorted(levels)[int(share * len(levels))]


def test_levels_are_counted_under_the_mask_alone() -> None:
    levels = np.array([[3, 3, 200], [7, 9, 9]], np.uint8)
    counts = level_counts(levels, np.array([[255, 0, 255], [0, 255, 255]], np.uint8))
    assert (counts[3], counts[9], counts[200], counts.sum()) == (1, 2, 1, 4)
    assert level_at(np.zeros(256, np.intp), 0.5) == 0


def test_components_come_back_as_masks() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 2:5] = mask[10:14, 20:26] = 255
    count, labels = parts(mask)
    assert count == 3
    chosen = np.zeros(count, bool)
    assert not those(chosen, labels).any()
    chosen[labels[11, 21]] = True
    alone = those(chosen, labels)
    assert alone[12, 22] == 255
    assert np.count_nonzero(alone) == 24
    box = box_of(alone, 3)
    assert (box.left, box.top, box.right, box.bottom) == (17, 7, 29, 17)


@settings(max_examples=30)
@given(st.integers(2, 400), st.integers(0, 2**32 - 1))
def test_the_chosen_are_looked_up_whether_they_are_few_or_many(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, count, (20, 30)).astype(np.int32)
    chosen = random.random(count) < 0.4
    assert (those(chosen, labels) == np.where(chosen[labels], 255, 0)).all()


def test_components_come_with_their_boxes_and_areas() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 2:5] = mask[10:14, 20:26] = 255
    mask[5, 5] = 255  # diagonally on
    labels, sizes = pieces(mask)
    assert sizes[labels[3, 3]].tolist() == [2, 2, 4, 4, 10]
    assert sizes[labels[11, 22]].tolist() == [20, 10, 6, 4, 24]
    some = np.zeros_like(mask)
    some[4:12] = 255
    assert counted(labels, both(mask, some), len(sizes)).tolist() == [0, 4, 12]


def test_levels_of_many_pixels_are_counted_in_some_of_the_rows() -> None:
    levels = np.broadcast_to(np.arange(256, dtype=np.uint8), (400, 256)).copy()
    counts = level_counts(levels, np.full_like(levels, 255))
    assert 0 < counts.sum() < levels.size
    assert level_at(counts, 0.5) == 128


@given(st.integers(1, 4000), st.integers(1, 500))
def test_thinning_takes_pixels_of_the_mask_evenly(count: int, most: int) -> None:
    mask = np.zeros((50, 80), np.uint8)
    mask.ravel()[:count] = 255
    columns, rows = some_of(mask, most)
    assert (mask[rows, columns] == 255).all()
    assert min(count, most) <= len(rows) <= 3 * most


def test_colours_are_shared_out_to_neighbouring_cells() -> None:
    page = flat(10, 10, (255, 0, 128))
    density = colour_density(colour_cells(page).ravel())
    assert density.argmax() == (15 << 8) | (0 << 4) | 8
    assert np.isclose(density.sum(), 1)


def test_flat_ground_is_one_colour_and_a_gradient_is_a_surface() -> None:
    rows, columns = (axis.ravel() for axis in np.mgrid[0:40:2, 0:200:3])
    inked = flat(200, 40, (250, 240, 10))
    inked[10:20, 30:90] = 0
    plain = ground.surface_of(columns, rows, inked[rows, columns], 0.6)
    assert (plain.order, plain.sigma) == (0, 0.0)
    assert (plain.levels(200, 40) == (250, 240, 10)).all()
    bent = gradient(200, 40)
    surface = ground.surface_of(columns, rows, bent[rows, columns], 0.6)
    assert surface.order == 2
    assert np.abs(surface.levels(200, 40).astype(int) - bent).max() <= 1


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 255), st.floats(-0.02, 0.02), st.floats(-0.02, 0.02))
def test_whole_levels_are_the_surface_rounded(base: float, across: float, down: float) -> None:
    coefficients = np.array([[base] * 3, [across] * 3, [down] * 3])
    surface = ground.Surface(1, coefficients, (30.0, 10.0), 30.0, 0.0, 1.0, 0.0)
    rounded = np.rint(surface.over(60, 20)).clip(0, 255)
    assert np.abs(surface.levels(60, 20) - rounded).max() <= 1
    if abs(base % 1 - 0.5) > 0.1:
        assert (surface.levels(60, 20) == rounded).all()
