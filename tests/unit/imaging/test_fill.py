"""Which grounds are filled without the network: glows are, faint edges and dots are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.posters import GROUNDS, posters
from tests.unit.imaging.pages import block_of, find_region, flat, gradient, inked
from worker.imaging.composite import composite
from worker.imaging.fill import fill_ground
from worker.imaging.fill_options import FillOptions
from worker.imaging.plan import Route
from worker.imaging.preprocess import prepare
from worker.imaging.regions import group_lines
from worker.imaging.site import Site
from worker.job import Box, Image, Region, TextLine


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


PAPER = (216, 206, 214)


def paper(gap: int) -> tuple[Image, TextLine]:
    """Grainy paper, a line that was read and right under it a row that was not, and crumbs of one above."""
    page, read = inked(flat(420, 160, PAPER), 60, 50, "ABMWHQEKRS", scale=0.7)
    below = int(read.polygon[2, 1]) + gap
    page, _ = inked(page, 40, below, "B2390 6MTH(6/12/18MTH)", scale=0.7, thickness=1)
    for left in (70, 120, 200):
        cv2.line(page, (left, 46), (left + 12, 47), (20, 20, 20), 1, cv2.LINE_AA)
    noise = np.random.default_rng(1).normal(0, 1.5, page.shape)
    return (page + noise).clip(0, 255).round().astype(np.uint8), read


@pytest.mark.parametrize("gap", [-7, -6, -5])
def test_paper_is_filled_beside_letters_that_nobody_read(gap: int) -> None:
    page, read = paper(gap)
    block = block_of(read)
    region = find_region(page, block)
    prepared = prepare(page, (block,), (region,), (256,))
    assert prepared.routes[block.id] == (Route.FILL,)
    erased = cv2.blur(composite(page, prepared.fills), (5, 5))[region.box.slices]
    inner = cv2.erode(region.mask, np.ones((7, 7), np.uint8)) > 0
    assert np.abs(erased[inner].astype(int) - PAPER).max() <= 4


@pytest.mark.parametrize(
    ("corner", "opposite", "thickness"),
    [((150, 0), (419, 159), -1), ((0, 62), (419, 66), -1), ((180, 20), (360, 90), 5)],
    ids=["edge", "rule", "frame"],
)
def test_paper_is_not_filled_where_something_drawn_goes_on(
    corner: tuple[int, int], opposite: tuple[int, int], thickness: int
) -> None:
    page, read = paper(-6)
    drawn = page.copy()
    cv2.rectangle(drawn, corner, opposite, (60, 90, 150), thickness)
    drawn[(page < 120).all(axis=2)] = page[(page < 120).all(axis=2)]  # letters stand on top
    block = block_of(read)
    prepared = prepare(drawn, (block,), (find_region(drawn, block),), (256,))
    assert prepared.routes[block.id] != (Route.FILL,)


def test_a_bent_ground_under_noise_is_filled_where_a_plane_leaves_a_pattern() -> None:
    poster = list(posters({"noise σ 6": GROUNDS["noise σ 6"]}))[-1]
    block = max(group_lines(poster.page, poster.lines), key=lambda one: len(one.lines))
    assert len(block.lines) == 3
    prepared = prepare(poster.page, (block,), (find_region(poster.page, block),), (256,))
    assert set(prepared.routes[block.id]) == {Route.FILL}
