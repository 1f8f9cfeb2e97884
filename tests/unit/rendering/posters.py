"""Posters with known answers: source text drawn by the project itself, with its block and region."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from worker.job import BlockStatus, Box, Image, Region, TextBlock, TextLine, Translation
from worker.rendering.align import Alignment
from worker.rendering.draw import draw
from worker.rendering.fonts import FontSet
from worker.rendering.frame import Frame, Rect, page_box
from worker.rendering.layout import PlacedBlock, PlacedLine
from worker.rendering.style import Fill, Style
from worker.rendering.typeset import Typeset, typeset

BLACK = Style(Fill((20, 20, 20), (20, 20, 20)), (255, 255, 255), weight=400)


@dataclass(eq=False)
class Poster:
    """A page under construction: `plate` without the text, `rgb` with it."""

    plate: Image
    fonts: FontSet
    rgb: Image = field(init=False)
    blocks: list[TextBlock] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rgb = self.plate.copy()

    @classmethod
    def plain(
        cls, width: int, height: int, fonts: FontSet, colour: tuple[int, int, int] = (255, 255, 255)
    ) -> Poster:
        return cls(np.full((height, width, 3), colour, np.uint8), fonts)

    def write(
        self,
        lines: list[str],
        left: float,
        baseline: float,
        size: float,
        style: Style = BLACK,
        pitch: float = 1.5,
        angle: float = 0.0,
        centred: bool = False,
    ) -> TextBlock:
        """Draw Chinese lines; (left, baseline) is the first one's in the turned frame (middle if centred)."""
        frame = Frame(angle)
        placed, rects = [], []
        for index, text in enumerate(lines):
            shaped = self.fonts.shape(text, "zh", style.weight)
            start = left - (shaped.left + shaped.right) / 2 * size if centred else left
            level = baseline + index * pitch * size
            placed.append(PlacedLine(text, start, level))
            rects.append(
                Rect(
                    start + shaped.left * size,
                    level - shaped.top * size,
                    start + shaped.right * size,
                    level - shaped.bottom * size,
                )
            )
        whole = rects[0]
        for rect in rects[1:]:
            whole = whole.union(rect)
        before = self.rgb.copy()
        plain = Style(Fill((0, 0, 0), (0, 0, 0)), (255, 255, 255), style.weight, style.slant)
        bodies = np.full_like(self.rgb, 255)
        block = PlacedBlock(0, frame, tuple(placed), size, style, "zh", whole, Alignment.LEFT, whole)
        draw(self.rgb, block, self.fonts)
        draw(bodies, replace(block, style=plain), self.fonts)
        text_block = TextBlock(
            id=len(self.blocks),
            lines=tuple(
                TextLine(frame.quad(rect.grown((0.06 + abs(style.slant)) * size, 0.1 * size)), text, 0.99)
                for rect, text in zip(rects, lines, strict=True)
            ),
            text="".join(lines),
            polygon=frame.quad(whole.grown(0.06 * size, 0.1 * size)),
            angle=angle,
            text_height=1.1 * size,
        )
        self.blocks.append(text_block)
        self.regions.append(self._region(text_block, before, bodies, style, size))
        return text_block

    def _region(self, block: TextBlock, before: Image, bodies: Image, style: Style, size: float) -> Region:
        height, width = self.rgb.shape[:2]
        box: Box = page_box(
            block.polygon, width, height, margin=style.margin + (0.2 + abs(style.slant)) * size + 3
        )
        changed = (cv2.absdiff(self.rgb, before)[box.slices].max(axis=2) > 2).astype(np.uint8) * 255
        mask = np.asarray(cv2.dilate(changed, np.ones((3, 3), np.uint8)), np.uint8)
        strokes = (bodies[box.slices][..., 0] < 100).astype(np.uint8) * 255
        return Region(block.id, box, mask, strokes)


def balloon(
    text: tuple[str, ...], fonts: FontSet, *, walled: bool = False
) -> tuple[Poster, TextBlock, Region]:
    """Vertical columns in a white balloon on grey, or in a box with no room for anything else."""
    poster = Poster.plain(240, 240, fonts, (120, 120, 120))
    cv2.ellipse(poster.plate, (120, 120), (70, 90), 0, 0, 360, (255, 255, 255), cv2.FILLED)
    poster.rgb[:] = poster.plate
    lines = []
    strokes = np.zeros(poster.rgb.shape[:2], np.uint8)
    for number, column in enumerate(text):
        left = 126 - 34 * number
        for row, char in enumerate(column):
            poster.write([char], left, 88 + 27 * row, 26)
        quad = np.array(
            [(left, 63), (left + 28, 63), (left + 28, 174), (left, 174)],
            np.float32,
        )
        lines.append(TextLine(quad, column, 0.99))
    for region in poster.regions:
        strokes[region.box.slices] |= region.strokes
    hull = np.array([(92, 63), (154, 63), (154, 174), (92, 174)], np.float32)
    block = TextBlock(0, tuple(lines), "".join(text), hull, 0.0, 28, vertical=True)
    for picture in (poster.plate, poster.rgb) if walled else ():
        picture[:, :88] = picture[:, 158:] = picture[:58] = picture[180:] = (120, 120, 120)
    return poster, block, Region(0, Box(0, 0, 240, 240), strokes, strokes)


def typeset_poster(poster: Poster, *texts: str | None) -> Typeset:
    """The poster with these translations, block by block; None: untranslated, its ink stays."""
    translations = [
        Translation(number, BlockStatus.UNTRANSLATED if text is None else BlockStatus.TRANSLATED, text)
        for number, text in enumerate(texts)
    ]
    plate = poster.rgb.copy()
    for block, region, text in zip(poster.blocks, poster.regions, texts, strict=True):
        if text is not None and block.id == region.block_id:
            area = region.box.slices
            np.copyto(plate[area], poster.plate[area], where=region.mask[..., None] > 0)
    return typeset(poster.rgb, plate, poster.blocks, poster.regions, translations, [], poster.fonts, "ko")
