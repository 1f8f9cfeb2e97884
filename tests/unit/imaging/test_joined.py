"""What has run together with the ink stays: unread lines, stripes, frames."""

from __future__ import annotations

import cv2
import numpy as np

from tests.unit.imaging.pages import block_of, find_region, flat, inked, line
from worker.imaging.composite import composite
from worker.imaging.plan import Route
from worker.imaging.preprocess import prepare
from worker.job import Image, Mask, TextLine


def mask_of(page: Image, text: TextLine, *others: TextLine) -> Mask:
    region = find_region(page, block_of(text), others)
    whole = np.zeros(page.shape[:2], np.uint8)
    whole[region.box.slices] = region.mask
    return whole


def changed(before: Image, after: Image, by: int = 40) -> Mask:
    return np.where(np.abs(after.astype(int) - before).max(axis=2) > by, 255, 0).astype(np.uint8)


def test_an_unread_line_that_touches_the_text_and_comes_into_its_box_stays() -> None:
    ground = flat(400, 160, (220, 210, 225))
    below, _ = inked(ground, 20, 72, "6MTH 12MTH 18MTH", scale=0.9)
    page, text = inked(below, 20, 50, "ABMWHQKXRS", scale=0.9)
    page = cv2.GaussianBlur(page, (0, 0), 0.7).astype(np.uint8)
    left, top, right = text.polygon[0, 0], text.polygon[0, 1], text.polygon[1, 0]
    mask = mask_of(page, line(left, top, right, 77, "六个汉字文本"))
    unread = changed(ground, below)
    unread[:74] = 0  # the blur mixes the first row of its ink with the text's last
    assert np.count_nonzero(mask & unread) < 0.05 * np.count_nonzero(unread)
    ink = changed(ground, page, by=60)
    ink[70:] = 0
    assert not (ink & ~mask).any()


def test_stripes_behind_the_text_are_erased_only_next_to_it() -> None:
    ground = flat(400, 160)
    for top in (20, 62, 104):
        ground[top : top + 16] = (40, 60, 120)
    page, text = inked(ground, 40, 50, colour=(200, 40, 30), scale=1.6, thickness=5)
    mask = mask_of(page, text)
    ink = changed(ground, page)
    assert not (ink & ~mask).any()
    beside = cv2.dilate(ink, np.ones((25, 25), np.uint8)) == 0
    assert not mask[beside].any()


def outlined_glyphs(page: Image, left: int, top: int) -> Image:
    """Two white glyphs of 100 px with a broad black outline."""
    drawn = page.copy()
    strokes = [((10, 40), (90, 40)), ((50, 5), (50, 95)), ((50, 45), (12, 88)), ((50, 45), (88, 88))]
    for colour, thickness in (((0, 0, 0), 24), ((255, 255, 255), 8)):
        for start in (left, left + 110):
            for one, two in strokes:
                first, second = (start + one[0], top + one[1]), (start + two[0], top + two[1])
                cv2.line(drawn, first, second, colour, thickness, cv2.LINE_AA)
    return drawn


def test_the_side_of_a_frame_stays_where_an_outline_lies_over_it() -> None:
    ground = flat(420, 260)
    cv2.rectangle(ground, (30, 20), (390, 240), (0, 0, 0), 4)
    page = outlined_glyphs(ground, 34, 80)
    assert page[120, 33].max() == 0  # the outline does reach the frame
    mask = mask_of(page, line(32, 75, 250, 182))
    side = np.zeros(page.shape[:2], bool)
    side[30:230, 29:32] = True
    assert not mask[side].any()
    ink = changed(ground, page, by=0)
    assert not (ink[:, 36:] & ~mask[:, 36:]).any()


def test_a_frame_that_the_mask_touches_with_its_side_does_not_keep_it_from_being_filled() -> None:
    ground = flat(420, 260)
    cv2.rectangle(ground, (30, 20), (390, 240), (0, 0, 0), 4)
    page = outlined_glyphs(ground, 34, 80)
    block = block_of(line(32, 75, 250, 182))
    region = find_region(page, block)
    prepared = prepare(page, (block,), (region,), (256, 512))
    assert prepared.routes[0] == (Route.FILL,)
    plate = composite(page, prepared.fills)
    assert np.count_nonzero(changed(ground, plate)) < 20


def test_nothing_is_left_between_lines_of_one_block_that_touch() -> None:
    ground = flat(400, 160, (220, 210, 225))
    below, second = inked(ground, 20, 70, "ABMWHQKXRS", scale=0.9)
    page, first = inked(below, 20, 50, "QXJGHMWKRB", scale=0.9)
    page = cv2.GaussianBlur(page, (0, 0), 0.7).astype(np.uint8)
    region = find_region(page, block_of(first, second))
    mask = np.zeros(page.shape[:2], np.uint8)
    mask[region.box.slices] = region.mask
    assert not (changed(ground, page) & ~mask).any()


def test_a_light_that_runs_together_with_the_text_stays_but_for_its_strokes() -> None:
    ground = flat(420, 160, (30, 40, 50)).astype(np.float64)
    ground += np.random.default_rng(1).normal(0, 2.0, ground.shape)
    cv2.circle(ground, (110, 75), 24, (75, 72, 68), -1)  # under the text, and beyond it
    page, text = inked(np.rint(ground).astype(np.uint8), 40, 60, "ABMWHQKXRS", colour=(250, 245, 240))
    light = cv2.circle(np.zeros(page.shape[:2], np.uint8), (110, 75), 22, 255, -1)
    ink = changed(np.rint(ground).astype(np.uint8), page)
    far = np.where(cv2.dilate(ink, np.ones((13, 13), np.uint8)) > 0, 0, light)
    mask = mask_of(page, text)
    assert far.any()
    assert not (mask & far).any()
    assert not (ink & ~mask).any()


def test_ground_is_filled_beside_letters_that_were_not_read() -> None:
    ground = flat(400, 160, (220, 210, 225))
    below, _ = inked(ground, 20, 72, "6MTH 12MTH 18MTH", scale=0.9)
    page, text = inked(below, 20, 44, "ABMWHQKXRS", scale=0.9)
    block = block_of(text)
    region = find_region(page, block, ())
    assert region.unread is not None
    prepared = prepare(page, [block], [region], (256, 512))
    assert prepared.routes[0] == (Route.FILL,)
    assert np.abs(composite(page, prepared.fills)[:66].astype(int) - ground[:66]).max() <= 3


def test_a_thing_of_the_other_tone_stays_up_to_the_strokes_that_lie_over_it() -> None:
    ground = flat(420, 160, (120, 90, 65)).astype(np.float64)
    ground += np.random.default_rng(2).normal(0, 2.0, ground.shape)
    cv2.circle(ground, (150, 30), 48, (225, 222, 215), -1)  # a bowl that reaches into the line from above
    page, text = inked(np.rint(ground).astype(np.uint8), 40, 60, "ABMWHQKXRS", colour=(35, 25, 20))
    ink = changed(np.rint(ground).astype(np.uint8), page)
    bowl = cv2.circle(np.zeros(page.shape[:2], np.uint8), (150, 30), 46, 255, -1)
    far = np.where(cv2.dilate(ink, np.ones((13, 13), np.uint8)) > 0, 0, bowl)
    mask = mask_of(page, text)
    assert far.any()
    assert not (mask & far).any()
    assert not (ink & ~mask).any()


def test_holes_in_the_mask_that_are_too_small_to_show_clean_ground_are_closed() -> None:
    noise = np.random.default_rng(3).normal(0, 2.0, (160, 420, 3))
    ground = np.rint(flat(420, 160, (150, 110, 70)) + noise).astype(np.uint8)
    holes = {}
    for radius in (6, 9):
        page = ground.copy()
        for x in range(60, 340, 50):
            cv2.circle(page, (x, 80), 19, (250, 245, 235), -1, cv2.LINE_AA)
            counter = np.hypot(*(np.mgrid[0:160, 0:420] - np.array([80, x])[:, None, None])) < radius
            page[counter] = ground[counter]
        mask = mask_of(page, line(38, 58, 332, 102))
        holes[radius] = cv2.connectedComponents(cv2.bitwise_not(mask), connectivity=4)[0] - 2
    assert holes == {6: 0, 9: 6}
