from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.rendering.posters import BLACK, Poster, balloon
from worker.errors import BadLayout
from worker.job import BlockStatus, Flag, Translation
from worker.rendering.align import Alignment
from worker.rendering.effects import Outline, Shadow
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Rect
from worker.rendering.layout import PlacedLine
from worker.rendering.segment import clean
from worker.rendering.sheet import Sheet, SheetBlock, render_sheet, sheet_of
from worker.rendering.sheet_file import dump_layout, parse_layout
from worker.rendering.style import Fill, Style
from worker.rendering.typeset import Typeset, typeset

_TEXTS = ("퓨어 영양 컨디셔너", "모든 피부에 잘 맞는 순한 제품 정보", "한정 수량", "너무 긴 글 " * 300)


def _poster(fonts: FontSet) -> Poster:
    poster = Poster.plain(640, 420, fonts, (244, 238, 228))
    poster.write(["纯臻营养护发素"], 40, 80, 40, replace(BLACK, outline=Outline((200, 30, 30), 2.0)))
    poster.write(["产品信息参数纯臻", "适合所有肤质"], 40, 150, 26)
    poster.write(["限量"], 400, 240, 48, replace(BLACK, shadow=Shadow((90, 90, 90), 3, 3, 0, 0.8)), angle=8)
    poster.write(["小"], 610, 400, 12)
    return poster


def _typeset(poster: Poster, texts: tuple[str, ...] = _TEXTS) -> Typeset:
    translations = [Translation(n, BlockStatus.TRANSLATED, text) for n, text in enumerate(texts)]
    return typeset(
        poster.rgb, poster.plate, poster.blocks, poster.regions, translations, [], poster.fonts, "ko"
    )


@pytest.fixture(scope="module")
def poster(fonts: FontSet) -> Poster:
    return _poster(fonts)


@pytest.fixture(scope="module")
def typesetting(poster: Poster) -> Typeset:
    return _typeset(poster)


@pytest.fixture
def sheet(poster: Poster, typesetting: Typeset) -> Sheet:
    return sheet_of(typesetting, poster.blocks, "ko")


def _edited(sheet: Sheet, block_id: int, **changes: Any) -> Sheet:
    blocks = tuple(replace(block, **changes) if block.id == block_id else block for block in sheet.blocks)
    return replace(sheet, blocks=blocks)


def test_a_layout_that_was_not_edited_gives_the_same_pixels(
    fonts: FontSet, typesetting: Typeset, sheet: Sheet
) -> None:
    assert [block.id for block in sheet.blocks] == [0, 1, 2], "the last one is unfit"

    again = render_sheet(typesetting.plate, parse_layout(dump_layout(sheet)), fonts).rgb

    assert np.array_equal(again, typesetting.rgb)


@pytest.mark.parametrize(
    ("block_id", "text"), [(0, "새 이름"), (1, "짧게"), (2, "매진"), (1, _TEXTS[1] + "까지")]
)
def test_an_edit_changes_its_own_block_alone_and_keeps_size_and_place(
    fonts: FontSet, typesetting: Typeset, sheet: Sheet, block_id: int, text: str
) -> None:
    plate = typesetting.plate
    again = render_sheet(plate, _edited(sheet, block_id, translation=text), fonts).rgb

    changed = (again != typesetting.rgb).any(axis=2)
    assert changed.any()
    block = next(block for block in sheet.blocks if block.id == block_id)
    old = (typesetting.rgb != plate).any(axis=2)
    new = (again != plate).any(axis=2)
    others = render_sheet(
        plate, replace(sheet, blocks=tuple(b for b in sheet.blocks if b.id != block_id)), fonts
    ).rgb
    untouched = (others != plate).any(axis=2)
    assert not (changed & untouched).any()
    rows = np.flatnonzero((new & ~untouched).any(axis=1))
    before = np.flatnonzero((old & ~untouched).any(axis=1))
    assert abs(rows[0] - before[0]) <= 0.25 * block.size
    if len(text) < 5 and block.angle == 0:
        columns = np.flatnonzero((new & ~untouched).any(axis=0))
        was = np.flatnonzero((old & ~untouched).any(axis=0))
        assert abs(columns[0] - was[0]) <= 0.15 * block.size
        assert columns[-1] < was[-1]


def _stacked(fonts: FontSet) -> tuple[Typeset, Sheet]:
    """Four and four characters in two columns between walls."""
    poster, block, region = balloon(("五星好评", "拜托啦啦"), fonts, walled=True)
    answer = Translation(0, BlockStatus.TRANSLATED, "헤어컨디셔너세트")
    typesetting = typeset(poster.rgb, poster.plate, [block], [region], [answer], [], fonts, "ko")
    return typesetting, sheet_of(typesetting, [block], "ko")


@pytest.mark.parametrize(("text", "columns"), [("헤어컨디셔너본품", 2), ("새컨디셔너", 2), ("헤어", 1)])
def test_an_edit_of_stacked_columns_stays_in_columns(fonts: FontSet, text: str, columns: int) -> None:
    typesetting, sheet = _stacked(fonts)
    assert len(sheet.blocks[0].lines) == 8

    again = render_sheet(typesetting.plate, _edited(sheet, 0, translation=text), fonts).rgb

    ink = (cv2.absdiff(again, typesetting.plate).max(axis=2) > 60).any(axis=0)
    old = (cv2.absdiff(typesetting.rgb, typesetting.plate).max(axis=2) > 60).any(axis=0)
    assert np.count_nonzero(np.diff(ink.view(np.int8)) == 1) == columns
    assert np.flatnonzero(ink).mean() == pytest.approx(np.flatnonzero(old).mean(), abs=3)


def test_an_edit_that_breaks_a_line_by_hand_is_obeyed(
    fonts: FontSet, typesetting: Typeset, sheet: Sheet
) -> None:
    edited = _edited(sheet, 0, translation="퓨어\n영양 컨디셔너")

    again = render_sheet(typesetting.plate, edited, fonts).rgb

    assert (again != typesetting.rgb).any()


def test_an_emptied_text_leaves_the_plate(fonts: FontSet, typesetting: Typeset, sheet: Sheet) -> None:
    emptied = replace(sheet, blocks=tuple(replace(block, translation=" ") for block in sheet.blocks))

    assert np.array_equal(render_sheet(typesetting.plate, emptied, fonts).rgb, typesetting.plate)


def test_a_changed_colour_or_place_is_drawn_as_asked(
    fonts: FontSet, typesetting: Typeset, sheet: Sheet
) -> None:
    block = sheet.blocks[1]
    red = replace(block.style, fill=Fill((255, 0, 0), (255, 0, 0)))
    lines = tuple(replace(line, left=line.left + 9) for line in block.lines)

    again = render_sheet(typesetting.plate, _edited(sheet, block.id, style=red, lines=lines), fonts).rgb

    assert (again == (255, 0, 0)).all(axis=2).any()


def test_characters_that_no_font_shows_are_named_and_not_left_out(
    fonts: FontSet, typesetting: Typeset, sheet: Sheet
) -> None:
    for text, unknown in (("نص 😀", "نص😀"), (_TEXTS[1] + " 😀", "😀")):
        with pytest.raises(
            BadLayout, match=rf"blocks\[1\]\.translation: no font shows {unknown}; set FONT_PATHS"
        ):
            render_sheet(typesetting.plate, _edited(sheet, 1, translation=text), fonts)


def test_a_page_that_lacked_characters_from_the_start_is_drawn_until_that_text_is_edited(
    poster: Poster, fonts: FontSet
) -> None:
    typesetting = _typeset(poster, ("퓨어 😀 컨디셔너", *_TEXTS[1:]))
    sheet = sheet_of(typesetting, poster.blocks, "ko")
    assert sheet.blocks[0].flags == (Flag.MISSING_GLYPH,)

    assert np.array_equal(render_sheet(typesetting.plate, sheet, fonts).rgb, typesetting.rgb)
    with pytest.raises(BadLayout, match="no font shows 😀"):
        render_sheet(typesetting.plate, _edited(sheet, 0, translation="퓨어 😀 샴푸"), fonts)


def test_an_edited_text_that_had_to_shrink_is_said_so(
    fonts: FontSet, typesetting: Typeset, sheet: Sheet
) -> None:
    plate = typesetting.plate
    assert render_sheet(plate, _edited(sheet, 1, translation="짧게"), fonts).smaller == ()

    crowded = _edited(sheet, 0, translation="퓨어 영양 컨디셔너 " * 8)

    assert render_sheet(plate, crowded, fonts).smaller == (0,)


def test_a_text_without_room_and_a_plate_of_another_size_are_named(
    fonts: FontSet, typesetting: Typeset, sheet: Sheet
) -> None:
    with pytest.raises(BadLayout, match=r"blocks\[2\]\.translation: there is no room"):
        render_sheet(typesetting.plate, _edited(sheet, 2, translation="너무 긴 글 " * 300), fonts)
    with pytest.raises(BadLayout, match="640 x 420 px, the plate has 630 x 420"):
        render_sheet(np.ascontiguousarray(typesetting.plate[:, :630]), sheet, fonts)


_PLACES = st.floats(-1e6, 1e6)
_COLOURS = st.tuples(*[st.integers(0, 255)] * 3)
_CLEAN = st.text(max_size=20).map(clean)
_EFFECTS = st.floats(-200, 200)
_SPANS = st.tuples(_PLACES, _PLACES).map(sorted)
_STYLES = st.builds(
    Style,
    st.builds(Fill, _COLOURS, _COLOURS, st.sampled_from(["flat", "vertical", "horizontal"])),
    _COLOURS,
    st.integers(1, 1000),
    st.floats(-2, 2),
    st.none() | st.builds(Outline, _COLOURS, st.floats(0, 200)),
    st.none() | st.builds(Shadow, _COLOURS, _EFFECTS, _EFFECTS, st.floats(0, 200), st.floats(0, 1)),
)
_LINES = st.builds(PlacedLine, _CLEAN.map(lambda text: text.replace("\n", " ").strip()), _PLACES, _PLACES)
_BLOCKS = st.builds(
    SheetBlock,
    st.integers(0, 1 << 30),
    _CLEAN,
    _CLEAN,
    st.lists(st.sampled_from(list(Flag)), unique=True).map(tuple),
    st.lists(st.tuples(_PLACES, _PLACES), min_size=4, max_size=4).map(tuple),
    st.floats(-180, 180),
    st.sampled_from([None, (1.0, 0.1, 5.0, -0.1, 0.9, 3.0, 0.0, 1e-4, 1.0)]),
    st.sampled_from(list(Alignment)),
    st.floats(1, 4000),
    st.builds(lambda x, y: Rect(x[0], y[0], x[1], y[1]), _SPANS, _SPANS),
    st.lists(_CLEAN, max_size=3).map(tuple),
    _STYLES,
    st.lists(_LINES, min_size=1, max_size=3).map(tuple),
)
_SHEETS = st.builds(
    Sheet,
    st.integers(1, 1_000_000),
    st.integers(1, 1_000_000),
    st.sampled_from(["ko", "zh-Hant-HK", "en-GB"]),
    st.lists(_BLOCKS, max_size=3, unique_by=lambda block: block.id).map(tuple),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_SHEETS)
def test_what_is_written_reads_back_the_same(sheet: Sheet) -> None:
    assert parse_layout(dump_layout(sheet)) == sheet


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("version", 2, "version: this is version 2, only 1"),
        ("width", "640", "width: must be a whole number"),
        ("width", True, "width: must be a whole number"),
        ("language", "ko\n", "language: must be a language tag"),
        ("blocks", {}, "blocks: must be a list"),
        ("blocks.1.id", 0, "blocks: two blocks have the same id"),
        ("blocks.0.size", 0, r"blocks\[0\]\.size: must lie between 1 and 4000"),
        ("blocks.0.size", 10**400, r"blocks\[0\]\.size: must lie"),
        ("blocks.0.size", float("nan"), r"blocks\[0\]\.size: must lie"),
        ("blocks.0.room", [0, 0, -1, 5], r"blocks\[0\]\.room: must be \[left"),
        ("blocks.0.room", [0, 0, 1], r"blocks\[0\]\.room: must be a list of 4"),
        ("blocks.0.warp", [1, 2], r"blocks\[0\]\.warp: must be a list of 9"),
        ("blocks.0.warp", [0] * 9, r"blocks\[0\]\.warp: must be null or a matrix"),
        ("blocks.0.lines", [], r"blocks\[0\]\.lines: must be a list of 1 to"),
        ("blocks.0.lines.0.left", None, r"blocks\[0\]\.lines\[0\]\.left: must be a number"),
        ("blocks.0.translation", "가" * 5001, r"blocks\[0\]\.translation: must be a text of at most"),
        ("blocks.0.alignment", "justify", r"blocks\[0\]\.alignment: must be one of left"),
        ("blocks.0.flags", ["rude"], r"blocks\[0\]\.flags\[0\]: must be one of"),
        ("blocks.0.style.fill.start", "red", r"blocks\[0\]\.style\.fill\.start: must be a colour"),
        ("blocks.0.style.shadow", 3, r"blocks\[0\]\.style\.shadow: must be an object"),
    ],
)
def test_each_bad_field_is_named(sheet: Sheet, path: str, value: object, complaint: str) -> None:
    content = json.loads(dump_layout(sheet))
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = content
    for step in way:
        place = place[step]
    place[last] = value

    with pytest.raises(BadLayout, match=complaint):
        parse_layout(json.dumps(content).encode())


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b"[]", b"{}", b"null", b"[" * 100_000, b'{"version": 1' + b"0" * 5000 + b"}"],
)
def test_what_is_no_layout_is_told_so(payload: bytes) -> None:
    with pytest.raises(BadLayout):
        parse_layout(payload)
