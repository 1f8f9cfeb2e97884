"""Patterns are continued where they repeat, and only there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.unit.imaging.pages import block_of, find_region, inked, line
from worker.imaging.composite import composite
from worker.imaging.plan import Route
from worker.imaging.preprocess import Prepared, prepare
from worker.imaging.shifts import Shades, ShiftOptions, find_shifts
from worker.imaging.site import Site
from worker.job import Box, Image, Region


def stripes(width: int, height: int, period: int = 14) -> Image:
    wave = (np.arange(width) // (period // 2) % 2 * 120 + 60).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(wave[None, :, None], (height, width, 3)))


def checks(width: int, height: int) -> Image:
    y, x = np.mgrid[0:height, 0:width] // 24
    light, dark = np.array([250, 240, 230]), np.array([200, 90, 90])
    return np.where(((x + y) % 2 == 0)[..., None], light, dark).astype(np.uint8)


def dots(width: int, height: int) -> Image:
    page = np.full((height, width, 3), (255, 246, 221), np.uint8)
    for y in range(14, height, 28):
        for x in range(14, width, 28):
            cv2.circle(page, (x, y), 6, (232, 176, 79), -1, cv2.LINE_AA)
    return page


def erased(page: Image, box: Box) -> tuple[Image, Prepared]:
    """The page without everything in a box, whose ink ends 3 px inside the mask as it does in real ones."""
    box = Box(box.left - 3, box.top - 3, box.right + 3, box.bottom + 3)
    block = block_of(line(box.left, box.top, box.right, box.bottom))
    mask = np.full((box.height, box.width), 255, np.uint8)
    prepared = prepare(page, [block], [Region(0, box, mask, np.zeros_like(mask))], (256, 512))
    return composite(page, prepared.fills), prepared


@pytest.mark.parametrize(
    "ground",
    [
        stripes(500, 300),
        np.ascontiguousarray(np.swapaxes(stripes(300, 500), 0, 1)),
        checks(500, 300),
        dots(500, 300),
    ],
    ids=["columns", "rows", "checks", "dots"],
)
def test_a_printed_pattern_comes_back_exactly(ground: Image) -> None:
    page = ground.copy()
    box = Box(150, 120, 300, 160)
    page[box.slices] = (20, 160, 30)
    plate, prepared = erased(page, box)
    assert prepared.routes[0] == (Route.PATTERN,)
    assert np.abs(plate.astype(int) - ground).max() <= 1


@pytest.mark.parametrize("box", [Box(151, 121, 300, 160), Box(0, 119, 152, 160), Box(347, 258, 500, 300)])
def test_a_pattern_comes_back_under_boxes_of_odd_sides_and_at_the_pages_edges(box: Box) -> None:
    ground = stripes(500, 300)
    page = ground.copy()
    page[box.slices] = (20, 160, 30)
    inner = Box(max(box.left, 3), box.top, min(box.right, 497), min(box.bottom, 297))
    plate, prepared = erased(page, inner)
    assert prepared.routes[0] == (Route.PATTERN,)
    assert np.abs(plate.astype(int) - ground).max() <= 1


def test_an_outline_in_the_patterns_own_colour_goes_too() -> None:
    ground = checks(500, 300)
    page = ground.copy()
    for colour, thickness in (((250, 240, 230), 14), ((20, 60, 160), 5)):
        page, text = inked(page, 60, 120, "AMWHQR", colour=colour, scale=1.8, thickness=thickness)
    block = block_of(text)
    prepared = prepare(page, [block], [find_region(page, block)], (256,))
    assert prepared.routes[0] == (Route.PATTERN,)
    plate = composite(page, prepared.fills)
    assert np.count_nonzero(np.abs(plate.astype(int) - ground).max(axis=2) > 8) < 40


def test_a_line_that_passes_under_the_text_is_carried_on() -> None:
    ground = np.full((200, 400, 3), 255, np.uint8)
    cv2.line(ground, (0, 20), (399, 180), (180, 60, 60), 3, cv2.LINE_AA)
    page = ground.copy()
    page[80:120, 150:250] = (20, 160, 30)
    plate, prepared = erased(page, Box(150, 80, 250, 120))
    if prepared.fills:
        assert np.abs(plate.astype(int) - ground).mean() < 0.2


def test_what_does_not_repeat_is_not_continued() -> None:
    coarse = np.random.default_rng(7).integers(0, 256, (16, 26, 3)).astype(np.uint8)
    blobs = cv2.resize(coarse, (500, 300), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    _, prepared = erased(blobs, Box(150, 120, 300, 160))
    assert prepared.routes[0] == (Route.NETWORK,)


def test_a_strange_thing_that_reaches_under_the_ink_is_not_cut_off() -> None:
    page = checks(500, 300)
    cv2.line(page, (0, 40), (499, 250), (10, 10, 10), 6, cv2.LINE_AA)
    _, prepared = erased(page, Box(150, 120, 300, 160))
    assert prepared.routes[0] == (Route.NETWORK,)


def site_of(ground: Image, ink: Box, text_height: float) -> Site:
    mask = np.zeros(ground.shape[:2], np.uint8)
    mask[ink.slices] = 255
    box = Box(0, 0, ground.shape[1], ground.shape[0])
    return Site(box, ground, mask, mask == 0, mask == 0, text_height)


@pytest.mark.parametrize("text_height", [12.0, 40.0, 80.0])
def test_what_does_not_repeat_is_refused_from_near_and_from_afar(text_height: float) -> None:
    coarse = np.random.default_rng(5).uniform(40, 220, (16, 22, 3)).astype(np.float32)
    ground = np.rint(cv2.resize(coarse, (520, 360), interpolation=cv2.INTER_LINEAR)).astype(np.uint8)
    site = site_of(ground, Box(180, 160, 340, 200), text_height)
    ring = site.ring(20)
    shades = Shades.of(site, ring)
    assert find_shifts(site, ring, Box(160, 140, 360, 220), shades, ShiftOptions()) == []
    page = checks(520, 360)
    site = site_of(page, Box(180, 160, 340, 200), text_height)
    found = find_shifts(site, ring, Box(160, 140, 360, 220), Shades.of(site, ring), ShiftOptions())
    assert found
    assert all(down % 24 == across % 24 == (down + across) % 48 == 0 for down, across in found)


def test_the_shades_of_a_ground_are_its_variance_and_where_it_lies() -> None:
    two = np.zeros((20, 20, 3), np.uint8)
    two[:, 10:] = (60, 0, 80)
    site = site_of(two, Box(0, 0, 1, 1), 10.0)
    shades = Shades.of(site, np.ones((20, 20), np.bool_))
    assert shades.variance == pytest.approx(50.0**2)
    assert shades.contrast == pytest.approx(50.0**2, rel=1e-4)
    along = shades.direction[0, :3] @ two.reshape(-1, 3).T + shades.direction[0, 3]
    assert np.abs(along) == pytest.approx(np.full(400, 50.0), rel=1e-4)
