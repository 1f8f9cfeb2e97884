"""What a JPEG makes of text on one colour goes with the text: ripples, tints, blocks that lie a level off."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.unit.rendering.posters import BLACK, Poster
from worker.imaging.composite import composite
from worker.imaging.mask import find_regions
from worker.imaging.plan import Route
from worker.imaging.preprocess import prepare
from worker.job import Image
from worker.rendering.colour import RGB
from worker.rendering.fonts import FontSet
from worker.rendering.style import Fill

_LUMA = np.array([0.299, 0.587, 0.114])


def jpeg(page: Image, quality: int) -> Image:
    file = io.BytesIO()
    Pillow.fromarray(page).save(file, "JPEG", quality=quality, subsampling=2)
    return np.array(Pillow.open(file).convert("RGB"))


def erased(poster: Poster, page: Image) -> tuple[Image, set[Route]]:
    """A page without its text, if it takes no network, and the routes."""
    blocks = poster.blocks
    prepared = prepare(page, blocks, find_regions(page, blocks), (256,))
    return composite(page, prepared.fills), {route for lines in prepared.routes.values() for route in lines}


@pytest.mark.parametrize(
    ("colour", "ground", "weight", "quality"),
    [((128, 112, 95), (250, 246, 239), 400, 90), ((20, 20, 20), (255, 230, 0), 700, 75)],
)
def test_a_block_that_lies_a_level_off_is_no_texture(
    colour: RGB, ground: RGB, weight: int, quality: int
) -> None:
    poster = Poster.plain(560, 100, FontSet.load(), ground)
    style = replace(BLACK, fill=Fill(colour, colour), weight=weight)
    poster.write(["每根绒纤维不足十六微米，轻盈如"], 20, 65, 18, style)
    page, clean = jpeg(poster.rgb, quality), jpeg(poster.plate, quality)
    after, routes = erased(poster, page)
    assert routes == {Route.FILL}
    assert np.abs((after.astype(int) - clean) @ _LUMA).max() <= 20


@pytest.mark.parametrize(
    ("colour", "ground", "quality"),
    [((220, 30, 30), (255, 220, 40), 70), ((255, 220, 40), (200, 20, 30), 75)],
)
def test_ripples_that_fill_the_whole_line_leave_no_frame_of_specks(
    colour: RGB, ground: RGB, quality: int
) -> None:
    poster = Poster.plain(300, 160, FontSet.load(), ground)
    style = replace(BLACK, fill=Fill(colour, colour), weight=700)
    poster.write(["全国包邮"], 35, 73, 24, style)
    poster.write(["七天无理由退换"], 59, 108, 24, style)
    page, clean = jpeg(poster.rgb, quality), jpeg(poster.plate, quality)
    after, routes = erased(poster, page)
    assert routes == {Route.FILL}
    off = np.abs((after.astype(int) - clean) @ _LUMA)
    before = np.abs((page.astype(int) - clean) @ _LUMA)
    assert np.count_nonzero(off > 8) < 0.01 * np.count_nonzero(before > 8)
