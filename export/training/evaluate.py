"""PSNR inside the hole on the held-out set: the network against OpenCV's Telea and Navier-Stokes.

python -m export.training.evaluate export/weights/compact.safetensors --tiles 400
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from export.checkpoints import load_model
from export.compact import CompactLama
from export.lama import composite
from export.prefill import Fills, blended
from export.training.dataset import Tile, TileSource
from export.training.sources import DEFAULT_CACHE

#: What the held-out tiles show, in turn: half pictures, half drawn grounds, regular patterns named one by
#: one.
KINDS = (
    "photo", "texture", "photo", "poster", "photo", "stripes", "texture", "checks", "photo", "weave",
    "photo", "texture", "poster", "bricks", "photo", "plaid", "texture", "wood", "poster", "lattice",
)  # fmt: skip
#: Radius, in pixels, that OpenCV's methods are called with (IOPaint and others use 3-5).
RADIUS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A held-out tile and what the methods without training make of it."""

    tile: Tile
    telea: NDArray[np.uint8]
    navier_stokes: NDArray[np.uint8]
    filled: NDArray[np.uint8]


def held_out_tiles(cache: Path, count: int, size: int, first: int = 0) -> list[Case]:
    """`count` held-out tiles from number `first` on: always the same ones."""
    source = TileSource(cache, held_out=True)
    cases = []
    for number in range(first, first + count):
        tile = source.tile(number, size, KINDS[number % len(KINDS)])
        telea, navier_stokes = (
            cv2.inpaint(tile.image, tile.hole * 255, RADIUS, method).astype(np.uint8)
            for method in (cv2.INPAINT_TELEA, cv2.INPAINT_NS)
        )
        cases.append(Case(tile, telea, navier_stokes, _filled(tile)))
    return cases


@torch.no_grad()
def _filled(tile: Tile) -> NDArray[np.uint8]:
    """The fills' own answer, which the network starts from."""
    image = torch.from_numpy(tile.image).permute(2, 0, 1)[None].float() / 255
    filled = blended(Fills()(image, torch.from_numpy(tile.hole)[None, None].float()))
    return (filled[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


@torch.no_grad()
def inpainted(model: CompactLama, image: NDArray[np.uint8], hole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3) uint8: the network's answer, rounded, composited."""
    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    mask = torch.from_numpy(hole)[None, None].float()
    out = composite(picture, model(picture, mask).clamp(0, 1), mask)
    return (out[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


def score(model: CompactLama, cases: list[Case]) -> dict[str, dict[str, float]]:
    """Aggregate PSNR in dB over all masked pixels, for each kind and for all.

    Returns:
        kind → {network, telea, navier_stokes, fills, tiles, better: share of tiles on which the network
        beats both}.
    """
    model.eval()
    errors: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for case in cases:
        image, hole, filled = case.tile.image, case.tile.hole, case.filled
        answers = {
            "network": inpainted(model, image, hole),
            "telea": case.telea,
            "navier_stokes": case.navier_stokes,
            "fills": filled,
        }
        inside = hole > 0
        squared = {
            name: float(np.square(answer[inside].astype(np.float64) - image[inside]).sum())
            for name, answer in answers.items()
        }
        for kind in (case.tile.kind, "all"):
            row = errors[kind]
            row["values"] += 3 * int(inside.sum())
            row["tiles"] += 1
            row["better"] += squared["network"] < min(squared["telea"], squared["navier_stokes"])
            for name, value in squared.items():
                row[name] += value
    return {kind: _decibels(row) for kind, row in sorted(errors.items())}


def _decibels(row: dict[str, float]) -> dict[str, float]:
    psnr = {
        name: round(10 * math.log10(255**2 * row["values"] / max(row[name], 1e-9)), 2)
        for name in ("network", "telea", "navier_stokes", "fills")
    }
    return {**psnr, "tiles": int(row["tiles"]), "better": round(row["better"] / row["tiles"], 3)}


def picture(model: CompactLama, cases: list[Case], side: int = 168) -> NDArray[np.uint8]:
    """A contact sheet: hole | Telea | this network | truth, two tiles a line."""
    rows = []
    for case in cases:
        image, hole = case.tile.image, case.tile.hole
        shown = np.where(hole[..., None] > 0, np.array([235, 0, 160], np.uint8), image)
        cells = (shown, case.telea, inpainted(model, image, hole), image)
        rows.append(np.hstack([cell[:side, :side] for cell in cells]))
    pairs = [np.hstack(rows[i : i + 2]) for i in range(0, len(rows) - len(rows) % 2, 2)]
    return np.vstack(pairs).astype(np.uint8)


def main() -> None:
    """Print the table of the model card, and draw its picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--tiles", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="number of the first tile")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--picture", type=Path)
    parser.add_argument(
        "--shown", type=int, nargs="+", default=list(range(16)), help="held-out tiles in the picture"
    )
    options = parser.parse_args()
    model = load_model(options.weights)
    if not isinstance(model, CompactLama):
        raise SystemExit("only a compact LaMa can be scored here")
    cases = held_out_tiles(options.cache, options.tiles, options.size, options.first)
    print("| held-out | tiles | this network | Telea | Navier-Stokes | fills alone | better than both |")
    print("|---|---|---|---|---|---|---|")
    for kind, row in score(model, cases).items():
        values = " | ".join(f"{row[name]:.2f}" for name in ("network", "telea", "navier_stokes", "fills"))
        print(f"| {kind} | {row['tiles']} | {values} | {100 * row['better']:.0f} % |")
    if options.picture:
        sheet = picture(model, [cases[i] for i in options.shown])
        quality = [cv2.IMWRITE_PNG_COMPRESSION, 9]
        cv2.imwrite(str(options.picture), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), quality)


if __name__ == "__main__":
    main()
