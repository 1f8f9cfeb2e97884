"""Which edge a text shares with those around it, where it could be more than one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.rendering.posters import BLACK, Poster, typeset_poster
from worker.job import Box, Region, TextBlock
from worker.rendering.align import Alignment
from worker.rendering.fonts import FontSet
from worker.rendering.measured import measure_page
from worker.rendering.territory import text_margin


def _alignments(poster: Poster) -> list[Alignment]:
    regions = {region.block_id: region for region in poster.regions}
    page = measure_page(poster.rgb, poster.plate, poster.blocks, regions, [], poster.fonts)
    return [candidate.alignment for candidate in page.candidates]


def test_captions_that_start_where_the_figures_above_them_start_are_flush_left(fonts: FontSet) -> None:
    poster = Poster.plain(750, 200, fonts)
    lefts = (90, 310, 530)
    for left, figure in zip(lefts, ("1200W", "98%", "24H"), strict=True):
        poster.write([figure], left, 80, 44)
    for left, text in zip(lefts, ("快充", "抗菌", "静音"), strict=True):
        poster.write([text], left, 116, 20)

    assert _alignments(poster)[3:] == [Alignment.LEFT] * 3


def test_a_row_that_starts_at_the_margin_and_ends_before_the_middle_is_flush_left(fonts: FontSet) -> None:
    poster = Poster.plain(750, 120, fonts)
    for left, text in zip((40, 140, 240), ("快充", "抗菌", "静音"), strict=True):
        poster.write([text], left, 70, 20)

    assert _alignments(poster) == [Alignment.LEFT] * 3


def test_a_row_across_the_page_stays_centred(fonts: FontSet) -> None:
    poster = Poster.plain(750, 120, fonts)
    for middle, text in zip((125, 375, 625), ("快充", "抗菌", "静音"), strict=True):
        poster.write([text], middle, 70, 20, centred=True)

    assert _alignments(poster) == [Alignment.CENTRE] * 3


def test_edges_that_agree_by_chance_do_not_align_a_text_to_the_right(fonts: FontSet) -> None:
    poster = Poster.plain(750, 260, fonts)
    poster.write(["限时抢购"], 130, 60, 20)
    poster.write(["品质生活从这里开始"], 84, 176, 14)  # ends at about the same place, far below

    assert _alignments(poster)[0] is Alignment.LEFT


@pytest.mark.parametrize("angle", [-20.0, 12.0])
def test_a_ribbon_s_text_keeps_its_middle(fonts: FontSet, angle: float) -> None:
    poster = Poster.plain(700, 700, fonts)
    block = poster.write(["秋季新品上市"], 250, 350, 40, angle=angle)

    (outcome,) = typeset_poster(poster, "가을 시즌 신상품을 지금 만나 보세요").outcomes

    assert outcome.polygon is not None
    middles = np.array([outcome.polygon.mean(axis=0), block.polygon.mean(axis=0)])
    assert np.linalg.norm(middles[0] - middles[1]) < 10


def test_a_badge_at_the_page_s_edge_is_no_margin(fonts: FontSet) -> None:
    poster = Poster.plain(750, 600, fonts)
    poster.write(["包邮"], 6, 40, 24)
    for row in range(8):
        poster.write(["不锈钢保温杯"], 48, 100 + 50 * row, 24, BLACK)
    regions = {region.block_id: region for region in poster.regions}
    page = measure_page(poster.rgb, poster.plate, poster.blocks, regions, [], fonts)
    inks = [candidate.ink for candidate in page.candidates]

    assert 44 < text_margin(inks, [], 750) < 54
    assert text_margin(inks[:4], [], 750) < 10  # of few texts each one counts
    assert page.candidates[0].alignment is Alignment.LEFT


def test_full_lines_about_one_middle_are_centred(fonts: FontSet) -> None:
    poster = Poster.plain(900, 300, fonts)
    for row, text in enumerate(
        ("内胆选用316不锈钢材质，真空", "双层结构，保温保冷长达12小", "时间，防漏杯盖设计，随身带")
    ):
        poster.write([text], 420, 80 + 40 * row, 24, centred=True)
    lines = tuple(block.lines[0] for block in poster.blocks)
    whole = np.concatenate([line.polygon for line in lines])
    (left, top), (right, bottom) = whole.min(axis=0), whole.max(axis=0)
    hull = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    ink = np.zeros(poster.rgb.shape[:2], np.uint8)
    for region in poster.regions:
        ink[region.box.slices] |= region.strokes
    poster.blocks = [TextBlock(0, lines, "".join(line.text for line in lines), hull, 0.0, 26.0)]
    poster.regions = [Region(0, Box(0, 0, 900, 300), ink, ink)]

    assert _alignments(poster) == [Alignment.CENTRE]


def test_a_tilted_text_keeps_the_page_s_margin(fonts: FontSet) -> None:
    poster = Poster.plain(700, 500, fonts)
    poster.write(["品质生活从这里开始"], 50, 80, 30)
    poster.write(["轻薄透气不闷热"], 170, 250, 20, angle=12.0)

    outcome = typeset_poster(
        poster, "품격", "가볍고 얇아 바람이 잘 통하며 답답하지 않습니다, 정말로요"
    ).outcomes[1]

    assert outcome.polygon is not None
    assert float(outcome.polygon[:, 0].min()) >= 48
