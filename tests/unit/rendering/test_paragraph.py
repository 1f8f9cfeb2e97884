from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.rendering.fonts import FontSet
from worker.rendering.paragraph import Paragraph, measure, shape_whole
from worker.rendering.segment import Strength

_TEXT = "모발 큐티클을 탄탄하게 하여 윤기를 즉시 오래 개선하고 충분한 영양을 공급합니다"


def _paragraph(fonts: FontSet, text: str, weakest: Strength = Strength.FREE) -> Paragraph:
    return measure(text, shape_whole(fonts, text, "ko", 400), "ko", weakest)


def test_more_lines_need_less_width(fonts: FontSet) -> None:
    paragraph = _paragraph(fonts, _TEXT)
    widths = [paragraph.narrowest(lines) for lines in range(1, paragraph.most_lines + 1)]

    assert widths[0] == pytest.approx(fonts.shape(_TEXT, "ko", 400).advance, abs=0.01)
    assert widths == sorted(widths, reverse=True)
    assert math.isinf(paragraph.narrowest(paragraph.most_lines + 1))


def test_the_last_line_of_a_flush_left_text_may_be_short_but_centred_lines_are_even(fonts: FontSet) -> None:
    paragraph = _paragraph(fonts, "가나다 라마바 사아자 차카타 파하가나")

    flush = paragraph.wrap(12.0, 2, balanced=False)
    even = paragraph.wrap(12.0, 2, balanced=True)

    assert flush == ("가나다 라마바 사아자 차카타", "파하가나")
    assert even == ("가나다 라마바 사아자", "차카타 파하가나")


def test_forced_line_ends_are_kept(fonts: FontSet) -> None:
    paragraph = _paragraph(fonts, "짧은 줄\n다음 줄")

    assert math.isinf(paragraph.narrowest(1))
    assert paragraph.wrap(20.0, 2, balanced=False) == ("짧은 줄", "다음 줄")


@settings(deadline=None)
@given(st.integers(1, 7), st.floats(3.0, 40.0), st.booleans())
def test_lines_fit_and_lose_nothing(lines: int, width: float, balanced: bool) -> None:
    fonts = FontSet.load()
    paragraph = _paragraph(fonts, _TEXT)
    wrapped = paragraph.wrap(width, lines, balanced)

    if paragraph.narrowest(lines) > width * (1 + 1e-9):
        assert wrapped is None
    else:
        assert wrapped is not None
        assert len(wrapped) == lines
        assert " ".join(wrapped) == _TEXT
        assert all(fonts.shape(line, "ko", 400).advance <= width + 0.02 for line in wrapped)


def test_an_orphan_makes_centred_lines_ragged(fonts: FontSet) -> None:
    orphan = _paragraph(fonts, "내\n스웨터는\n왜 아직도\n안 오지?")
    even = _paragraph(fonts, "내 스웨터는\n왜 아직도\n안 오지?")

    assert even.raggedness(9.0, 3) < 0.2 < orphan.raggedness(9.0, 4)
    assert even.raggedness(1.0, 3) == 1.0
