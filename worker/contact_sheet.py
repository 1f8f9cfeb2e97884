"""Pictures side by side, for people to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_GAP = 16
#: Strips are shown at this height at most; more does not fit a screen anyway.
_MAX_HEIGHT = 4000
#: On a sheet of many pages each picture is this wide, and so many pages stand beside one another.
_SHEET_WIDTH, _SHEET_COLUMNS = 400, 2
_JPEG_QUALITY = 88
#: What stands over the columns of a sheet.
_HEADINGS = ("original", "erased", "translated")
_HEADING_HEIGHT = 44


def side_by_side(pictures: Sequence[Path], target: Path) -> None:
    """Write pictures of one size next to each other: original | plate | translated.

    Args:
        pictures: Files of the same size.
        target: JPEG to write; reduced where the pictures are very high.
    """
    opened = _opened(pictures)
    scale = min(1.0, _MAX_HEIGHT / max(picture.height for picture in opened))
    _row(opened, scale).save(target, quality=_JPEG_QUALITY)


def contact_sheet(pages: Sequence[Sequence[Path]], target: Path) -> None:
    """Write many pages on one sheet, each as original | plate | translated.

    Args:
        pages: For each page its files, of one size.
        target: JPEG to write.
    """
    columns: list[list[Image.Image]] = [[] for _ in range(min(_SHEET_COLUMNS, len(pages)))]
    for page in pages:
        opened = _opened(page)
        shortest = min(columns, key=lambda column: sum(row.height + 2 * _GAP for row in column))
        shortest.append(_row(opened, _SHEET_WIDTH / opened[0].width))
    widths = [max((row.width for row in column), default=0) + 2 * _GAP for column in columns]
    height = max((sum(row.height + 2 * _GAP for row in column) for column in columns), default=0)
    if height == 0:
        return
    sheet = Image.new("RGB", (sum(widths), _HEADING_HEIGHT + height), "#808080")
    left = 0
    for column, width in zip(columns, widths, strict=True):
        _head(sheet, left + _GAP)
        top = _HEADING_HEIGHT + _GAP
        for row in column:
            sheet.paste(row, (left + _GAP, top))
            top += row.height + 2 * _GAP
        left += width
    sheet.save(target, quality=_JPEG_QUALITY)


def _head(sheet: Image.Image, left: int) -> None:
    """Say over a column of rows which picture of a row is which."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(24)
    for place, heading in enumerate(_HEADINGS):
        middle = left + place * (_SHEET_WIDTH + _GAP) + _SHEET_WIDTH / 2
        draw.text((middle, _HEADING_HEIGHT - _GAP), heading, "white", font, anchor="ms")


def _opened(pictures: Sequence[Path]) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in pictures]


def _row(pictures: Sequence[Image.Image], scale: float) -> Image.Image:
    """The pictures next to each other on white, resized."""
    shown = [
        picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
        )
        for picture in pictures
    ]
    width = sum(picture.width for picture in shown) + _GAP * (len(shown) - 1)
    row = Image.new("RGB", (width, max(picture.height for picture in shown)), "white")
    left = 0
    for picture in shown:
        row.paste(picture, (left, 0))
        left += picture.width + _GAP
    return row
