from __future__ import annotations

import itertools
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.rendering.posters import BLACK, Poster, balloon, typeset_poster
from worker.job import BlockStatus, Image, Translation
from worker.rendering.columns import split_columns
from worker.rendering.draw import draw
from worker.rendering.effects import Outline, Shadow
from worker.rendering.fonts import FontSet
from worker.rendering.style import Fill, Style
from worker.rendering.typeset import typeset

_FONTS = FontSet.load()


def _flat(colour: tuple[int, int, int], weight: int) -> Style:
    return replace(BLACK, fill=Fill(colour, colour), weight=weight)


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


def test_a_balloon_s_free_ground_is_used_and_its_lines_are_even(fonts: FontSet) -> None:
    poster, block, region = balloon(("五星好评", "拜托啦啦"), fonts)
    translation = Translation(0, BlockStatus.TRANSLATED, "내 스웨터는 왜 아직도 안 오지?")

    result = typeset(poster.rgb, poster.plate, [block], [region], [translation], [], fonts, "ko")

    (outcome,) = result.outcomes
    assert outcome.placed is not None
    assert [line.text for line in outcome.placed.lines] == ["내 스웨터는", "왜 아직도", "안 오지?"]
    assert outcome.placed.size >= 0.8 * 26
    assert outcome.placed.rect.width > 100


def test_columns_between_walls_stay_columns(fonts: FontSet) -> None:
    poster, block, region = balloon(("五星好评", "拜托啦啦"), fonts, walled=True)
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


def test_a_badge_s_text_grows_where_its_ring_is_wide(fonts: FontSet) -> None:
    poster = Poster.plain(300, 300, fonts, (254, 223, 70))
    cv2.circle(poster.plate, (150, 150), 104, (200, 120, 20), 2, cv2.LINE_AA)
    poster.rgb[:] = poster.plate
    poster.write(["到手价"], 150, 110, 34, replace(BLACK, weight=700), centred=True)

    (outcome,) = typeset_poster(poster, "최종 혜택가").outcomes

    assert outcome.placed is not None
    assert outcome.placed.size >= 0.8 * 34
    corners = outcome.placed.body - (150, 150)
    assert np.linalg.norm(corners, axis=1).max() <= 104


def _plaid(width: int, height: int) -> Image:
    """Bands of two colours across and down."""
    page = np.full((height, width, 3), (188, 142, 88), np.uint8)
    page[:, (np.arange(width) // 36) % 2 == 0] = (60, 84, 66)
    page[(np.arange(height) // 24) % 3 == 0] = (96, 70, 48)
    return page


def test_outlined_text_grows_over_the_pattern_that_it_stands_on(fonts: FontSet) -> None:
    poster = Poster(_plaid(500, 140), fonts)
    style = replace(_flat((253, 247, 227), 700), outline=Outline((24, 30, 26), 3.0))
    poster.write(["复古"], 250, 84, 36, style, centred=True)

    (outcome,) = typeset_poster(poster, "빈티지 룩").outcomes

    assert outcome.placed is not None
    assert outcome.placed.size >= 0.9 * 36


def test_outlined_text_does_not_grow_over_what_is_not_of_its_pattern(fonts: FontSet) -> None:
    poster = Poster(_plaid(500, 140), fonts)
    poster.plate[:, :200] = poster.plate[:, 300:] = (240, 240, 250)
    poster.rgb[:] = poster.plate
    style = replace(_flat((253, 247, 227), 700), outline=Outline((24, 30, 26), 3.0))
    poster.write(["复古"], 250, 84, 36, style, centred=True)

    (outcome,) = typeset_poster(poster, "빈티지 룩").outcomes

    assert outcome.placed is not None
    assert outcome.placed.body[:, 0].min() >= 200
    assert outcome.placed.body[:, 0].max() <= 300


@pytest.mark.parametrize("pitch", [1.2, 1.5, 2.0])
def test_lines_keep_the_source_s_distance(fonts: FontSet, pitch: float) -> None:
    poster = Poster.plain(600, 300, fonts)
    poster.write(["产品信息参数纯臻", "营养护发素适合所"], 40, 80, 30, pitch=pitch)

    (outcome,) = typeset_poster(poster, "제품 정보 그리고 자세한 사양 영양 컨디셔너").outcomes

    assert outcome.placed is not None
    first, second = (line.baseline for line in outcome.placed.lines[:2])
    assert second - first == pytest.approx(30 * pitch, abs=2)


def test_captions_under_a_row_of_pictures_stay_centred_under_them(fonts: FontSet) -> None:
    poster = Poster.plain(700, 160, fonts, (60, 40, 28))
    middles = (120, 270, 420, 570)
    for middle in middles:
        cv2.circle(poster.plate, (middle, 50), 36, (230, 190, 130), 2, cv2.LINE_AA)
    poster.rgb[:] = poster.plate
    for middle, text in zip(middles, ["冷水手洗", "平铺晾干", "低温熨烫", "不可漂白"], strict=True):
        poster.write([text], middle, 130, 26, _flat((248, 230, 207), 500), centred=True)

    outcomes = typeset_poster(poster, "찬물 손세탁", "뉘어서 건조", "저온 다림질", "표백 금지").outcomes

    centres = [outcome.placed.rect.centre[0] for outcome in outcomes if outcome.placed is not None]
    assert centres == pytest.approx(middles, abs=2)


def test_a_motif_under_the_text_does_not_open_the_ground_beside_it(fonts: FontSet) -> None:
    cloth = np.random.default_rng(5).normal(184, 4, (200, 520, 3))
    poster = Poster(np.clip(cloth, 0, 255).astype(np.uint8), fonts)
    cv2.rectangle(poster.plate, (130, 40), (180, 74), (130, 20, 50), cv2.FILLED)
    cv2.putText(poster.plate, "shop.example.com", (60, 140), cv2.FONT_HERSHEY_DUPLEX, 1, (250, 250, 250), 2)
    poster.rgb[:] = poster.plate  # no OCR engine has read the shop's address
    poster.plate[:, 300:] = poster.rgb[:, 300:] = (20, 60, 90)
    poster.write(["小晶晶母婴"], 90, 90, 38, _flat((255, 255, 255), 500))

    (outcome,) = typeset_poster(poster, "샤오징징 육아용품").outcomes

    assert outcome.placed is not None
    assert outcome.placed.body[:, 1].max() < 118


def test_captions_that_grow_towards_one_another_keep_a_word_s_space(fonts: FontSet) -> None:
    poster = Poster.plain(750, 120, fonts)
    for place, text in enumerate(("耐磨", "快充", "静音", "抗菌")):
        colour, size = ((200, 30, 40), 18.9) if place == 1 else ((20, 20, 20), 21.0)
        poster.write([text], 90 + 110 * place, 70, size, _flat(colour, 500), centred=True)
    texts = ["친환경 소재 사용", "30W 고속 충전 지원", "마모에 강함", "초저소음 설계"]

    placed = [outcome.placed for outcome in typeset_poster(poster, *texts).outcomes]

    rects = sorted((each.rect for each in placed if each is not None), key=lambda rect: rect.left)
    assert len(rects) == 4
    assert min(after.left - before.right for before, after in itertools.pairwise(rects)) >= 5
