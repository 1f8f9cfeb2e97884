"""The domain: what travels through the pipeline. Frozen, without I/O.

Conventions: an image is RGB uint8 (H, W, 3), a mask uint8 {0, 255} (H, W), a polygon float32 (4, 2)
clockwise from the text's top left, in pixels of the decoded, upright image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

#: A BCP-47 tag as far as we need one: language, then subtags.
LANGUAGE_TAG = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Polygon = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TextLine:
    """One line of text as the OCR engine read it."""

    polygon: Polygon
    text: str
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class TextBlock:
    """Lines that read as one paragraph: the unit that is translated and typeset."""

    #: Position in reading order on the page, from 0.
    id: int
    #: In reading order: top to bottom, or right to left for vertical text.
    lines: tuple[TextLine, ...]
    #: The lines joined as one text (no space between Han characters).
    text: str
    #: Smallest rotated rectangle around the lines, along the text's own direction.
    polygon: Polygon
    #: Degrees, clockwise on screen, of the reading direction against the x axis; in (-90, 90].
    angle: float
    #: Median height of the lines' boxes in px (width of the column for vertical text).
    text_height: float
    #: True where characters stand one under the other.
    vertical: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in page pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, ready to index a page."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Where the ink of one block lies: what is erased, and what its style is measured on."""

    block_id: int
    box: Box
    #: Pixels to erase, (box.height, box.width): glyphs with anti-aliasing, outline and shadow.
    mask: Mask
    #: Glyph bodies alone (no edge, no outline), same shape; all zero where text and ground do not separate.
    strokes: Mask
    #: Small things beside them that stay, same shape: letters that the OCR engine did not read; None if none.
    unread: Mask | None = None
    #: The colour of the badge it stands on, where that does not reach around the line's box.
    badge: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The erased ground under one block, ready to be blended into the page."""

    block_id: int
    box: Box
    #: (box.height, box.width, 3)
    rgb: Image
    #: (box.height, box.width), 0..255: 0 outside the dilated text mask, feathered inward.
    alpha: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """How the picture came, so that it can leave the same way."""

    #: Pillow's name: JPEG, PNG, WEBP, …
    name: str
    #: JPEG quantisation tables, as Pillow gives and takes them.
    qtables: Mapping[int, tuple[int, ...]] | None = None
    #: JPEG chroma subsampling as Pillow's number (0 4:4:4, 1 4:2:2, 2 4:2:0), None where unknown.
    subsampling: int | None = None
    #: True for progressive JPEG.
    progressive: bool = False
    #: True for lossless WebP.
    lossless: bool = False
    #: True where it came in shades of grey, one channel.
    grey: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A decoded picture, upright, with what its encoding needs beside the pixels."""

    rgb: Image
    source: SourceFormat
    alpha: NDArray[np.uint8] | None = None
    icc_profile: bytes | None = None
    #: Pixels per inch as the file said, if it did.
    dpi: tuple[float, float] | None = None

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def is_long(self) -> bool:
        """A detail strip: at least three times as high as wide."""
        return self.height >= 3 * self.width


class BlockStatus(StrEnum):
    """What became of a block; only `TRANSLATED` changes pixels."""

    TRANSLATED = "translated"
    KEPT = "kept"
    BLOCKED = "blocked"
    UNTRANSLATED = "untranslated"
    UNFIT = "unfit"


class Flag(StrEnum):
    """A named weakness of a translated block."""

    MISSING_GLYPH = "missing_glyph"
    MISSING_TERM = "missing_term"
    SHRUNK = "shrunk"


@dataclass(frozen=True, slots=True)
class Translation:
    """The answer for one block."""

    block_id: int
    status: BlockStatus
    #: None unless the status is `TRANSLATED`.
    text: str | None = None
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class TooLong:
    """A translation that its block can only show below the legible size, or not at all."""

    block_id: int
    #: About how many characters, as wide as those of the translation that came, have room at a good size.
    capacity: int


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """What makes two submissions the same job."""

    request_id: str
    image_id: str
    target_language: str


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One picture to translate."""

    request_id: str
    image_id: str
    image_url: str
    lines: tuple[TextLine, ...]
    target_language: str
    source_language: str = "zh"
    glossary: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None

    @property
    def identity(self) -> JobIdentity:
        return JobIdentity(self.request_id, self.image_id, self.target_language)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the translator charged for."""

    input_tokens: int = 0
    output_tokens: int = 0
    #: Estimate from the model's list price; None where the price is not known.
    cost_usd: float | None = None

    def __add__(self, other: Usage) -> Usage:
        """Both together; the cost is known where that of all tokens is."""
        charged = [usage for usage in (self, other) if usage.input_tokens or usage.output_tokens]
        costs = [usage.cost_usd for usage in charged or (self, other) if usage.cost_usd is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            sum(costs) if costs and len(costs) >= len(charged) else None,
        )


#: What was known already.
FREE = Usage(cost_usd=0.0)


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """A model's list price in USD for a million tokens."""

    input: float
    output: float

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """USD for one call."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


class JobStatus(StrEnum):
    """How a job ended."""

    COMPLETED = "completed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, eq=False)
class BlockReport:
    """One block in the result."""

    source: str
    translation: str | None
    polygon: Polygon
    status: BlockStatus
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: public, free of secrets."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The one answer to a job."""

    status: JobStatus
    #: None only for a payload whose ids cannot be read.
    request_id: str | None
    image_id: str | None
    target_language: str | None
    image_url: str | None = None
    original_image_url: str | None = None
    width: int | None = None
    height: int | None = None
    is_long: bool | None = None
    blocks: tuple[BlockReport, ...] = ()
    layout_url: str | None = None
    plate_url: str | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 1
    traceparent: str | None = None
