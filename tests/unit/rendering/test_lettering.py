from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.rendering.posters import BLACK, Poster
from worker.rendering.fonts import FontSet
from worker.rendering.frame import frames_of
from worker.rendering.ink import measure_ink
from worker.rendering.lettering import measure_styles
from worker.rendering.strokes import find_bodies
from worker.rendering.style import Fill, Style, measure_appearance


def _styles(poster: Poster) -> list[Style]:
    frames = frames_of(poster.blocks)
    sites = list(zip(poster.blocks, poster.regions, frames, strict=True))
    bodies = [find_bodies(poster.rgb, poster.plate, *site, poster.fonts) for site in sites]
    inks = [
        measure_ink(block, found.region, frame, poster.fonts)
        for (block, _, frame), found in zip(sites, bodies, strict=True)
    ]
    seen = [
        measure_appearance(poster.rgb, poster.plate, block, found, ink, poster.fonts)
        for block, found, ink in zip(poster.blocks, bodies, inks, strict=True)
    ]
    return measure_styles(poster.blocks, bodies, inks, seen, poster.fonts)


def test_texts_that_look_alike_lean_alike(fonts: FontSet) -> None:
    poster = Poster.plain(700, 300, fonts)
    leaning = replace(BLACK, weight=700, slant=0.22)
    for row, text in enumerate(["限时特惠活动正品", "适合", "尺码"]):
        poster.write([text], 60, 70 + 90 * row, 44, leaning)

    (slant,) = {style.slant for style in _styles(poster)}

    assert slant == pytest.approx(0.22, abs=0.05)


def test_texts_of_another_colour_are_told_by_themselves(fonts: FontSet) -> None:
    poster = Poster.plain(700, 200, fonts)
    poster.write(["限时特惠活动正品"], 60, 70, 44, replace(BLACK, weight=700, slant=0.22))
    red = Fill((200, 20, 30), (200, 20, 30))
    poster.write(["适合所有肤质的人"], 60, 160, 44, replace(BLACK, fill=red, weight=700))

    leaning, upright = _styles(poster)

    assert leaning.slant > 0.1
    assert upright.slant == 0.0
    assert not leaning.serif
    assert not upright.serif
