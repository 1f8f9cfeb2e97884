from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.unit.rendering.posters import BLACK, Poster
from worker.rendering.effects import Outline, Shadow
from worker.rendering.fonts import FontSet
from worker.rendering.look import look_at
from worker.rendering.plain import Plain, find_plain
from worker.rendering.style import Fill, Style

_SIZE = 30.0


def _found(poster: Poster, style: Style) -> Plain | None:
    poster.write(["产品信息与参数"], 40, 60, _SIZE, style)
    return find_plain(look_at(poster.rgb, poster.plate, poster.regions[0], _SIZE), style.fill.start)


@pytest.mark.parametrize("ground", [(255, 255, 255), (246, 243, 236), (60, 43, 30)])
def test_one_ink_on_even_ground_is_plain(fonts: FontSet, ground: tuple[int, int, int]) -> None:
    fill = (240, 240, 230) if sum(ground) < 300 else (94, 30, 54)

    found = _found(Poster.plain(400, 100, fonts, ground), replace(BLACK, fill=Fill(fill, fill)))

    assert found is not None
    assert found.ground == ground


def test_jpeg_s_ringing_leaves_it_plain(fonts: FontSet) -> None:
    poster = Poster.plain(400, 100, fonts)
    poster.write(["产品信息与参数"], 40, 60, _SIZE)
    _, jpeg = cv2.imencode(".jpg", poster.rgb, [cv2.IMWRITE_JPEG_QUALITY, 75])
    rgb = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)

    assert find_plain(look_at(rgb, poster.plate, poster.regions[0], _SIZE), BLACK.fill.start) is not None


def test_its_coverage_is_that_of_the_glyphs(fonts: FontSet) -> None:
    poster = Poster.plain(400, 100, fonts)

    found = _found(poster, BLACK)

    assert found is not None
    ink = (255.0 - poster.rgb[poster.regions[0].box.slices][..., 0]) / (255 - 20)
    assert np.abs(found.coverage - ink).max() <= 0.02


@pytest.mark.parametrize(
    "style",
    [
        replace(BLACK, outline=Outline((200, 30, 40), 2.0)),
        replace(BLACK, shadow=Shadow((90, 90, 90), 2, 3, 1.0, 0.6)),
        replace(BLACK, fill=Fill((225, 225, 225), (225, 225, 225))),
    ],
    ids=["outline", "shadow", "faint"],
)
def test_what_has_more_to_it_is_not_plain(fonts: FontSet, style: Style) -> None:
    assert _found(Poster.plain(400, 100, fonts), style) is None


def test_text_of_which_nothing_is_erased_is_not_plain(fonts: FontSet) -> None:
    poster = Poster.plain(400, 100, fonts)
    poster.write(["产品信息与参数"], 40, 60, _SIZE)
    bare = replace(poster.regions[0], mask=np.zeros_like(poster.regions[0].mask))

    assert find_plain(look_at(poster.rgb, poster.plate, bare, _SIZE), (255, 255, 255)) is None


def test_text_on_uneven_ground_is_not_plain(fonts: FontSet) -> None:
    noise = np.random.default_rng(5).normal(200, 25, (100, 400, 3))

    assert _found(Poster(np.clip(noise, 0, 255).astype(np.uint8), fonts), BLACK) is None


def test_white_text_with_a_dark_outline_on_a_middling_ground_is_not_plain(fonts: FontSet) -> None:
    """On the line from ground to fill the outline lies too, but on its other side."""
    style = replace(BLACK, fill=Fill((255, 255, 255), (255, 255, 255)), outline=Outline((48, 16, 48), 2.0))

    assert _found(Poster.plain(400, 100, fonts, (100, 86, 68)), style) is None
