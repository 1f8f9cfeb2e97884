"""The mask covers the ink, all of it, and nothing that stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.imaging.pages import block_of, find_region, flat, gradient, inked, line
from worker.job import Image, Mask, Region


def on_page(mask: Mask, region: Region, page: Image) -> Mask:
    whole = np.zeros(page.shape[:2], np.uint8)
    whole[region.box.slices] = mask
    return whole


def changed(before: Image, after: Image, by: int = 2) -> Mask:
    return np.where(np.abs(after.astype(int) - before).max(axis=2) > by, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("ground", [flat(300, 120), flat(300, 120, (30, 60, 90)), gradient(300, 120)])
@pytest.mark.parametrize("scale", [0.6, 1.0, 2.0])
def test_every_pixel_of_the_ink_is_masked_and_the_ground_between_is_not(ground: Image, scale: float) -> None:
    page, text = inked(
        ground, 20, 30, "ABWQ", colour=(250, 200, 20), scale=scale, thickness=int(2 * scale) or 1
    )
    region = find_region(page, block_of(text))
    mask, ink = on_page(region.mask, region, page), changed(ground, page)
    assert not (ink & ~mask).any()
    assert np.count_nonzero(mask) < 0.9 * (np.ptp(text.polygon[:, 0]) * np.ptp(text.polygon[:, 1]))
    strokes = on_page(region.strokes, region, page)
    assert not (strokes & ~mask).any()
    assert np.abs(page[strokes > 0].astype(int) - (250, 200, 20)).max() < 70


def test_outline_and_shadow_go_with_the_glyphs() -> None:
    ground = gradient(320, 120)
    shadowed, _ = inked(ground, 24, 34, "ABWQ", colour=(10, 10, 40), scale=1.6, thickness=4)
    soft = cv2.GaussianBlur(shadowed, (0, 0), 2).astype(np.uint8)
    outlined, _ = inked(soft, 20, 30, "ABWQ", colour=(120, 0, 0), scale=1.6, thickness=9)
    page, text = inked(outlined, 20, 30, "ABWQ", colour=(255, 240, 200), scale=1.6, thickness=4)
    region = find_region(page, block_of(text))
    left_over = changed(ground, page, by=12) & ~on_page(region.mask, region, page)
    assert not left_over.any()
    strokes = on_page(region.strokes, region, page)
    assert np.abs(np.median(page[strokes > 0], axis=0) - (255, 240, 200)).max() < 12


def test_neighbours_that_stay_are_not_touched() -> None:
    page, text = inked(flat(400, 160), 20, 60)
    page, latin = inked(page, 175, 60, "LATIN")
    page, above = inked(page, 20, 32, "ABOVE")
    region = find_region(page, block_of(text), (latin, above))
    mask = on_page(region.mask, region, page)
    assert not mask[:, int(latin.polygon[0, 0]) + 1 :].any()
    assert not mask[: int(above.polygon[2, 1]) - 4].any()


def test_frames_rules_and_icons_beside_the_text_stay() -> None:
    ground = flat(300, 120)
    cv2.rectangle(ground, (10, 20), (200, 74), (200, 30, 30), 2)  # a frame around the text
    cv2.circle(ground, (225, 48), 14, (30, 30, 200), -1)  # an icon behind it
    cv2.line(ground, (0, 90), (299, 90), (0, 0, 0), 2)  # a rule across the page
    page, text = inked(ground, 20, 36)
    region = find_region(page, block_of(text))
    mask = on_page(region.mask, region, page)
    things = changed(flat(300, 120), ground)
    assert not (mask & things).any()
    assert not (changed(ground, page) & ~mask).any()


def test_where_text_and_ground_mix_the_whole_polygon_is_taken() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (120, 300, 3)).astype(np.uint8)
    region = find_region(noise, block_of(line(20, 30, 150, 60)))
    mask = on_page(region.mask, region, noise)
    assert mask[30:60, 20:150].all()
    assert not mask[70:].any()
    assert not region.strokes.any()


def test_jpeg_ripples_around_the_ink_are_wiped_too() -> None:
    page, text = inked(flat(300, 120), 20, 30, thickness=2)
    _, coded = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 60])
    page = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    region = find_region(page, block_of(text))
    outside = on_page(region.mask, region, page) == 0
    assert np.count_nonzero(np.abs(page.astype(int) - 255).max(axis=2)[outside] > 3) < 10


def test_a_page_of_one_pixel_and_a_box_as_large_as_the_page() -> None:
    tiny = find_region(flat(3, 3), block_of(line(0, 0, 3, 3)))
    assert tiny.mask.shape == (tiny.box.height, tiny.box.width)
    page, _ = inked(flat(120, 40), 4, 8, "AB")
    whole = find_region(page, block_of(line(0, 0, 120, 40)))
    assert (whole.box.left, whole.box.top, whole.box.right, whole.box.bottom) == (0, 0, 120, 40)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-20, 200), st.floats(-20, 110), st.floats(3, 200), st.floats(3, 60), st.integers(0, 2**32 - 1)
)
@example(0, -17, 3, 3, 0)
def test_masks_lie_on_the_page_and_hold_only_0_and_255(
    left: float, top: float, width: float, height: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    page = gradient(220, 130)
    page[random.integers(0, 130, 300), random.integers(0, 220, 300)] = random.integers(0, 256, (300, 3))
    region = find_region(page, block_of(line(left, top, left + width, top + height)))
    box = region.box
    assert 0 <= box.left <= box.right <= 220
    assert 0 <= box.top <= box.bottom <= 130
    for mask in (region.mask, region.strokes):
        assert mask.shape == (box.height, box.width)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}
    assert not (region.strokes & ~region.mask).any()
