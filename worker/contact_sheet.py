"""Pictures side by side, for people to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

_GAP = 16
#: Strips are shown at this height at most; more does not fit a screen anyway.
_MAX_HEIGHT = 4000
_JPEG_QUALITY = 88


def side_by_side(pictures: Sequence[Path], target: Path) -> None:
    """Write pictures of one size next to each other: original | plate | translated.

    Args:
        pictures: Files of the same size.
        target: JPEG to write; reduced where the pictures are very high.
    """
    opened = [Image.open(path).convert("RGB") for path in pictures]
    height = max(picture.height for picture in opened)
    scale = min(1.0, _MAX_HEIGHT / height)
    shown = [
        picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
        )
        for picture in opened
    ]
    width = sum(picture.width for picture in shown) + _GAP * (len(shown) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in shown)), "white")
    left = 0
    for picture in shown:
        sheet.paste(picture, (left, 0))
        left += picture.width + _GAP
    sheet.save(target, quality=_JPEG_QUALITY)
