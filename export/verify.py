"""How far an exported model is from torch in float32: the table that ends every build."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.checkpoints import load_model
from export.compact import CompactLama
from export.errors import ExportError
from export.graph import Precision, TileSpec, export_float
from export.lama import Lama, composite
from export.training.patterns import pattern, smooth_noise

Pixels = NDArray[np.uint8]
#: (images (B, S, S, 3), masks (B, S, S, 1)) → inpainted (B, S, S, 3)
Engine = Callable[[Pixels, Pixels], Pixels]

#: Allowed difference from torch: a rounding tie in float32, invisible in half precision.
MAX_LEVELS = 1
MIN_PSNR = 50.0
#: Golden case of the official generator, in float32.
GOLDEN_TOLERANCE = 1e-4
#: Largest finite value of float16; a probe within a quarter of it is a warning.
HALF_MAX = 65504.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the verification table."""

    name: str
    max_levels: int
    psnr: float
    megabytes: float
    milliseconds: float

    def check(self, precision: Precision) -> None:
        """Raise ExportError when the model is further from torch than its precision allows."""
        if precision == "fp32" and self.max_levels > MAX_LEVELS:
            raise ExportError(f"{self.name}: {self.max_levels} grey levels from torch, {MAX_LEVELS} allowed")
        if self.psnr < MIN_PSNR:
            raise ExportError(f"{self.name}: {self.psnr:.1f} dB against torch in the hole, {MIN_PSNR} needed")


def sample_tiles(size: int, count: int) -> tuple[Pixels, Pixels]:
    """Patterns with holes of every kind: bars like text, a blob, none at all, nearly everything.

    Returns:
        images (count, S, S, 3) and masks (count, S, S, 1) {0, 255}; always the same ones.
    """
    images = np.empty((count, size, size, 3), np.uint8)
    masks = np.zeros((count, size, size, 1), np.uint8)
    for i in range(count):
        rng = np.random.default_rng([size, i])
        images[i] = np.round(pattern(rng, size) * 255)
        kind = i % 4
        if kind == 0:
            for left in range(size // 8, size - size // 8, size // 12):
                masks[i, size // 3 : size // 2, left : left + size // 24] = 255
        elif kind == 1:
            masks[i, ..., 0] = np.where(smooth_noise(rng, size, size / 5) > 0.5, 255, 0)
        elif kind == 3:
            masks[i, size // 16 :, size // 16 :] = 255
    return images, masks


@torch.no_grad()
def torch_engine(model: Lama | CompactLama) -> Engine:
    """The reference: the module as loaded, float32, one tile at a time."""

    def run(images: Pixels, masks: Pixels) -> Pixels:
        tiles = []
        with torch.no_grad():
            for image, mask in zip(images, masks, strict=True):
                picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
                hole = torch.from_numpy(mask > 127).permute(2, 0, 1)[None].float()
                out = composite(picture, model(picture, hole).clamp(0, 1), hole)
                tiles.append((out[0] * 255).round().permute(1, 2, 0).to(torch.uint8).numpy())
        return np.stack(tiles)

    return run


def onnx_engine(path: Path, threads: int = 0) -> Engine:
    """ONNX Runtime on the CPU; `threads` 0 takes every core."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(images: Pixels, masks: Pixels) -> Pixels:
        out: Pixels = session.run(["inpainted"], {"image": images, "mask": masks})[0]
        return out

    return run


def compare(
    name: str, engine: Engine, reference: Engine, size: int, path: Path | None, batches: tuple[int, ...]
) -> Row:
    """Run the sample tiles in the given batch sizes through both.

    Raises:
        ExportError: The model changes a pixel outside the mask or answers with another shape.
    """
    worst, squared, values = 0, 0.0, 0
    for batch in batches:
        images, masks = sample_tiles(size, batch)
        ours, theirs = engine(images, masks), reference(images, masks)
        if ours.shape != images.shape or ours.dtype != np.uint8:
            raise ExportError(f"{name}: answers {ours.dtype} {ours.shape} to images of {images.shape}")
        hole = np.broadcast_to(masks > 127, images.shape)
        if not np.array_equal(ours[~hole], images[~hole]):
            raise ExportError(f"{name}: changes pixels outside the mask")
        difference = ours[hole].astype(np.float64) - theirs[hole]
        worst = max(worst, int(np.abs(difference).max(initial=0)))
        squared, values = squared + float(np.square(difference).sum()), values + difference.size
    psnr = 10 * np.log10(255**2 * values / squared) if squared else float("inf")
    images, masks = sample_tiles(size, 1)
    started = time.perf_counter()
    for _ in range(3):
        engine(images, masks)
    milliseconds = (time.perf_counter() - started) / 3 * 1e3
    megabytes = path.stat().st_size / 1e6 if path is not None else float("nan")
    return Row(name, worst, float(psnr), megabytes, milliseconds)


def table(rows: list[Row]) -> Iterator[str]:
    """The verification table, line by line."""
    yield f"{'model':<26} {'max |Δ|':>9} {'PSNR':>9} {'file':>10} {'a tile':>10}"
    for row in rows:
        size = "" if np.isnan(row.megabytes) else f"{row.megabytes:.2f} MB"
        psnr = "equal" if np.isinf(row.psnr) else f"{row.psnr:.1f} dB"
        yield f"{row.name:<26} {row.max_levels:>9} {psnr:>9} {size:>10} {row.milliseconds:>7.0f} ms"


@torch.no_grad()
def largest_activation(model: Lama | CompactLama, size: int) -> float:
    """The largest magnitude any layer puts out on the sample tiles: what half precision must hold."""
    largest = 0.0

    def probe(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal largest
        for tensor in output if isinstance(output, tuple) else (output,):
            if isinstance(tensor, Tensor):
                largest = max(largest, float(tensor.abs().max()))

    hooks = [module.register_forward_hook(probe) for module in model.modules()]
    try:
        torch_engine(model)(*sample_tiles(size, 4))
    finally:
        for hook in hooks:
            hook.remove()
    return largest


def verify_golden(checkpoint: Path, case: Path, scratch: Path) -> list[tuple[str, float]]:
    """The official generator's answer against torch and against the float ONNX: (what, max |Δ|).

    Raises:
        ExportError: A difference above `GOLDEN_TOLERANCE`, or an unreadable case.
    """
    try:
        with np.load(case) as arrays:
            image, mask, predicted = (arrays[name] for name in ("image", "mask", "predicted"))
    except (OSError, KeyError, ValueError) as error:
        raise ExportError(f"{case}: not a golden case ({error})") from error
    model = load_model(checkpoint)
    with torch.no_grad():
        ours = model(torch.from_numpy(image), torch.from_numpy(mask)).numpy()
    path = scratch / "golden.onnx"
    export_float(model, TileSpec(*image.shape[2:]), path)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    exported = session.run(["predicted"], {"image": image, "mask": mask})[0]
    found = [
        ("torch", float(np.abs(ours - predicted).max())),
        ("float ONNX", float(np.abs(exported - predicted).max())),
    ]
    for name, difference in found:
        if not difference <= GOLDEN_TOLERANCE:
            raise ExportError(f"golden case: {name} is {difference:.2e} off, {GOLDEN_TOLERANCE:.0e} allowed")
    return found


def triton_engine(url: str, name: str) -> Engine:
    """A model behind a tritonserver's gRPC port.

    Raises:
        ExportError: tritonclient is not installed; when called, the server does not answer or refuses.
    """
    try:
        from tritonclient import grpc
    except ImportError as error:
        raise ExportError("verify --triton needs tritonclient: pip install 'tritonclient[grpc]'") from error
    client = grpc.InferenceServerClient(url)

    def run(images: Pixels, masks: Pixels) -> Pixels:
        inputs = []
        for key, value in (("image", images), ("mask", masks)):
            tensor = grpc.InferInput(key, value.shape, "UINT8")
            tensor.set_data_from_numpy(value)
            inputs.append(tensor)
        try:
            reply = client.infer(name, inputs, client_timeout=120)
        except grpc.InferenceServerException as error:
            raise ExportError(f"{url}, {name}: {error.message()}") from error
        out: Pixels = reply.as_numpy("inpainted")
        return out

    return run
