"""Lines into blocks: what reads on is joined, what stands alone stays alone."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.imaging.pages import column, flat, line, row, turned
from worker.imaging.quads import clean_quad, frame_of
from worker.imaging.regions import group_lines
from worker.job import Image, TextLine

PAGE = flat(600, 600)


def texts(*lines: TextLine, page: Image = PAGE) -> list[str]:
    return [block.text for block in group_lines(page, lines)]


def test_a_wrapped_paragraph_is_one_block_and_a_label_starts_the_next() -> None:
    found = texts(
        row(20, 20, "【主要成分】：鲸蜡硬脂醇燕麦聚"),
        row(20, 50, "糖椰油酰胺丙基甜菜碱"),
        row(20, 80, "【主要功能】：可紧致头发磷层从而"),
        row(20, 110, "达到即时持久改善头发光泽的效果给"),
        row(20, 140, "足够的滋养"),
    )
    assert found == [
        "【主要成分】：鲸蜡硬脂醇燕麦聚糖椰油酰胺丙基甜菜碱",
        "【主要功能】：可紧致头发磷层从而达到即时持久改善头发光泽的效果给足够的滋养",
    ]


def test_rows_of_keys_and_values_stay_alone() -> None:
    rows = ["品名：纯棉单面背心套装", "货号：二三九零", "等级：一等品"]
    assert texts(*(row(20, 20 + 30 * i, text) for i, text in enumerate(rows))) == rows


def test_a_list_whose_longest_entry_reaches_the_edge_is_no_paragraph() -> None:
    rows = ["最高洗涤温度三十", "常规程序", "不可漂白", "悬挂晾干", "熨斗底板最高温度一百一十", "常规干洗"]
    assert texts(*(row(20, 20 + 24 * i, text) for i, text in enumerate(rows))) == rows


def test_an_indented_first_line_belongs_to_its_paragraph() -> None:
    found = texts(
        row(60, 20, "分开洗涤不宜长时间浸泡有"),
        row(20, 46, "钮扣或拉链的服饰先将钮扣或拉"),
        row(20, 72, "链扣好。"),
    )
    assert found == ["分开洗涤不宜长时间浸泡有钮扣或拉链的服饰先将钮扣或拉链扣好。"]


def test_table_values_stay_beside_their_keys() -> None:
    lines = [
        row(20, 20, "材质"),
        row(20, 50, "颜色"),
        row(120, 20, "聚酯纤维与天然乳胶"),
        row(120, 50, "雾霾蓝奶油白"),
    ]
    assert sorted(texts(*lines)) == sorted(one.text for one in lines)


def test_other_size_colour_or_a_rule_between_parts_lines() -> None:
    upper, lower = row(20, 20, "即时持久改善头发光泽的效果"), row(20, 50, "给干燥的头发足够的滋养吧")
    assert len(texts(upper, lower)) == 1
    assert len(texts(upper, row(20, 50, "给干燥的头发", 26))) == 2
    ruled = PAGE.copy()
    ruled[44:46] = 0
    assert len(texts(upper, lower, page=ruled)) == 2
    painted = PAGE.copy()
    painted[22:38, 30:280] = (0, 0, 0)
    painted[52:68, 30:260] = (220, 0, 0)
    assert len(texts(upper, lower, page=painted)) == 2


def test_centred_lines_of_a_bubble_join_but_not_with_latin() -> None:
    assert texts(row(100, 20, "今天天气"), row(80, 44, "真的很好啊！"), row(120, 68, "走吧")) == [
        "今天天气真的很好啊！走吧"
    ]
    assert len(texts(line(80, 20, 220, 40, "MUHE STUDIO"), row(110, 44, "温暖冬天"))) == 2


def test_vertical_columns_read_from_right_to_left() -> None:
    blocks = group_lines(
        PAGE, (column(100, 50, "到啦"), column(150, 50, "您好"), column(125, 50, "您的快递"))
    )
    assert [block.text for block in blocks] == ["您好您的快递到啦"]
    assert blocks[0].vertical
    assert blocks[0].text_height == pytest.approx(20)
    assert blocks[0].angle == pytest.approx(0)


def test_latin_lines_join_with_a_space() -> None:
    found = texts(
        line(20, 20, 320, 40, "Made of the finest cotton that"), line(20, 46, 200, 66, "we could find")
    )
    assert found == ["Made of the finest cotton that we could find"]


@pytest.mark.parametrize("degrees", [-14, -3, 6, 12])
def test_slanted_paragraphs_join_and_keep_their_angle(degrees: float) -> None:
    upper, lower = row(100, 180, "即时持久改善头发光泽的效果"), row(100, 210, "给干燥的头发")
    (block,) = group_lines(PAGE, (turned(upper, degrees), turned(lower, degrees)))
    assert block.angle == pytest.approx(degrees, abs=0.5)
    assert frame_of(block.polygon).height == pytest.approx(50, abs=1)


def test_a_word_on_end_reads_downwards() -> None:
    (block,) = group_lines(PAGE, (line(100, 100, 116, 170, "ODM OEM"),))
    assert not block.vertical
    assert block.angle == pytest.approx(90)
    assert block.text_height == pytest.approx(16)


def test_reading_order_is_rows_then_left_to_right() -> None:
    lines = (row(300, 205, "右"), row(20, 400, "下"), row(20, 200, "左"), row(20, 20, "上"))
    blocks = group_lines(PAGE, lines)
    assert [block.text for block in blocks] == ["上", "左", "右", "下"]
    assert [block.id for block in blocks] == [0, 1, 2, 3]


def test_boxes_that_hold_no_text_are_dropped() -> None:
    nothing = [
        line(700, 700, 800, 720),  # off the page
        line(50, 50, 50, 70),  # no width
        line(50, 50, 90, 50.5),  # no height
        line(50, 50, 90, 70, "  "),
        TextLine(np.full((4, 2), np.nan, np.float32), "无", 0.9),
        TextLine(np.zeros((4, 2), np.float32), "零", 0.9),
    ]
    assert group_lines(PAGE, tuple(nothing)) == ()
    assert group_lines(PAGE, ()) == ()


def test_a_box_half_off_the_page_is_clipped() -> None:
    (block,) = group_lines(PAGE, (line(-30, 590, 90, 630),))
    assert block.polygon.min() >= 0
    assert block.polygon.max() <= 600


def test_self_crossing_and_anticlockwise_quads_are_put_in_order() -> None:
    corners = [(20, 20), (140, 20), (140, 50), (20, 50)]
    expected = np.array(corners, np.float32)
    for order in ((0, 2, 1, 3), (0, 1, 3, 2), (0, 3, 2, 1), (3, 2, 1, 0)):
        quad = clean_quad(np.array([corners[i] for i in order], np.float32), 600, 600)
        assert quad is not None
        assert np.allclose(quad, expected)


def test_of_two_boxes_around_the_same_text_the_surer_stays() -> None:
    twice = (line(20, 20, 140, 44, "优惠活动", 0.7), line(22, 21, 141, 45, "优惠活动", 0.95))
    assert [block.lines[0].score for block in group_lines(PAGE, twice)] == [0.95]
    nested = (line(20, 20, 260, 44, "限时优惠活动", 0.8), line(60, 22, 120, 42, "优惠", 0.99))
    assert texts(*nested) == ["限时优惠活动"]


def test_pages_of_one_pixel_and_of_thirty_thousand_rows() -> None:
    assert group_lines(flat(1, 1), (line(0, 0, 40, 20),)) == ()
    tall = np.broadcast_to(np.uint8(255), (30_000, 40, 3))
    assert len(group_lines(tall, (row(0, 10, "上"), row(0, 29_950, "下")))) == 2


@pytest.mark.parametrize("text", ["颜色：白色", "这一行文字一直写到了栏的右边缘", "长短不一的短语"])
def test_a_column_of_thousands_of_rows_stays_fast(text: str) -> None:
    page = np.broadcast_to(np.uint8(255), (40_000, 400, 3))
    start = time.process_time()
    blocks = group_lines(page, tuple(row(20, 13 * index, text, 12) for index in range(3000)))
    assert time.process_time() - start < 10
    assert sum(len(block.lines) for block in blocks) == 3000


def test_thousands_of_boxes_stay_fast() -> None:
    random = np.random.default_rng(3)
    lines = tuple(
        row(x, y, "文字文字", 12)
        for x, y in zip(random.uniform(0, 540, 2000), random.uniform(0, 580, 2000), strict=True)
    )
    start = time.process_time()
    blocks = group_lines(PAGE, lines)
    assert time.process_time() - start < 10
    assert 0 < len(blocks) <= 2000


quads = st.lists(st.tuples(st.floats(-50, 700), st.floats(-50, 700)), min_size=4, max_size=4)


@settings(max_examples=30, deadline=None)
@given(st.lists(quads, max_size=12))
def test_any_quads_give_blocks_on_the_page_with_each_line_once(
    corners: list[list[tuple[float, float]]],
) -> None:
    lines = tuple(TextLine(np.array(quad, np.float32), f"第{i}行", 0.9) for i, quad in enumerate(corners))
    blocks = group_lines(PAGE, lines)
    members = [one.text for block in blocks for one in block.lines]
    assert len(members) == len(set(members))
    for block in blocks:
        assert -90 <= block.angle <= 90
        assert block.text_height > 0
        for one in block.lines:
            assert one.polygon.min() >= 0
            assert one.polygon.max() <= 600
