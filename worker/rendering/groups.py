"""Blocks that look alike on the source: they get one weight and one size."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from math import inf
from statistics import median

from worker.rendering.colour import difference
from worker.rendering.ink import Ink
from worker.rendering.style import Style

#: Blocks are of one style where size (to the next, and in all), colour (ΔE) and weight differ by no more.
_NEXT_SIZE, _SAME_SIZE, _SAME_COLOUR, _SAME_WEIGHT = 1.07, 1.2, 12.0, 125
#: Below this size (px) strokes are too thin to tell a weight, or a colour exactly, from one block, and a size
#: to better than this ratio.
_SMALL, _NEXT_SMALL = 20.0, 1.11


def evened_styles(inks: Sequence[Ink], styles: Sequence[Style]) -> list[Style]:
    """Blocks of one style get one weight, lean and kind of face: on few strokes these waver."""
    evened = list(styles)
    for group in style_groups(inks, styles):
        weight = round(median(styles[member].weight for member in group) / 25) * 25
        slant = median(styles[member].slant for member in group)
        serif = 2 * sum(styles[member].serif for member in group) > len(group)
        for member in group:
            evened[member] = styles[member].lettered(weight, slant, serif)
    return evened


def style_groups(inks: Sequence[Ink], styles: Sequence[Style]) -> list[list[int]]:
    """Indices of blocks that look alike: one headline, the rows of a list, the captions."""
    groups: list[list[int]] = []
    weights: list[list[int]] = []  # of each group, ascending
    for index in sorted(range(len(inks)), key=lambda i: -inks[i].size):
        apart = [
            _apart(inks, styles, group, _middle(own), index)
            for group, own in zip(groups, weights, strict=True)
        ]
        nearest = min(range(len(groups)), key=apart.__getitem__, default=0)
        if groups and apart[nearest] < inf:
            groups[nearest].append(index)
            insort(weights[nearest], styles[index].weight)
        else:
            groups.append([index])
            weights.append([styles[index].weight])
    return groups


def _middle(ascending: Sequence[int]) -> float:
    """Their median."""
    half = len(ascending) // 2
    return (ascending[half] + ascending[~half]) / 2


def _apart(
    inks: Sequence[Ink], styles: Sequence[Style], group: Sequence[int], middle: float, index: int
) -> float:
    """How far a block, no larger than the group's last, is from its style; infinity where it has another.

    The style's weight is the middle of the group's: the first one's alone may have been told wrong.
    """
    ink, style, first = inks[index], styles[index], styles[group[0]]
    weight = abs(middle - style.weight) / _SAME_WEIGHT
    colour = difference(first.fill.start, style.fill.start) / _SAME_COLOUR
    small = ink.size < _SMALL
    alike = (
        inks[group[-1]].size <= (_NEXT_SMALL if small else _NEXT_SIZE) * ink.size
        and inks[group[0]].size <= _SAME_SIZE * ink.size
        and inks[group[0]].vertical == ink.vertical
        and abs(inks[group[0]].frame.angle - ink.frame.angle) < 4
        and (first.outline is None) == (style.outline is None)
        and max(weight, colour) <= (2 if small else 1)
    )
    return weight + colour if alike else inf
