"""The model repository: one Triton model a tile size, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

from export.errors import ExportError
from export.graph import Precision

Target = Literal["cpu", "onnxruntime", "tensorrt"]
_SERVING = Path(__file__).with_name("serving")

MAX_BATCH = 16
#: Long enough for tiles of several images to meet, short beside a tile's milliseconds on a GPU.
QUEUE_DELAY_MICROSECONDS = 3000

_CONFIG = """\
# Written by `python -m export build`; the tensor contract is in README.md.
name: "{name}"
{backend}
max_batch_size: {max_batch}
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: [{size}, {size}, 3] }},
  {{ name: "mask" data_type: TYPE_UINT8 dims: [{size}, {size}, 1] }}
]
output [{{ name: "inpainted" data_type: TYPE_UINT8 dims: [{size}, {size}, 3] }}]
# A delay and nothing else: any queue policy switches prefetching off. Backpressure is the client's.
dynamic_batching {{ max_queue_delay_microseconds: {delay} }}
instance_group [{{ count: 1 kind: {kind} }}]
{options}model_warmup [
{warmup}
]
"""

_WARMUP = """\
  {{
    name: "batch_{batch}" batch_size: {batch}
    inputs {{ key: "image" value {{ data_type: TYPE_UINT8 dims: [{size}, {size}, 3] random_data: true }} }}
    inputs {{ key: "mask" value {{ data_type: TYPE_UINT8 dims: [{size}, {size}, 1] random_data: true }} }}
  }}"""

_CPU_OPTIONS = """\
# 0: every core the server may use. With several instances give each its share: two sessions on the same cores
# collapse.
parameters { key: "intra_op_threads" value { string_value: "0" } }
"""

_ONNXRUNTIME_OPTIONS = """\
# TensorRT inside ONNX Runtime, with what it cannot take left to CUDA. The caches survive restarts when
# /var/cache/triton is a volume; without them every start builds the engine anew. To use CUDA alone, replace
# the accelerator by:  name: "cuda"  parameters {{ key: "cudnn_conv_algo_search" value: "EXHAUSTIVE" }}
optimization {{
  execution_accelerators {{
    gpu_execution_accelerator [{{
      name: "tensorrt"
      parameters {{ key: "precision_mode" value: "{mode}" }}
      parameters {{ key: "trt_engine_cache_enable" value: "1" }}
      parameters {{ key: "trt_engine_cache_path" value: "/var/cache/triton/{name}-{digest}" }}
      parameters {{ key: "trt_timing_cache_enable" value: "1" }}
      parameters {{ key: "trt_timing_cache_path" value: "/var/cache/triton" }}
      parameters {{ key: "trt_profile_min_shapes" value: "{minimum}" }}
      parameters {{ key: "trt_profile_opt_shapes" value: "{optimum}" }}
      parameters {{ key: "trt_profile_max_shapes" value: "{maximum}" }}
    }}]
  }}
}}
"""

_TRTEXEC = """\
#!/bin/sh
# Builds the TensorRT plans of this repository. Run it inside the very container that serves them, on the very
# GPU: docker run --rm --gpus all -v "$PWD:/models" nvcr.io/nvidia/tritonserver:TAG sh /models/build_plans.sh
# Precision comes from the ONNX file, which holds the casts (TensorRT 11 is strongly typed); before 11,
# --stronglyTyped says so.
set -eu
cd "$(dirname "$0")"
{commands}
"""

_TRTEXEC_COMMAND = """\
${{TRTEXEC:-/usr/src/tensorrt/bin/trtexec}} --onnx={name}/model.onnx --stronglyTyped \\
  --minShapes={minimum} --optShapes={optimum} --maxShapes={maximum} \\
  --timingCacheFile=timing.cache --saveEngine={name}/1/model.plan.part
mv {name}/1/model.plan.part {name}/1/model.plan"""


def model_name(size: int) -> str:
    """The served name of a tile size."""
    return f"lama_{size}"


def onnx_path(repository: Path, size: int, target: Target) -> Path:
    """Where a model's ONNX file lies: for TensorRT beside the version folder, which will hold the plan."""
    folder = repository / model_name(size)
    return folder / "model.onnx" if target == "tensorrt" else folder / "1" / "model.onnx"


def write_config(repository: Path, size: int, target: Target, precision: Precision) -> None:
    """config.pbtxt, and for the CPU the Python model, beside the graph that lies there already."""
    folder, name = repository / model_name(size), model_name(size)
    graph = hashlib.sha256(onnx_path(repository, size, target).read_bytes())
    backends = {
        "cpu": ('backend: "python"', "KIND_CPU", _CPU_OPTIONS),
        "onnxruntime": (
            'backend: "onnxruntime"',
            "KIND_GPU",
            _ONNXRUNTIME_OPTIONS.format(
                name=name,
                # ONNX Runtime knows a cached engine by its nodes' names, whatever their weights.
                digest=graph.hexdigest()[:12],
                mode="FP32" if precision == "fp32" else "FP16",
                **_profiles(size),
            ),
        ),
        "tensorrt": ('platform: "tensorrt_plan"', "KIND_GPU", ""),
    }
    backend, kind, options = backends[target]
    batches = (1,) if target == "cpu" else (1, 8)
    config = _CONFIG.format(
        name=name,
        backend=backend,
        size=size,
        max_batch=MAX_BATCH,
        delay=QUEUE_DELAY_MICROSECONDS,
        kind=kind,
        options=options,
        warmup=",\n".join(_WARMUP.format(batch=batch, size=size) for batch in batches),
    )
    (folder / "config.pbtxt").write_text(config)
    if target == "cpu":
        shutil.copyfile(_SERVING / "onnx_cpu.py", folder / "1" / "model.py")


def write_plan_script(repository: Path, sizes: list[int]) -> None:
    """`build_plans.sh`: the exact trtexec calls for every tile size."""
    commands = [_TRTEXEC_COMMAND.format(name=model_name(size), **_profiles(size)) for size in sizes]
    script = repository / "build_plans.sh"
    script.write_text(_TRTEXEC.format(commands="\n".join(commands)))
    script.chmod(0o755)


def _profiles(size: int) -> dict[str, str]:
    def shapes(batch: int) -> str:
        return f"image:{batch}x{size}x{size}x3,mask:{batch}x{size}x{size}x1"

    return {"minimum": shapes(1), "optimum": shapes(8), "maximum": shapes(MAX_BATCH)}


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside `out` to build in; its entries replace those of `out` when the block ends well.

    Each entry moves by rename, and all move back when one cannot: a reader sees old models or new ones, never
    a half-written one. On any error `out` stays as it was.

    Raises:
        ExportError: `out` cannot be written, or is a mount, which nothing moves into by rename.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"{out}: cannot be written ({error.strerror})") from error
    try:
        # Not inside: a server that starts meanwhile would take it for a model.
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise ExportError(f"{out}: cannot be built beside it in {out.parent} ({error.strerror})") from error
    try:
        (folder / "new").mkdir()
        (folder / "old").mkdir()
        _try_to_move(folder, out)
        yield folder / "new"
        _swap(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _try_to_move(folder: Path, out: Path) -> None:
    """What cannot be put in place is better known before the minutes of work than after."""
    file, moved = folder / "file", out / folder.name
    file.touch()
    try:
        file.rename(moved)
        moved.unlink()
    except OSError as error:
        reason = error.strerror
        if error.errno == errno.EXDEV:
            reason = f"a mount of its own; name a folder in it, such as {out}/1"
        raise ExportError(f"{out}: cannot be written ({reason})") from error


def _swap(folder: Path, out: Path) -> None:
    undo: list[Callable[[], object]] = []
    try:
        for entry in sorted((folder / "new").iterdir()):
            target, kept = out / entry.name, folder / "old" / entry.name
            if target.exists():
                target.rename(kept)
                undo.append(partial(kept.rename, target))
            entry.rename(target)
            undo.append(partial(target.rename, entry))
    except OSError as error:
        for step in reversed(undo):
            step()
        raise ExportError(f"{out}: cannot be replaced ({error.strerror})") from error
