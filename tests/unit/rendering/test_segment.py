from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.rendering.segment import Strength, clean, find_breaks

_MARKS = {Strength.FREE: "|", Strength.WEAK: "¦", Strength.LAST_RESORT: "*", Strength.FORCED: "⏎"}
_ROWS = (Path(__file__).parent / "line_breaks.tsv").read_text(encoding="utf-8").splitlines()
_CASES = [row.split("\t")[:2] for row in _ROWS if row and not row.startswith("#")]


def _marked(text: str, language: str) -> str:
    marked, start = "", 0
    for mark in find_breaks(text, language):
        marked += text[start : mark.index] + _MARKS[mark.strength]
        start = mark.index
    return marked + text[start:]


@pytest.mark.parametrize(("language", "expected"), _CASES)
def test_breaks(language: str, expected: str) -> None:
    text = "".join(char for char in expected if char not in "|¦*")

    assert _marked(text, language) == expected


def test_a_line_end_in_the_text_is_forced() -> None:
    assert _marked("가나\n다라", "ko") == "가나\n⏎다라"


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("", ""),
        (" \t\u3000\r\n ", ""),
        ("가\ud800나\udfff", "가나"),
        ("가\x00\x07\x1b나", "가나"),
        ("가\u202e나\u200f\ufeff", "가나"),
        ("가\r\n나\r다\u2028라", "가\n나\n다\n라"),
        ("  두   칸 ", "두 칸"),
        ("두 \x00 칸", "두 칸"),
        ("\u1112\u1161\u11ab", "한"),
        ("👨‍👩‍👧 ★ ℃", "👨‍👩‍👧 ★ ℃"),
    ],
)
def test_clean(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(st.text(max_size=60), st.sampled_from(["ko", "ja", "zh", "en", "ar"]))
def test_any_text_can_be_cleaned_and_broken(raw: str, language: str) -> None:
    text = clean(raw)
    breaks = find_breaks(text, language)

    assert clean(text) == text
    assert [mark.index for mark in breaks] == sorted({mark.index for mark in breaks})
    assert all(0 < mark.index < len(text) for mark in breaks)
    assert not any(
        text[mark.index] in "，。、！？」』】）,.!?)"
        for mark in breaks
        if text[mark.index - 1] not in " \n\u200b"
    )
