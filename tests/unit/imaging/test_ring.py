"""Surfaces of rising order through the ground around ink, and what may depart from them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.imaging.pages import flat, gradient
from worker.imaging import ground
from worker.imaging.cells import CellOptions, Cells
from worker.imaging.fill import fill_ground
from worker.imaging.fill_options import FillOptions
from worker.imaging.ring import Ring, px_away
from worker.imaging.site import Site
from worker.job import Box, Image, Mask


def ink(height: int = 90, width: int = 260) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    mask[30:60, 30 : width - 30] = 255
    return mask


def site_of(pixels: Image, mask: Mask) -> Site:
    free = mask == 0
    return Site(Box(0, 0, mask.shape[1], mask.shape[0]), pixels, mask, free, free, 30.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=6, max_size=6), st.integers(0, 2**16))
def test_a_lower_order_is_found_through_a_higher_one(weights: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 200, 600), random.integers(0, 80, 600)
    u, v = (x - 100) / 100, (y - 40) / 100
    level = 128 + np.array(weights) @ np.array([u, v, u * u, u * v, v * v, np.ones(600)])
    colours = np.stack([level, level + 5, level - 5], axis=1).astype(np.float32)
    colours[:60] = 255  # something else stands there
    points = ground.Points.of(x, y, colours, 3)
    lower = ground.lowered(points, ground.fit(points, 3), 2)
    assert lower.order == 2
    assert np.abs(lower.residuals(x[60:], y[60:], colours[60:])).max() < 0.05


def test_what_departs_in_one_cell_alone_is_not_held() -> None:
    rows, columns = (index.ravel() for index in np.mgrid[0:90:2, 0:260:2])
    cells = Cells.under(ink(), rows, columns, 30.0, 1.5)
    clean = np.zeros((3, len(rows)), np.float32)
    nothing = np.zeros(len(rows), np.bool_)
    assert cells.hold(clean, nothing, 0.3, CellOptions())
    bent = clean.copy()
    bent[:, columns > 220] = 2.5  # a flat spot at one end
    assert not cells.hold(bent, nothing, 0.3, CellOptions())
    assert not cells.hold(clean, rows < 40, 0.3, CellOptions())


@pytest.mark.parametrize("px", [4, 20])
def test_a_ring_is_what_lies_within_so_many_px(px: int) -> None:
    mask = ink()
    ring = Ring.within(site_of(flat(260, 90), mask), px_away(mask), px)
    assert ring is not None
    near = cv2.dilate(mask, np.ones((2 * px + 1, 2 * px + 1), np.uint8)) > 0
    assert (near & (mask == 0)).ravel()[ring.places].all()
    assert ring.away.max() == px


def test_ink_in_a_narrow_button_is_filled_from_the_button() -> None:
    mask = ink()
    page = np.ascontiguousarray(flat(260, 90, (30, 20, 160)))
    button = gradient(260, 90)
    inside = cv2.dilate(mask, np.ones((7, 7), np.uint8)) > 0  # 3 px of it around the ink
    page[inside] = button[inside]
    page[mask > 0] = 255
    filled = fill_ground(site_of(page, mask), FillOptions())
    assert filled is not None
    assert np.abs(filled.astype(int) - button)[mask > 0].max() <= 2
