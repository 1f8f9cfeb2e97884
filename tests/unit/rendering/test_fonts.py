from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import pytest

from tests.unit.rendering.tiny_font import write_font
from worker.errors import SettingsError
from worker.rendering.fonts import FontOptions, FontSet
from worker.rendering.raster import levels_of, rasterise, set_line


def test_shapes_korean_with_its_own_face(fonts: FontSet) -> None:
    shaped = fonts.shape("한국어 텍스트", "ko", 400)

    assert shaped.families == ("Noto Sans CJK KR",)
    assert shaped.missing == ""
    assert shaped.advance == pytest.approx(6 * 0.92 + 0.25, abs=0.05)
    assert 0.75 < shaped.top < 0.9
    assert -0.12 < shaped.bottom < 0


@pytest.mark.parametrize(
    ("language", "family"),
    [
        ("ko-KR", "KR"),
        ("ja", "JP"),
        ("zh", "SC"),
        ("zh-Hans", "SC"),
        ("zh-Hant", "TC"),
        ("zh-TW", "TC"),
        ("zh-HK", "HK"),
        ("en", "JP"),
    ],
)
def test_takes_the_regional_face_of_the_language(fonts: FontSet, language: str, family: str) -> None:
    assert fonts.shape("骨", language, 400).families == (f"Noto Sans CJK {family}",)


def test_leaves_out_and_reports_what_no_font_has(fonts: FontSet) -> None:
    shaped = fonts.shape("좋아요😀!😀", "ko", 400)

    assert shaped.missing == "😀"
    assert len(shaped.glyphs) == 4
    assert all(glyph.id != 0 for glyph in shaped.glyphs)


def test_keeps_symbols_and_ignores_variation_selectors(fonts: FontSet) -> None:
    shaped = fonts.shape("30℃ ① ★\ufe0f ™", "ko", 400)

    assert shaped.missing == ""
    assert all(glyph.id != 0 for glyph in shaped.glyphs)


def test_weight_changes_the_ink(fonts: FontSet) -> None:
    thin, bold = fonts.shape("H", "ko", 100), fonts.shape("H", "ko", 900)

    assert bold.right - bold.left > thin.right - thin.left


@pytest.mark.parametrize("content", [b"", b"not a font at all" * 100, b"\x00\x01\x00\x00" + bytes(64)])
def test_a_damaged_font_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.ttf"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=r"FONT_PATHS: .*broken\.ttf"):
        FontSet.load(FontOptions((path,)))


def test_a_truncated_collection_is_an_error_or_draws_what_it_has(tmp_path: Path) -> None:
    payload = files("manimgx_fonts_cjk").joinpath("NotoSansCJK-VF.otf.ttc").read_bytes()
    path = tmp_path / "half.ttc"
    path.write_bytes(payload[: len(payload) // 2])

    with contextlib.suppress(SettingsError):
        shaped = FontSet.load(FontOptions((path,))).shape("한국어 텍스트", "ko", 400)
        rasterise([(shaped, 0.0, 20.0)], 20.0, (30, 200))


@pytest.mark.parametrize("text", ["降噪再升级", "IPX5级防汗，30℃", "（新品）上市", "ﾊﾞ g°j|_"])
def test_a_line_of_kept_glyphs_covers_as_much_as_a_line_drawn_at_once(fonts: FontSet, text: str) -> None:
    shaped = fonts.shape(text, "zh", 400)

    line = set_line(shaped, 32)
    drawn = levels_of([(shaped, 0.0, 32.0)], 32.0, line.shape)

    kept, whole = (picture.sum(axis=1, dtype=int) for picture in (line, drawn))
    assert kept.sum() == pytest.approx(whole.sum(), rel=0.03)
    assert abs(kept - whole).max() <= 0.1 * whole.max()


def test_a_line_without_ink_is_empty(fonts: FontSet) -> None:
    assert not set_line(fonts.shape(" ", "zh", 400), 32).any()
    assert not set_line(fonts.shape("", "zh", 400), 32).any()


def test_a_missing_font_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"FONT_PATHS: cannot read .*absent\.otf"):
        FontSet.load(FontOptions((tmp_path / "absent.otf",)))


def test_an_empty_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no font found"):
        FontSet.load(FontOptions((tmp_path,)))


def test_one_set_serves_many_threads() -> None:
    shared = FontSet.load()
    alone = [FontSet.load().shape(f"텍스트 {n}", "ko", 300 + 25 * (n % 20)).advance for n in range(60)]

    with ThreadPoolExecutor(8) as threads:
        together = threads.map(
            lambda n: shared.shape(f"텍스트 {n}", "ko", 300 + 25 * (n % 20)).advance, range(60)
        )

    assert list(together) == alone


def test_named_fonts_come_first_and_the_packaged_ones_follow(tmp_path: Path) -> None:
    write_font(tmp_path / "brand.ttf", "가", "Brand")
    fonts = FontSet.load(FontOptions((tmp_path / "brand.ttf",)))

    assert fonts.shape("가나다", "ko", 400).families == ("Noto Sans CJK KR", "Brand")
    assert fonts.shape("가나다", "ko", 400).missing == ""


def test_an_italic_of_the_family_is_not_taken(tmp_path: Path) -> None:
    write_font(tmp_path / "a-italic.ttf", "가", "Brand", italic=True)
    write_font(tmp_path / "b-upright.ttf", "가나", "Brand")
    fonts = FontSet.load(FontOptions((tmp_path,)))

    assert fonts.shape("가나", "ko", 400).families == ("Brand",)


@pytest.mark.parametrize("text", ["한국어 g|", "温，Wj", " "])
@pytest.mark.parametrize("weight", [300, 850])
def test_the_extents_of_a_line_are_those_of_its_glyphs(fonts: FontSet, text: str, weight: int) -> None:
    for _ in range(2):  # once measured, once known
        shaped = fonts.shape(text, "ko", weight)
        boxes = []
        for glyph in shaped.glyphs:
            ink = glyph.font.get_glyph_extents(glyph.id)
            if ink.width and ink.height:
                left, top = glyph.x + ink.x_bearing * glyph.scale, glyph.y + ink.y_bearing * glyph.scale
                boxes.append((left, top, left + ink.width * glyph.scale, top + ink.height * glyph.scale))
        lefts, tops, rights, bottoms = zip(*boxes, strict=True) if boxes else ([0.0],) * 4

        assert (shaped.left, shaped.top) == (min(lefts), max(tops))
        assert (shaped.right, shaped.bottom) == (max(rights), min(bottoms))
