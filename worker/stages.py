"""The pipeline's steps on pixels, each one synchronous call for a CPU thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from worker.errors import BadOcr
from worker.imaging import codec
from worker.imaging.composite import composite
from worker.imaging.mask import find_region
from worker.imaging.preprocess import Prepared, prepare
from worker.imaging.regions import group_lines
from worker.job import (
    BlockStatus,
    Image,
    JobStatus,
    Page,
    Patch,
    Region,
    SourceFormat,
    TextBlock,
    TextLine,
    Translation,
)
from worker.rendering.fonts import FontSet
from worker.rendering.sheet import sheet_of
from worker.rendering.sheet_file import dump_layout
from worker.rendering.typeset import typeset
from worker.translation.han import is_chinese


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
    #: what a person needs to edit a line; None where there are none.
    plate: Image | None = None
    layout: bytes | None = None


def open_page(payload: bytes, lines: Sequence[TextLine], max_pixels: int, min_score: float) -> OpenedPage:
    """Decode a picture and group its lines.

    Args:
        payload: The file.
        lines: As the OCR engine read them.
        max_pixels: Limit on the decoded size.
        min_score: Lines below it are taken for noise: they stay, and nothing is drawn over them.

    Raises:
        BadImage, TooLarge: From decoding.
        BadOcr: A line lies outside the picture: the OCR result belongs to another one.
    """
    page = codec.decode(payload, max_pixels=max_pixels)
    _reject_off_page(lines, page)
    blocks = group_lines(page.rgb, tuple(line for line in lines if line.score >= min_score))
    noise = group_lines(page.rgb, tuple(line for line in lines if line.score < min_score))
    chosen = tuple(block for block in blocks if is_chinese(block.text))
    renumbered = (replace(block, id=len(blocks) + index) for index, block in enumerate(noise))
    return OpenedPage(page, (*blocks, *renumbered), chosen)


def mask_page(opened: OpenedPage, tile_sizes: Sequence[int]) -> tuple[tuple[Region, ...], Prepared]:
    """Find the ink of the chosen blocks, fill what needs no network, cut the tiles for the rest."""
    rgb = opened.page.rgb
    regions = tuple(
        find_region(
            rgb, block, [line for other in opened.blocks if other is not block for line in other.lines]
        )
        for block in opened.chosen
    )
    return regions, prepare(rgb, opened.chosen, regions, tile_sizes)


def render(
    opened: OpenedPage,
    erased: Erased,
    translations: Sequence[Translation],
    fonts: FontSet,
    language: str,
    original: bytes,
) -> Rendered:
    """Put in the patches of the blocks that got a translation, typeset it, encode the page as it came."""
    page = opened.page
    translated = {answer.block_id for answer in translations if answer.status is BlockStatus.TRANSLATED}
    if translated:
        plate = composite(page.rgb, [patch for patch in erased.patches if patch.block_id in translated])
        typesetting = typeset(
            page.rgb, plate, opened.chosen, erased.regions, translations, opened.kept, fonts, language
        )
        translations = typesetting.translations
        if any(answer.status is BlockStatus.TRANSLATED for answer in translations):
            picture = codec.encode(page, typesetting.rgb)
            layout = dump_layout(sheet_of(typesetting, opened.chosen, language))
            return Rendered(picture, JobStatus.COMPLETED, tuple(translations), typesetting.plate, layout)
    return Rendered(codec.as_it_came(page, original), JobStatus.UNCHANGED, tuple(translations))


def encode_editable(page: Page, rendered: Rendered) -> tuple[codec.Encoded, ...]:
    """The plate, as PNG so that nothing is lost, then its layout; nothing where no text was drawn."""
    if rendered.plate is None or rendered.layout is None:
        return ()
    plate = codec.encode(replace(page, source=SourceFormat("PNG")), rendered.plate)
    layout = codec.Encoded(rendered.layout, "layout.json", "application/json")
    return replace(plate, extension="plate.png"), layout


def _reject_off_page(lines: Sequence[TextLine], page: Page) -> None:
    for index, line in enumerate(lines):
        (left, top), (right, bottom) = line.polygon.min(axis=0), line.polygon.max(axis=0)
        if right <= 0 or bottom <= 0 or left >= page.width or top >= page.height:
            raise BadOcr(
                f"ocr_result[{index}]: the box lies outside the picture of {page.width} x {page.height} px"
            )
