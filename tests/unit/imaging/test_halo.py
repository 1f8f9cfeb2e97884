"""Where a shadow ends, what is an outline, and which gaps in a mask show the ground."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.posters import GROUNDS, posters
from tests.unit.imaging.pages import block_of, find_region, flat, inked, line
from worker.imaging.halo import all_along
from worker.imaging.ink import unlike_ring
from worker.imaging.mask import find_regions
from worker.imaging.quads import bounding_box
from worker.imaging.regions import group_lines
from worker.imaging.scene import MaskOptions, Neighbours, Quads, Scene
from worker.job import Image, Mask, TextLine

OPTIONS = MaskOptions()


def scene_of(page: Image, text: TextLine) -> Scene:
    height = float(np.ptp(text.polygon[:, 1]))
    crop = bounding_box(text.polygon, page.shape[1], page.shape[0], OPTIONS.farthest(height))
    alone = Neighbours(Quads.of([text]).corners, Quads.of([]), Quads.of([]))
    return Scene.around(page, text.polygon, alone, crop, height)


def mask_of(page: Image, text: TextLine) -> Mask:
    region = find_region(page, block_of(text))
    whole = np.zeros(page.shape[:2], np.uint8)
    whole[region.box.slices] = region.mask
    return whole


def grained(page: Image, deviation: float = 1.5) -> Image:
    noise = np.random.default_rng(3).normal(0, deviation, page.shape)
    grainy: Image = np.rint(page + noise).clip(0, 255).astype(np.uint8)
    return grainy


def spotted(width: int, height: int) -> Image:
    """Paper with a light on it, a text's height wide."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 26 * np.exp(-((x - 0.3 * width) ** 2 + (y - 0.5 * height) ** 2) / 800)
    page: Image = np.rint(150 + light[..., None] + np.zeros(3)).clip(0, 255).astype(np.uint8)
    return page


def test_what_departs_in_one_piece_of_the_line_does_not_do_so_all_along() -> None:
    page, text = inked(flat(300, 90), 30, 25)
    scene = scene_of(page, text)
    columns = np.arange(200)
    rows = np.full(200, 20)
    assert all_along(scene, columns, rows, np.full(200, 2.0))
    assert all_along(scene, columns, rows, np.where(columns < 45, -1.0, 2.0))
    assert not all_along(scene, columns, rows, np.where(columns < 100, 0.0, 4.0))


def test_a_light_on_the_ground_is_not_taken_for_the_end_of_a_shadow() -> None:
    page, text = inked(grained(spotted(420, 120)), 30, 40, colour=(30, 20, 20), scale=1.5, thickness=4)
    without = find_region(page, block_of(text), options=MaskOptions(longest_end=0))
    assert (find_region(page, block_of(text)).mask == without.mask).all()


def test_the_faint_end_of_a_shadow_goes_with_it() -> None:
    ground = flat(420, 120, (200, 200, 200))
    dark, text = inked(ground, 33, 43, "ABMWHQ", colour=(150, 150, 150), scale=1.5, thickness=5)
    shadowed = grained(cv2.GaussianBlur(dark, (0, 0), 4).astype(np.uint8))
    page, text = inked(shadowed, 30, 40, "ABMWHQ", colour=(20, 20, 20), scale=1.5, thickness=5)
    darker = []
    for longest in (OPTIONS.longest_end, 0):
        region = find_region(page, block_of(text), options=MaskOptions(longest_end=longest))
        beside = (cv2.dilate(region.mask, np.ones((5, 5), np.uint8)) > 0) & (region.mask == 0)
        darker.append(200 - page[region.box.slices][beside].mean())
    assert darker[0] < 1.5 < darker[1]


def test_a_narrow_gap_is_closed_where_it_shows_ink_and_not_where_it_shows_ground() -> None:
    ground = grained(flat(320, 110, (180, 160, 140)))
    page = ground.copy()
    for left in range(40, 270, 16):  # bars so far apart that two px of ground are left between their masks
        page[35:75, left : left + 10] = 30
    text = line(38, 33, 276, 77)
    clean = mask_of(page, text)
    gaps = [column for column in range(50, 260) if not clean[45:65, column].any()]
    assert gaps
    assert not (clean[40:70, 42:48] == 0).any()
    stained = page.copy()
    stained[35:75, gaps] = 165  # hardly darker: the ink's soft edge
    soft = mask_of(stained, text)
    assert np.count_nonzero(soft[40:70, gaps]) > 0.9 * 30 * len(gaps)


def test_the_mask_does_not_grow_where_it_ends() -> None:
    page = grained(flat(320, 110, (180, 160, 140)))
    for left in (60, 140, 220):
        page[35:75, left : left + 20] = 30
    rows = np.flatnonzero(mask_of(page, line(38, 33, 276, 77)).any(axis=1))
    growth = OPTIONS.px_growth(44)
    assert (rows[0], rows[-1]) == (35 - growth, 74 + growth)


def test_a_shadow_on_busy_ground_is_no_outline() -> None:
    random = np.random.default_rng(1)
    small = random.integers(90, 220, (40, 120, 3)).astype(np.uint8)
    ground = cv2.resize(small, (480, 160), interpolation=cv2.INTER_NEAREST).astype(np.float32)
    glyphs, text = inked(
        flat(480, 160, (0, 0, 0)), 60, 60, "ABMWHQ", colour=(255, 255, 255), scale=2, thickness=9
    )
    shadow = cv2.GaussianBlur(cv2.dilate(glyphs, np.ones((9, 9), np.uint8)), (0, 0), 3)
    page = np.rint(ground * (1 - shadow / 255 * 0.6)).astype(np.uint8)
    page[glyphs[..., 0] > 128] = (250, 20, 20)
    found = unlike_ring(scene_of(page, text), OPTIONS)
    assert found is not None
    assert found.shade > found.rim


def test_on_crowded_paper_letters_beside_the_line_are_not_clipped() -> None:
    """Rows all round make paper look noisy, and the gap between them like an outline."""
    page, rows = flat(420, 190, (222, 214, 220)), []
    for top in range(20, 150, 21):
        page, text = inked(page, 30, top, "MBWHQERASGKPN", colour=(70, 60, 70), scale=0.7, thickness=1)
        rows.append(text)
    page = cv2.GaussianBlur(grained(page, 4.0), (0, 0), 0.8).astype(np.uint8)
    middle = rows[3]
    mask = mask_of(page, middle)
    top, bottom = int(middle.polygon[0, 1]), int(middle.polygon[2, 1])
    ink = (page.max(axis=2) < 170) & (np.arange(len(page))[:, None] > top - 12)
    own = ink & (np.arange(len(page))[:, None] > top) & (np.arange(len(page))[:, None] < bottom)
    assert not np.count_nonzero(own & (mask == 0))
    assert not np.count_nonzero(ink & ~own & (mask > 0))


def test_an_outline_like_the_light_stripes_goes_from_the_dark_ones_too() -> None:
    poster = next(posters({"stripes": GROUNDS["stripes"]}))
    block = next(one for one in group_lines(poster.page, poster.lines) if one.text == "限时特惠中")
    region = find_region(poster.page, block)
    mask, near = np.zeros(poster.page.shape[:2], np.uint8), np.zeros(poster.page.shape[:2], np.uint8)
    mask[region.box.slices] = region.mask
    cv2.fillPoly(near, [np.rint(block.polygon).astype(np.int32)], 255)
    near = cv2.dilate(near, np.ones((13, 13), np.uint8)).astype(np.uint8)
    drawn = (np.abs(poster.drawn.astype(np.int16) - poster.plate).max(axis=2) > 60) & (near > 0)
    assert np.count_nonzero(drawn & (mask == 0)) < 0.002 * np.count_nonzero(drawn)


def test_what_is_found_does_not_depend_on_the_order_of_the_blocks() -> None:
    page, first = inked(flat(420, 200, (240, 235, 225)), 20, 30)
    page, second = inked(page, 24, 58)
    page, latin = inked(page, 200, 60, "LATIN")
    blocks = [block_of(first), block_of(second, number=1)]
    turned = reversed(find_regions(page, blocks[::-1], [latin]))
    for one, other in zip(find_regions(page, blocks, [latin]), turned, strict=True):
        assert (one.block_id, one.box) == (other.block_id, other.box)
        assert (one.mask == other.mask).all()
        assert (one.strokes == other.strokes).all()
    assert find_regions(page, []) == ()
