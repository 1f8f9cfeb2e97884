"""Thin strokes get back the colour that a JPEG spread over their surroundings."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from tests.unit.rendering.posters import BLACK, Poster
from worker.job import Image
from worker.rendering.chroma import undiluted
from worker.rendering.colour import RGB, difference
from worker.rendering.cores import Cores
from worker.rendering.fonts import FontSet
from worker.rendering.frame import frames_of
from worker.rendering.ink import measure_ink
from worker.rendering.look import Look, look_at
from worker.rendering.strokes import find_bodies, near_line
from worker.rendering.style import Fill, measure_appearance

_WHITE: RGB = (255, 255, 255)


def jpeg(page: Image, quality: int, subsampling: int) -> Image:
    file = io.BytesIO()
    Pillow.fromarray(page).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.array(Pillow.open(file).convert("RGB"))


def printed(
    fonts: FontSet, colour: RGB, ground: RGB, size: float, quality: int = 90, subsampling: int = 2
) -> tuple[Poster, Look, Cores]:
    """A line of text on one colour, as a JPEG has it: the poster, its pixels, and what their middle shows."""
    poster = Poster.plain(560, 90, fonts, ground)
    poster.write(["每根绒纤维不足十六微米"], 20, 60, size, replace(BLACK, fill=Fill(colour, colour)))
    if quality < 100:
        poster.rgb = jpeg(poster.rgb, quality, subsampling)
    region = poster.regions[0]
    wider = np.asarray(cv2.dilate(region.mask, np.ones((7, 7), np.uint8)), np.uint8)
    poster.regions[0] = replace(region, mask=wider)
    block, frame = poster.blocks[0], frames_of(poster.blocks)[0]
    bodies = find_bodies(poster.rgb, poster.plate, block, poster.regions[0], frame, fonts)
    ink = measure_ink(block, bodies.region, frame, fonts)
    assert bodies.cores is not None
    look = look_at(poster.rgb, poster.plate, near_line(block, ink.longest, bodies.region), ink.size)
    return poster, look, bodies.cores


@pytest.mark.parametrize("size", [18, 26])
@pytest.mark.parametrize(
    ("colour", "ground"),
    [
        ((128, 112, 95), (250, 246, 239)),
        ((200, 40, 40), _WHITE),
        ((30, 110, 190), _WHITE),
        ((255, 220, 60), (90, 30, 140)),
        (_WHITE, (220, 30, 60)),
        ((231, 196, 143), (74, 51, 35)),
    ],
)
def test_hairlines_get_their_colour_back(fonts: FontSet, colour: RGB, ground: RGB, size: float) -> None:
    _, look, cores = printed(fonts, colour, ground, size)
    assert cores.hairlines
    assert difference(undiluted(look, cores.fill), colour) < 0.72 * difference(cores.fill, colour)


@pytest.mark.parametrize(("quality", "subsampling"), [(100, 0), (92, 0)])
@pytest.mark.parametrize(("colour", "ground"), [((128, 112, 95), (250, 246, 239)), ((200, 40, 40), _WHITE)])
def test_where_nothing_was_spread_nothing_changes(
    fonts: FontSet, colour: RGB, ground: RGB, quality: int, subsampling: int
) -> None:
    _, look, cores = printed(fonts, colour, ground, 22, quality, subsampling)
    assert difference(undiluted(look, cores.fill), cores.fill) <= (0 if quality == 100 else 4)


@pytest.mark.parametrize("colour", [(90, 90, 90), (0, 0, 0)])
def test_grey_stays_grey(fonts: FontSet, colour: RGB) -> None:
    _, look, cores = printed(fonts, colour, _WHITE, 20)
    assert np.ptp(undiluted(look, cores.fill)) <= 1


def test_what_else_lies_under_the_mask_is_not_mixed_in(fonts: FontSet) -> None:
    """The sum tells nothing where it points elsewhere than the strokes' own middle."""
    _, look, cores = printed(fonts, (200, 40, 40), _WHITE, 22)
    page = look.page.copy()
    page[:, : page.shape[1] // 2] = (20, 60, 200)
    assert undiluted(replace(look, page=page), cores.fill) == cores.fill


def test_a_style_is_measured_so(fonts: FontSet) -> None:
    poster, _, cores = printed(fonts, (255, 220, 60), (90, 30, 140), 20)
    block, frame = poster.blocks[0], frames_of(poster.blocks)[0]
    bodies = find_bodies(poster.rgb, poster.plate, block, poster.regions[0], frame, fonts)
    ink = measure_ink(block, bodies.region, frame, fonts)
    style = measure_appearance(poster.rgb, poster.plate, block, bodies, ink, fonts).style
    assert difference(style.fill.start, (255, 220, 60)) < 5 < difference(cores.fill, (255, 220, 60))
    assert (style.shadow, style.outline) == (None, None)


def test_thick_strokes_show_their_own_colour(fonts: FontSet) -> None:
    _, _, cores = printed(fonts, (200, 40, 40), _WHITE, 80)
    assert not cores.hairlines
    assert difference(cores.fill, (200, 40, 40)) < 4
