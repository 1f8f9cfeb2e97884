"""Train the compact LaMa; resumable, on a GPU when there is one, honest on two CPU cores.

    OMP_WAIT_POLICY=passive nice -n 19 python -m export.training.train --out .cache/export-training/run
    --steps 12000

The learning rate is constant, then falls linearly to zero over the last `--decay` steps: a run can be stopped
at any time and resumed with a new `--steps`. BatchNorm's statistics are taken from the first tiles and kept:
batches of four very different tiles would teach the network their statistics. Every `--save` steps the run's
folder gets `last.ckpt` (to resume) and, scored on the held-out set, one line in `log.jsonl`;
`best.safetensors` is the averaged network with the best score so far.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from export.compact import CompactLama, CompactSize
from export.prefill import blended
from export.training.evaluate import held_out_tiles, score
from export.training.filled import FilledTiles
from export.training.sources import DEFAULT_CACHE

#: Weight of the squared error beside L1: the two meet at an error of 0.1, so that structure counts as in
#: PSNR.
SQUARED = 5.0
#: Weight of the error of the image gradient: keeps stripes and edges crisp.
GRADIENT = 0.5
#: Root mean squared error below which a tile counts as easy.
EASY = 0.03
#: Batches that BatchNorm's statistics are taken from.
CALIBRATION = 24


def loss_of(predicted: Tensor, image: Tensor, filled: Tensor, hole: Tensor) -> Tensor:
    """L1 + squared + gradient error over the hole, each tile weighed by how hard it is; (B, ·, S, S) each.

    A tile counts by the inverse root of the local fill's squared error there: between PSNR's view, in which
    only the hardest patterns count, and every tile alike, so that the easy ones do not get worse.
    """
    error = (predicted - image) * hole
    pixels = 3 * hole.sum(dim=(1, 2, 3)).clamp(min=1)
    hardness = ((filled - image).square() * hole).sum(dim=(1, 2, 3)).div(pixels).sqrt() + EASY
    flat = error.abs().sum(dim=(1, 2, 3)) + SQUARED * error.square().sum(dim=(1, 2, 3))
    steep = error.diff(dim=2).abs().sum(dim=(1, 2, 3)) + error.diff(dim=3).abs().sum(dim=(1, 2, 3))
    return ((flat + GRADIENT * steep) / pixels / hardness).mean()


class Averaged:
    """Exponential moving average of the weights and BatchNorm statistics (decay warms up with the steps)."""

    def __init__(self, model: CompactLama, decay: float) -> None:
        self.model = CompactLama(model.size).eval()
        self.model.load_state_dict(model.state_dict())
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards the model."""
        weight = 1 - min(self._decay, (1 + step) / (10 + step))
        for mean, value in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value.to(mean.device), weight)


def learning_rate(step: int, options: argparse.Namespace) -> float:
    """Warm-up, plateau, linear fall."""
    warm = min(1.0, (step + 1) / 200)
    fall = min(1.0, max(0.0, (options.steps - step) / max(1, options.decay)))
    return float(options.rate * warm * fall)


def train(options: argparse.Namespace) -> None:
    """Run until `--steps`."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    size = CompactSize(options.channels, options.detail, options.blocks, options.global_share)
    model = CompactLama(size).to(device).eval()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    optimizer = torch.optim.AdamW(model.parameters(), options.rate, betas=(0.9, 0.99), weight_decay=1e-4)
    averaged = Averaged(model, options.ema)
    start, best = _resume(options.out, model, averaged, optimizer)
    held_out = held_out_tiles(options.cache, options.held_out, 256)
    stream = DataLoader(
        FilledTiles(options.cache, options.batch, tuple(options.sizes), start),
        batch_size=None,
        num_workers=options.workers,
        prefetch_factor=4 if options.workers else None,
    )
    if start == 0:
        calibrate(model, islice(stream, CALIBRATION), device)
        averaged = Averaged(model, options.ema)
    log = (options.out / "log.jsonl").open("a", buffering=1)
    log.write(
        json.dumps({"start": start, "size": asdict(size), "options": vars(options)}, default=str) + "\n"
    )
    running, seen, since = torch.zeros(2), 0, time.monotonic()
    for step, (image, fills) in enumerate(stream, start):
        if step >= options.steps:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options)
        losses = _step(model, optimizer, image.to(device), fills.to(device))
        averaged.update(model, step)
        running, seen = running + losses.cpu(), seen + 1
        if (step + 1) % 50 == 0:
            row = {
                "step": step + 1,
                "loss": round(float(running[0]) / seen, 5),
                "of_fills": round(float(running[0] / running[1]), 4),
                "s_per_step": (time.monotonic() - since) / seen,
            }
            log.write(json.dumps(row) + "\n")
            running, seen, since = torch.zeros(2), 0, time.monotonic()
        if (step + 1) % options.save == 0 or step + 1 == options.steps:
            scores = score(averaged.model, held_out)
            best = _save(options.out, step + 1, model, averaged, optimizer, scores, best)
            log.write(json.dumps({"step": step + 1, "held_out": scores}) + "\n")
            since = time.monotonic()


@torch.no_grad()
def calibrate(model: CompactLama, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device) -> None:
    """Set every BatchNorm's statistics to the mean over some batches, and keep them there."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None
    for _, fills in batches:
        model.refined(fills.to(device))
    model.eval()


def _step(model: CompactLama, optimizer: torch.optim.Optimizer, image: Tensor, fills: Tensor) -> Tensor:
    """One step; the loss, and what the fills alone would have had, (2,)."""
    fills = fills.to(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, torch.bfloat16):
        predicted = model.refined(fills)
    near, hole = fills[:, :3], fills[:, 10:]
    loss = loss_of(predicted, image, near, hole)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's stub has no types here
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return torch.stack([loss.detach(), loss_of(blended(fills), image, near, hole)])


def _resume(
    out: Path, model: CompactLama, averaged: Averaged, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "last.ckpt"
    if not path.exists():
        return 0, 0.0
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    averaged.model.load_state_dict(state["averaged"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["best"])


def _save(
    out: Path,
    step: int,
    model: CompactLama,
    averaged: Averaged,
    optimizer: torch.optim.Optimizer,
    scores: dict[str, Any],
    best: float,
) -> float:
    value = float(scores["all"]["network"])
    if value > best:
        best = value
        tensors = {k: v.contiguous() for k, v in averaged.model.state_dict().items() if v.is_floating_point()}
        metadata = {"step": str(step), "held_out": json.dumps(scores)}
        save_file(tensors, out / "best.part", metadata=metadata)
        (out / "best.part").rename(out / "best.safetensors")
    state = {
        "step": step,
        "best": best,
        "model": model.state_dict(),
        "averaged": averaged.model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(state, out / "last.part")
    (out / "last.part").rename(out / "last.ckpt")
    return best


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, help="where export.training.sources put the bank"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="the run's folder; an existing run is resumed"
    )
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument(
        "--decay", type=int, default=3_000, help="steps over which the learning rate falls to zero"
    )
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=4, help="tiles a step at the first size")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[256, 256, 256, 256, 512], help="tile sizes, in turn"
    )
    parser.add_argument("--ema", type=float, default=0.998)
    parser.add_argument("--save", type=int, default=500)
    parser.add_argument("--held-out", type=int, default=120, help="held-out tiles a score is taken on")
    parser.add_argument("--workers", type=int, default=0, help="processes that read tiles")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--detail", type=int, default=32)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--global-share", type=float, default=0.5)
    return parser


if __name__ == "__main__":
    train(arguments().parse_args())
