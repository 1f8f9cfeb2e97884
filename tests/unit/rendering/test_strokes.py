"""The glyphs' bodies where the mask tells them badly."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.unit.rendering.posters import BLACK, Poster
from worker.rendering.colour import RGB, difference
from worker.rendering.fonts import FontSet
from worker.rendering.measured import measure_page
from worker.rendering.style import Fill, Style


def _style_of(poster: Poster) -> Style:
    regions = {region.block_id: region for region in poster.regions}
    page = measure_page(poster.rgb, poster.plate, poster.blocks, regions, [], poster.fonts)
    return page.candidates[-1].style


@pytest.mark.parametrize("colour", [(109, 46, 70), (31, 77, 43), (34, 34, 34)])
@pytest.mark.parametrize("text", ["耐磨", "约320克", "正品保证"])
def test_small_text_whose_edges_the_mask_has_for_strokes_keeps_its_colour(
    fonts: FontSet, colour: RGB, text: str
) -> None:
    poster = Poster.plain(300, 80, fonts, (247, 233, 228))
    poster.write([text], 60, 50, 20, replace(BLACK, fill=Fill(colour, colour), weight=500))
    region = poster.regions[0]
    off_ground = cv2.absdiff(poster.rgb, poster.plate).max(axis=2)[region.box.slices]
    edges = np.asarray(cv2.inRange(off_ground, 3, int(0.6 * off_ground.max())), np.uint8)
    poster.regions[0] = replace(region, strokes=edges)

    style = _style_of(poster)

    assert difference(style.fill.start, colour) <= 8
    assert style.outline is None
    assert style.shadow is None


@pytest.mark.parametrize("text", ["重量", "净含量", "耐磨", "功率"])
@pytest.mark.parametrize("weight", [400, 700])
def test_characters_of_many_strokes_are_no_bolder_than_others(fonts: FontSet, text: str, weight: int) -> None:
    poster = Poster.plain(300, 80, fonts)
    poster.write([text], 60, 50, 20, replace(BLACK, weight=weight))

    assert abs(_style_of(poster).weight - weight) <= 100
