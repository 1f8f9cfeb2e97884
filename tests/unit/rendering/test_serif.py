from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.unit.rendering.posters import BLACK, Poster, typeset_poster
from tests.unit.rendering.tiny_font import write_font
from worker.rendering.faces import open_faces
from worker.rendering.fonts import FontOptions, FontSet
from worker.rendering.frame import frames_of
from worker.rendering.ink import measure_ink
from worker.rendering.lettering import measure_styles
from worker.rendering.strokes import find_bodies
from worker.rendering.style import Style, measure_appearance

_SOURCE = "田田田田田田田"
_KOREAN = "모든부피"
#: Widths (thousandths of an em) of vertical and horizontal strokes: 宋 regular, 宋 bold, 黑.
_SONG, _BOLD_SONG, _HEI = (75, 32), (130, 45), (75, 75)


def _poster(tmp_path: Path, grid: tuple[int, int], size: float, fonts: FontSet) -> Poster:
    """A line in a face of such strokes, on a page that is then read with other fonts."""
    write_font(tmp_path / "source.ttf", "田", grid=grid, panose=(2, 11))
    poster = Poster.plain(
        int(9 * size) + 80, int(3 * size), FontSet.load(FontOptions((tmp_path / "source.ttf",)))
    )
    poster.write([_SOURCE], 40, 1.9 * size, size)
    poster.fonts = fonts
    return poster


def _style(poster: Poster) -> Style:
    (block,), (frame,) = poster.blocks, frames_of(poster.blocks)
    bodies = find_bodies(poster.rgb, poster.plate, block, poster.regions[0], frame, poster.fonts)
    ink = measure_ink(block, bodies.region, frame, poster.fonts)
    seen = measure_appearance(poster.rgb, poster.plate, block, bodies, ink, poster.fonts)
    return measure_styles([block], [bodies], [ink], [seen], poster.fonts)[0]


@pytest.mark.parametrize("size", [22, 40, 90])
@pytest.mark.parametrize(("grid", "serif"), [(_SONG, True), (_BOLD_SONG, True), (_HEI, False)])
def test_serifs_are_told_by_thin_horizontal_strokes(
    tmp_path: Path, fonts: FontSet, grid: tuple[int, int], serif: bool, size: float
) -> None:
    assert _style(_poster(tmp_path, grid, size, fonts)).serif is serif


def test_serifs_survive_jpeg_and_a_little_blur(tmp_path: Path, fonts: FontSet) -> None:
    poster = _poster(tmp_path, _BOLD_SONG, 40, fonts)
    blurred = cv2.GaussianBlur(poster.rgb, (0, 0), 0.7)
    _, jpeg = cv2.imencode(".jpg", blurred, [cv2.IMWRITE_JPEG_QUALITY, 80])
    poster.rgb = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)

    assert _style(poster).serif


def test_small_text_counts_as_sans(tmp_path: Path, fonts: FontSet) -> None:
    assert not _style(_poster(tmp_path, _SONG, 14, fonts)).serif


@pytest.mark.parametrize("weight", [300, 500, 900])
@pytest.mark.parametrize("text", ["适合所有肤质的人", "一二三工", "12.5kg净重", "【品牌】：代加工"])
def test_our_own_sans_is_never_taken_for_a_face_with_serifs(fonts: FontSet, weight: int, text: str) -> None:
    poster = Poster.plain(600, 110, fonts)
    poster.write([text], 40, 70, 34, Style(BLACK.fill, BLACK.ground, weight))

    assert not _style(poster).serif


def test_bold_stems_give_a_bold_weight_though_the_hairlines_are_thin(tmp_path: Path, fonts: FontSet) -> None:
    regular, bold = (_style(_poster(tmp_path, grid, 60, fonts)).weight for grid in (_SONG, _BOLD_SONG))

    assert bold >= regular + 200


@pytest.mark.parametrize("grid", [_SONG, _HEI])
def test_the_translation_takes_a_face_with_serifs_only_where_the_source_has_them(
    tmp_path: Path, grid: tuple[int, int]
) -> None:
    write_font(tmp_path / "serif.ttf", "".join(sorted(_KOREAN)), "Tiny Myeongjo", grid=_SONG, panose=(2, 2))
    poster = _poster(tmp_path, grid, 40, FontSet.load(FontOptions((tmp_path / "serif.ttf",))))

    (outcome,) = typeset_poster(poster, _KOREAN).outcomes

    assert outcome.fonts == (("Tiny Myeongjo",) if grid == _SONG else ("Noto Sans CJK KR",))


def test_what_the_face_with_serifs_lacks_comes_from_the_others(tmp_path: Path) -> None:
    write_font(tmp_path / "serif.ttf", "가", "Tiny Myeongjo", grid=_SONG, panose=(2, 2))
    fonts = FontSet.load(FontOptions((tmp_path / "serif.ttf",)))

    assert fonts.shape("가나다", "ko", 400, serif=True).families == ("Noto Sans CJK KR", "Tiny Myeongjo")
    assert fonts.shape("가나다", "ko", 400).families == ("Noto Sans CJK KR",)


@pytest.mark.parametrize(
    ("family", "panose", "serif"),
    [
        ("Anything", (2, 2), True),
        ("Gothic Serif", (2, 11), False),
        ("Nanum Myeongjo", (0, 0), True),
        ("Noto Serif KR", (0, 0), True),
        ("PT Sans Serif", (0, 0), False),
        ("Malgun Gothic", (0, 0), False),
    ],
)
def test_faces_with_serifs_are_known_by_panose_or_name(
    tmp_path: Path, family: str, panose: tuple[int, int], serif: bool
) -> None:
    write_font(tmp_path / "face.ttf", "가", family, panose=panose)

    (face,) = open_faces(tmp_path / "face.ttf")

    assert face.serif is serif


_INSTALLED = any(family.serif for family in FontSet.load().families("zh"))


@pytest.mark.skipif(
    not _INSTALLED, reason="no serif family is installed (Debian: fonts-noto-cjk or fonts-nanum)"
)
@pytest.mark.parametrize("text", ["모든 피부 타입", "약 27cm"])
def test_an_installed_serif_family_sets_korean(fonts: FontSet, text: str) -> None:
    shaped = fonts.shape(text, "ko", 700, serif=True)

    assert "Sans" not in shaped.families[0]
    assert shaped.missing == ""
