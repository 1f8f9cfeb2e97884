"""Lean and serifs of the source, told once for blocks that look alike, by the one with the longest line."""

from __future__ import annotations

from collections.abc import Sequence

from worker.job import TextBlock
from worker.rendering.fonts import FontSet
from worker.rendering.groups import style_groups
from worker.rendering.ink import Ink
from worker.rendering.segment import clean
from worker.rendering.serif import has_serifs
from worker.rendering.slant import measure_slant
from worker.rendering.strokes import Bodies
from worker.rendering.style import Appearance, Style
from worker.rendering.weight import measure_serif_weight

#: Text turned by more degrees has no rows and columns to tell serifs by.
_UPRIGHT = 3.0


def measure_styles(
    blocks: Sequence[TextBlock],
    bodies: Sequence[Bodies],
    inks: Sequence[Ink],
    appearances: Sequence[Appearance],
    fonts: FontSet,
) -> list[Style]:
    """The styles with lean and kind of face.

    Args:
        blocks: The source texts.
        bodies: Their glyphs.
        inks: Their geometry.
        appearances: What else is known of their style.
        fonts: To compare with.
    """
    styles = [appearance.style for appearance in appearances]
    for group in style_groups(inks, styles):
        shown = max(group, key=lambda member: inks[member].length_of(inks[member].longest))
        slant = measure_slant(bodies[shown].region, inks[shown])
        weight = _serif_weight(blocks[shown], inks[shown], appearances[shown], fonts)
        for member in group:
            own = styles[member].weight if weight is None else weight
            styles[member] = styles[member].lettered(own, slant, weight is not None)
    return styles


def _serif_weight(block: TextBlock, ink: Ink, seen: Appearance, fonts: FontSet) -> int | None:
    """The weight of a block whose text has serifs; None where it has none."""
    upright = abs(ink.frame.angle) <= _UPRIGHT and ink.frame.warp is None
    if seen.coverage is None or seen.style.outline is not None or not upright:
        return None
    text = clean(block.lines[ink.longest].text)
    if not has_serifs(seen.coverage, seen.size, text, seen.style.weight, fonts):
        return None
    return measure_serif_weight(seen.coverage, seen.size, fonts) or seen.style.weight
