"""Small signs below a vertical column that the OCR did not read belong to it; anything else does not."""

from __future__ import annotations

import cv2
import pytest

from tests.unit.imaging.pages import column, flat, line
from worker.imaging.regions import group_lines
from worker.job import Image, TextLine

LEFT, TOP, SIZE, ENDS = 100, 50, 24, 50 + 4 * 24


def page_with_a_column() -> tuple[Image, TextLine]:
    page = flat(300, 300)
    for place in range(4):
        top = TOP + SIZE * place
        page[top + 3 : top + 6, LEFT + 2 : LEFT + 22] = page[top + 10 : top + 22, LEFT + 10 : LEFT + 14] = 0
    return page, column(LEFT, TOP, "我来晚了", SIZE)


def bottom(page: Image, *lines: TextLine) -> float:
    return float(group_lines(page, lines)[0].polygon[:, 1].max())


def test_a_stop_below_a_column_is_erased_with_it() -> None:
    page, text = page_with_a_column()
    cv2.circle(page, (LEFT + 16, ENDS + 8), 3, (0, 0, 0), 2)
    assert bottom(page, text) == pytest.approx(ENDS + 13, abs=2)


def test_so_are_six_dots() -> None:
    page, text = page_with_a_column()
    for place in range(6):
        cv2.circle(page, (LEFT + 12, ENDS + 6 + 8 * place), 2, (0, 0, 0), -1)
    assert bottom(page, text) == pytest.approx(ENDS + 49, abs=2)


@pytest.mark.parametrize(
    "rest", ["nothing", "rim", "character", "far", "runs on", "another line", "the page's end"]
)
def test_nothing_else_is(rest: str) -> None:
    page, text = page_with_a_column()
    lines = [text]
    if rest == "rim":
        cv2.ellipse(page, (LEFT + 12, TOP + 40), (60, 70), 0, 0, 360, (0, 0, 0), 3)
    elif rest == "character":
        page[ENDS + 3 : ENDS + 22, LEFT + 2 : LEFT + 22] = 0
    elif rest == "far":
        cv2.circle(page, (LEFT + 16, ENDS + 28), 3, (0, 0, 0), 2)
    elif rest == "runs on":
        page[ENDS + 3 : ENDS + 150, LEFT + 10 : LEFT + 14] = 0
    elif rest == "another line":
        page[ENDS + 6 : ENDS + 12, LEFT + 2 : LEFT + 22 : 5] = 0
        lines.append(line(LEFT - 40, ENDS + 2, LEFT + 60, ENDS + 26, "下一行字"))
    elif rest == "the page's end":
        page = page[: ENDS + 10]
        page[ENDS + 6 :, LEFT + 12 : LEFT + 16] = 0
    assert bottom(page, *lines) == pytest.approx(ENDS, abs=0.1)
