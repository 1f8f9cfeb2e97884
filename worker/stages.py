"""The pipeline's steps on pixels, each one synchronous call for the pixel thread."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import structlog

from worker.errors import BadOcr
from worker.imaging import codec
from worker.imaging.composite import composite, erased_page
from worker.imaging.mask import find_regions
from worker.imaging.preprocess import Prepared, prepare
from worker.imaging.regions import group_lines
from worker.job import (
    BlockStatus,
    Job,
    JobStatus,
    Page,
    Patch,
    Region,
    SourceFormat,
    TextBlock,
    TextLine,
    TooLong,
    Translation,
)
from worker.rendering.fonts import FontSet
from worker.rendering.measured import MeasuredPage
from worker.rendering.sheet import Sheet, sheet_of
from worker.rendering.sheet_file import dump_layout
from worker.rendering.typeset import Typeset, typeset
from worker.translation.glossary import Glossary
from worker.translation.han import needs_translation
from worker.translation.prompt import Languages, PageText

_log = structlog.get_logger(__name__)

#: What a translator gets to see: enough to tell what the text is about, about two thousand tokens.
_SHOWN_PIXELS = 1_000_000


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How pages are read."""

    max_pixels: int
    #: Lines that the OCR engine was less sure of are taken for noise.
    ocr_min_score: float
    #: Whether the translator gets to see the picture.
    show_picture: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OpenedPage:
    """A decoded picture with its text in blocks, and the decision which of them are translated."""

    page: Page
    #: All of them, in reading order; unreliable OCR lines follow at the end, each for itself.
    blocks: tuple[TextBlock, ...]
    #: Those to be erased and translated; decided here, once for both paths.
    chosen: tuple[TextBlock, ...]

    @property
    def kept(self) -> tuple[TextBlock, ...]:
        """The blocks that stay as they are."""
        ids = {block.id for block in self.chosen}
        return tuple(block for block in self.blocks if block.id not in ids)


@dataclass(frozen=True, slots=True, eq=False)
class Erased:
    """What the inpainting path brings to the meeting."""

    #: Ink of the chosen blocks, in their order.
    regions: tuple[Region, ...]
    patches: tuple[Patch, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The finished picture."""

    #: The original file itself where no block was translated.
    picture: codec.Encoded
    status: JobStatus
    #: With what typesetting has to say about them.
    translations: tuple[Translation, ...]
    #: The page without the text of the translated blocks, and how they were set on it (see rendering.sheet):
    #: what a person needs to edit a translation; None where there are none.
    plate: Page | None = None
    sheet: Sheet | None = None
    #: Translations that had to be set below the legible size, or could not be set.
    too_long: tuple[TooLong, ...] = ()
    #: What rendering shorter translations need not measure again; None where no block asks for one.
    measured: MeasuredPage | None = None
    #: By block id, the characters that no font has and that were left out.
    missing: Mapping[int, str] = field(default_factory=dict)


def read_page(
    payload: bytes, job: Job, glossary: Glossary, options: ReadingOptions
) -> tuple[OpenedPage, PageText]:
    """Open a job's page, and say what there is to be translated; raises as `open_page` does.

    Args:
        payload: The picture's file.
        job: With its OCR lines and its own terms.
        glossary: The service's terms; the job's win.
        options: See `ReadingOptions`.
    """
    glossary = glossary.over(job.glossary)
    opened = open_page(
        payload, job.lines, options.max_pixels, options.ocr_min_score, glossary.names, job.source_language
    )
    legible = (
        block for block in opened.kept if all(line.score >= options.ocr_min_score for line in block.lines)
    )
    text = PageText(
        opened.chosen,
        Languages(job.source_language, job.target_language),
        glossary,
        kept=tuple(legible),
        product=job.request_id,
        size=(opened.page.width, opened.page.height),
        picture=show(opened.page) if options.show_picture and opened.chosen else None,
    )
    return opened, text


def open_page(
    payload: bytes,
    lines: Sequence[TextLine],
    max_pixels: int,
    min_score: float,
    names: Collection[str] = (),
    source: str = "zh",
) -> OpenedPage:
    """Decode a picture and group its lines.

    Args:
        payload: The file.
        lines: As the OCR engine read them.
        max_pixels: Limit on the decoded size.
        min_score: Lines below it are taken for noise: they stay, and nothing is drawn over them.
        names: What is kept as it is, folded.
        source: BCP-47 tag of the page's language.

    Raises:
        BadImage, TooLarge: From decoding.
        BadOcr: A line lies outside the picture: the OCR result belongs to another one.
    """
    page = codec.decode(payload, max_pixels=max_pixels)
    _reject_off_page(lines, page)
    blocks = group_lines(page.rgb, tuple(line for line in lines if line.score >= min_score))
    noise = group_lines(page.rgb, tuple(line for line in lines if line.score < min_score))
    chosen = tuple(block for block in blocks if needs_translation(block.text, names, source))
    renumbered = (replace(block, id=len(blocks) + index) for index, block in enumerate(noise))
    return OpenedPage(page, (*blocks, *renumbered), chosen)


def show(page: Page) -> bytes:
    """The page as the translator gets to see it: a small JPEG."""
    scale = min(1.0, math.sqrt(_SHOWN_PIXELS / (page.width * page.height)))
    size = max(1, round(page.width * scale)), max(1, round(page.height * scale))
    small = np.asarray(cv2.resize(page.rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    return codec.encode(Page(small, SourceFormat("JPEG")), small).payload


def mask_page(opened: OpenedPage, tile_sizes: Sequence[int]) -> tuple[tuple[Region, ...], Prepared]:
    """Find the ink of the chosen blocks, fill what needs no network, cut the tiles for the rest."""
    rgb = opened.page.rgb
    staying = [line for block in opened.kept for line in block.lines]
    regions = find_regions(rgb, opened.chosen, staying)
    return regions, prepare(rgb, opened.chosen, regions, tile_sizes, kept=[line.polygon for line in staying])


def render(
    opened: OpenedPage,
    erased: Erased,
    translations: Sequence[Translation],
    fonts: FontSet,
    language: str,
    original: bytes,
    earlier: Rendered | None = None,
) -> Rendered:
    """Put in the patches of the blocks that got a translation, typeset it, encode the page as it came.

    Args:
        opened: The page.
        erased: Its ink, and what lies under it.
        translations: One for each chosen block.
        fonts: Fonts to set in.
        language: BCP-47 of the translations.
        original: The file as it came.
        earlier: The same page with other translations; what it measured is not measured again.
    """
    page = opened.page
    translated = {answer.block_id for answer in translations if answer.status is BlockStatus.TRANSLATED}
    untouched = Rendered(codec.as_it_came(page, original), JobStatus.UNCHANGED, tuple(translations))
    if not translated:
        return untouched
    typesetting = typeset(
        page.rgb,
        composite(page.rgb, [patch for patch in erased.patches if patch.block_id in translated]),
        opened.chosen,
        erased.regions,
        translations,
        opened.kept,
        fonts,
        language,
        measured=earlier.measured if earlier else None,
    )
    said = _with_findings(untouched, typesetting)
    if not any(answer.status is BlockStatus.TRANSLATED for answer in typesetting.translations):
        return said
    drawn = {answer.block_id for answer in said.translations if answer.status is BlockStatus.TRANSLATED}
    plate = erased_page(page, typesetting.plate, [one for one in erased.patches if one.block_id in drawn])
    return replace(
        said,
        picture=codec.encode(plate, typesetting.rgb),
        status=JobStatus.COMPLETED,
        plate=plate,
        sheet=sheet_of(typesetting, opened.chosen, language),
    )


def _with_findings(rendered: Rendered, typesetting: Typeset) -> Rendered:
    return replace(
        rendered,
        translations=typesetting.translations,
        too_long=typesetting.too_long,
        measured=typesetting.measured if typesetting.too_long else None,
        missing={each.block_id: each.missing for each in typesetting.outcomes if each.missing},
    )


def log_missing_glyphs(rendered: Rendered) -> None:
    """Say for which characters no font has a glyph; on the event loop, whose context names the job."""
    for block_id, characters in rendered.missing.items():
        _log.error("render.missing_glyph", block=block_id, characters=characters)


def encode_editable(rendered: Rendered) -> tuple[codec.Encoded, ...]:
    """The plate, as PNG so that nothing is lost, then its layout; nothing where no text was drawn."""
    if rendered.plate is None or rendered.sheet is None:
        return ()
    plate = codec.encode(replace(rendered.plate, source=SourceFormat("PNG")), rendered.plate.rgb)
    layout = codec.Encoded(dump_layout(rendered.sheet), "layout.json", "application/json")
    return replace(plate, extension="plate.png"), layout


def _reject_off_page(lines: Sequence[TextLine], page: Page) -> None:
    for index, line in enumerate(lines):
        (left, top), (right, bottom) = line.polygon.min(axis=0), line.polygon.max(axis=0)
        if right <= 0 or bottom <= 0 or left >= page.width or top >= page.height:
            raise BadOcr(
                f"ocr_result[{index}]: the box lies outside the picture of {page.width} x {page.height} px"
            )
