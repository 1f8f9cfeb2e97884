"""Holes as real posters have them: strokes of text, dilated by about a tenth of its height; some boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from export.training.patterns import Rng

Mask = NDArray[np.uint8]

#: Han characters of product pages and a stretch of common ones; shapes matter here, not meaning.
_PAGE = (
    "全新升级正品保证买一送一限时优惠精选优质材料舒适透气防水防滑加厚大容量多功能智能家用便携轻薄时尚经典品牌"
)
_HAN = _PAGE + "".join(chr(code) for code in range(0x5E38, 0x6E38, 7))
_LATIN = "ABCDEFGHKLMNPRSTUVWXYZ0123456789%+.-/"

#: Share of a tile that is hole.
SHARE = (0.04, 0.28)
#: Text height, in pixels: most of a page is body text, some headline.
HEIGHTS = (16, 60)
HEADLINE_HEIGHTS = (60, 110)


def text_canvas(rng: Rng, faces: list[tuple[Path, int]], size: int) -> Mask:
    """(S, S) {0, 255}: lines of text of one or two sizes, dilated as the worker's mask stage does."""
    canvas = np.zeros((size, size), np.uint8)
    y = int(rng.integers(0, 24))
    while y < size:
        low, high = HEADLINE_HEIGHTS if rng.random() < 0.12 else HEIGHTS
        height = int(np.exp(rng.uniform(np.log(low), np.log(high))))
        for _ in range(int(rng.integers(1, 4))):
            line = _line(rng, faces, size, height)
            if rng.random() < 0.08:
                line = _box(line)
            turned = _turned(rng, line) if rng.random() < 0.12 else line
            x = int(rng.integers(-size // 4, size // 2))
            _paste(canvas, turned, x, y)
            y += int(height * rng.uniform(1.15, 1.9))
        y += int(rng.uniform(0, 1.5) * height)
    return canvas


def _line(rng: Rng, faces: list[tuple[Path, int]], size: int, height: int) -> Mask:
    path, index = faces[int(rng.integers(len(faces)))]
    font = ImageFont.truetype(str(path), height, index=index)
    alphabet = _LATIN if rng.random() < 0.15 else _HAN
    count = max(2, int(rng.uniform(0.3, 1.2) * size / height))
    text = "".join(alphabet[int(i)] for i in rng.integers(0, len(alphabet), count))
    image = Image.new("L", (size, int(height * 1.6)), 0)
    outline = int(height * rng.uniform(0.04, 0.12)) if rng.random() < 0.25 else 0
    ImageDraw.Draw(image).text((height // 4, height // 8), text, 255, font=font, stroke_width=outline)
    strokes = (np.asarray(image) > 32).astype(np.uint8) * 255
    if rng.random() < 0.15:
        shift = max(1, int(height * rng.uniform(0.03, 0.1)))
        strokes = np.maximum(strokes, np.roll(strokes, (shift, shift), (0, 1)))
    radius = max(1, round(height * rng.uniform(0.03, 0.11)))
    return cv2.dilate(
        strokes, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    ).astype(np.uint8)


def _box(line: Mask) -> Mask:
    """The whole polygon of the line: what the worker masks where text and ground cannot be told apart."""
    x, y, width, height = cv2.boundingRect(line)
    box = np.zeros_like(line)
    box[y : y + height, x : x + min(width, 6 * height)] = 255
    return box


def _turned(rng: Rng, line: Mask) -> Mask:
    if rng.random() < 0.4:
        return np.rot90(line).copy()
    height, width = line.shape
    side = int(np.hypot(height, width))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-40, 40)), 1)
    matrix[:, 2] += [side / 2 - width / 2, side / 2 - height / 2]
    return cv2.warpAffine(line, matrix, (side, side), flags=cv2.INTER_NEAREST).astype(np.uint8)


def _paste(canvas: Mask, line: Mask, x: int, y: int) -> None:
    top, left = max(0, y), max(0, x)
    bottom, right = min(canvas.shape[0], y + line.shape[0]), min(canvas.shape[1], x + line.shape[1])
    if bottom > top and right > left:
        part = line[top - y : bottom - y, left - x : right - x]
        canvas[top:bottom, left:right] = np.maximum(canvas[top:bottom, left:right], part)


class HoleBank:
    """Pre-drawn sheets of text, packed to bits; a hole is a crop of one."""

    def __init__(self, seed: int, fonts: list[Path], count: int, size: int = 768) -> None:
        faces = [(path, 2 if path.name.startswith("Noto") else 0) for path in fonts]
        self._size = size
        self._sheets = [
            np.packbits(text_canvas(np.random.default_rng([seed, i]), faces, size) > 0, axis=1)
            for i in range(count)
        ]

    def hole(self, rng: Rng, size: int) -> Mask:
        """(size, size) {0, 1}, its share of the tile within `SHARE`."""
        while True:
            sheet = self._sheets[int(rng.integers(len(self._sheets)))]
            top, left = (int(v) for v in rng.integers(0, self._size - size + 1, 2))
            rows = np.unpackbits(sheet[top : top + size], axis=1)
            mask = np.ascontiguousarray(rows[:, left : left + size])
            if SHARE[0] <= mask.mean() <= SHARE[1]:
                return mask
