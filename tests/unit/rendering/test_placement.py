from __future__ import annotations

import itertools
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.rendering.posters import BLACK, Poster
from worker.job import BlockStatus, Box, Region, TextBlock, TextLine, Translation
from worker.rendering.columns import split_columns
from worker.rendering.draw import draw
from worker.rendering.effects import Outline, Shadow
from worker.rendering.fonts import FontSet
from worker.rendering.style import Fill
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


def test_columns_between_walls_stay_columns(fonts: FontSet) -> None:
    poster, block, region = _balloon(("五星好评", "拜托啦啦"), fonts)
    for picture in (poster.plate, poster.rgb):
        picture[:, :88] = picture[:, 158:] = picture[:58] = picture[180:] = (120, 120, 120)
    translation = Translation(0, BlockStatus.TRANSLATED, "헤어컨디셔너세트")

    result = typeset(poster.rgb, poster.plate, [block], [region], [translation], [], fonts, "ko")

    (outcome,) = result.outcomes
    assert outcome.placed is not None
    lines = outcome.placed.lines
    assert "".join(line.text for line in lines) == "헤어컨디셔너세트"
    assert min(line.left for line in lines[:4]) > max(line.left for line in lines[4:])
    assert [line.baseline for line in lines[:4]] == [line.baseline for line in lines[4:]]
    assert outcome.placed.size >= 0.8 * 26


@pytest.mark.parametrize(
    ("text", "count", "columns"),
    [
        ("헤어컨디셔너", 1, ["헤어컨디셔너"]),
        ("올겨울은 정말 따뜻해", 2, ["올겨울은", "정말따뜻해"]),
        ("올겨울은따뜻해", 2, ["올겨울은", "따뜻해"]),
        ("아 스물네번의손길", 2, ["아스물네", "번의손길"]),
        ("정말따뜻해!좋아요", 2, ["정말따뜻해!", "좋아요"]),
        ("쿵", 3, ["쿵"]),
    ],
)
def test_words_stay_whole_where_columns_stay_even(text: str, count: int, columns: list[str]) -> None:
    assert ["".join(column) for column in split_columns(text, count)] == columns


def test_a_centred_line_that_ends_in_full_width_punctuation_is_centred(fonts: FontSet) -> None:
    poster = Poster.plain(420, 160, fonts, (120, 120, 120))
    cv2.ellipse(poster.plate, (210, 80), (150, 60), 0, 0, 360, (255, 255, 255), cv2.FILLED)
    poster.rgb[:] = poster.plate
    width = 30 * fonts.shape("好暖和呀！", "zh", 400).advance
    poster.write(["好暖和呀！"], 210 - width / 2, 91, 30)

    result = typeset(
        poster.rgb,
        poster.plate,
        poster.blocks,
        poster.regions,
        [Translation(0, BlockStatus.TRANSLATED, "따뜻해!")],
        [],
        fonts,
        "ko",
    )

    (outcome,) = result.outcomes
    assert outcome.placed is not None
    assert outcome.placed.rect.centre[0] == pytest.approx(210, abs=3)


def test_rows_of_a_list_start_at_one_edge_though_one_stands_in_the_middle_of_its_ground(
    fonts: FontSet,
) -> None:
    poster = Poster.plain(420, 260, fonts, (90, 40, 200))
    for row in range(3):
        cv2.circle(poster.plate, (70, 52 + 60 * row), 16, (255, 216, 61), cv2.FILLED)
    cv2.rectangle(poster.plate, (330, 150), (420, 260), (240, 240, 240), cv2.FILLED)
    poster.rgb[:] = poster.plate
    white = replace(BLACK, fill=Fill((255, 255, 255), (255, 255, 255)), weight=600)
    for row, text in enumerate(["深度降噪", "36小时超长续航", "IPX5级防汗防水"]):
        poster.write([text], 104, 62 + 60 * row, 28, white)
    texts = ["소음 차단", "최대 36시간 재생", "생활 방수"]
    translations = [Translation(n, BlockStatus.TRANSLATED, text) for n, text in enumerate(texts)]

    result = typeset(poster.rgb, poster.plate, poster.blocks, poster.regions, translations, [], fonts, "ko")

    lefts = [outcome.placed.rect.left for outcome in result.outcomes if outcome.placed is not None]
    assert len(lefts) == 3
    assert max(lefts) - min(lefts) <= 4


def test_twenty_blocks_are_drawn_in_25_ms(fonts: FontSet) -> None:
    poster = Poster.plain(800, 1000, fonts)
    rich = replace(
        BLACK, weight=800, outline=Outline((255, 220, 90), 2), shadow=Shadow((0, 0, 0), 2, 3, 2, 0.4)
    )
    for row in range(20):
        poster.write(["纯臻营养护发素"], 60, 60 + 46 * row, 26, rich if row % 5 == 0 else BLACK)
    translations = [
        Translation(block.id, BlockStatus.TRANSLATED, "퓨어 영양 컨디셔너") for block in poster.blocks
    ]
    result = typeset(poster.rgb, poster.plate, poster.blocks, poster.regions, translations, [], fonts, "ko")
    rounds = []
    for _ in range(7):
        started = time.thread_time()
        for outcome in result.outcomes:
            if outcome.placed is not None:
                draw(poster.plate, outcome.placed, fonts)
        rounds.append(time.thread_time() - started)

    assert len([outcome for outcome in result.outcomes if outcome.placed is not None]) == 20
    assert min(rounds) <= 0.025
