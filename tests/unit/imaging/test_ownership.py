"""Whose ink it is where boxes overlap: text that stays keeps all of its own, and so does an erased line."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from tests.unit.imaging.pages import block_of, find_region, flat, line
from worker.imaging.mask import find_regions
from worker.job import Image, Mask, TextLine

_GROUND = (236, 232, 224)
Box = tuple[float, float, float, float]


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    payload = files("manimgx_fonts_cjk").joinpath("NotoSansCJK-VF.otf.ttc").read_bytes()
    face = ImageFont.truetype(BytesIO(payload), size)
    face.set_variation_by_axes([500])
    return face


def written(page: Image, text: str, left: float, top: float, size: int, colour: str) -> tuple[Image, Box]:
    """Text whose ink begins at a place, and the ink's box."""
    picture = Pillow.fromarray(page)
    x0, y0, x1, y1 = font(size).getbbox(text)
    ImageDraw.Draw(picture).text((left - x0, top - y0), text, fill=colour, font=font(size))
    return np.asarray(picture), (left, top, left + x1 - x0, top + y1 - y0)


def ink_of(page: Image, by: int = 12) -> Mask:
    return np.where(np.abs(page.astype(int) - _GROUND).max(axis=2) > by, 255, 0).astype(np.uint8)


def mask_of(page: Image, text: TextLine, *others: TextLine) -> Mask:
    region = find_region(page, block_of(text), others)
    whole = np.zeros(page.shape[:2], np.uint8)
    whole[region.box.slices] = region.mask
    return whole


def lost(mask: Mask, stays: Mask) -> float:
    """Share of the ink that stays which is masked."""
    return np.count_nonzero(mask & stays) / np.count_nonzero(stays)


#: Where the text that stays begins, in sizes from the erased line's top left; and by how much of its size the
#: erased line's box is too large to the left, top, right and bottom.
_PLACES = {
    "below": ((0.3, 1.05), (0.1, 0.1, 0.1, 0.65)),
    "above": ((0.3, -0.95), (0.1, 0.65, 0.1, 0.1)),
    "right": ((6.2, 0.1), (0.1, 0.1, 0.9, 0.1)),
    "left": ((-3.1, 0.1), (0.9, 0.1, 0.1, 0.1)),
    "inside": ((0.3, 1.12), (0.1, 0.1, 0.1, 1.2)),
}


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("size", [16, 28, 64])
@pytest.mark.parametrize("colour", ["#202020", "#c03020"])
def test_latin_that_stays_keeps_its_ink_where_the_boxes_overlap(place: str, size: int, colour: str) -> None:
    (right, down), grown = _PLACES[place]
    blank, left, top = flat(12 * size, 6 * size, _GROUND), 4 * size, 2 * size
    own, (x0, y0, x1, y1) = written(blank, "纯棉单面背心", left, top, size, "#202020")
    kept, box = written(blank, "filMjp8", left + right * size, top + down * size, round(0.8 * size), colour)
    page = np.minimum(own, kept)
    text = line(x0 - grown[0] * size, y0 - grown[1] * size, x1 + grown[2] * size, y1 + grown[3] * size)
    pad = 0.08 * size
    latin = line(box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad, "filMjp8")
    mask = mask_of(page, text, latin)
    assert lost(mask, ink_of(kept)) < 0.01
    assert not (ink_of(own) & ~mask & ~ink_of(kept)).any()


@pytest.mark.parametrize("size", [20, 30, 48])
@pytest.mark.parametrize("too_high", ["upper", "lower"])
@pytest.mark.parametrize("colour", ["#202020", "#208040"])
def test_characters_of_two_erased_lines_stay_whole_where_their_boxes_overlap(
    size: int, too_high: str, colour: str
) -> None:
    blank, left, top = flat(12 * size, 6 * size, _GROUND), 2 * size, 2 * size
    upper, (x0, y0, x1, y1) = written(blank, "纯棉单面背心", left, top, size, "#202020")
    lower, (u0, v0, u1, v1) = written(blank, "品名等级成份", left, y1 + 0.2 * size, size, colour)
    page = np.minimum(upper, lower)
    down, up = (size / 2, 0.0) if too_high == "upper" else (0.0, size / 2)
    one = block_of(line(x0 - 2, y0 - 2, x1 + 2, y1 + 2 + down))
    two = block_of(line(u0 - 2, v0 - 2 - up, u1 + 2, v1 + 2), number=1)
    masks = np.zeros((2, *page.shape[:2]), np.uint8)
    for mask, region in zip(masks, find_regions(page, [one, two]), strict=True):
        mask[region.box.slices] = region.mask
    assert lost(masks[1], ink_of(upper)) < 0.02
    assert lost(masks[0], ink_of(lower)) < 0.02
    assert not (ink_of(page) & ~masks.max(axis=0)).any()


def test_what_has_run_together_is_parted_by_its_colours() -> None:
    blank = flat(420, 200, _GROUND)
    own, (x0, y0, x1, y1) = written(blank, "纯棉单面背心", 60, 60, 40, "#181818")
    kept, box = written(blank, "BRANDNAME", 66, y1 - 3, 34, "#d02010")
    page = np.minimum(own, kept)
    latin = line(box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2, "BRANDNAME")
    mask = mask_of(page, line(x0 - 3, y0 - 3, x1 + 3, y1 + 8), latin)
    clear = cv2.dilate(ink_of(own), np.ones((5, 5), np.uint8)) == 0  # away from the seam
    assert lost(mask, np.where(clear, ink_of(kept), 0).astype(np.uint8)) < 0.02


def test_unread_letters_of_the_other_tone_that_lie_across_the_line_stay() -> None:
    ground = flat(420, 160, (150, 145, 155))
    below, (_, y0, _, _) = written(ground, "shop.taobao.com", 10, 74, 36, "#ffffff")
    page, (x0, top, x1, bottom) = written(below, "纯棉单面背心套", 120, 52, 34, "#101010")
    assert y0 < bottom - 6
    mask = mask_of(page, line(x0 - 2, top - 2, x1 + 2, bottom + 2))
    white = np.where(page.min(axis=2) > 235, 255, 0).astype(np.uint8)
    assert lost(mask, white) < 0.12
    ink = np.where(page.max(axis=2) < 60, 255, 0).astype(np.uint8)
    assert not (ink & ~mask).any()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(14, 48),
    st.floats(-3.0, 6.5),
    st.sampled_from([-1.05, 1.12]),
    st.floats(0.0, 0.7),
    st.floats(0.4, 1.0),
)
@example(41, 0.0, -1.05, 0.5, 0.5)  # thin strokes are fainter than thick ones of one colour
@example(37, 3.1875, 1.12, 0.55, 0.576)  # all that leaves the erased line's box are soft edges
def test_text_that_stays_above_or_below_is_never_cut(
    size: int, right: float, down: float, too_large: float, scale: float
) -> None:
    blank, left, top = flat(14 * size, 6 * size, _GROUND), 4 * size, 2 * size
    own, (x0, y0, x1, y1) = written(blank, "品名等级成份", left, top, size, "#202020")
    small = max(9, round(scale * size))
    place = top + down * size if down > 0 else y0 - 0.15 * size - small
    kept, box = written(blank, "B2390 Mix", left + right * size, place, small, "#202020")
    page = np.minimum(own, kept)
    text = line(x0 - 1, y0 - (too_large * size if down < 0 else 1), x1 + 1, y1 + max(too_large * size, 1))
    latin = line(box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1, "B2390 Mix")
    mask = mask_of(page, text, latin)
    assert lost(mask, ink_of(kept)) < 0.02
