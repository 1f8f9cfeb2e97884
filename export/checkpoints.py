"""From a weights file to a module: which network it is, how large, and that every tensor fits."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from export.archive import read_archive
from export.compact import CompactLama, CompactSize
from export.errors import ExportError
from export.lama import Lama, LamaSize

#: Where the generator hides: Lightning's best.ckpt, TorchScript's big-lama.pt, a bare state dict.
_PREFIXES = ("state_dict.generator.", "generator.", "model.generator.", "state_dict.", "")
#: How many keys an error lists before it only counts.
_LISTED = 8


def load_model(path: Path) -> Lama | CompactLama:
    """The module in a weights file, in float32 and eval mode.

    Args:
        path: A `.ckpt` / `.pt` (torch zip archive; nothing in it is executed) or a `.safetensors`.

    Raises:
        ExportError: The file is missing, unreadable, not LaMa, or its keys and shapes do not fit exactly.
    """
    tensors = generator_tensors(path)
    model: Lama | CompactLama
    try:
        model = CompactLama(compact_size(tensors)) if "stem.0.weight" in tensors else Lama(lama_size(tensors))
    except KeyError as error:
        raise ExportError(f"{path}: not LaMa's weights: no tensor named {error.args[0]}") from error
    _fill(model, tensors, path)
    return model.eval()


def generator_tensors(path: Path) -> dict[str, Tensor]:
    """The generator's tensors by their names in `Lama` or `CompactLama`; all others are left out."""
    if not path.is_file():
        raise ExportError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            raise ExportError(f"{path}: not a safetensors file, or a truncated one ({error})") from error
    else:
        tensors = read_archive(path)
    for prefix in _PREFIXES:
        found = {
            name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)
        }
        if "stem.0.weight" in found or any(re.match(r"model\.\d+\.", name) for name in found):
            return found
    raise ExportError(
        f"{path}: not LaMa's weights: none of its {len(tensors)} tensors is named model.1.ffc… or stem.0…"
    )


def lama_size(tensors: dict[str, Tensor]) -> LamaSize:
    """Dimensions of an official generator; KeyError names the first tensor that should be there."""
    channels = tensors["model.1.ffc.convl2l.weight"].shape[0]
    steps = {int(name.split(".")[1]) for name in tensors if re.match(r"model\.\d+\.ffc\.", name)}
    blocks = {int(name.split(".")[1]) for name in tensors if re.match(r"model\.\d+\.conv1\.ffc\.", name)}
    last = max(steps)
    globl = tensors[f"model.{last}.ffc.convl2g.weight"].shape[0]
    local = tensors[f"model.{last}.ffc.convl2l.weight"].shape[0]
    return LamaSize(channels, len(steps) - 1, len(blocks), globl / (globl + local))


def compact_size(tensors: dict[str, Tensor]) -> CompactSize:
    """Dimensions of a compact LaMa; KeyError as for `lama_size`."""
    channels, detail = tensors["down.0.weight"].shape[0], tensors["stem.0.weight"].shape[0]
    blocks = {name.split(".")[1] for name in tensors if name.startswith("blocks.")}
    globl = tensors["blocks.0.conv1.ffc.convl2g.weight"].shape[0]
    return CompactSize(channels, detail, len(blocks), globl / channels)


def _fill(model: Lama | CompactLama, tensors: dict[str, Tensor], path: Path) -> None:
    own = model.state_dict()
    # Counters of training steps, which inference never reads; safetensors files often leave them out.
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    missing = sorted(own.keys() - tensors.keys() - counters)
    unknown = sorted(tensors.keys() - own.keys())
    misshapen = sorted(
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own.keys() & tensors.keys()
        if own[name].shape != tensors[name].shape
    )
    problems = [
        f"{len(names)} {what}: {', '.join(names[:_LISTED])}{' …' if len(names) > _LISTED else ''}"
        for what, names in (("missing", missing), ("unknown", unknown), ("misshapen", misshapen))
        if names
    ]
    if problems:
        raise ExportError(f"{path}: its tensors are not exactly this LaMa's: {'; '.join(problems)}")
    floats = {name: value.to(own[name].dtype) for name, value in tensors.items()}
    broken = sorted(name for name, value in floats.items() if not torch.isfinite(value).all())
    if broken:
        raise ExportError(f"{path}: not finite: {', '.join(broken[:_LISTED])}")
    model.load_state_dict(own | floats)
