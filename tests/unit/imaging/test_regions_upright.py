"""Vertical text as OCR engines really read it: in pieces, in short columns, between the rims of balloons."""

from __future__ import annotations

import pytest

from tests.unit.imaging.pages import column, flat, line, row
from worker.imaging.regions import group_lines
from worker.job import Image, TextLine

PAGE = flat(600, 600)


def texts(*lines: TextLine, page: Image = PAGE) -> list[str]:
    return [block.text for block in group_lines(page, lines)]


def characters(left: float, top: float, text: str, pitch: float = 22.0) -> list[TextLine]:
    """A column that was read character by character."""
    return [row(left, top + pitch * place, char) for place, char in enumerate(text)]


@pytest.mark.parametrize("short", [column(150, 50, "喂"), line(150, 50, 170, 79, "喂，")])
def test_a_column_of_one_character_belongs_to_the_one_beside_it(short: TextLine) -> None:
    (block,) = group_lines(PAGE, (short, column(125, 50, "你没事吧？")))
    assert block.text == short.text + "你没事吧？"
    assert block.vertical


def test_two_characters_in_a_box_higher_than_wide_stand_one_below_the_other() -> None:
    (block,) = group_lines(PAGE, (line(100, 100, 120, 128, "嗯。"),))
    assert block.vertical


def test_columns_read_character_by_character_are_columns() -> None:
    found = group_lines(PAGE, (*characters(150, 50, "给我"), *characters(122, 50, "站住！")))
    assert [block.text for block in found] == ["给我站住！"]
    assert [one.text for one in found[0].lines] == ["给我", "站住！"]
    assert found[0].text_height == pytest.approx(20)


def test_the_halves_of_a_column_are_one() -> None:
    halves = column(100, 50, "你变了"), column(102, 114, "很多啊")
    assert texts(*halves) == ["你变了很多啊"]
    assert texts(halves[0], column(102, 140, "很多啊")) == ["你变了", "很多啊"]
    rim = PAGE.copy()
    rim[112:114, 60:160] = 0
    assert len(texts(halves[0], column(102, 116, "很多啊"), page=rim)) == 2


def test_characters_read_one_by_one_along_a_line_are_no_columns() -> None:
    grid = [
        row(100 + 23 * x, 100 + 26 * y, char)
        for y, text in enumerate(["大小", "长短"])
        for x, char in enumerate(text)
    ]
    assert not any(block.vertical for block in group_lines(PAGE, tuple(grid)))


def test_sizes_one_below_the_other_in_a_table_stay_alone() -> None:
    assert texts(*(row(100, 100 + 40 * place, char) for place, char in enumerate("大中小"))) == [
        "大",
        "中",
        "小",
    ]


def test_a_tight_frame_above_and_below_columns_is_not_their_ground() -> None:
    page = flat(600, 600, (90, 90, 90))
    page[45:155, 95:175] = 255
    columns = column(148, 50, "没想到"), column(123, 50, "会在这里"), column(98, 50, "遇见你吗。")
    assert texts(*columns, page=page) == ["没想到会在这里遇见你吗。"]


def test_columns_whose_boxes_were_widened_by_small_readings_go_on() -> None:
    wide = line(146, 50, 174, 110, "你怎么")
    assert texts(wide, column(118, 50, "现在才来？")) == ["你怎么现在才来？"]
