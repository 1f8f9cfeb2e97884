"""BatchNorm folded into the convolutions before it, computed in float64."""

from __future__ import annotations

import copy
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from export.lama import FfcBnAct, FourierUnit

M = TypeVar("M", bound=nn.Module)


def folded(model: M) -> M:
    """A copy of the module that computes the same in eval mode without a BatchNorm.

    Args:
        model: `Lama` or `CompactLama`, in eval mode.
    """
    model = copy.deepcopy(model).eval()
    for module in list(model.modules()):
        if isinstance(module, FfcBnAct):
            _fold_ffc(module)
        elif isinstance(module, FourierUnit) and isinstance(module.bn, nn.BatchNorm2d):
            _fold_into([module.conv_layer], module.bn)
            module.bn = nn.Identity()
        elif isinstance(module, nn.Sequential):
            _fold_sequence(module)
    left = [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    if left:
        raise AssertionError(f"BatchNorm left after folding: {left}")
    return model


def _fold_ffc(layer: FfcBnAct) -> None:
    """Both paths into a part are scaled alike; the shift goes to the first of them."""
    ffc = layer.ffc
    spectral = None if ffc.convg2g is None else ffc.convg2g.conv2
    for name, paths in (("bn_l", (ffc.convl2l, ffc.convg2l)), ("bn_g", (ffc.convl2g, spectral))):
        bn = getattr(layer, name)
        if bn is not None:
            _fold_into([path for path in paths if isinstance(path, nn.Conv2d)], bn)
            setattr(layer, name, nn.Identity())


def _fold_sequence(steps: nn.Sequential) -> None:
    for index in range(1, len(steps)):
        before, bn = steps[index - 1], steps[index]
        if isinstance(bn, nn.BatchNorm2d) and isinstance(before, (nn.Conv2d, nn.ConvTranspose2d)):
            _fold_into([before], bn)
            steps[index] = nn.Identity()


@torch.no_grad()
def _fold_into(
    convolutions: list[nn.Conv2d] | list[nn.Conv2d | nn.ConvTranspose2d], bn: nn.BatchNorm2d
) -> None:
    mean, variance = cast(Tensor, bn.running_mean).double(), cast(Tensor, bn.running_var).double()
    scale = bn.weight.double() / torch.sqrt(variance + bn.eps)
    shift = bn.bias.double() - mean * scale
    for number, convolution in enumerate(convolutions):
        # A transposed convolution keeps its output channels in the second dimension.
        shape = (1, -1, 1, 1) if isinstance(convolution, nn.ConvTranspose2d) else (-1, 1, 1, 1)
        dtype = convolution.weight.dtype
        convolution.weight.copy_((convolution.weight.double() * scale.view(shape)).to(dtype))
        bias = torch.zeros_like(scale) if convolution.bias is None else convolution.bias.double() * scale
        if number == 0:
            bias = bias + shift
        if number == 0 or convolution.bias is not None:
            convolution.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
