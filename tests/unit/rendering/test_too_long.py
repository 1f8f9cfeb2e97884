"""Texts that fit only in letters too small to read: told, and set again without measuring twice."""

from __future__ import annotations

from tests.unit.rendering.posters import Poster, typeset_poster
from worker.job import BlockStatus, Flag, Translation
from worker.rendering.fonts import FontSet
from worker.rendering.typeset import typeset


def test_a_text_below_the_legible_size_is_told_too_long_and_a_shorter_one_is_set_without_measuring_again(
    fonts: FontSet,
) -> None:
    poster = Poster.plain(320, 90, fonts, (240, 240, 240))
    poster.plate[:, :30] = poster.plate[:, 200:] = (20, 90, 160)
    poster.rgb[:] = poster.plate
    poster.write(["纯臻营养"], 50, 58, 34)

    first = typeset_poster(poster, "퓨어 영양 헤어 컨디셔너 대용량 리필 팩, 샴푸 증정 세트")
    (too_long,) = first.too_long
    shorter = "퓨어 영양 컨디셔너"[: too_long.capacity]
    second = typeset(
        poster.rgb,
        poster.plate,
        poster.blocks,
        poster.regions,
        [Translation(0, BlockStatus.TRANSLATED, shorter)],
        [],
        fonts,
        "ko",
        measured=first.measured,
    )

    assert (too_long.block_id, first.translations[0].flags) == (0, (Flag.SHRUNK,))
    assert 3 <= too_long.capacity <= 12
    assert second.measured is first.measured
    assert second.too_long == ()
    assert second.translations[0].flags == ()


def test_what_was_measured_for_other_blocks_is_not_used(fonts: FontSet) -> None:
    poster = Poster.plain(600, 140, fonts)
    poster.write(["纯臻营养"], 40, 90, 36)
    poster.write(["限量"], 320, 90, 36)
    first = typeset_poster(poster, "퓨어 영양", None)
    answers = [Translation(number, BlockStatus.TRANSLATED, "한정") for number in (0, 1)]

    second = typeset(
        poster.rgb,
        poster.plate,
        poster.blocks,
        poster.regions,
        answers,
        [],
        fonts,
        "ko",
        measured=first.measured,
    )

    assert second.measured.block_ids == (0, 1)


def test_two_lines_that_can_be_read_are_better_than_one_that_cannot(fonts: FontSet) -> None:
    poster = Poster.plain(200, 80, fonts, (240, 240, 240))
    poster.plate[:15] = poster.plate[65:] = (20, 90, 160)
    poster.plate[:, :44] = poster.plate[:, 128:] = (20, 90, 160)
    poster.rgb[:] = poster.plate
    poster.write(["热卖"], 56, 50, 28)

    (outcome,) = typeset_poster(poster, "베스트셀러 상품").outcomes

    assert outcome.placed is not None
    assert len(outcome.placed.lines) == 2
    assert outcome.placed.size >= 13
