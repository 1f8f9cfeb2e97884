"""Pages drawn for the tests: a ground, ink on it, and the lines an OCR engine would report."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from worker.imaging.mask import find_regions
from worker.imaging.scene import MaskOptions
from worker.job import Image, Region, TextBlock, TextLine


def line(
    left: float, top: float, right: float, bottom: float, text: str = "文字", score: float = 0.9
) -> TextLine:
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return TextLine(corners, text, score)


def row(left: float, top: float, text: str, size: float = 20.0) -> TextLine:
    """A line of full-width characters, each `size` px wide and high."""
    return line(left, top, left + size * len(text), top + size, text)


def column(left: float, top: float, text: str, size: float = 20.0) -> TextLine:
    return line(left, top, left + size, top + size * len(text), text)


def turned(source: TextLine, degrees: float, about: tuple[float, float] = (200, 200)) -> TextLine:
    matrix = cv2.getRotationMatrix2D(about, -degrees, 1.0).astype(np.float32)
    return TextLine(source.polygon @ matrix[:, :2].T + matrix[:, 2], source.text, source.score)


def block_of(*lines: TextLine, number: int = 0) -> TextBlock:
    """One block of upright lines."""
    corners = np.concatenate([one.polygon for one in lines])
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    height = float(np.median([one.polygon[3, 1] - one.polygon[0, 1] for one in lines]))
    return TextBlock(number, lines, "".join(one.text for one in lines), polygon, 0.0, height)


def flat(width: int, height: int, colour: tuple[int, int, int] = (255, 255, 255)) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def gradient(width: int, height: int) -> Image:
    """A curved gradient, different in each channel."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    channels = [60 + 120 * u + 40 * v, 200 - 90 * u * v - 30 * u**2, 90 + 80 * v**2 - 50 * u]
    page: Image = np.rint(np.stack(channels, axis=2)).astype(np.uint8)
    return page


def inked(
    page: Image,
    left: int,
    top: int,
    text: str = "ABMWHQ",
    *,
    colour: tuple[int, int, int] = (20, 20, 20),
    scale: float = 1.0,
    thickness: int = 2,
) -> tuple[Image, TextLine]:
    """Draws Latin glyphs (OpenCV has no others) and reports them as one Chinese line."""
    drawn = page.copy()
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    cv2.putText(
        drawn, text, (left, top + height), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA
    )
    return drawn, line(left - 2, top - 2, left + width + 2, top + height + 3, "六个汉字文本")


def find_region(
    page: Image, block: TextBlock, staying: Sequence[TextLine] = (), options: MaskOptions | None = None
) -> Region:
    """The ink of a block that is erased alone."""
    (region,) = find_regions(page, [block], staying, options)
    return region
