"""CPU seconds and GFLOP/s a tile, for every engine that can run a LaMa, in one run on one machine.

    make bench-model            (.venv-export/bin/python -m benchmarks.bench_model)

Each line is measured in a process of its own, which may use only the threads it is given: the best of at
least three runs. CPU seconds are the process's, so two threads that wait for each other show. The peak is a
large matrix product on one core, per CPU second too. Run it on a quiet machine; training must not run beside
it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import described
from export.build import weights_path
from export.checkpoints import load_model
from export.compact import CompactLama
from export.graph import TileSpec, export_native, export_tile, store_half
from export.lama import Lama, LamaSize
from export.verify import sample_tiles, torch_engine

#: name → (file, engine)
ENGINES = {
    "torch eager": (None, "torch"),
    "ONNX, DFT operators, ORT": ("native.onnx", "ort-float"),
    "this export, ORT": ("tile.onnx", "ort"),
    "this export, fp16 file, ORT": ("tile-half.onnx", "ort"),
    "this export, OpenVINO": ("tile.onnx", "openvino"),
    "this export, fp16 file, OpenVINO": ("tile-half.onnx", "openvino"),
}


def random_or_loaded(weights: str) -> Lama | CompactLama:
    """The named weights; `random` is a network of big-lama's size, which costs what the trained one costs."""
    if weights == "random":
        torch.manual_seed(0)
        return Lama(LamaSize()).eval()
    return load_model(weights_path(weights, Path(".cache/weights")))


def gigaflops(model: Lama | CompactLama, size: int) -> float:
    """Convolutions and matrix products of one tile (the transforms themselves are not counted)."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.rand(1, 3, size, size), torch.zeros(1, 1, size, size))
    return float(counter.get_total_flops()) / 1e9


def peak() -> float:
    """GFLOP per CPU second of a 2048² float32 matrix product on one core, best of ten."""
    torch.set_num_threads(1)
    a, best = torch.rand(2048, 2048), 0.0
    for _ in range(10):
        started = time.process_time()
        a @ a
        best = max(best, 2 * 2048**3 / (time.process_time() - started) / 1e9)
    return best


def runner(
    engine: str, path: Path | None, model: Lama | CompactLama, threads: int
) -> Callable[..., np.ndarray]:
    """(images, masks) uint8 → tiles, on one engine."""
    if engine == "torch":
        torch.set_num_threads(threads)
        return torch_engine(model)
    if engine == "openvino":
        import openvino

        core = openvino.Core()
        compiled = core.compile_model(
            path, "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        )
        return lambda images, masks: compiled({"image": images, "mask": masks})["inpainted"]
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    if engine == "ort":
        return lambda images, masks: session.run(None, {"image": images, "mask": masks})[0]

    def floats(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
        feed = {
            "image": images.transpose(0, 3, 1, 2).astype(np.float32) / 255,
            "mask": masks.transpose(0, 3, 1, 2).astype(np.float32) / 255,
        }
        predicted = session.run(None, feed)[0].transpose(0, 2, 3, 1)
        return np.where(masks > 0, np.round(predicted.clip(0, 1) * 255), images).astype(np.uint8)

    return floats


def measure(case: dict[str, object]) -> dict[str, float]:
    """One line, in this process: the least CPU and wall seconds a tile, and the difference from torch."""
    size, batch, threads = (int(str(case[name])) for name in ("size", "batch", "threads"))
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:threads]))
    model = random_or_loaded(str(case["weights"]))
    path = Path(str(case["path"])) if case["path"] else None
    run = runner(str(case["engine"]), path, model, threads)
    images, masks = sample_tiles(size, batch)
    answer = run(images, masks)
    started, cpu, wall, runs = time.perf_counter(), math.inf, math.inf, 0
    while runs < 3 or time.perf_counter() - started < 2:
        before = time.process_time(), time.perf_counter()
        run(images, masks)
        cpu = min(cpu, (time.process_time() - before[0]) / batch)
        wall = min(wall, (time.perf_counter() - before[1]) / batch)
        runs += 1
    difference = 0
    if batch == 1 and case["engine"] != "torch":
        difference = int(np.abs(answer.astype(int) - torch_engine(model)(images, masks)).max())
    return {"cpu": cpu, "wall": wall, "levels": difference}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="random", help="random (big-lama's size), compact, or a file")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(json.loads(options.case))))
        return
    print(f"{described()}; torch {torch.__version__}; weights: {options.weights}")
    limit = peak()
    print(f"peak of one core: {limit:.0f} GFLOP/s")
    columns = (
        "tile",
        "batch",
        "threads",
        "engine",
        "CPU s",
        "wall s",
        "GFLOP/s",
        "of peak",
        "vs torch",
        "max |Δ|",
    )
    print("{:<5} {:>5} {:>7}  {:<34} {:>7} {:>7} {:>8} {:>7} {:>8} {:>7}".format(*columns))
    model = random_or_loaded(options.weights)
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            _export_all(model, size, Path(folder))
            work = gigaflops(model, size)
            for batch in options.batches:
                for threads in options.threads:
                    _lines(options.weights, Path(folder), work, limit, (size, batch, threads))


def _export_all(model: Lama | CompactLama, size: int, folder: Path) -> None:
    spec = TileSpec(size, size)
    export_tile(model, spec, folder / "tile.onnx")
    (folder / "tile-half.onnx").write_bytes((folder / "tile.onnx").read_bytes())
    store_half(folder / "tile-half.onnx")
    try:
        export_native(model, spec, folder / "native.onnx")
    except (
        Exception
    ) as error:  # The exporter's failures share no base class; the line then says "cannot run".
        print(f"native export at {size}: {type(error).__name__}")
        (folder / "native.onnx").unlink(missing_ok=True)


def _lines(weights: str, folder: Path, work: float, limit: float, shape: tuple[int, int, int]) -> None:
    size, batch, threads = shape
    eager = float("nan")
    for name, (file, engine) in ENGINES.items():
        case: dict[str, object] = {
            "weights": weights,
            "engine": engine,
            "path": str(folder / file) if file else None,
            "size": size,
            "batch": batch,
            "threads": threads,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.bench_model", "--case", json.dumps(case)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )
        head = f"{size:<5} {batch:>5} {threads:>7}  {name:<34}"
        if done.returncode:
            print(f"{head} cannot run: {done.stderr.strip().splitlines()[-1][:60]}")
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        eager = row["cpu"] if engine == "torch" else eager
        speed = work / row["cpu"]
        print(
            f"{head} {row['cpu']:>7.3f} {row['wall']:>7.3f} {speed:>8.0f} {100 * speed / limit:>5.0f} %"
            f" {eager / row['cpu']:>7.2f}× {row['levels']:>7}",
            flush=True,
        )


if __name__ == "__main__":
    main()
