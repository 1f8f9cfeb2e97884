"""Random networks of every kind, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from export.compact import CompactLama, CompactSize
from export.lama import Lama, LamaSize
from export.prefill import Fills

M = TypeVar("M", bound=nn.Module)
TINY = LamaSize(channels=4, downsamplings=3, blocks=1, global_share=0.75)
TINY_COMPACT = CompactSize(channels=16, detail=8, blocks=1, global_share=0.5)


def randomised(model: M, seed: int = 0) -> M:
    """BatchNorm statistics and zero layers too: nothing may be the identity by accident."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
                tensor.uniform_(0.5, 1.5, generator=generator)
            elif name.endswith(("running_mean", "bias")) or name.startswith("head"):
                tensor.normal_(0, 0.05, generator=generator)
    return model.eval()


def tiny_lama(seed: int = 0) -> Lama:
    torch.manual_seed(seed)
    return randomised(Lama(TINY), seed)


def tiny_compact(seed: int = 0) -> CompactLama:
    """Two rounds of each fill: the exporter traces every round anew, several seconds for all of them."""
    torch.manual_seed(seed)
    model = CompactLama(TINY_COMPACT)
    model.fills = Fills(rounds=(2, 2), trial_rounds=(2, 2))
    return randomised(model, seed)


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.contiguous() for name, value in model.state_dict().items()}


def save_safetensors(model: nn.Module, path: Path) -> Path:
    save_file(tensors_of(model), path)
    return path
