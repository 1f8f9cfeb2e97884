"""Tiles and patches where test_erase.py does not look."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.imaging.pages import flat
from tests.unit.imaging.test_erase import SIZES, block_at, planned, scene
from worker.imaging.composite import composite, feathered
from worker.imaging.plan import Hole, PlanOptions, Route
from worker.imaging.postprocess import restore
from worker.imaging.preprocess import prepare
from worker.imaging.windows import plan_windows
from worker.job import Box, Mask, Region


def test_a_shrunk_hole_has_its_context_and_no_page_pixel_is_skipped() -> None:
    page = np.random.default_rng(1).integers(0, 256, (900, 2000, 3)).astype(np.uint8)
    hole = Box(400, 200, 1400, 700)
    prepared = planned(page, hole)
    assert prepared.routes[0] == (Route.SHRUNK,)
    (tile,) = prepared.tiles
    window, scale = tile.window.box, tile.window.scale
    assert scale < 1
    for room, beyond in (
        (hole.left - window.left, hole.left),
        (hole.top - window.top, hole.top),
        (window.right - hole.right, 2000 - hole.right),
        (window.bottom - hole.bottom, 900 - hole.bottom),
    ):
        assert room >= min(64, beyond)
    known = tile.image[:40, :100].astype(int)
    assert known.std() < 45, "an area filter calms noise (deviation 74), picking pixels does not"
    x = (np.arange(hole.left, hole.right) - window.left) * scale
    y = (np.arange(hole.top, hole.bottom) - window.top) * scale
    ends = [y[[0, -1]].astype(int)[:, None], x[[0, -1]].astype(int)[None, :]]
    assert (tile.mask[ends[0], ends[1], 0] == 255).all(), "a tile pixel that holds any ink is a hole"


def test_a_tile_shows_what_was_filled_already() -> None:
    page = flat(700, 300, (200, 220, 240))
    page[:, 330:] = scene(370, 300)
    inked, networked = Box(210, 120, 290, 150), Box(345, 120, 425, 150)
    page[inked.slices] = 0
    prepared = planned(page, inked, networked)
    assert [prepared.routes[number][0] for number in (0, 1)] == [Route.FILL, Route.NETWORK]
    (tile,) = prepared.tiles
    window = tile.window.box
    assert window.left < inked.right
    seen = tile.image[125 - window.top : 145 - window.top, max(215 - window.left, 0) : 285 - window.left]
    assert seen.size
    assert np.abs(seen.astype(int) - (200, 220, 240)).max() <= 3


def test_a_patch_does_not_reach_under_the_ink_of_another_block() -> None:
    """The other block may end without a translation, and keeps its pixels then."""
    page = scene(500, 300)
    whole = Box(100, 80, 320, 260)
    rows = ((40, 70), (110, 140)), ((75, 105),)  # the second block's ink lies between the first one's
    regions = []
    for number, spans in enumerate(rows):
        mask = np.zeros((whole.height, whole.width), np.uint8)
        for start, end in spans:
            mask[start:end, 50:170] = 255
        regions.append(Region(number, whole, mask, np.zeros_like(mask)))
    blocks = [block_at(Box(150, 120, 270, 220), 0), block_at(Box(150, 155, 270, 185), 1)]
    prepared = prepare(page, blocks, regions, SIZES)
    patches = [*prepared.fills, *(one for tile in prepared.tiles for one in restore(tile, 255 - tile.image))]
    plate = composite(page, [patch for patch in patches if patch.block_id == 0])
    outside = np.ones(page.shape[:2], bool)
    outside[whole.slices] = regions[0].mask == 0
    assert (plate != page).any()
    assert np.array_equal(plate[outside], page[outside])


def test_patches_of_the_network_take_all_of_the_mask() -> None:
    """The answer goes on where the page begins; what fades inwards lets the ink's edge through."""
    page = scene(500, 300)
    box = Box(150, 120, 270, 160)
    (tile,) = planned(page, box).tiles
    (patch,) = restore(tile, tile.image)
    rows = slice(box.top - patch.box.top, box.bottom - patch.box.top)
    columns = slice(box.left - patch.box.left, box.right - patch.box.left)
    assert (patch.alpha[rows, columns] == 255).all()
    assert np.count_nonzero(patch.alpha) == box.width * box.height


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(3, 30), st.integers(3, 30))
def test_alpha_is_rounded_to_the_nearest_level(feather: int, width: int, height: int) -> None:
    mask = np.zeros((height + 2, width + 2), np.uint8)
    mask[1:-1, 1:-1] = 255
    alpha = feathered(mask, feather)
    # beside a straight edge the depth is known: 1, 2, … px
    steps = np.arange(1, (min(width, height) + 1) // 2 + 1)
    exact = np.minimum(steps, feather + 1) * 255 / (feather + 1)
    across = alpha[(height + 2) // 2, 1:] if width <= height else alpha[1:, (width + 2) // 2]
    assert np.abs(across[: len(steps)] - exact).max() <= 0.51


@pytest.mark.parametrize("wide", [True, False])
def test_pieces_of_a_hole_that_was_cut_fade_into_each_other(wide: bool) -> None:
    options, full = PlanOptions(), np.full((30, 1800), 255, np.uint8)
    mask: Mask = full if wide else np.ascontiguousarray(full.T)
    box = Box(100, 100, 100 + mask.shape[1], 100 + mask.shape[0])
    page = Box(0, 0, 2000, 2000)
    windows = plan_windows([Hole(0, 0, box, mask, mask)], page, SIZES, options)
    pieces = sorted((hole for one in windows for hole in one.holes), key=lambda h: (h.box.left, h.box.top))
    assert len(pieces) > 2
    for before, after in pairwise(pieces):
        common = before.box.right - after.box.left if wide else before.box.bottom - after.box.top
        assert common == 12
        first = after.alpha[15, : common + 1] if wide else after.alpha[: common + 1, 15]
        # thirteenths of 255, to the nearest level
        assert first.tolist() == [20, 39, 59, 78, 98, 118, 137, 157, 177, 196, 216, 235, 255]
        assert (before.alpha[:, -common:] if wide else before.alpha[-common:]).min() == 255
