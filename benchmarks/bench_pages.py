"""What a page costs: this planner, the whole page through the network, and a crop for each OCR line.

    make bench-pages            (.venv/bin/python -m benchmarks.bench_pages [--models DIR] [--rounds 3])

The planner is run and timed from masks to plate, one thread, with the model that the worker would use. That
model exists in the served tile sizes only, so the two other ways are not run: their pixels are counted (the
page padded to a multiple of 8; for each line to be erased its box with 128 px on every side, as far as the
page has them, padded the same), and GFLOP and time follow from the model's cost for a pixel, counted and
timed on its largest tile. Masks and blending, which they also need, are left out of their time, to their
advantage. Seconds are CPU seconds, which other work on the machine does not stretch.
"""

from __future__ import annotations

import worker  # noqa: F401 (sets the threads of numpy's BLAS, which reads them when it is loaded)

# isort: split
import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from PIL import Image as Pillow

from benchmarks.posters import textured_paragraphs
from worker.adapters.onnx_local import OnnxInpainter
from worker.imaging.composite import composite
from worker.imaging.mask import find_region
from worker.imaging.postprocess import restore
from worker.imaging.preprocess import prepare
from worker.imaging.regions import group_lines
from worker.job import Image, TextLine
from worker.translation.han import is_chinese

SAMPLES = Path(__file__).parents[1] / "examples"
#: Px around each line's box in a crop: what the best-known inpainting tool takes.
MARGIN = 128


@dataclass(frozen=True, slots=True)
class Cost:
    """What a way costs for one page."""

    seconds: float
    #: Calls of the network and the pixels they take.
    calls: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Rate:
    """What the network costs for a pixel."""

    seconds: float
    flop: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("model_repository"), help="a model repository")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest round of so many counts")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    options = parser.parse_args()
    cv2.setNumThreads(1)  # as the worker does
    inpainter = OnnxInpainter(options.models)
    sizes = asyncio.run(inpainter.tile_sizes())
    rate = _rate(inpainter, options.models, max(sizes), options.rounds)
    print(
        f"{options.models}, tiles of {sizes}, one thread; a megapixel: {rate.flop * 1e-3:.0f} GFLOP and"
        f" {rate.seconds * 1e6:.2f} CPU s. planner: run; whole page, line crops: counted (see --help)"
    )
    print(f"{'page':<22} {'way':<12} {'pages/s':>8} {'calls':>6} {'Mpx':>7} {'GFLOP':>8} {'× planner':>10}")
    for name, page, lines in (page for page in _pages() if options.only in page[0]):
        chosen = [line for line in lines if is_chinese(line.text)]
        ways = {
            "planner": _planner(page, lines, inpainter, sizes, options.rounds),
            "whole page": _counted([(page.shape[1], page.shape[0])], rate),
            "line crops": _counted([_crop(line, page) for line in chosen], rate),
        }
        for way, cost in ways.items():
            gflop = cost.pixels * rate.flop / 1e9
            times = f"{cost.pixels / ways['planner'].pixels:.1f}×" if ways["planner"].pixels else "–"
            print(
                f"{name if way == 'planner' else '':<22} {way:<12} {1 / cost.seconds:>8.3f} {cost.calls:>6}"
                f" {cost.pixels / 1e6:>7.2f} {gflop:>8.1f} {times:>10}",
                flush=True,
            )
    print(
        f"peak memory of the planner's process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB"
    )


def _pages() -> list[tuple[str, Image, tuple[TextLine, ...]]]:
    """The sample posters and strip, and a page of paragraphs on wood."""
    pages = []
    for path in sorted(SAMPLES.glob("*.ocr.json")):
        name = path.name.removesuffix(".ocr.json")
        picture = next(p for p in SAMPLES.glob(f"{name}.*") if p.suffix in (".jpg", ".png"))
        page = np.asarray(Pillow.open(picture).convert("RGB"))
        rows = json.loads(path.read_text())
        lines = tuple(TextLine(np.array(r["box"], np.float32), r["text"], r["score"]) for r in rows)
        pages.append((f"{name} {page.shape[1]}×{page.shape[0]}", page, lines))
    poster = textured_paragraphs()
    return [*pages, ("paragraphs on wood", poster.page, poster.lines)]


def _planner(
    page: Image, lines: tuple[TextLine, ...], inpainter: OnnxInpainter, sizes: Sequence[int], rounds: int
) -> Cost:
    best, pixels, calls = np.inf, 0, 0
    for _ in range(rounds):
        started = time.process_time()
        blocks = group_lines(page, lines)
        chosen = [block for block in blocks if is_chinese(block.text)]
        regions = [
            find_region(page, block, [line for other in blocks if other is not block for line in other.lines])
            for block in chosen
        ]
        kept = [line.polygon for block in blocks if block not in chosen for line in block.lines]
        prepared = prepare(page, chosen, regions, sizes, kept=kept)
        patches = list(prepared.fills)
        for tile in prepared.tiles:
            patches += restore(tile, asyncio.run(inpainter.inpaint(tile.image, tile.mask)))
        composite(page, patches)
        best = min(best, time.process_time() - started)
        pixels, calls = sum(tile.size**2 for tile in prepared.tiles), len(prepared.tiles)
    return Cost(float(best), calls, pixels)


def _counted(sizes: Sequence[tuple[int, int]], rate: Rate) -> Cost:
    """Pictures (width, height) of any size through the network, one after another."""
    pixels = sum((-(-width // 8) * 8) * (-(-height // 8) * 8) for width, height in sizes)
    return Cost(pixels * rate.seconds, len(sizes), pixels)


def _crop(line: TextLine, page: Image) -> tuple[int, int]:
    """Width and height of a line's crop."""
    low = np.maximum(line.polygon.min(axis=0) - MARGIN, 0)
    high = np.minimum(line.polygon.max(axis=0) + MARGIN, (page.shape[1], page.shape[0]))
    width, height = np.ceil(high - low)
    return int(width), int(height)


def _rate(inpainter: OnnxInpainter, models: Path, size: int, rounds: int) -> Rate:
    image = np.random.default_rng(1).integers(0, 256, (size, size, 3)).astype(np.uint8)
    mask = np.zeros((size, size, 1), np.uint8)
    mask[size // 3 : size // 2, size // 4 : -size // 4] = 255
    best = np.inf
    for _ in range(rounds):
        started = time.process_time()
        asyncio.run(inpainter.inpaint(image, mask))
        best = min(best, time.process_time() - started)
    return Rate(float(best) / size**2, _flop(models, image, mask) / size**2)


def _flop(models: Path, image: Image, mask: Image) -> float:
    """Convolutions and matrix products of one tile, from the shapes that ONNX Runtime's profile reports."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        for path in models.glob("*/*/model.onnx"):
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            if session.get_inputs()[0].shape[1] == image.shape[0]:
                session.run(None, {"image": image[None], "mask": mask[None]})
                events = json.loads(Path(session.end_profiling()).read_text())
                return float(sum(_flop_of(event["args"]) for event in events if "args" in event))
            session.end_profiling()
    raise LookupError(f"no model of {image.shape[0]} px in {models}")


def _flop_of(node: dict[str, object]) -> float:
    """Two for each multiplication and addition of one node that was run."""
    kind, inputs, outputs = (node.get(key) for key in ("op_name", "input_type_shape", "output_type_shape"))
    if kind not in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
        return 0.0
    assert isinstance(inputs, list)
    assert isinstance(outputs, list)
    first, second = (next(iter(tensor.values())) for tensor in inputs[:2])
    result = next(iter(outputs[0].values()))
    if kind == "Conv":
        return 2.0 * float(np.prod(result)) * float(np.prod(second[1:]))
    if kind == "ConvTranspose":
        return 2.0 * float(np.prod(first)) * float(np.prod(second[1:]))
    return 2.0 * float(np.prod(result)) * float(first[-1])


if __name__ == "__main__":
    main()
