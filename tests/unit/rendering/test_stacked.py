"""Characters one below the other: their forms, the space between words, and which texts never stand so."""

from __future__ import annotations

import itertools

import pytest

from tests.unit.rendering.posters import Poster, balloon
from worker.job import BlockStatus, Translation
from worker.rendering.columns import split_columns
from worker.rendering.fonts import FontSet
from worker.rendering.layout import PlacedBlock
from worker.rendering.typeset import typeset


def placed(text: str, fonts: FontSet, language: str) -> PlacedBlock:
    """The text set where two columns of four stood between walls."""
    poster, block, region = balloon(("五星好评", "拜托啦啦"), fonts, walled=True)
    told = Translation(0, BlockStatus.TRANSLATED, text)
    result = typeset(poster.rgb, poster.plate, [block], [region], [told], [], fonts, language)
    (outcome,) = result.outcomes
    assert outcome.placed is not None
    return outcome.placed


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("말도 안 돼……", ["말", "도", "안", "돼", "︙"]),
        ("설마...", ["설", "마", "︙"]),
        ("뭐라고?!", ["뭐", "라", "고", "?!"]),
        ("네, 사부님.", ["네", "︑", "사", "부", "님", "︒"]),
        ("약 3.5배", ["약", "3", ".", "5", "배"]),
        ("한편—", ["한", "편", "︱"]),
    ],
)
def test_punctuation_takes_its_vertical_form(text: str, cells: list[str]) -> None:
    assert list(*split_columns(text, 1)) == cells


def test_words_of_a_column_stand_apart(fonts: FontSet) -> None:
    block = placed("아주 헤어컨디셔너", fonts, "ko")
    assert "".join(line.text for line in block.lines) == "아주헤어컨디셔너"
    first = [line.baseline for line in block.lines[:4]]
    steps = [(after - before) / block.size for before, after in itertools.pairwise(first)]
    assert steps[0] == pytest.approx(steps[2])
    assert steps[1] == pytest.approx(steps[0] + 0.35, abs=0.01)
    assert block.rect.top >= block.room.top - 0.5
    assert block.rect.bottom <= block.room.bottom + 0.5


@pytest.mark.parametrize(
    ("text", "language"), [("Understandable", "en"), ("Замечательно", "ru"), ("Không thể nào", "vi")]
)
def test_letters_of_an_alphabet_are_neither_stacked_nor_cut(fonts: FontSet, text: str, language: str) -> None:
    assert " ".join(line.text for line in placed(text, fonts, language).lines) == text


def test_a_paragraph_that_may_grow_is_no_wider_than_it_must_be(fonts: FontSet) -> None:
    poster = Poster.plain(700, 200, fonts)
    poster.write(["一杯热茶一本旧书", "一件舒服的毛衣吧"], 60, 80, 24, pitch=1.5)
    told = Translation(
        0, BlockStatus.TRANSLATED, "따뜻한 차 한 잔, 오래된 책 한 권, 그리고 포근한 스웨터 한 벌"
    )
    result = typeset(poster.rgb, poster.plate, poster.blocks, poster.regions, [told], [], fonts, "ko")
    (outcome,) = result.outcomes
    assert outcome.placed is not None
    first, second = (line.text for line in outcome.placed.lines)
    assert abs(len(first) - len(second)) <= 4
