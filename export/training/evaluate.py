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

from export.compact import CompactLama, prefill
from export.lama import composite
from export.training.dataset import Tile, TileSource
from export.training.sources import DEFAULT_CACHE

#: What the held-out tiles show, in turn: half pictures, half drawn grounds, regular patterns named one by one.
KINDS = (
    "photo", "texture", "photo", "poster", "photo", "stripes", "texture", "checks", "photo", "weave",
    "photo", "texture", "poster", "bricks", "photo", "plaid", "texture", "wood", "poster", "lattice",
)  # fmt: skip
#: Radius, in pixels, that OpenCV's methods are called with (IOPaint and others use 3-5).
RADIUS = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A held-out tile and what the two classical methods make of it."""

    tile: Tile
    telea: NDArray[np.uint8]
    navier_stokes: NDArray[np.uint8]


def held_out_tiles(cache: Path, count: int, size: int) -> list[Case]:
    """The first `count` held-out tiles: always the same ones."""
    source = TileSource(cache, held_out=True)
    cases = []
    for number in range(count):
        tile = source.tile(number, size, KINDS[number % len(KINDS)])
        telea, navier_stokes = (
            cv2.inpaint(tile.image, tile.hole * 255, RADIUS, method).astype(np.uint8)
            for method in (cv2.INPAINT_TELEA, cv2.INPAINT_NS)
        )
        cases.append(Case(tile, telea, navier_stokes))
    return cases


@torch.no_grad()
def inpainted(model: CompactLama, image: NDArray[np.uint8], hole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3) uint8: the network's answer, rounded, composited."""
    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    mask = torch.from_numpy(hole)[None, None].float()
    out = composite(picture, model(picture, mask).clamp(0, 1), mask)
    return (out[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


@torch.no_grad()
def prefilled(image: NDArray[np.uint8], hole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 3) uint8: the push-pull prefill alone."""
    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    out = prefill(picture, torch.from_numpy(hole)[None, None].float())
    return (out[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


def score(model: CompactLama, cases: list[Case]) -> dict[str, dict[str, float]]:
    """Aggregate PSNR in dB over all masked pixels, for each kind and for all.

    Returns:
        kind → {network, telea, navier_stokes, prefill, tiles, better: share of tiles on which the network beats both}.
    """
    model.eval()
    errors: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for case in cases:
        image, hole = case.tile.image, case.tile.hole
        answers = {
            "network": inpainted(model, image, hole),
            "telea": case.telea,
            "navier_stokes": case.navier_stokes,
            "prefill": prefilled(image, hole),
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
        for name in ("network", "telea", "navier_stokes", "prefill")
    }
    return {**psnr, "tiles": int(row["tiles"]), "better": round(row["better"] / row["tiles"], 3)}
