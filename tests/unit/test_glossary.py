"""The user's terms: read, found in texts, looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import SettingsError
from worker.translation.glossary import Glossary, look_up, parse_glossary
from worker.translation.han import essence, fold


def test_fold_forgets_what_ocr_engines_disagree_on() -> None:
    assert fold("（45元／每公斤, 100）") == fold("(45元/每公斤，100)")
    assert fold("净含量： 220 ml") == fold("净含量:220ml")
    assert essence("GB/T 22796") == essence("gb-t22796")
    assert essence("1,000") == essence("1000")


def test_a_glossary_is_read_and_a_bad_line_is_named() -> None:
    assert parse_glossary("# terms\n\n新品\t신제품\n 不可漂白 \t 표백 금지 \n", "a.tsv") == {
        "新品": "신제품",
        "不可漂白": "표백 금지",
    }
    with pytest.raises(SettingsError, match=r"a\.tsv, line 2"):
        parse_glossary("新品\t신제품\n不可漂白 표백", "a.tsv")


def test_the_longest_term_counts() -> None:
    glossary = Glossary.of({"漂白": "표백", "漂白剂": "표백제", "新品": "신제품"})
    assert glossary.occurring("不可使用漂 白剂") == {"漂白剂": "표백제"}
    assert glossary.occurring("新品不可漂白") == {"新品": "신제품", "漂白": "표백"}
    overlapping = Glossary.of({"不锈": "x", "锈钢锅": "y", "锅": "z"})
    assert overlapping.occurring("不锈钢锅") == {"锈钢锅": "y"}, "not the first from the left"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("材质：棉", set()),
        ("材 质", {"材"}),
        ("材：棉", {"材"}),
        ("199元", {"元"}),
        ("单元199元起", set()),
        ("iPhone Pro Max", {"Pro"}),
        ("Process", set()),
        ("Pro版", {"Pro"}),
        ("ＰＲＯ Pro", {"Pro"}),
        ("15kg", {"kg"}),
        ("5 kg", {"kg", "5"}),
        ("2.5kg", {"kg", "5"}),
        ("15 件", set()),
        ("优质木材", {"优质"}),
    ],
)
def test_a_part_of_a_word_is_no_term(text: str, found: set[str]) -> None:
    glossary = Glossary.of({term: f"<{term}>" for term in ("材", "元", "Pro", "kg", "5", "优质")})
    assert set(glossary.occurring(text)) == found


def test_a_jobs_own_terms_win_however_they_are_written() -> None:
    glossary = Glossary.of({"新品": "신제품", "花西子": "화시쯔", "包邮": "무료 배송"})
    merged = glossary.over({"新 品": "새 상품", "花西子": "花西子", "包邮": "", " ": "nothing"})
    assert merged.occurring("花西子新品包邮") == {"花西子": "花西子", "新 品": "새 상품"}
    assert merged.names == ("花西子",)
    assert glossary.names == ()


def test_terms_can_always_be_sent() -> None:
    glossary = Glossary().over({"新\ud800": "새\udfff", "品": "품"})
    assert glossary.occurring("新?品") == {"新?": "새?", "品": "품"}


@given(
    st.dictionaries(st.text("甲乙丙丁", min_size=1, max_size=3), st.text("abc", min_size=1)),
    st.text("甲乙丙丁"),
)
def test_terms_that_occur_do_not_overlap(terms: dict[str, str], text: str) -> None:
    found = Glossary.of(terms).occurring(text)
    assert set(found) <= set(terms)
    assert all(source in text for source in found)
    longer = [source for source in terms if source in text and (len(source) > 1 or source == text)]
    assert bool(found) == bool(longer)
    assert max(map(len, found), default=0) == max(map(len, longer), default=0)


def test_look_up_takes_the_whole_text_before_its_parts() -> None:
    glossary = {
        fold(key): value for key, value in {"新": "새", "品": "품", "新品": "신제품", "上市": "출시"}.items()
    }
    assert look_up("新 品", glossary) == "신제품"
    assert look_up("新品上市", glossary) == "신제품 출시"
    assert look_up("新品到货", glossary) is None
    assert look_up("", glossary) is None


@given(st.lists(st.sampled_from("甲乙丙丁"), min_size=1, max_size=30).map("".join))
def test_look_up_covers_exactly_what_its_entries_cover(text: str) -> None:
    found = look_up(text, {"甲": "a", "乙": "b", "甲乙": "ab"})
    assert (found is None) == bool(set(text) - set("甲乙"))
    if found is not None:
        assert found.replace(" ", "") == text.replace("甲", "a").replace("乙", "b")
