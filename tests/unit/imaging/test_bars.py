"""Text on a translucent bar across a picture: what lies beyond the bar tells nothing of its ground."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.bench_legibility import telea
from tests.unit.imaging.test_jpeg import jpeg
from tests.unit.rendering.posters import BLACK, Poster
from worker.imaging.composite import composite
from worker.imaging.mask import find_regions
from worker.imaging.postprocess import restore
from worker.imaging.preprocess import prepare
from worker.job import Image, Mask
from worker.rendering.fonts import FontSet
from worker.rendering.style import Fill

_WHITE = (255, 255, 255)
_SIZE, _LEFT, _TOP = 44, 100, 110


def picture() -> Image:
    """Cardboard, and on it a bright label with rows of print."""
    made = np.full((320, 560, 3), (120, 78, 42), np.uint8)
    made[:, 130:] = (205, 203, 210)
    for top in range(20, 320, 36):
        cv2.putText(made, "WASH AT 30 C  " * 3, (150, top), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (60, 58, 66), 2)
    return np.asarray(cv2.GaussianBlur(made, (0, 0), 1.2), np.uint8)


def captioned(strength: float, text: str) -> tuple[Poster, Image, Image]:
    """A poster with white text on a dark bar that lets some of the picture through; with and without text."""
    poster = Poster.plain(560, 320, FontSet.load(), _WHITE)
    plate = picture().astype(float)
    plate[_TOP - 18 : _TOP + _SIZE + 18] *= 1 - strength
    poster.plate = np.rint(plate).astype(np.uint8)
    poster.rgb = poster.plate.copy()
    style = replace(BLACK, fill=Fill(_WHITE, _WHITE), weight=500)
    poster.write([text], _LEFT, _TOP + round(0.88 * _SIZE), _SIZE, style)
    return poster, jpeg(poster.rgb, 95), jpeg(poster.plate, 95)


def masked(poster: Poster, page: Image) -> Mask:
    mask = np.zeros(page.shape[:2], np.uint8)
    for region in find_regions(page, poster.blocks):
        mask[region.box.slices] |= region.mask
    return mask


def filled(poster: Poster, page: Image) -> Image:
    """The page erased, with Telea's method for the network's."""
    prepared = prepare(page, poster.blocks, find_regions(page, poster.blocks), (256, 512))
    tiles = [prepared.tiles.cut(window) for window in prepared.tiles.windows]
    made = [restore(tile, telea(tile.image, tile.mask)) for tile in tiles]
    return composite(page, [*prepared.fills, *(patch for patches in made for patch in patches)])


@pytest.mark.parametrize("text", ["真皮材质品质保证", "全国包邮", "限时特惠"])
@pytest.mark.parametrize("strength", [0.7, 0.8, 0.85])
def test_all_of_the_text_goes_and_nothing_from_beside_the_bar_comes(strength: float, text: str) -> None:
    poster, page, plate = captioned(strength, text)
    ink = np.abs(page.astype(int) - plate).max(axis=2) > 40
    mask = masked(poster, page)
    assert not (ink & (mask == 0)).any()
    ours, theirs = (
        np.abs(made.astype(float) - plate)[mask > 0].mean()
        for made in (filled(poster, page), telea(page, mask))
    )
    assert ours <= 1.2 * theirs
