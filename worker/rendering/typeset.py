"""The typesetter's one entry: plate and translations in, translated page and an account of each block out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from worker.job import BlockStatus, Flag, Image, Polygon, Region, TextBlock, TooLong, Translation
from worker.rendering.candidate import Candidate, LayoutOptions
from worker.rendering.draw import draw
from worker.rendering.fit import capacity_of
from worker.rendering.fonts import FontSet
from worker.rendering.layout import PlacedBlock, lay_out
from worker.rendering.measured import MeasuredPage, measure_page
from worker.rendering.paragraph import shape_whole
from worker.rendering.segment import clean


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one block, in enough detail to set it again."""

    block_id: int
    #: `TRANSLATED`, `UNFIT` (no legible setting) or `UNTRANSLATED` (nothing that can be drawn).
    status: BlockStatus
    flags: tuple[Flag, ...] = ()
    #: How it was set; None unless drawn.
    placed: PlacedBlock | None = None
    #: Page polygon around everything drawn, outline and shadow included; None unless drawn.
    polygon: Polygon | None = None
    #: Font families used, most used first.
    fonts: tuple[str, ...] = ()
    #: Font size of the source, px.
    source_size: float = 0.0
    #: About how many characters would fit at a good size; set where the text is below the legible, or unfit.
    capacity: int | None = None
    #: Characters that no font has and that were left out.
    missing: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Typeset:
    """The translated page."""

    rgb: Image
    #: What the text stands on: the plate, with the pixels of what could not be set given back.
    plate: Image
    #: One for each block that had a translation, in the blocks' order.
    outcomes: tuple[Outcome, ...]
    #: The translations as they came, with what typesetting has to say about them.
    translations: tuple[Translation, ...]
    #: What setting other translations of the same blocks need not measure again.
    measured: MeasuredPage

    @property
    def too_long(self) -> tuple[TooLong, ...]:
        """Those that had to be set below the legible size, or could not be set."""
        return tuple(
            TooLong(each.block_id, each.capacity) for each in self.outcomes if each.capacity is not None
        )


def typeset(
    original: Image,
    plate: Image,
    blocks: Sequence[TextBlock],
    regions: Sequence[Region],
    translations: Sequence[Translation],
    kept: Sequence[TextBlock],
    fonts: FontSet,
    language: str,
    options: LayoutOptions | None = None,
    measured: MeasuredPage | None = None,
) -> Typeset:
    """Write translations onto the plate, in the style of the source.

    Args:
        original: The page as it came, (H, W, 3); read only.
        plate: The page with the text of all blocks to be translated erased; read only.
        blocks: Blocks to be set; those without a `TRANSLATED` translation are left alone.
        regions: Their ink, by `block_id`.
        translations: By `block_id`.
        kept: All other blocks: their text stays and is never drawn over.
        fonts: Fonts to set in.
        language: BCP-47 of the translations.
        options: Limits of the layout.
        measured: From an earlier setting of the same page; not used if other blocks have a translation now.

    Returns:
        A new page; a block that cannot be set has its original pixels, under its region's mask.
    """
    options = options or LayoutOptions()
    region_of = {region.block_id: region for region in regions}
    told = [answer for answer in translations if answer.status is BlockStatus.TRANSLATED]
    text_of = {answer.block_id: clean(answer.text or "") for answer in told}
    chosen = [block for block in blocks if block.id in text_of and block.id in region_of]
    staying = [*kept, *(block for block in blocks if block.id not in text_of)]
    if measured is None or measured.block_ids != tuple(block.id for block in chosen):
        measured = measure_page(original, plate, chosen, region_of, staying, fonts)
    candidates, missing = _with_texts(measured.candidates, text_of, fonts, language)
    placed = lay_out(candidates, fonts, options)
    outcomes = tuple(
        _outcome(candidate, placed.get(candidate.block_id), missing, fonts, options)
        for candidate in candidates
    )
    unset = [region_of[outcome.block_id] for outcome in outcomes if outcome.placed is None]
    plate = _restored(plate, original, unset)
    rgb = plate.copy()
    for outcome in outcomes:
        if outcome.placed is not None:
            draw(rgb, outcome.placed, fonts)
    return Typeset(rgb, plate, outcomes, _with_outcomes(translations, outcomes), measured)


def _with_outcomes(
    translations: Sequence[Translation], outcomes: Sequence[Outcome]
) -> tuple[Translation, ...]:
    """The translations with the status and flags that typesetting gave them."""
    outcome_of = {outcome.block_id: outcome for outcome in outcomes}
    updated = []
    for answer in translations:
        outcome = outcome_of.get(answer.block_id)
        if outcome is not None and answer.status is BlockStatus.TRANSLATED:
            flags = tuple(dict.fromkeys((*answer.flags, *outcome.flags)))
            text = answer.text if outcome.status is BlockStatus.TRANSLATED else None
            answer = replace(answer, status=outcome.status, text=text, flags=flags)
        updated.append(answer)
    return tuple(updated)


def _with_texts(
    candidates: Sequence[Candidate], texts: Mapping[int, str], fonts: FontSet, language: str
) -> tuple[list[Candidate], dict[int, str]]:
    """The measured blocks with what is to be set in them, and the characters each cannot show."""
    missing: dict[int, str] = {}
    filled = []
    for candidate in candidates:
        text = texts[candidate.block_id]
        lost = shape_whole(fonts, text, language, candidate.style.weight, candidate.style.serif).missing
        missing[candidate.block_id] = lost
        text = "".join(char for char in text if char not in lost).strip()
        filled.append(replace(candidate, text=text, language=language))
    return filled, missing


def _outcome(
    candidate: Candidate,
    placed: PlacedBlock | None,
    missing: Mapping[int, str],
    fonts: FontSet,
    options: LayoutOptions,
) -> Outcome:
    size = candidate.ink.size
    lost = missing[candidate.block_id]
    flags = (Flag.MISSING_GLYPH,) if lost else ()
    if not candidate.text:
        return Outcome(candidate.block_id, BlockStatus.UNTRANSLATED, flags, source_size=size, missing=lost)
    if placed is None:
        capacity = capacity_of(candidate, fonts, options)
        return Outcome(
            candidate.block_id, BlockStatus.UNFIT, flags, source_size=size, capacity=capacity, missing=lost
        )
    shrunk = placed.size < options.floor(size) * 0.98
    used = [
        fonts.shape(line.text, placed.language, placed.style.weight, placed.style.serif).families
        for line in placed.lines
    ]
    return Outcome(
        candidate.block_id,
        BlockStatus.TRANSLATED,
        (*flags, Flag.SHRUNK) if shrunk else flags,
        placed,
        placed.polygon,
        tuple(dict.fromkeys(name for names in used for name in names)),
        size,
        capacity_of(candidate, fonts, options) if shrunk else None,
        lost,
    )


def _restored(plate: Image, original: Image, regions: Sequence[Region]) -> Image:
    """The plate with the original pixels of blocks that are not drawn."""
    plate = plate.copy() if regions else plate
    for region in regions:
        rows, columns = region.box.slices
        np.copyto(plate[rows, columns], original[rows, columns], where=region.mask[..., None] > 0)
    return plate
