"""Text in front of lights and folds: the mask takes the strokes and leaves the ground between them."""

from __future__ import annotations

import io
from itertools import islice

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from benchmarks.posters import GROUNDS, posters
from tests.unit.imaging.pages import block_of, find_region, inked
from worker.imaging.regions import group_lines
from worker.job import Image, Mask, TextLine

_CREAM, _DARK = (255, 250, 240), (24, 30, 38)


def evening(width: int, height: int, lights: int = 9, noise: float = 2.5) -> Image:
    """A dark ground with grain and large discs of light."""
    random = np.random.default_rng(5)
    page = np.full((height, width, 3), _DARK, np.float32)
    for centre in np.linspace(0, width, lights):
        disc = np.zeros((height, width), np.float32)
        cv2.circle(disc, (int(centre), int(random.integers(0, height))), int(random.integers(28, 44)), 1, -1)
        page += cv2.GaussianBlur(disc, (0, 0), 1.2)[..., None] * random.uniform(20, 80) * (1.1, 1, 0.8)
    page += random.normal(0, noise, page.shape)
    shot: Image = np.rint(page).clip(0, 255).astype(np.uint8)
    return shot


def lettered(ground: Image, colour: tuple[int, int, int] = _CREAM) -> tuple[Image, TextLine, Mask]:
    """A page, its line of text, and where that changes the ground."""
    page, text = inked(ground, 30, 50, "ABMWHQEKS", colour=colour, scale=1.7, thickness=4)
    changed = np.abs(page.astype(np.int16) - ground).max(axis=2) > 6
    return page, text, np.where(changed, 255, 0).astype(np.uint8)


def jpeg(page: Image, quality: int) -> Image:
    buffer = io.BytesIO()
    Pillow.fromarray(page).save(buffer, "JPEG", quality=quality)
    return np.asarray(Pillow.open(buffer).convert("RGB"))


def mask_of(page: Image, text: TextLine) -> Mask:
    region = find_region(page, block_of(text))
    mask = np.zeros(page.shape[:2], np.uint8)
    mask[region.box.slices] = region.mask
    return mask


def grown(mask: Mask, px: int) -> Mask:
    return np.asarray(cv2.dilate(mask, np.ones((2 * px + 1, 2 * px + 1), np.uint8)), np.uint8)


@pytest.mark.parametrize("lights", [3, 6, 9])
def test_lights_between_the_strokes_stay(lights: int) -> None:
    page, text, ink = lettered(evening(460, 150, lights))
    mask = mask_of(page, text)
    assert not np.count_nonzero(ink[mask == 0])
    assert np.count_nonzero(mask) < 1.03 * np.count_nonzero(grown(ink, 1))


def test_dark_text_on_lights_too() -> None:
    page, text, ink = lettered(255 - evening(460, 150), (15, 10, 12))
    mask = mask_of(page, text)
    assert not np.count_nonzero(ink[mask == 0])
    assert np.count_nonzero(mask) < 1.03 * np.count_nonzero(grown(ink, 1))


def test_where_jpeg_smears_the_ink_the_mask_is_wider() -> None:
    page, text, ink = lettered(evening(460, 150))
    sharp, smeared = mask_of(page, text), mask_of(jpeg(page, 60), text)
    assert np.count_nonzero(smeared) > 1.15 * np.count_nonzero(sharp)
    assert not np.count_nonzero(ink[smeared == 0])


def test_a_shadow_in_front_of_lights_goes_with_its_text() -> None:
    ground = evening(460, 150)
    glyphs, text = inked(
        np.zeros_like(ground), 30, 50, "ABMWHQEKS", colour=(255, 255, 255), scale=1.7, thickness=4
    )
    shadow = cv2.GaussianBlur(np.roll(glyphs, (3, 3), (0, 1)), (0, 0), 3)[..., :1] / 255
    page = np.rint(ground * (1 - 0.7 * shadow)).astype(np.uint8)
    page[glyphs[..., 0] > 128] = _CREAM
    mask = mask_of(page, text)
    beside = (grown(mask, 2) > 0) & (mask == 0)
    assert (ground[beside].astype(np.float32) - page[beside]).mean() < 2.5


def test_an_outline_as_dark_as_the_ground_goes_where_a_light_lies_behind_it() -> None:
    photographs = posters({"photographs": GROUNDS["photographs"]})
    poster = next(islice(photographs, 1, None))
    page = jpeg(poster.page, 88)
    block = next(one for one in group_lines(page, poster.lines) if one.text == "限时特惠中")
    mask, near = np.zeros(page.shape[:2], np.uint8), np.zeros(page.shape[:2], np.uint8)
    region = find_region(page, block)
    mask[region.box.slices] = region.mask
    cv2.fillPoly(near, [np.rint(block.polygon).astype(np.int32)], 255)
    drawn = (np.abs(poster.drawn.astype(np.int16) - poster.plate).max(axis=2) > 30) & (grown(near, 9) > 0)
    assert np.count_nonzero(drawn & (mask == 0)) < 0.005 * np.count_nonzero(drawn)
