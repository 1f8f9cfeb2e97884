"""Patterns are continued where they repeat, and only there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.unit.imaging.pages import block_of, inked, line
from worker.imaging.composite import composite
from worker.imaging.mask import find_region
from worker.imaging.plan import Route
from worker.imaging.preprocess import Prepared, prepare
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
