"""Only the patches of blocks that got a translation are put in; the text that stays is never masked."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.unit.rendering.posters import Poster
from worker.imaging import codec
from worker.job import BlockStatus, Image, Mask, TextBlock, TextLine, Translation
from worker.rendering.fonts import FontSet
from worker.stages import Erased, OpenedPage, mask_page, open_page, render

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def fonts() -> FontSet:
    return FontSet.load()


@pytest.fixture
def poster(fonts: FontSet) -> Poster:
    """Two lines that are translated, each a block, and one between them that stays."""
    poster = Poster.plain(520, 300, fonts)
    poster.write(["新品上市"], 40, 60, 32)
    poster.write(["Air X5 Pro"], 40, 96, 32)
    poster.write(["限时特惠"], 40, 240, 32)
    return poster


def opened_poster(poster: Poster, alpha: Mask | None = None) -> tuple[OpenedPage, bytes]:
    picture = Pillow.fromarray(poster.rgb)
    if alpha is not None:
        picture.putalpha(Pillow.fromarray(alpha))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    lines = tuple(line for block in poster.blocks for line in block.lines)
    return open_page(buffer.getvalue(), lines, LIMIT, 0.5), buffer.getvalue()


def answered(opened: OpenedPage, *statuses: BlockStatus) -> list[Translation]:
    texts = [status is BlockStatus.TRANSLATED for status in statuses]
    return [
        Translation(block.id, status, "신제품" if told else None)
        for block, status, told in zip(opened.chosen, statuses, texts, strict=True)
    ]


def ink(page: Image) -> Mask:
    return np.asarray((page < 200).any(axis=2), np.uint8)


@pytest.mark.parametrize("status", [BlockStatus.BLOCKED, BlockStatus.UNTRANSLATED])
def test_beside_a_translated_block_one_without_a_translation_keeps_its_pixels(
    poster: Poster, fonts: FontSet, status: BlockStatus
) -> None:
    alpha = np.full(poster.rgb.shape[:2], 255, np.uint8)
    alpha[ink(poster.rgb) == 0] = 0  # where ink was erased, the page would be transparent
    opened, payload = opened_poster(poster, alpha)
    regions, prepared = mask_page(opened, (256,))
    assert not prepared.tiles
    answers = answered(opened, BlockStatus.TRANSLATED, status)
    erased = Erased(regions, prepared.fills)
    rendered = render(opened, erased, answers, fonts, "ko", payload)
    page = codec.decode(rendered.picture.payload, max_pixels=LIMIT)
    assert page.alpha is not None
    translated, left_alone = (region.box.slices for region in regions)
    assert (page.rgb[translated] != opened.page.rgb[translated]).any()
    np.testing.assert_array_equal(page.rgb[left_alone], opened.page.rgb[left_alone])
    np.testing.assert_array_equal(page.alpha[left_alone], alpha[left_alone])


def test_text_that_stays_is_not_masked_where_its_box_is_overlapped(poster: Poster) -> None:
    poster.blocks[0] = lower(poster, 0, 26)  # the OCR engine drew the first box into the second line
    opened, _ = opened_poster(poster)
    assert [block.text for block in opened.kept] == ["Air X5 Pro"]
    regions, _ = mask_page(opened, (256,))
    masked = np.zeros(poster.rgb.shape[:2], np.uint8)
    for region in regions:
        masked[region.box.slices] |= region.mask
    stays = poster.regions[1]
    under = (masked[stays.box.slices] > 0) & (stays.strokes > 0)
    assert under.sum() <= 0.01 * np.count_nonzero(stays.strokes)


def lower(poster: Poster, index: int, px: float) -> TextBlock:
    """A block whose line's box reaches further down than its text."""
    block = poster.blocks[index]
    (line,) = block.lines
    polygon = line.polygon.copy()
    polygon[2:, 1] += px
    return replace(block, lines=(TextLine(polygon, line.text, line.score),))


def test_a_line_the_engine_was_unsure_of_stays_and_is_not_masked(poster: Poster) -> None:
    (sure,), (unsure,) = poster.blocks[0].lines, poster.blocks[2].lines
    poster.blocks[0] = replace(poster.blocks[0], lines=(replace(sure, score=0.5),))
    poster.blocks[2] = replace(poster.blocks[2], lines=(replace(unsure, score=0.49),))
    opened, _ = opened_poster(poster)
    assert [block.text for block in opened.chosen] == ["新品上市"]
    assert [block.text for block in opened.kept] == ["Air X5 Pro", "限时特惠"]
    assert [block.id for block in opened.blocks] == [0, 1, 2]


def test_what_was_measured_is_kept_only_for_shorter_translations(poster: Poster, fonts: FontSet) -> None:
    opened, payload = opened_poster(poster)
    regions, prepared = mask_page(opened, (256,))
    erased = Erased(regions, prepared.fills)
    answers = answered(opened, *[BlockStatus.TRANSLATED] * 2)
    fits = render(opened, erased, answers, fonts, "ko", payload)
    assert (fits.too_long, fits.measured) == ((), None)
    answers[0] = replace(answers[0], text="아주 긴 설명 " * 60)
    refused = render(opened, erased, answers, fonts, "ko", payload)
    assert refused.too_long
    again = render(opened, erased, answers, fonts, "ko", payload, refused)
    assert again.measured is refused.measured is not None
