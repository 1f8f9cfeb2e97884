from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.rendering.fonts import FontSet
from worker.rendering.runs import Run, split_runs

#: Scripts of product pages, and what makes graphemes of several characters: marks, joiners, jamo, selectors.
_TEXT = st.text(
    st.one_of(
        st.characters(min_codepoint=32, max_codepoint=0x2FF),
        st.characters(min_codepoint=0x1100, max_codepoint=0x11FF),
        st.characters(min_codepoint=0x2000, max_codepoint=0x30FF),
        st.sampled_from("一件毛衣中文한국어，。（）①℃★！～ﾞ\u0301\u200d\ufe0f\u3099\U0001f469"),
    ),
    max_size=12,
)


@given(text=_TEXT)
def test_plain_text_is_cut_as_any_other_is(fonts: FontSet, text: str) -> None:
    asked = [family.font(400) for family in fonts.families("ko")]

    runs, missing = split_runs(text, asked, (0,) * len(text))
    nested, also_missing = split_runs(text, asked, (2,) * len(text))  # never taken for plain

    assert runs == [Run(run.start, run.text, run.font, 0) for run in nested]
    assert missing == also_missing
