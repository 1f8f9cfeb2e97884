"""Does the text read, and does it look like its source?

    make bench-legibility       (.venv/bin/python -m benchmarks.bench_legibility [DIR …] [--models DIR])

For the samples, or folders of NAME.jpg or .png, NAME.ocr.json and a glossary (*.tsv):

- ghosts: Chinese that RapidOCR still reads on the erased page under translated blocks; must be none;
- colour: ΔE2000 of the ink's colour, source against delivered file, both measured alike; median at most 5;
- sizes: blocks of equal size and style in the source that are not equal in the translation; must be none
  (those apart whose text fits only so small that the layout spares the others);
- reading: where Tesseract with Korean is installed (Debian: tesseract-ocr-kor), the character error rate of
  the drawn text, line by line, and of the same glyphs black on white; over all at most 2 points more.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.ciede import ciede2000
from benchmarks.machine import described
from benchmarks.reading import Reading, has_korean, in_black, read_back
from worker.adapters.onnx_local import OnnxInpainter
from worker.imaging import codec
from worker.imaging.composite import composite
from worker.imaging.postprocess import restore
from worker.job import BlockStatus, Image, Mask, Polygon, Region, TextBlock, Translation
from worker.ocr_shapes import parse_ocr
from worker.rendering.candidate import LayoutOptions
from worker.rendering.draw import draw
from worker.rendering.fonts import FontSet
from worker.rendering.frame import page_box
from worker.rendering.layout import PlacedBlock
from worker.rendering.strokes import find_bodies
from worker.rendering.typeset import Outcome, Typeset, typeset
from worker.stages import OpenedPage, mask_page, open_page
from worker.translation.glossary import look_up, parse_glossary
from worker.translation.han import fold, is_chinese

Network = Callable[[Image, Mask], Image]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: Sizes within this ratio were one size in the source; drawn sizes may differ by rounding only.
_ONE_SIZE, _ROUNDING = 1.02, 1.01
_SAME_COLOUR, _SAME_DIRECTION = 5.0, 4.0
_MOST_COLOUR_ERROR, _MOST_CER_POINTS = 5.0, 2.0
#: Share of the strongest change from plate to page that counts as pure ink.
_PURE = 0.75
_HEAD = (
    f"{'page':<16} {'blocks':>6} {'ghosts':>6} {'colour':>6} {'worst':>6} {'unequal':>7} "
    f"{'CER %':>6} {'plain':>6}"
)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One page, typeset."""

    name: str
    opened: OpenedPage
    regions: tuple[Region, ...]
    translations: tuple[Translation, ...]
    typesetting: Typeset

    @property
    def drawn(self) -> list[tuple[TextBlock, Outcome, PlacedBlock]]:
        """The translated blocks with how they were set."""
        blocks = {block.id: block for block in self.opened.chosen}
        outcomes = self.typesetting.outcomes
        return [(blocks[each.block_id], each, each.placed) for each in outcomes if each.placed is not None]


def main() -> int:
    """Print one row for each page; returns 1 where a bound is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[EXAMPLES])
    parser.add_argument("--models", type=Path, default=Path("model_repository"), help="a model repository")
    options = parser.parse_args()
    fonts, (network, sizes) = FontSet.load(), _network(options.models)
    reader, reads_korean = _chinese_reader(), has_korean()
    print(described(), _HEAD, sep="\n")
    colours, broken, reading = [], [], Reading()
    for folder in options.folders:
        for sample in samples_of(folder, network, sizes, fonts):
            found = _ghosts(sample, reader)
            steps = sorted(_colour_errors(sample, fonts))
            pairs = list(_unequal(sample))
            placed = [each for _, _, each in sample.drawn]
            read = read_back(sample.typesetting.rgb, placed, fonts) if reads_korean else Reading()
            median, worst = (float(np.median(steps)), steps[-1]) if steps else (0.0, 0.0)
            print(
                f"{sample.name:<16} {len(sample.drawn):>6} {len(found):>6} {median:>6.1f} {worst:>6.1f} "
                f"{len(pairs):>7} {read.rates[0]:>6.1f} {read.rates[1]:>6.1f}",
                flush=True,
            )
            colours += steps
            reading += read
            broken += [f"{sample.name}: ghost {text}" for text in found]
            broken += [f"{sample.name}: {pair}" for pair in pairs]
    cer, plain = reading.rates
    print(f"all: ΔE2000 {np.median(colours):.1f} (median), CER {cer:.1f} %, black on white {plain:.1f} %")
    print(*broken, sep="\n")
    reads_worse = cer - plain > _MOST_CER_POINTS
    return int(bool(broken) or reads_worse or float(np.median(colours)) > _MOST_COLOUR_ERROR)


def _network(models: Path) -> tuple[Network, tuple[int, ...]]:
    if not any(models.glob("*/*/model.onnx")):
        print("network: OpenCV Telea")
        return telea, (256, 512)
    inpainter = OnnxInpainter(models)
    print(f"network: {models}")
    return lambda image, mask: asyncio.run(inpainter.inpaint(image, mask)), asyncio.run(
        inpainter.tile_sizes()
    )


def telea(image: Image, mask: Mask) -> Image:
    return np.asarray(cv2.inpaint(image, mask, 5, cv2.INPAINT_TELEA), np.uint8)


def samples_of(folder: Path, network: Network, sizes: tuple[int, ...], fonts: FontSet) -> Iterator[Sample]:
    terms: dict[str, str] = {}
    for path in sorted(folder.glob("*.tsv")):
        terms |= parse_glossary(path.read_text(encoding="utf-8"), path.name)
    folded = {fold(source): target for source, target in terms.items()}
    for ocr in sorted(folder.glob("*.ocr.json")):
        name = ocr.name.removesuffix(".ocr.json")
        picture = next(folder.glob(f"{name}.[jp][pn]g"))
        lines = parse_ocr(json.loads(ocr.read_bytes()))
        opened = open_page(picture.read_bytes(), lines, 1 << 28, 0.5)
        answers = [(block.id, look_up(block.text, folded)) for block in opened.chosen]
        translations = tuple(
            Translation(number, BlockStatus.TRANSLATED if text else BlockStatus.UNTRANSLATED, text)
            for number, text in answers
        )
        translated = {number for number, text in answers if text}
        regions, prepared = mask_page(opened, sizes)
        filled = (restore(tile, network(tile.image, tile.mask)) for tile in prepared.tiles)
        patches = [*prepared.fills, *itertools.chain.from_iterable(filled)]
        rgb = opened.page.rgb
        plate = composite(rgb, [patch for patch in patches if patch.block_id in translated])
        yield Sample(
            name,
            opened,
            regions,
            translations,
            typeset(rgb, plate, opened.chosen, regions, translations, opened.kept, fonts, "ko"),
        )


def _chinese_reader() -> Callable[[Image], list[tuple[Polygon, str]]]:
    from rapidocr_onnxruntime import RapidOCR

    engine: Any = RapidOCR()

    def read(rgb: Image) -> list[tuple[Polygon, str]]:
        lines, _ = engine(np.ascontiguousarray(rgb[:, :, ::-1]))
        return [(np.array(box, np.float32), text) for box, text, _ in lines or []]

    return read


def _ghosts(sample: Sample, reader: Callable[[Image], list[tuple[Polygon, str]]]) -> list[str]:
    """Chinese that is still read where a translated block stood; bands, so that no page is scaled down."""
    plate, found = sample.typesetting.plate, []
    for block, _, _ in sample.drawn:
        area = page_box(block.polygon, plate.shape[1], plate.shape[0], margin=2 * block.text_height)
        for box, text in reader(np.ascontiguousarray(plate[area.slices])):
            middle = box.mean(axis=0) + np.array([area.left, area.top])
            inside = any(
                cv2.pointPolygonTest(line.polygon, (float(middle[0]), float(middle[1])), False) >= 0
                for line in block.lines
            )
            if inside and is_chinese(text):
                found.append(f"{text} under {block.text}")
    return found


def _colour_errors(sample: Sample, fonts: FontSet) -> Iterator[float]:
    """ΔE2000 between the ink of each block's source and that of its translation."""
    typesetting, rgb = sample.typesetting, sample.opened.page.rgb
    # as it is delivered: a JPEG takes colour from thin strokes, the source's as well as ours
    file = codec.encode(sample.opened.page, typesetting.rgb).payload
    delivered = codec.decode(file, max_pixels=1 << 28).rgb
    for block, _, placed in sample.drawn:
        before, after = _bodies(sample, block, placed, fonts) if placed.style.outline else (None, None)
        source = _ink_colour(rgb, typesetting.plate, block.polygon, before)
        drawn = _ink_colour(delivered, typesetting.plate, placed.polygon, after)
        if source is not None and drawn is not None:
            yield ciede2000(source, drawn)


def _bodies(sample: Sample, block: TextBlock, placed: PlacedBlock, fonts: FontSet) -> tuple[Mask, Mask]:
    """The glyphs alone on the source and on the drawn page: over a pattern an outline may change more."""
    rgb, plate = sample.opened.page.rgb, sample.typesetting.plate
    region = next(region for region in sample.regions if region.block_id == block.id)
    region = find_bodies(rgb, plate, block, region, placed.frame, fonts).region
    source = np.zeros(rgb.shape[:2], np.uint8)
    source[region.box.slices] = region.strokes
    drawn = np.full_like(rgb, 255)
    draw(drawn, replace(placed, style=in_black(placed.style)), fonts)
    return source, np.asarray(cv2.inRange(drawn[..., 0], 0, 127), np.uint8)


def _ink_colour(
    page: Image, plate: Image, polygon: Polygon, bodies: Mask | None = None
) -> tuple[float, ...] | None:
    """Median colour of the pixels that text changed most; None where it changed nothing.

    Where the bodies are known, that of their inside: white inside a black outline changes no white ground.
    """
    box = page_box(polygon, page.shape[1], page.shape[0])
    inside = np.zeros((box.height, box.width), np.uint8)
    cv2.fillConvexPoly(inside, np.rint(polygon - (box.left, box.top)).astype(np.int32), 255)
    pixels = page[box.slices].astype(np.float32)
    if bodies is not None:
        inside &= bodies[box.slices]
        middle = cv2.erode(inside, np.ones((3, 3), np.uint8)) > 0
        return tuple(np.median(pixels[middle], axis=0).tolist()) if middle.any() else None
    change = np.linalg.norm(pixels - plate[box.slices], axis=2)[inside > 0]
    if not change.size or change.max() < 16:
        return None
    strongest = float(np.percentile(change, 98))
    return tuple(np.median(pixels[inside > 0][change >= _PURE * strongest], axis=0).tolist())


def _unequal(sample: Sample) -> Iterator[str]:
    """Pairs of blocks that were of one size, colour and direction and no longer are."""
    for (one, a, placed_a), (two, b, placed_b) in itertools.combinations(sample.drawn, 2):
        alike = (
            _ratio(a.source_size, b.source_size) <= _ONE_SIZE
            and one.vertical == two.vertical
            and abs(placed_a.frame.angle - placed_b.frame.angle) <= _SAME_DIRECTION
            and ciede2000(placed_a.style.fill.start, placed_b.style.fill.start) <= _SAME_COLOUR
            and placed_a.style.weight == placed_b.style.weight
            and not _is_spared(a, placed_a)
            and not _is_spared(b, placed_b)
        )
        if alike and _ratio(placed_a.size, placed_b.size) > _ROUNDING:
            yield f"{one.text} {placed_a.size:.1f} px, {two.text} {placed_b.size:.1f} px"


def _is_spared(outcome: Outcome, placed: PlacedBlock) -> bool:
    return placed.size < LayoutOptions().outlier_share * outcome.source_size


def _ratio(one: float, two: float) -> float:
    return max(one, two) / min(one, two)


if __name__ == "__main__":
    sys.exit(main())
