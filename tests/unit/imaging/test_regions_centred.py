"""Centred text: paragraphs whose last line is short, balloons, and what is set alike but is no one text."""

from __future__ import annotations

import pytest

from tests.unit.imaging.pages import flat, row
from worker.imaging.regions import group_lines
from worker.job import Image, TextLine

PAGE = flat(800, 600)


def texts(*lines: TextLine, page: Image = PAGE) -> list[str]:
    return [block.text for block in group_lines(page, lines)]


def centred(top: float, pitch: float, *rows: str, axis: float = 400) -> list[TextLine]:
    return [row(axis - 10 * len(text), top + pitch * place, text) for place, text in enumerate(rows)]


FULL = "采用进口天然乳胶原料", "柔软回弹不易变形为您", "带来好眠"


@pytest.mark.parametrize("pitch", [26, 32, 38])
@pytest.mark.parametrize("rows", [FULL, FULL[1:], (FULL[0], *FULL)])
def test_a_centred_paragraph_keeps_its_short_last_line(rows: tuple[str, ...], pitch: float) -> None:
    assert texts(*centred(20, pitch, *rows)) == ["".join(rows)]


def test_lines_broken_by_sense_go_on_after_a_comma() -> None:
    assert texts(*centred(20, 38, "柔软亲肤的面料，", "给宝宝最温柔的呵护")) == [
        "柔软亲肤的面料，给宝宝最温柔的呵护"
    ]
    assert texts(row(20, 20, "三年后，"), row(20, 50, "帝都郊外。")) == ["三年后，帝都郊外。"]


@pytest.mark.parametrize("rows", [("老板再来", "一碗牛肉面！"), ("原来你就是", "传说中的那个", "天才少年啊")])
def test_lines_of_nearly_one_length_are_centred_where_their_middles_agree(rows: tuple[str, ...]) -> None:
    assert texts(*centred(20, 26, *rows)) == ["".join(rows)]


def test_a_sentence_that_ends_does_not_end_a_balloon() -> None:
    assert texts(*centred(20, 26, "你怎么现在才来？", "大家都等急了！")) == ["你怎么现在才来？大家都等急了！"]


def test_a_heading_as_large_as_its_centred_text_stays_alone() -> None:
    found = texts(*centred(20, 0, "匠心工艺"), *centred(50, 30, *FULL))
    assert found == ["匠心工艺", "".join(FULL)]


def test_a_centred_list_stays_a_list() -> None:
    rows = "防水防污", "耐磨抗皱耐清洗", "轻便易携带"
    assert texts(*centred(20, 38, *rows)) == list(rows)


def test_centred_cells_far_from_their_keys_stay_alone() -> None:
    keys, values = ("颜色", "产地", "规格"), ("雾霾蓝", "浙江省杭州市", "六十乘四十")
    cells = [*centred(20, 30, *keys, axis=200), *centred(20, 30, *values, axis=440)]
    assert sorted(texts(*cells)) == sorted((*keys, *values))


def test_a_balloon_level_with_another_is_no_table() -> None:
    page = flat(800, 600, (120, 60, 160))
    page[10:120, 60:240] = page[10:120, 320:560] = 255
    balloons = [
        *centred(26, 26, "太好", "了！！", axis=150),
        *centred(26, 26, "既然你都这么说了", "那我就", "答应你吧", axis=440),
    ]
    assert texts(*balloons, page=page) == ["太好了！！", "既然你都这么说了那我就答应你吧"]
