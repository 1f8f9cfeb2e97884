"""LaMa's generator (Suvorov et al. 2021) as a readable torch module of any size.

Module and parameter names are the official ones, so that an official state dict loads with `strict=True`:
the generator is a sequence `model.0`, `model.1`, …, whose numbers depend on its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

#: Official LaMa pads by reflection; zeros are cheaper and do for the compact one.
PaddingMode = Literal["reflect", "zeros"]
#: A feature map split into its local and its global channels; either part may be missing (None).
Pair = tuple[Tensor | None, Tensor | None]


@dataclass(frozen=True, slots=True)
class LamaSize:
    """What distinguishes one LaMa from another; read from the tensors by `export.checkpoints`.

    Attributes:
        channels: Width after the stem (big-lama: 64). Each downsampling doubles it.
        downsamplings: Stride-2 steps before the residual blocks (3).
        blocks: Residual FFC blocks (18).
        global_share: Share of the bottleneck's channels that is global, i.e. sees the spectrum (0.75).
    """

    channels: int = 64
    downsamplings: int = 3
    blocks: int = 18
    global_share: float = 0.75

    @property
    def stride(self) -> int:
        """Height and width of every input must be multiples of this, in pixels."""
        return 1 << self.downsamplings


class FourierUnit(nn.Module):
    """A 1×1 convolution on the spectrum: every output pixel sees the whole tile."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        #: A BatchNorm until it is folded (`export.fold`).
        self.bn: nn.Module = nn.BatchNorm2d(2 * channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape; the transform runs in float32 whatever the rest runs in."""
        height, width = x.shape[-2:]
        spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        # Real and imaginary parts interleave per channel: c0.re, c0.im, c1.re, …
        planes = torch.view_as_real(spectrum).permute(0, 1, 4, 2, 3).flatten(1, 2)
        planes = self.relu(self.bn(self.conv_layer(planes.to(x.dtype)))).float()
        pairs = planes.unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2).contiguous()
        out: Tensor = torch.fft.irfft2(torch.view_as_complex(pairs), s=(height, width), norm="ortho")
        return out.to(x.dtype)


class SpectralTransform(nn.Module):
    """Global channels to global channels: 1×1 in, Fourier unit with a bypass, 1×1 out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = nn.Sequential(nn.Conv2d(channels, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
        #: A `FourierUnit`, or its matrix form (`export.dft`).
        self.fu: nn.Module = FourierUnit(half)
        self.conv2 = nn.Conv2d(half, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        x = self.conv1(x)
        out: Tensor = self.conv2(x + self.fu(x))
        return out


class FFC(nn.Module):
    """Fast Fourier convolution between (local, global) pairs; only the existing paths have weights."""

    def __init__(
        self,
        inputs: tuple[int, int],
        outputs: tuple[int, int],
        kernel: int,
        stride: int,
        padding: int,
        padding_mode: PaddingMode,
    ) -> None:
        super().__init__()

        def path(source: int, target: int) -> nn.Module | None:
            if not (source and target):
                return None
            return nn.Conv2d(source, target, kernel, stride, padding, bias=False, padding_mode=padding_mode)

        self.convl2l = path(inputs[0], outputs[0])
        self.convl2g = path(inputs[0], outputs[1])
        self.convg2l = path(inputs[1], outputs[0])
        self.convg2g = SpectralTransform(outputs[1]) if inputs[1] and outputs[1] else None

    def forward(self, pair: Pair) -> Pair:
        """(local, global) → (local, global), each the sum of the paths that lead to it."""
        local, globl = pair
        return (
            _sum(_apply(self.convl2l, local), _apply(self.convg2l, globl)),
            _sum(_apply(self.convl2g, local), _apply(self.convg2g, globl)),
        )


class FfcBnAct(nn.Module):
    """FFC, then BatchNorm and ReLU on each existing part."""

    def __init__(
        self,
        inputs: tuple[int, int],
        outputs: tuple[int, int],
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        padding_mode: PaddingMode = "reflect",
    ) -> None:
        super().__init__()
        self.ffc = FFC(inputs, outputs, kernel, stride, padding, padding_mode)
        self.bn_l = nn.BatchNorm2d(outputs[0]) if outputs[0] else None
        self.bn_g = nn.BatchNorm2d(outputs[1]) if outputs[1] else None
        self.relu = nn.ReLU()

    def forward(self, pair: Pair) -> Pair:
        """(local, global) → (local, global)."""
        local, globl = self.ffc(pair)
        return _apply(self.relu, _apply(self.bn_l, local)), _apply(self.relu, _apply(self.bn_g, globl))


class FfcBlock(nn.Module):
    """Two 3×3 FFC layers and the way around them."""

    def __init__(self, parts: tuple[int, int], padding_mode: PaddingMode = "reflect") -> None:
        super().__init__()
        self.conv1 = FfcBnAct(parts, parts, kernel=3, padding=1, padding_mode=padding_mode)
        self.conv2 = FfcBnAct(parts, parts, kernel=3, padding=1, padding_mode=padding_mode)

    def forward(self, pair: Pair) -> Pair:
        """(local, global) → (local, global)."""
        local, globl = self.conv2(self.conv1(pair))
        return _sum(local, pair[0]), _sum(globl, pair[1])


class Concat(nn.Module):
    """Local channels, then global ones, as one tensor."""

    def forward(self, pair: Pair) -> Tensor:
        """(local, global) → (B, local + global, H, W)."""
        return torch.cat([part for part in pair if part is not None], dim=1)


class PadSplit(nn.Module):
    """Step 0: reflection padding of the input, which then is the local part."""

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(padding)

    def forward(self, x: Tensor) -> Pair:
        """(B, C, H, W) → ((B, C, H + 2p, W + 2p), nothing)."""
        return self.pad(x), None


class Lama(nn.Module):
    """The generator: masked image and mask in, a whole image out.

    Attributes:
        size: The dimensions the module was built with.
    """

    def __init__(self, size: LamaSize) -> None:
        super().__init__()
        self.size = size
        width = size.channels
        steps: list[nn.Module] = [PadSplit(3), FfcBnAct((4, 0), (width, 0), kernel=7)]
        for step in range(size.downsamplings):
            target = (2 * width, 0)
            if step == size.downsamplings - 1:
                target = split_channels(2 * width, size.global_share)
            steps.append(FfcBnAct((width, 0), target, kernel=3, stride=2, padding=1))
            width *= 2
        steps += [FfcBlock(split_channels(width, size.global_share)) for _ in range(size.blocks)]
        steps.append(Concat())
        for _ in range(size.downsamplings):
            up = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1)
            steps += [up, nn.BatchNorm2d(width // 2), nn.ReLU()]
            width //= 2
        steps += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Sigmoid()]
        self.model = nn.Sequential(*steps)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Predict the picture.

        Args:
            image: (B, 3, H, W), 0..1; H and W multiples of `size.stride`.
            mask: (B, 1, H, W), 1 where the hole is.

        Returns:
            (B, 3, H, W), 0..1: the prediction everywhere, also outside the hole.
        """
        out: Tensor = self.model(torch.cat([image * (1 - mask), mask], dim=1))
        return out


def composite(image: Tensor, predicted: Tensor, mask: Tensor) -> Tensor:
    """The prediction inside the hole, the picture outside it."""
    return mask * predicted + (1 - mask) * image


def split_channels(channels: int, global_share: float) -> tuple[int, int]:
    """Local and global channels of a width."""
    globl = round(channels * global_share)
    return channels - globl, globl


def _apply(module: nn.Module | None, x: Tensor | None) -> Tensor | None:
    return None if module is None or x is None else module(x)


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b
