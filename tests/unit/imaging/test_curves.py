"""Thin lines go on under erased text; stripes, edges and neighbours do not pass for lines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.imaging.pages import block_of, find_region, flat, gradient, inked, line
from worker.imaging.composite import composite
from worker.imaging.curves import continued_curves
from worker.imaging.line_ends import CurveOptions
from worker.imaging.plan import Route
from worker.imaging.preprocess import prepare
from worker.job import Box, Image, Mask, Region


def erased(ground: Image) -> tuple[Image, tuple[Route, ...]]:
    page, text = inked(ground, 90, 90, "ABWQ", colour=(250, 250, 250), scale=1.0, thickness=2)
    block = block_of(text)
    prepared = prepare(page, (block,), (find_region(page, block),), (256,))
    return composite(page, prepared.fills), prepared.routes[block.id]


def crossed(ground: Image, slope: float, width: int = 2) -> Image:
    left, right = (0, round(100 - 140 * slope)), (299, round(100 + 159 * slope))
    cv2.line(ground, left, right, (235, 225, 240), width, cv2.LINE_AA)
    return ground


@pytest.mark.parametrize("slope", [0.7, 1.0, 2.0, -1.2])
def test_a_line_under_the_text_goes_on(slope: float) -> None:
    ground = crossed(gradient(300, 200), slope)
    plate, routes = erased(ground.copy())
    assert routes == (Route.FILL,)
    wrong = np.abs(plate.astype(float) - ground).max(axis=2)
    line = np.abs(ground.astype(float) - gradient(300, 200)).max(axis=2) > 25
    assert (wrong > 25).sum() < 0.1 * line.sum()


def test_a_ring_goes_on_in_its_curve() -> None:
    ground = gradient(300, 200)
    cv2.circle(ground, (300, 300), 250, (230, 220, 235), 2, cv2.LINE_AA)
    plate, routes = erased(ground.copy())
    assert routes == (Route.FILL,)
    wrong = np.abs(plate.astype(float) - ground).max(axis=2)
    line = np.abs(ground.astype(float) - gradient(300, 200)).max(axis=2) > 25
    assert (wrong > 25).sum() < 0.1 * line.sum()


def test_a_ring_in_the_colour_of_the_text_is_no_unread_text() -> None:
    ground = gradient(300, 200)
    cv2.circle(ground, (60, 140), 90, (250, 250, 250), 3, cv2.LINE_AA)
    plate, routes = erased(ground.copy())
    line_under = np.abs(ground.astype(float) - gradient(300, 200)).max(axis=2) > 25
    wrong = np.abs(plate.astype(float) - ground).max(axis=2) > 25
    assert routes != (Route.FILL,) or (wrong & line_under).sum() < 0.1 * line_under.sum()


@pytest.mark.parametrize("gap", [0, 1, 3])
def test_a_ring_beside_the_text_is_neither_ink_nor_ground(gap: int) -> None:
    ground = gradient(300, 240)
    cv2.circle(ground, (150, 60), 100, (240, 110, 20), 2, cv2.LINE_AA)
    cv2.rectangle(ground, (90, 40), (210, 100), (210, 20, 30), -1)  # and a price stands above
    mask = np.zeros((40, 140), np.uint8)
    cv2.ellipse(mask, (70, 15), (64, 14), 0, 0, 360, 255, -1)
    region = Region(0, Box(80, 140 - gap, 220, 180 - gap), mask, mask)
    ring = cv2.circle(np.zeros((240, 300), np.uint8), (150, 60), 100, 255, 4)
    region.mask[ring[region.box.slices] > 0] = 0
    page = ground.copy()
    page[region.box.slices][cv2.erode(mask, np.ones((7, 7))) > 0] = (90, 40, 0)
    block = block_of(line(88, 144, 212, 168))
    prepared = prepare(page, (block,), (region,), (256,))
    assert prepared.routes[0] == (Route.FILL,)
    wrong = np.abs(composite(page, prepared.fills).astype(int) - ground)
    assert wrong.max() <= 12  # the ring's faintest edge lies under the mask
    assert wrong[region.box.slices][mask > 0].mean() < 0.5


@pytest.mark.parametrize("edge", [140, 150, 160])
def test_text_across_an_edge_is_not_filled_from_one_side(edge: int) -> None:
    ground = gradient(300, 200)
    cv2.rectangle(ground, (edge, 60), (edge + 80, 180), (20, 60, 20), -1)
    _, routes = erased(ground)
    assert routes != (Route.FILL,)


def test_a_broad_stripe_is_no_line() -> None:
    _, routes = erased(crossed(gradient(300, 200), 1.0, width=26))
    assert routes != (Route.FILL,)


def band(height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    mask[30:50] = 255
    return mask


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.9, 0.9), st.floats(20, 120), st.integers(1, 4))
def test_what_is_added_follows_the_line_and_stays_near_it(slope: float, level: float, width: int) -> None:
    mask = band(80, 160)
    drawn = np.zeros((80, 160), np.uint8)
    top, bottom = (round(80 - slope * 40), 0), (round(80 + slope * 39), 79)
    cv2.line(drawn, top, bottom, 255, width, cv2.LINE_AA)
    whole = (drawn[..., None] / np.float32(255) * np.float32(level)).repeat(3, axis=2)
    seen = whole * (mask == 0)[..., None]
    added = continued_curves(seen, mask, mask == 0, 7.0, 20.0, CurveOptions())
    assert added is not None
    under = mask > 0
    assert np.abs(added - whole)[under].mean() < 0.4 * np.abs(whole[under]).mean()
    far = cv2.dilate((drawn > 0).astype(np.uint8), np.ones((17, 17), np.uint8)) == 0
    assert not added[far].any()


def test_an_edge_along_the_ink_is_not_continued() -> None:
    mask = band(80, 160)
    residual = np.zeros((80, 160, 3), np.float32)
    residual[20:30, 40:100] = 80.0
    assert continued_curves(residual, mask, mask == 0, 7.0, 20.0, CurveOptions()) is None


def test_where_nothing_touches_the_ink_there_is_nothing_to_continue() -> None:
    mask = band(80, 160)
    assert (
        continued_curves(np.zeros((80, 160, 3), np.float32), mask, mask == 0, 7.0, 20.0, CurveOptions())
        is None
    )


def test_a_neighbouring_line_on_white_stays_as_it_is() -> None:
    ground = flat(300, 200, (40, 20, 120))
    cv2.line(ground, (0, 150), (299, 150), (200, 200, 230), 2, cv2.LINE_AA)
    plate, routes = erased(ground.copy())
    assert routes == (Route.FILL,)
    assert np.abs(plate.astype(int) - ground).max() <= 2
