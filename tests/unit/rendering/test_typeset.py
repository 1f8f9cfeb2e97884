from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.rendering.posters import BLACK, Poster, typeset_poster
from worker.job import BlockStatus, Flag, Translation
from worker.rendering.effects import Outline
from worker.rendering.fonts import FontSet
from worker.rendering.style import Fill
from worker.rendering.typeset import Outcome, typeset

_FONTS = FontSet.load()
_WORDS = st.text("가나다라마바사아자차카타파하영양제품정보", min_size=1, max_size=6)
_KOREAN = st.lists(_WORDS, min_size=1, max_size=14).map(" ".join)
_HANZI = st.text("产品信息参数纯臻营养护发素适合所有肤质", min_size=2, max_size=9)


def _polygon(outcome: Outcome) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    assert outcome.polygon is not None
    return outcome.polygon


def test_a_short_translation_takes_the_source_s_place_size_and_colour(fonts: FontSet) -> None:
    poster = Poster.plain(600, 120, fonts)
    poster.write(["纯臻营养护发素"], 40, 80, 40, replace(BLACK, fill=Fill((94, 162, 54), (94, 162, 54))))

    result = typeset_poster(poster, "영양 컨디셔너")

    (outcome,) = result.outcomes
    assert outcome.placed is not None
    assert outcome.status is BlockStatus.TRANSLATED
    assert outcome.placed.size == pytest.approx(40, rel=0.05)
    assert outcome.placed.lines[0].baseline == pytest.approx(80, abs=2)
    assert outcome.placed.rect.left == pytest.approx(43, abs=3)
    assert np.abs(result.rgb.reshape(-1, 3).astype(int) - (94, 162, 54)).max(axis=1).min() <= 4


def test_neither_the_original_nor_the_plate_is_changed(fonts: FontSet) -> None:
    poster = Poster.plain(600, 120, fonts)
    poster.write(["纯臻营养护发素"], 40, 80, 40)
    original, plate = poster.rgb.copy(), poster.plate.copy()

    typeset(
        poster.rgb,
        poster.plate,
        poster.blocks,
        poster.regions,
        [Translation(0, BlockStatus.TRANSLATED, "영양")],
        [],
        fonts,
        "ko",
    )

    assert np.array_equal(poster.rgb, original)
    assert np.array_equal(poster.plate, plate)


def test_equal_source_rows_get_equal_sizes(fonts: FontSet) -> None:
    poster = Poster.plain(420, 260, fonts)
    for number, text in enumerate(["品牌名称", "产品信息参数", "适合所有肤质"]):
        poster.write([text], 40, 60 + 60 * number, 30)

    result = typeset_poster(poster, "브랜드", "제품 정보와 자세한 사양 그리고 더 긴 설명", "모든 피부")

    sizes = {outcome.placed.size for outcome in result.outcomes if outcome.placed is not None}
    assert len(sizes) == 1
    assert sizes.pop() < 30


@pytest.mark.parametrize(("left", "centred"), [(40, False), (300, True)])
def test_alignment_follows_the_source(fonts: FontSet, left: float, centred: bool) -> None:
    poster = Poster.plain(600, 300, fonts)
    poster.write(["产品信息参数纯臻", "营养护发素", "适合"], left, 80, 30, centred=centred)

    (outcome,) = typeset_poster(
        poster, "제품 정보 그리고 자세한 사양 영양 가득한 헤어 컨디셔너 모두"
    ).outcomes

    assert outcome.placed is not None
    assert len(outcome.placed.lines) > 1
    rects = [
        (line.left + shaped.left * outcome.placed.size, line.left + shaped.right * outcome.placed.size)
        for line in outcome.placed.lines
        for shaped in [fonts.shape(line.text, "ko", outcome.placed.style.weight)]
    ]
    anchors = [(low + high) / 2 if centred else low for low, high in rects]
    assert max(anchors) - min(anchors) <= 0.15 * 30


def test_growth_stops_at_a_rule_the_product_and_the_page_edge(fonts: FontSet) -> None:
    poster = Poster.plain(600, 200, fonts)
    poster.plate[:, 400:402] = (200, 30, 30)
    poster.rgb[:] = poster.plate
    poster.write(["纯臻营养"], 40, 100, 40)

    (outcome,) = typeset_poster(poster, "퓨어 영양 헤어 컨디셔너 대용량").outcomes

    assert _polygon(outcome)[:, 0].max() < 400


def test_a_kept_block_is_never_drawn_over(fonts: FontSet) -> None:
    poster = Poster.plain(600, 140, fonts)
    poster.write(["纯臻营养"], 40, 90, 36)
    kept = poster.write(["限量"], 320, 90, 36)

    (outcome,) = typeset_poster(poster, "퓨어 영양 헤어 컨디셔너 대용량", None).outcomes

    assert _polygon(outcome)[:, 0].max() <= kept.polygon[:, 0].min()


@pytest.mark.parametrize("walled", [False, True])
def test_vertical_source_becomes_horizontal_where_there_is_room_else_stacked(
    fonts: FontSet, walled: bool
) -> None:
    poster = Poster.plain(400, 400, fonts)
    if walled:
        poster.plate[:, :170] = poster.plate[:, 232:] = (30, 90, 160)
        poster.rgb[:] = poster.plate
    poster.write(["护"], 180, 120, 40)
    (block,), (region,) = poster.blocks, poster.regions
    for number, char in enumerate("发素好", start=1):
        poster.write([char], 180, 120 + 44 * number, 40)
    corners = np.concatenate([one.polygon for one in poster.blocks])
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    quad = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    line = replace(block.lines[0], polygon=quad, text="护发素好")
    joined = replace(block, lines=(line,), polygon=quad, text="护发素好", text_height=44, vertical=True)
    strokes = np.zeros(poster.rgb.shape[:2], np.uint8)
    for one in poster.regions:
        strokes[one.box.slices] |= one.strokes
    whole = replace(
        region, box=replace(region.box, left=0, top=0, right=400, bottom=400), mask=strokes, strokes=strokes
    )
    translation = Translation(0, BlockStatus.TRANSLATED, "헤어컨디셔너")

    result = typeset(poster.rgb, poster.plate, [joined], [whole], [translation], [], fonts, "ko")

    (outcome,) = result.outcomes
    assert outcome.placed is not None
    assert outcome.placed.size >= (20 if walled else 36)
    assert len(outcome.placed.lines) == (6 if walled else 1)
    assert outcome.placed.rect.centre[0] == pytest.approx((left + right) / 2, abs=6)


def test_missing_glyphs_are_left_out_and_flagged(fonts: FontSet) -> None:
    poster = Poster.plain(600, 120, fonts)
    poster.write(["纯臻营养护发素"], 40, 80, 40)

    result = typeset_poster(poster, "좋아요 😀")

    assert result.outcomes[0].missing == "😀"
    assert result.translations[0].flags == (Flag.MISSING_GLYPH,)
    assert result.translations[0].status is BlockStatus.TRANSLATED


@pytest.mark.parametrize("text", ["", "   \n", "😀😀", "\x00\u202e", "\ud800"])
def test_nothing_to_draw_brings_the_original_back(fonts: FontSet, text: str) -> None:
    poster = Poster.plain(600, 120, fonts)
    poster.write(["纯臻营养护发素"], 40, 80, 40)

    result = typeset_poster(poster, text)

    assert result.translations[0].status is BlockStatus.UNTRANSLATED
    assert result.translations[0].text is None
    assert np.array_equal(result.rgb, poster.rgb)


def test_a_text_far_too_long_is_unfit_with_its_capacity_and_the_original_back(fonts: FontSet) -> None:
    poster = Poster.plain(200, 80, fonts, (240, 240, 240))
    poster.plate[:, :30] = poster.plate[:, 130:] = (20, 90, 160)
    poster.rgb[:] = poster.plate
    poster.write(["小心"], 50, 50, 30)

    result = typeset_poster(poster, "아주 긴 번역문입니다 " * 40)

    (outcome,) = result.outcomes
    assert outcome.status is BlockStatus.UNFIT
    assert outcome.capacity is not None
    assert 2 <= outcome.capacity <= 12
    assert [each.block_id for each in result.too_long] == [0]
    assert np.array_equal(result.rgb, poster.rgb)


@pytest.mark.parametrize(
    "text",
    [
        "글",
        "가" * 500,
        "1" * 500,
        "שלום עולם",
        "مرحبا بالعالم",
        "abc אבג 가나",
        "a\ud800b",
        "👨‍👩‍👧",
        "\u200b\u200d",
        "ﷺ",
        "กขค",
        "가" * 5000,
        "a\u0300" * 200,
        "\x07\x1b[31m경고\x7f",
        "\u202e거꾸로\u202c",
        "\udc00\ud800글",
        "\n\n\n글\n\n",
        "\ufeff글\ufffe",
    ],
)
def test_strange_texts_never_raise(fonts: FontSet, text: str) -> None:
    poster = Poster.plain(160, 60, fonts)
    poster.write(["品"], 20, 40, 20)

    result = typeset_poster(poster, text)

    assert result.rgb.shape == poster.rgb.shape
    assert len(result.outcomes) == 1


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(_HANZI, _KOREAN), min_size=1, max_size=4),
    size=st.floats(12, 44),
    angle=st.sampled_from([0.0, 0.0, -9.0, 14.0]),
    outlined=st.booleans(),
)
def test_text_stays_on_its_ground(
    rows: list[tuple[str, str]], size: float, angle: float, outlined: bool
) -> None:
    poster = Poster.plain(520, 420, _FONTS)
    style = replace(BLACK, outline=Outline((200, 30, 30), 0.05 * size) if outlined else None)
    for number, (source, _) in enumerate(rows):
        poster.write([source], 90, 110 + 1.9 * size * number, size, style, angle=angle)

    result = typeset_poster(poster, *(text for _, text in rows))

    drawn = [outcome for outcome in result.outcomes if outcome.placed is not None]
    changed = (result.rgb != 255).any(axis=2).astype(np.uint8)
    allowed = np.zeros_like(changed)
    sources = {candidate.block_id: candidate.ink.size for candidate in result.measured.candidates}
    for outcome in drawn:
        assert outcome.placed is not None
        assert outcome.placed.size <= sources[outcome.block_id] + 1e-6
        assert outcome.placed.size <= size * 1.08 + 1  # the mask knows whole px only
        room, rect = outcome.placed.room.grown(0.5, 0.5), outcome.placed.rect
        assert room.left <= rect.left <= rect.right <= room.right
        assert room.top <= rect.top <= rect.bottom <= room.bottom
        grown = outcome.placed.frame.quad(outcome.placed.rect.grown(*[outcome.placed.style.margin + 2] * 2))
        cv2.fillConvexPoly(allowed, np.rint(grown).astype(np.int32), 1)
    for outcome in result.outcomes:
        if outcome.placed is None:
            box = poster.regions[outcome.block_id].box
            allowed[box.slices] = 1
    assert not (changed & (1 - allowed)).any()
    for one, two in itertools.combinations(drawn, 2):
        area, _ = cv2.intersectConvexConvex(_polygon(one), _polygon(two))
        assert area <= 4 * size
