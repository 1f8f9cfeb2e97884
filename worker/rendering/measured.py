"""What is known of a page's text before its translation is: style, place, alignment, free ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.job import Image, Region, TextBlock
from worker.rendering.align import infer_alignment
from worker.rendering.candidate import Candidate
from worker.rendering.fonts import FontSet
from worker.rendering.frame import frames_of
from worker.rendering.ground import CLEARANCE, CLEARANCE_IN_BALLOON, Neighbourhood
from worker.rendering.groups import evened_styles
from worker.rendering.ink import Ink, measure_ink
from worker.rendering.layout import with_shared_edges
from worker.rendering.lettering import measure_styles
from worker.rendering.strokes import Bodies, find_bodies
from worker.rendering.style import Appearance, measure_appearance
from worker.rendering.territory import homes_of, text_margin


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredPage:
    """A page that any translation of these blocks can be set on."""

    #: One for each block, in their order, still without a text.
    candidates: tuple[Candidate, ...]

    @property
    def block_ids(self) -> tuple[int, ...]:
        """The blocks that were measured; all other text was taken to stay."""
        return tuple(candidate.block_id for candidate in self.candidates)


def measure_page(
    original: Image,
    plate: Image,
    blocks: Sequence[TextBlock],
    regions: Mapping[int, Region],
    staying: Sequence[TextBlock],
    fonts: FontSet,
) -> MeasuredPage:
    """Measure all there is to know about the source.

    Args:
        original: The page as it came, (H, W, 3).
        plate: The page with the text of the blocks erased.
        blocks: Blocks to be set.
        regions: Their ink, by block id.
        staying: All other blocks: their text is never drawn over.
        fonts: To compare the source with.
    """
    bodies: list[Bodies] = []
    inks: list[Ink] = []
    seen: list[Appearance] = []
    for block, frame in zip(blocks, frames_of(blocks), strict=True):
        bodies.append(find_bodies(original, plate, block, regions[block.id], frame, fonts))
        inks.append(measure_ink(block, bodies[-1].region, frame, fonts))
        seen.append(measure_appearance(original, plate, block, bodies[-1], inks[-1], fonts))
    styles = evened_styles(inks, measure_styles(blocks, bodies, inks, seen, fonts))
    height, width = original.shape[:2]
    obstacles = [line.polygon for block in staying for line in block.lines]
    homes = homes_of(inks, obstacles, width, height)
    margin = text_margin(inks, obstacles, width)
    candidates = []
    for block, ink, style, (home, others) in zip(blocks, inks, styles, homes, strict=True):
        clearance = CLEARANCE_IN_BALLOON if ink.vertical else CLEARANCE
        around = Neighbourhood(
            plate, ink.frame, home, others, ink.size, margin, clearance, style.outline is not None
        )
        alignment = infer_alignment(ink, around, others, margin, width)
        start = min(line.start for line in ink.lines)
        candidates.append(Candidate(block.id, "", "", ink, style, alignment, around, start))
    return MeasuredPage(tuple(with_shared_edges(candidates)))
