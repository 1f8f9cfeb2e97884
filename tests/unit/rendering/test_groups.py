"""Which blocks are of one style, and what they then have in common."""

from __future__ import annotations

from collections.abc import Sequence

from worker.rendering.colour import RGB
from worker.rendering.frame import Frame
from worker.rendering.groups import evened_styles, style_groups
from worker.rendering.ink import Ink
from worker.rendering.style import Fill, Style

_CREAM, _WHITE, _DARK = (247, 230, 208), (255, 248, 239), (60, 40, 30)


def weights(blocks: Sequence[tuple[float, int, RGB]]) -> list[int]:
    """The weights that blocks of a size, a measured weight and a colour get."""
    inks = [Ink(Frame(0.0), (), size) for size, _, _ in blocks]
    return [
        style.weight for style in evened_styles(inks, [_style(weight, fill) for _, weight, fill in blocks])
    ]


def _style(weight: int, fill: RGB) -> Style:
    return Style(Fill(fill, fill), _DARK, weight)


def test_blocks_of_one_style_get_their_median_weight() -> None:
    assert weights([(24.0, 450, _CREAM), (24.2, 500, _CREAM), (23.9, 525, _CREAM)]) == [500, 500, 500]


def test_bold_and_regular_text_of_one_size_stay_apart() -> None:
    assert weights([(24.0, 400, _CREAM), (24.0, 700, _CREAM)]) == [400, 700]


def test_a_row_stays_together_beside_captions_that_are_little_lighter() -> None:
    """Measured on few strokes, its weights waver up to those of the captions, of nearly its colour."""
    captions = [(26.8, 425, _CREAM), (26.5, 450, _CREAM), (26.0, 500, _CREAM), (25.7, 525, _CREAM)]
    row = [(25.6, 600, _WHITE), (25.5, 550, _WHITE), (25.3, 575, _WHITE), (24.2, 675, _WHITE)]
    found = weights([(27.4, 375, _CREAM), *captions, *row])
    assert len(set(found[:5])) == 1
    assert set(found[5:]) == {600}


def test_the_largest_of_them_alone_does_not_decide() -> None:
    assert len(set(weights([(27.4, 375, _CREAM), (26.8, 475, _CREAM), (26.0, 525, _CREAM)]))) == 1


def test_sizes_of_small_rows_may_waver_more_than_those_of_large_ones() -> None:
    def group_sizes(sizes: Sequence[float]) -> list[int]:
        inks = [Ink(Frame(0.0), (), size) for size in sizes]
        return [len(group) for group in style_groups(inks, [_style(400, _CREAM)] * len(inks))]

    assert group_sizes([14.2, 15.6, 14.1]) == [3]
    assert group_sizes([28.4, 31.2, 28.2]) == [1, 2]
