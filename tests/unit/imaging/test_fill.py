"""Which grounds are filled without the network: glows are, faint edges and dots are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.unit.imaging.pages import block_of, find_region, flat, gradient, inked
from worker.imaging.composite import composite
from worker.imaging.fill import fill_ground
from worker.imaging.fill_options import FillOptions
from worker.imaging.plan import Route
from worker.imaging.preprocess import prepare
from worker.imaging.site import Site
from worker.job import Box, Image, Region


def glow(width: int, height: int, left: int, radius: float) -> Image:
    """A light that ends in one colour, which no cubic follows."""
    rows, columns = np.mgrid[0:height, 0:width]
    share = np.clip(np.hypot(columns - left, rows - 150) / radius, 0, 1)[..., None]
    page: Image = np.rint((1 - share) * (250, 200, 120) + share * (90, 60, 140)).astype(np.uint8)
    return page


@pytest.mark.parametrize(("left", "radius"), [(60, 270.0), (60, 310.0), (180, 270.0), (180, 470.0)])
def test_a_glow_that_ends_in_one_colour_is_filled(left: int, radius: float) -> None:
    ground = glow(500, 200, left, radius)
    page, text = inked(ground, 90, 80, "ABWQMHRSEK", scale=1.2, thickness=3)
    block = block_of(text)
    region = find_region(page, block)
    prepared = prepare(page, (block,), (region,), (256,))
    assert prepared.routes[block.id] == (Route.FILL,)
    wrong = np.abs(composite(page, prepared.fills).astype(int) - ground).max(axis=2)
    assert wrong.max() <= 5
    assert wrong[region.box.slices][region.mask > 0].mean() < 1.0


def test_a_faint_edge_under_small_text_is_no_gradient() -> None:
    ground = flat(300, 160, (226, 224, 214))
    cv2.circle(ground, (210, 200), 130, (238, 237, 232), -1, cv2.LINE_AA)
    page, text = inked(ground, 90, 80, "ABWQMH", colour=(120, 130, 125), scale=0.8)
    block = block_of(text)
    prepared = prepare(page, (block,), (find_region(page, block),), (256,))
    assert prepared.routes[block.id] != (Route.FILL,)


def test_a_paragraph_that_hides_whole_dots_is_no_plain_ground() -> None:
    """The rim of its ink is plain, and too little of the pattern is seen around all of it at once."""
    page = flat(460, 300, (255, 244, 220))
    for top in range(14, 300, 28):
        for left in range(14, 460, 28):
            cv2.circle(page, (left, top), 6, (230, 170, 70), -1, cv2.LINE_AA)
    lines = []
    mask = np.zeros(page.shape[:2], np.uint8)
    for top in (100, 140, 180):
        drawn, text = inked(page, 60, top, "ABWQMHRSEKGFT", scale=1.0, thickness=3)
        mask[np.abs(drawn.astype(int) - page).max(axis=2) > 2] = 255
        lines.append(text)
    ink = cv2.dilate(mask, np.ones((7, 7), np.uint8))
    dots = (np.abs(page.astype(int) - (255, 244, 220)).max(axis=2) > 2).astype(np.uint8)
    count, labels = cv2.connectedComponents(dots)
    touched = np.unique(labels[(ink > 0) & (dots > 0)])
    assert count > len(touched)
    hidden = cv2.dilate(
        np.isin(labels, touched[touched > 0]).astype(np.uint8) * 255, np.ones((7, 7), np.uint8)
    )
    mask = np.maximum(ink, hidden).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    box = Box(left, top, left + width, top + height)
    block = block_of(*lines)
    region = Region(
        block.id, box, np.ascontiguousarray(mask[box.slices]), np.zeros((height, width), np.uint8)
    )
    prepared = prepare(page, (block,), (region,), (256,))
    assert prepared.routes[block.id].count(Route.PATTERN) >= 2


def test_a_line_that_ends_under_the_ink_fades_out() -> None:
    ground = gradient(300, 160)
    page = ground.copy()
    cv2.line(page, (299, 60), (180, 76), (235, 225, 240), 2, cv2.LINE_AA)
    mask = np.zeros(page.shape[:2], np.uint8)
    mask[50:110, 60:220] = 255
    filled = fill_ground(Site(Box(0, 0, 300, 160), page, mask, mask == 0, mask == 0, 60.0), FillOptions())
    assert filled is not None
    added = np.abs(filled.astype(int) - ground).max(axis=2)
    strongest = added[:, 190:220].max(axis=0)
    assert strongest[-3:].min() > 60  # where it goes in
    assert strongest[:8].max() <= 6
    assert added[mask > 0].max() > 60 > 6 >= added[50:110, 60:190].max()
