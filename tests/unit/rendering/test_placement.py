from __future__ import annotations

import itertools

import cv2
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.rendering.posters import Poster
from worker.job import BlockStatus, Box, Region, TextBlock, TextLine, Translation
from worker.rendering.fonts import FontSet
from worker.rendering.typeset import typeset

_FONTS = FontSet.load()


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.floats(11, 30),
    pitch=st.floats(0.95, 1.4),
    angle=st.sampled_from([0.0, 6.0, -11.0]),
    longer=st.integers(0, 6),
)
def test_a_text_about_as_long_as_its_source_is_always_set(
    size: float, pitch: float, angle: float, longer: int
) -> None:
    poster = Poster.plain(420, 300, _FONTS)
    for row, column in itertools.product(range(3), range(2)):
        left, baseline = 60 + 8.5 * size * column, 90 + pitch * size * row
        poster.write(["纯臻营养护发素"], left, baseline, size, angle=angle)

    translations = [
        Translation(block.id, BlockStatus.TRANSLATED, "퓨어 영양 컨디셔너" + "가" * longer)
        for block in poster.blocks
    ]

    result = typeset(poster.rgb, poster.plate, poster.blocks, poster.regions, translations, [], _FONTS, "ko")

    assert {outcome.status for outcome in result.outcomes} == {BlockStatus.TRANSLATED}


def _balloon(text: tuple[str, ...], fonts: FontSet) -> tuple[Poster, TextBlock, Region]:
    """Vertical columns in a white balloon on grey."""
    poster = Poster.plain(240, 240, fonts, (120, 120, 120))
    cv2.ellipse(poster.plate, (120, 120), (70, 90), 0, 0, 360, (255, 255, 255), cv2.FILLED)
    poster.rgb[:] = poster.plate
    lines = []
    strokes = np.zeros(poster.rgb.shape[:2], np.uint8)
    for number, column in enumerate(text):
        left = 126 - 34 * number
        for row, char in enumerate(column):
            poster.write([char], left, 88 + 27 * row, 26)
        quad = np.array(
            [(left, 63), (left + 28, 63), (left + 28, 174), (left, 174)],
            np.float32,
        )
        lines.append(TextLine(quad, column, 0.99))
    for region in poster.regions:
        strokes[region.box.slices] |= region.strokes
    hull = np.array([(92, 63), (154, 63), (154, 174), (92, 174)], np.float32)
    block = TextBlock(0, tuple(lines), "".join(text), hull, 0.0, 28, vertical=True)
    return poster, block, Region(0, Box(0, 0, 240, 240), strokes, strokes)


def test_a_balloon_s_free_ground_is_used_and_its_lines_are_even(fonts: FontSet) -> None:
    poster, block, region = _balloon(("五星好评", "拜托啦啦"), fonts)
    translation = Translation(0, BlockStatus.TRANSLATED, "내 스웨터는 왜 아직도 안 오지?")

    result = typeset(poster.rgb, poster.plate, [block], [region], [translation], [], fonts, "ko")

    (outcome,) = result.outcomes
    assert outcome.placed is not None
    assert [line.text for line in outcome.placed.lines] == ["내 스웨터는", "왜 아직도", "안 오지?"]
    assert outcome.placed.size >= 0.8 * 26
    assert outcome.placed.rect.width > 100
