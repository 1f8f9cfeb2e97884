from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rendering.posters import BLACK, Poster, typeset_poster
from worker.rendering.colour import RGB, contrast, difference, legible
from worker.rendering.effects import Outline, Shadow
from worker.rendering.fonts import FontSet
from worker.rendering.frame import frames_of
from worker.rendering.ink import Ink, measure_ink
from worker.rendering.lettering import measure_styles
from worker.rendering.strokes import find_bodies
from worker.rendering.style import Fill, Style, measure_appearance

_CHANNEL = st.integers(0, 255)
_COLOURS = st.tuples(_CHANNEL, _CHANNEL, _CHANNEL)


def _measured(poster: Poster) -> tuple[Style, Ink]:
    block, frame = poster.blocks[-1], frames_of(poster.blocks)[-1]
    bodies = find_bodies(poster.rgb, poster.plate, block, poster.regions[-1], frame, poster.fonts)
    ink = measure_ink(block, bodies.region, frame, poster.fonts)
    seen = measure_appearance(poster.rgb, poster.plate, block, bodies, ink, poster.fonts)
    (style,) = measure_styles([block], [bodies], [ink], [seen], poster.fonts)
    return style, ink


def _flat(colour: RGB, weight: int = 500) -> Style:
    return replace(BLACK, fill=Fill(colour, colour), weight=weight)


@pytest.mark.parametrize(
    "colour", [(94, 162, 54), (193, 57, 43), (250, 246, 233), (66, 66, 66), (10, 90, 200)]
)
@pytest.mark.parametrize("size", [16, 28, 90])
def test_the_fill_keeps_its_exact_colour(fonts: FontSet, colour: RGB, size: float) -> None:
    ground = (255, 255, 255) if colour[0] < 200 else (40, 30, 60)
    poster = Poster.plain(900, 200, fonts, ground)
    poster.write(["产品信息与参数"], 40, 130, size, _flat(colour))

    style, _ = _measured(poster)

    assert style.fill.axis == "flat"
    assert difference(style.fill.start, colour) <= 3
    assert style.ground == ground
    assert style.outline is None
    assert style.shadow is None


@pytest.mark.parametrize("size", [14, 18.5, 30, 64])
@pytest.mark.parametrize("text", ["产品信息/参数", "【品牌】：代加工方式", "每瓶22元，1000瓶", "一二三工"])
def test_the_size_is_the_font_s_not_the_box_s(fonts: FontSet, size: float, text: str) -> None:
    poster = Poster.plain(900, 160, fonts)
    poster.write([text], 40, 110, size)

    _, ink = _measured(poster)

    assert ink.size == pytest.approx(size, rel=0.05)
    assert ink.lines[0].baseline == pytest.approx(110, abs=0.5 + 0.03 * size)


@pytest.mark.parametrize("weight", [350, 500, 700, 850])
@pytest.mark.parametrize("size", [20, 36, 80])
def test_the_weight_comes_from_the_strokes(fonts: FontSet, weight: int, size: float) -> None:
    poster = Poster.plain(900, 160, fonts)
    poster.write(["适合所有肤质的人"], 40, 110, size, _flat((20, 20, 20), weight))

    style, _ = _measured(poster)

    assert style.weight == pytest.approx(weight, abs=75)


@pytest.mark.parametrize(("size", "width"), [(40, 3.0), (90, 5.0), (130, 8.0)])
def test_an_outline_is_found_with_its_width(fonts: FontSet, size: float, width: float) -> None:
    poster = Poster.plain(1000, 260, fonts, (90, 40, 200))
    styled = replace(_flat((255, 210, 60), 800), outline=Outline((40, 10, 130), width))
    poster.write(["降噪再升级"], 40, 180, size, styled)

    style, _ = _measured(poster)

    assert style.outline is not None
    assert difference(style.outline.colour, (40, 10, 130)) <= 4
    assert style.outline.width == pytest.approx(width, rel=0.3)
    assert difference(style.fill.start, (255, 210, 60)) <= 3


@pytest.mark.parametrize(
    "shadow",
    [
        Shadow((0, 0, 0), 4, 5, 4.0, 0.6),
        Shadow((90, 20, 30), 4, 4, 0.0, 1.0),
        Shadow((20, 0, 60), -3, 4, 2.0, 0.5),
    ],
)
def test_a_shadow_is_found_with_its_offset(fonts: FontSet, shadow: Shadow) -> None:
    poster = Poster.plain(900, 200, fonts, (190, 150, 110))
    poster.write(["慢下来享受冬日"], 40, 130, 60, replace(_flat((255, 250, 240), 700), shadow=shadow))

    style, _ = _measured(poster)

    assert style.outline is None
    assert style.shadow is not None
    assert style.shadow.dx == pytest.approx(shadow.dx, abs=2)
    assert style.shadow.dy == pytest.approx(shadow.dy, abs=2)
    assert (style.shadow.blur > 0) == (shadow.blur > 0)


def test_a_soft_shadow_straight_below_is_found_on_texture_that_the_plate_gets_wrong(fonts: FontSet) -> None:
    rng = np.random.default_rng(3)
    wood = np.repeat(rng.normal(0, 9, (220, 90, 1)), 10, axis=1) + np.array([150.0, 108.0, 74.0])
    poster = Poster(np.clip(wood, 0, 255).astype(np.uint8), fonts)
    shadow = Shadow((30, 14, 6), 0, 4, 4.0, 0.6)
    poster.write(["慢下来享受冬日"], 40, 130, 60, replace(_flat((255, 248, 230), 700), shadow=shadow))
    guessed = np.repeat(rng.normal(0, 9, (220, 90, 1)), 10, axis=1) + np.array([150.0, 108.0, 74.0])
    poster.plate[:] = np.clip(guessed, 0, 255).astype(np.uint8)

    style, _ = _measured(poster)

    assert style.shadow is not None
    assert abs(style.shadow.dx) <= 2
    assert abs(style.shadow.dy - 4) <= 2
    assert style.shadow.opacity == pytest.approx(0.6, abs=0.2)


def test_texture_that_the_plate_gets_wrong_is_no_shadow(fonts: FontSet) -> None:
    rng = np.random.default_rng(4)
    poster = Poster(np.clip(rng.normal(110, 18, (220, 900, 3)), 0, 255).astype(np.uint8), fonts)
    poster.write(["慢下来享受冬日"], 40, 130, 60, _flat((255, 248, 230), 700))
    poster.plate[:] = np.clip(rng.normal(110, 18, (220, 900, 3)), 0, 255).astype(np.uint8)

    style, _ = _measured(poster)

    assert (style.shadow, style.outline) == (None, None)


def test_an_outline_is_measured_where_the_ground_lets_it_be_seen(fonts: FontSet) -> None:
    poster = Poster.plain(500, 160, fonts, (250, 248, 244))
    for top in range(10, 160, 48):
        poster.plate[top : top + 18] = (46, 68, 104)
    poster.rgb[:] = poster.plate
    look = replace(_flat((192, 57, 43), 800), outline=Outline((255, 255, 255), 6.0))
    poster.write(["海军条纹"], 60, 100, 56, look)

    style, _ = _measured(poster)

    assert style.outline is not None
    assert difference(style.outline.colour, (255, 255, 255)) <= 4
    assert style.outline.width == pytest.approx(6, abs=1.5)


@pytest.mark.parametrize("axis", ["vertical", "horizontal"])
def test_a_gradient_fill_keeps_both_ends(fonts: FontSet, axis: str) -> None:
    poster = Poster.plain(900, 200, fonts, (50, 20, 120))
    fill = Fill((255, 255, 220), (255, 180, 0), axis)
    poster.write(["限时特惠活动"], 40, 140, 90, replace(BLACK, fill=fill, weight=800))

    style, _ = _measured(poster)

    assert style.fill.axis == axis
    assert difference(style.fill.start, fill.start) <= 10
    assert difference(style.fill.end, fill.end) <= 10


@pytest.mark.parametrize("slant", [-0.2, 0.0, 0.14, 0.25])
@pytest.mark.parametrize("angle", [0.0, 8.0])
def test_the_lean_is_measured(fonts: FontSet, slant: float, angle: float) -> None:
    poster = Poster.plain(700, 260, fonts)
    styled = replace(_flat((20, 20, 20), 700), slant=slant)
    poster.write(["限时特惠活动正品"], 60, 110, 50, styled, angle=angle)

    style, _ = _measured(poster)

    assert style.slant == pytest.approx(slant, abs=0.05)


def test_noise_and_jpeg_make_no_outline_and_no_shadow(fonts: FontSet) -> None:
    noise = np.random.default_rng(7).normal(0, 5, (200, 900, 3))
    ground = np.clip(np.full((200, 900, 3), 180.0) + noise, 0, 255).astype(np.uint8)
    poster = Poster(ground, fonts)
    poster.write(["洗涤说明最高温度"], 40, 130, 40, _flat((40, 40, 60)))

    style, _ = _measured(poster)

    assert (style.outline, style.shadow) == (None, None)
    assert difference(style.fill.start, (40, 40, 60)) <= 4


def test_empty_strokes_still_give_a_style(fonts: FontSet) -> None:
    poster = Poster.plain(900, 160, fonts)
    poster.write(["产品信息"], 40, 110, 40)
    region = poster.regions[0]
    poster.regions[0] = replace(region, strokes=np.zeros_like(region.strokes))

    style, ink = _measured(poster)

    assert ink.size == pytest.approx(40, rel=0.2)
    assert contrast(style.fill.start, style.ground) >= 3


@pytest.mark.parametrize("colour", [(250, 250, 250), (200, 220, 90), (255, 255, 255)])
def test_faint_text_is_moved_just_to_legible(colour: RGB) -> None:
    moved = legible(colour, (255, 255, 255))

    assert 3.0 <= contrast(moved, (255, 255, 255)) < 3.3


@pytest.mark.parametrize("colour", [(250, 220, 90), (106, 164, 69), (255, 120, 120), (120, 200, 255)])
def test_a_moved_colour_keeps_its_hue(colour: RGB) -> None:
    hues = [
        float(cv2.cvtColor(np.array([[one]], np.uint8), cv2.COLOR_RGB2HSV)[0, 0, 0])
        for one in (colour, legible(colour, (255, 255, 255)))
    ]

    assert abs(hues[0] - hues[1]) <= 8


@settings(deadline=None)
@given(colour=_COLOURS, ground=_COLOURS, least=st.floats(1, 21))
def test_legible_is_defined_for_all_colours(colour: RGB, ground: RGB, least: float) -> None:
    moved = legible(colour, ground, least)

    reachable = max(contrast((0, 0, 0), ground), contrast((255, 255, 255), ground))
    assert contrast(moved, ground) >= min(least, reachable) - 1e-6


def test_white_on_a_pale_ground_stays_white_and_gets_a_shade(fonts: FontSet) -> None:
    poster = Poster.plain(500, 120, fonts, (193, 178, 178))
    poster.write(["小晶晶母婴"], 40, 80, 40, _flat((255, 255, 255), 600))

    style, _ = _measured(poster)
    rgb = typeset_poster(poster, "샤오징징").rgb

    assert difference(style.fill.start, (255, 255, 255)) <= 2
    ink = (rgb.min(axis=2) > 250).astype(np.uint8)
    wide, narrow = (np.asarray(cv2.dilate(ink, np.ones((side, side), np.uint8))) for side in (5, 3))
    red, green, blue = np.median(rgb[(wide > 0) & (narrow == 0)], axis=0)
    assert contrast((red, green, blue), (255, 255, 255)) >= 2.7


def test_text_that_is_almost_legible_gets_hardly_any_shade(fonts: FontSet) -> None:
    poster = Poster.plain(500, 120, fonts, (254, 104, 77))  # contrast 2.9
    poster.write(["立即抢购"], 40, 80, 40, _flat((255, 255, 255), 800))

    style, _ = _measured(poster)

    assert style.fill.start == (255, 255, 255)
    assert style.shadow is not None
    assert difference(style.shadow.colour, (254, 104, 77)) <= 6


def test_legible_text_is_left_alone() -> None:
    assert legible((66, 66, 66), (255, 255, 255)) == (66, 66, 66)


def test_fill_and_outline_are_told_apart_where_the_mask_knows_no_strokes(fonts: FontSet) -> None:
    poster = Poster.plain(300, 120, fonts, (190, 140, 80))
    for left in range(0, 300, 24):
        poster.plate[:, left : left + 9] = (70, 90, 70)
    poster.rgb[:] = poster.plate
    look = replace(_flat((253, 247, 227), 700), outline=Outline((42, 51, 41), 3.5))
    poster.write(["复古百搭"], 60, 80, 34, look)
    blind = replace(poster.regions[0], strokes=np.zeros_like(poster.regions[0].strokes))
    poster.regions[0] = blind

    style, ink = _measured(poster)

    assert difference(style.fill.start, (253, 247, 227)) <= 6
    assert style.outline is not None
    assert difference(style.outline.colour, (42, 51, 41)) <= 10
    assert ink.size == pytest.approx(34, rel=0.1)
