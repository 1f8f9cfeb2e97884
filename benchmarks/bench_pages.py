"""What a page costs with one network: in this planner's tiles, whole, and in a crop for each OCR line.

    make bench-pages            (.venv/bin/python -m benchmarks.bench_pages [--rounds 3] [--only NAME])

All three are run, from the OCR lines to the plate, by torch on one thread, with the weights that ship: the
whole page mirrored to a multiple of 8; for each line its box with 128 px on every side, as far as the page
has them. "planner, served" is the planner with the models that the worker would use (ONNX Runtime).

Each line of the table is a process of its own. Seconds are CPU seconds, which other work on the machine
stretches less; peak MB is memory beyond model, page and libraries. GFLOP are convolutions, matrix products
and Fourier transforms. What takes too long or does not fit says so instead of numbers.
"""

from __future__ import annotations

import worker  # noqa: F401 (sets the threads of numpy's BLAS, which reads them when it is loaded)

# isort: split
import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from benchmarks.machine import described
from benchmarks.pages_table import HEAD, WAYS, Run, rows, together
from benchmarks.pages_ways import Case
from benchmarks.posters import textured_paragraphs
from worker.imaging.regions import group_lines
from worker.job import Image, TextLine
from worker.translation.han import is_chinese

_ROOT = Path(__file__).parents[1]
SAMPLES = _ROOT / "examples"
#: The one page that is no sample.
PARAGRAPHS = "paragraphs on wood"
#: Of what is measured: one thread, and tensors from memory that is kept. As it comes, glibc gives large ones
#: back and takes them anew from the kernel, page by page, for half of a whole strip's time.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=17179869184",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("model_repository"), help="a model repository")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest round of so many counts")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--limit", type=float, default=600, help="seconds that one way may take for a page")
    parser.add_argument("--memory", type=float, default=8, help="GiB that one way may take")
    parser.add_argument(
        "--torch", type=Path, default=_ROOT / ".venv-export/bin/python", help="a Python that has torch"
    )
    options = parser.parse_args()
    print(f"{described()}; one thread, best of {options.rounds}\n")
    print("\n".join(HEAD))
    samples = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        for name, case in pages():
            if options.only not in name:
                continue
            case.save(path)
            runs = {way: run(way, path, options) for way in WAYS}
            print("\n".join(rows(name, runs)), flush=True)
            if not name.startswith(PARAGRAPHS):
                samples.append(runs)
    if len(samples) > 1:
        print("\n".join(rows("samples together", together(samples), len(samples))))


def pages() -> Iterator[tuple[str, Case]]:
    """The sample posters and strip, and a page of paragraphs on wood, by name and size."""
    for path in sorted(SAMPLES.glob("*.ocr.json")):
        name = path.name.removesuffix(".ocr.json")
        picture = next(p for p in SAMPLES.glob(f"{name}.*") if p.suffix in (".jpg", ".png"))
        page = np.asarray(Pillow.open(picture).convert("RGB"))
        read = json.loads(path.read_text())
        lines = tuple(TextLine(np.array(r["box"], np.float32), r["text"], r["score"]) for r in read)
        yield f"{name} {page.shape[1]}×{page.shape[0]}", _case(page, lines)
    poster = textured_paragraphs()
    yield f"{PARAGRAPHS} {poster.page.shape[1]}×{poster.page.shape[0]}", _case(poster.page, poster.lines)


def _case(page: Image, lines: tuple[TextLine, ...]) -> Case:
    return Case(page, lines, tuple(is_chinese(block.text) for block in group_lines(page, lines)))


def run(way: str, case: Path, options: argparse.Namespace) -> Run | str:
    """What it cost, or why it could not be run."""
    limits = [f"--rounds={options.rounds}", f"--memory={options.memory}"]
    models = f"--models={options.models.resolve()}"
    try:
        done = subprocess.run(
            [options.torch, "-m", "benchmarks.pages_network", case, way, models, *limits],
            cwd=_ROOT,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
            timeout=options.limit * options.rounds,
        )
    except subprocess.TimeoutExpired:
        return f"more than {options.limit:.0f} s"
    if done.returncode:
        return f"cannot run: {(done.stderr.strip().splitlines() or [f'exit {done.returncode}'])[-1][:80]}"
    return Run(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
