from __future__ import annotations

from pathlib import Path

import pytest
from bidi import get_display
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rendering.tiny_font import write_font
from worker.rendering.direction import levels_of, visual_order
from worker.rendering.fonts import FontOptions, FontSet

_MIXED = st.text("abc אבגד 123.,-+٣", max_size=24)


def _displayed(text: str, language: str) -> str:
    """The characters from left to right, mirrored ones aside."""
    return "".join(text[index] for index in visual_order(levels_of(text, language)))


@pytest.mark.parametrize(
    ("language", "text", "displayed"),
    [
        ("ko", "한국어 123", "한국어 123"),
        ("ko", "브랜드 אבג 정품", "브랜드 גבא 정품"),
        ("he", "אבג abc דהו", "והד abc גבא"),
        ("he", "מחיר 199 ש", "ש 199 ריחמ"),
        ("ar", "السعر 45 kg", "kg 45 رعسلا"),
        ("he", "abc!", "!abc"),
        ("he", "", ""),
    ],
)
def test_runs_stand_in_the_order_they_are_read(language: str, text: str, displayed: str) -> None:
    assert _displayed(text, language) == displayed


@settings(deadline=None)
@given(text=_MIXED, language=st.sampled_from(["ko", "he", "ar"]))
def test_the_order_is_that_of_the_whole_algorithm(text: str, language: str) -> None:
    text = text.strip()  # rule L1 gives trailing spaces the line's level; our lines have none

    assert _displayed(text, language) == get_display(text, base_dir="L" if language == "ko" else "R")


def test_joiners_stay_with_what_they_follow() -> None:
    assert len(levels_of("\u200bא\u200dב", "he")) == 4
    assert set(levels_of("א\u200dב", "ko")) == {1}


def test_glyphs_of_mixed_lines_stand_in_visual_order(tmp_path: Path) -> None:
    characters = " !12abcאבג"
    write_font(tmp_path / "boxes.ttf", characters)
    fonts = FontSet.load(FontOptions((tmp_path / "boxes.ttf",)))

    shaped = fonts.shape("abc אבג 12!", "he", 400)

    assert shaped.missing == ""
    assert "".join(characters[glyph.id - 1] for glyph in shaped.glyphs) == "!12 גבא abc"
    assert [glyph.x for glyph in shaped.glyphs] == sorted(glyph.x for glyph in shaped.glyphs)
    assert shaped.advances[0] == pytest.approx(fonts.shape("a", "he", 400).advance)
