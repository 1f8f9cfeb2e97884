"""Text in a badge so tight that its surroundings tell nothing of the ground it stands on."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.posters import GROUNDS, posters
from tests.unit.imaging.pages import block_of, find_region, flat, inked
from tests.unit.imaging.test_jpeg import jpeg
from tests.unit.rendering.posters import BLACK, Poster
from worker.imaging.composite import composite
from worker.imaging.mask import find_regions
from worker.imaging.plan import Route
from worker.imaging.preprocess import prepare
from worker.imaging.regions import group_lines
from worker.job import Image
from worker.rendering.colour import RGB
from worker.rendering.fonts import FontSet
from worker.rendering.style import Fill

_RED, _LEMON, _WHITE = (220, 30, 60), (210, 253, 115), (255, 255, 255)


def badge(page: RGB, colour: RGB, text: RGB, size: int, margin: int) -> tuple[Poster, Image]:
    """A poster with text in a badge with so many px around it, and the poster without the text."""
    poster = Poster.plain(360, 140, FontSet.load(), page)
    right, bottom = 50 + 4 * size + 2 * margin, 50 + round(1.05 * size) + 2 * margin
    cv2.rectangle(poster.plate, (50, 50), (right, bottom), colour, -1)
    poster.rgb = poster.plate.copy()
    baseline = 50 + margin + round(0.88 * size)
    poster.write(["限时特惠"], 50 + margin, baseline, size, replace(BLACK, fill=Fill(text, text), weight=700))
    return poster, poster.plate


@pytest.mark.parametrize(("size", "margin"), [(48, 6), (34, 7), (26, 6)])
@pytest.mark.parametrize(
    ("page", "colour", "text"),
    [(_LEMON, _RED, _WHITE), (_WHITE, _RED, _WHITE), (_WHITE, (30, 60, 150), _WHITE)],
)
def test_a_tight_badge_stays_and_its_text_goes(
    page: RGB, colour: RGB, text: RGB, size: int, margin: int
) -> None:
    poster, plate = badge(page, colour, text, size, margin)
    after, clean = jpeg(poster.rgb, 88), jpeg(plate, 88)
    prepared = prepare(after, poster.blocks, find_regions(after, poster.blocks), (256,))
    assert prepared.routes[0] == (Route.FILL,)
    off = np.abs(composite(after, prepared.fills).astype(int) - clean).max(axis=2)
    assert np.count_nonzero(off > 40) < 0.02 * 4 * size * size


def test_two_lines_in_one_badge_have_its_colour() -> None:
    poster = Poster.plain(300, 160, FontSet.load(), _WHITE)
    cv2.rectangle(poster.plate, (40, 40), (184, 118), _RED, -1)
    poster.rgb = poster.plate.copy()
    block = poster.write(
        ["限时特惠", "买一送一"], 46, 74, 32, replace(BLACK, fill=Fill(_WHITE, _WHITE)), pitch=1.15
    )
    assert find_region(poster.rgb, block).badge == _RED


def test_text_on_what_surrounds_it_stands_on_no_badge() -> None:
    page, text = inked(flat(300, 100, _LEMON), 60, 40)
    assert find_region(page, block_of(text)).badge is None


@pytest.mark.parametrize("ground", ["noise σ 6", "stripes", "photographs", "checks, plaid, dots"])
def test_outlines_and_patterns_are_no_badges(ground: str) -> None:
    for poster in posters({ground: GROUNDS[ground]}):
        blocks = group_lines(poster.page, poster.lines)
        assert all(region.badge is None for region in find_regions(poster.page, blocks))
