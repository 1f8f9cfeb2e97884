"""The sample posters: their OCR results and glossary belong to the pictures that lie beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from examples import comic_page, draw_samples
from examples.lettering import Look, split_like, wrap
from examples.sample import Sample

EXAMPLES = Path(draw_samples.__file__).parent
HAN = re.compile(r"[\u4e00-\u9fff]")
NAMES = sorted(draw_samples.SAMPLES)
MAX_BYTES = 1_500_000


@pytest.fixture(scope="module")
def comic() -> Sample:
    return comic_page.draw()


@pytest.fixture(scope="module")
def glossary() -> dict[str, str]:
    rows = (EXAMPLES / draw_samples.GLOSSARY).read_text(encoding="utf-8").splitlines()
    pairs = [row.split("\t") for row in rows]
    assert all(len(pair) == 2 for pair in pairs)
    assert len({source for source, _ in pairs}) == len(pairs), "a source stands twice"
    return {source: target for source, target in pairs}


def ocr(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        (EXAMPLES / name).with_suffix(".ocr.json").read_text(encoding="utf-8")
    )
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_boxes_lie_in_the_picture_clockwise_from_the_top_left(name: str) -> None:
    with Image.open(EXAMPLES / name) as picture:
        width, height = picture.size
    rows = ocr(name)
    assert len(rows) >= 10
    for row in rows:
        assert set(row) == {"box", "text", "score"}
        assert row["text"].strip() == row["text"] != ""
        assert 0.95 <= row["score"] <= 0.99
        corners = np.array(row["box"], float)
        assert corners.shape == (4, 2)
        assert (corners >= 0).all()
        assert (corners <= (width, height)).all()
        x, y = corners.T
        area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
        assert area > 50, "clockwise on screen, y down"
        assert corners.sum(1).argmin() == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_chinese_line_has_a_translation_without_chinese(name: str, glossary: dict[str, str]) -> None:
    chinese = [row["text"] for row in ocr(name) if HAN.search(row["text"])]
    assert len(chinese) >= 10
    for text in chinese:
        assert re.search("[가-힣]", glossary[text])
        assert not HAN.search(glossary[text])


def test_paragraphs_are_translated_as_one_text(glossary: dict[str, str]) -> None:
    lines = {row["text"] for name in NAMES for row in ocr(name)}
    joined = [source for source in glossary if source not in lines]
    assert len(joined) >= 8
    for source in joined:
        assert any(source.startswith(line) for line in lines)
        assert any(source.endswith(line) for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_light_enough_for_a_repository(name: str) -> None:
    assert (EXAMPLES / name).stat().st_size < MAX_BYTES


def test_the_script_draws_the_committed_page_again(comic: Sample) -> None:
    with Image.open(EXAMPLES / "comic-page.png") as committed:
        difference = np.abs(np.asarray(committed, int) - comic.page[..., 0])
    # Another FreeType or OpenCV may round a soft edge another way.
    assert difference.mean() < 0.05
    assert json.loads(json.dumps(draw_samples.ocr_result(comic))) == ocr("comic-page.png")


def test_the_plate_differs_from_the_page_only_at_the_text(comic: Sample) -> None:
    changed = (comic.page != comic.plate).any(2)
    assert changed.any()
    for line in comic.lines:
        left, top = np.floor(line.polygon.min(0)).astype(int) - 2
        right, bottom = np.ceil(line.polygon.max(0)).astype(int) + 2
        assert changed[top:bottom, left:right].any()
        changed[top:bottom, left:right] = False
    assert not changed.any()


def test_jpeg_is_written_close_to_the_drawing(comic: Sample, tmp_path: Path) -> None:
    draw_samples.write_picture(comic, tmp_path / "page.jpg")
    with Image.open(tmp_path / "page.jpg") as picture:
        assert np.abs(np.asarray(picture, int) - comic.page).mean() < 6


def test_wrap_keeps_words_whole_and_closing_marks_off_line_starts() -> None:
    look = Look(20)
    lines = wrap("净重约500ml，请在两小时内饮用完毕，谢谢。", look, 110)
    assert "".join(lines) == "净重约500ml，请在两小时内饮用完毕，谢谢。"
    assert any("500ml" in line for line in lines)
    assert not any(line[0] in "，。" for line in lines)


def test_split_like_gives_each_line_its_share() -> None:
    assert split_like("하나 둘 셋", ["一二", "三四", "五六"]) == ["하나", "둘", "셋"]
    assert " ".join(split_like("가나 다라 마바 사", ["一二三四五", "六"])) == "가나 다라 마바 사"
