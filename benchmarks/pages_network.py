"""One page erased in one way, measured in this process alone: what `benchmarks.bench_pages` starts.

    .venv-export/bin/python -m benchmarks.pages_network CASE.npz "line crops"

The network is torch's, in float32 with the weights that ship: it takes any size, so that all ways share one
engine. "planner, served" runs the models of the repository instead, which are made of the same weights.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.pages_table import SERVED, Run
from benchmarks.pages_ways import Case, Network, in_crops, in_tiles, whole
from export.build import COMPACT
from export.checkpoints import load_model
from export.compact import CompactLama
from export.fold import folded
from export.graph import FloatGraph, TileSpec
from export.lama import Lama
from export.repository import onnx_path
from export.verify import Engine, onnx_engine, torch_engine
from worker.job import Image, Mask

#: Height and width in px.
Shape = tuple[int, int]
Erase = Callable[[Case, Network], Image]

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Recorded:
    """A network that remembers the shapes it was asked for.

    Args:
        engine: What runs pictures of a height.
    """

    def __init__(self, engine: Callable[[int], Engine]) -> None:
        self._engine = engine
        self.shapes: list[Shape] = []

    def __call__(self, image: Image, mask: Mask) -> Image:
        """Fill the hole of one picture."""
        self.shapes.append(image.shape[:2])
        answer: Image = self._engine(image.shape[0])(image[np.newaxis], mask[np.newaxis])[0]
        return answer


def main() -> None:
    """Print what the run cost, as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", type=Path)
    parser.add_argument("way", choices=["planner", "whole page", "line crops", SERVED])
    parser.add_argument("--models", type=Path, default=Path("model_repository"))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--memory", type=float, default=8, help="GiB that it may take")
    parser.add_argument("--plate", type=Path, help="also write the erased page, as .npy")
    options = parser.parse_args()
    limit = int(options.memory * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    torch.set_num_threads(1)
    cv2.setNumThreads(1)  # as the worker does
    case, model = Case.load(options.case), load_model(COMPACT)
    sizes = sorted(int(path.name.removeprefix("lama_")) for path in options.models.glob("lama_*"))
    if options.way == SERVED:
        served = {size: onnx_engine(onnx_path(options.models, size, "cpu"), threads=1) for size in sizes}
        network, flop = Recorded(served.__getitem__), partial(flop_served, model)
    else:
        eager = torch_engine(folded(model))
        network, flop = Recorded(lambda _: eager), partial(flop_eager, model)
    planner: Erase = partial(in_tiles, sizes=sizes)
    erase = {"whole page": whole, "line crops": in_crops}.get(options.way, planner)
    run, plate = measured(erase, case, network, flop, options.rounds)
    if options.plate is not None:
        np.save(options.plate, plate)
    print(json.dumps(asdict(run)))


def measured(
    erase: Erase, case: Case, network: Recorded, flop: Callable[[Shape], float], rounds: int
) -> tuple[Run, Image]:
    """Least CPU seconds of so many rounds and the memory that they took at most, and the erased page."""
    before, best, plate = _rest(), math.inf, case.page
    for _ in range(rounds):
        network.shapes.clear()
        started = time.process_time()
        plate = erase(case, network)
        best = min(best, time.process_time() - started)
    kilobytes = _kilobytes("VmHWM") - before
    run = Run(
        seconds=best,
        calls=len(network.shapes),
        pixels=sum(height * width for height, width in network.shapes),
        flop=sum(times * flop(shape) for shape, times in Counter(network.shapes).items()),
        kilobytes=kilobytes,
    )
    return run, plate


def flop_eager(model: Lama | CompactLama, shape: Shape) -> float:
    """Convolutions, matrix products and Fourier transforms of one picture."""
    image = torch.zeros(1, 3, *shape, device="meta")
    return _flop(folded(model), image, image[:, :1])


def flop_served(model: Lama | CompactLama, shape: Shape) -> float:
    """The same of one tile of the served graph, where the transforms are matrix products."""
    image = torch.zeros(1, 3, *shape, device="meta")
    return _flop(FloatGraph(model, TileSpec(*shape)), image, image[:, :1])


def _flop(network: nn.Module, image: Tensor, mask: Tensor) -> float:
    """From the shapes alone: tensors on "meta" have no elements."""
    aten = torch.ops.aten
    transforms = {aten._fft_r2c: _fft, aten._fft_c2c: _fft_complex, aten._fft_c2r: _fft_inverse}
    with FlopCounterMode(display=False, custom_mapping=transforms) as counter, torch.no_grad():
        network.to("meta")(image, mask)
    return float(counter.get_total_flops())


def _fft(shape: Sequence[int], dim: Sequence[int], *_: object, **__: object) -> int:
    """5/2 N log2 N of a real transform, after Cooley and Tukey."""
    return round(2.5 * math.prod(shape) * math.log2(math.prod(shape[axis] for axis in dim)))


def _fft_complex(shape: Sequence[int], dim: Sequence[int], *_: object, **__: object) -> int:
    return 2 * _fft(shape, dim)


def _fft_inverse(
    _shape: Sequence[int], dim: Sequence[int], *_: object, out_shape: Sequence[int], **__: object
) -> int:
    return _fft(out_shape, dim)


def _rest() -> int:
    """Forget how much memory was taken until now; kB that are taken now."""
    _CLEAR.write_text("5")
    return _kilobytes("VmRSS")


def _kilobytes(name: str) -> int:
    rows = (line.split() for line in _STATUS.read_text().splitlines())
    return next(int(row[1]) for row in rows if row[0] == f"{name}:")


if __name__ == "__main__":
    main()
