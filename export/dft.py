"""The Fourier unit as matrix products: runs on every engine, needs no DFT operator, and is the fastest form.

The matrices are constants of the tile size. They follow torch's CPU transforms exactly, also where libraries
differ: after the ReLU the spectrum is no longer Hermitian in its first and last column, and torch inverts the
rows as a complex transform, then the columns as a real one that drops the imaginary part of those two
columns.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from export.lama import FourierUnit, SpectralTransform
from export.prefill import GlobalWaves

M = TypeVar("M", bound=nn.Module)


class MatrixFourierUnit(nn.Module):
    """A folded `FourierUnit` for one spectrum size; no transposes, the interleave falls out of the layout."""

    def __init__(self, unit: FourierUnit, matrices: DftMatrices, *, float32: bool = False) -> None:
        super().__init__()
        self.conv_layer, self.relu = unit.conv_layer, unit.relu
        self.matrices, self.float32 = matrices, float32

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → the same shape."""
        # A separate float32 transform keeps half precision out of the sums over a whole tile.
        spectrum = self.matrices.spectrum(x.float() if self.float32 else x)
        planes = self.relu(self.conv_layer(spectrum.flatten(1, 2).to(x.dtype)))
        if self.float32:
            planes = planes.float()
        return self.matrices.picture(planes.unflatten(1, (-1, 2))).to(x.dtype)


class DftMatrices(nn.Module):
    """The transform of one size, shared by all units; 1/√n sits in each matrix, which keeps fp16 in range.

    Only the cosines and sines are stored; the block matrices that turn four products into one are put
    together in the graph, where an engine folds them once at load.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.columns = width // 2 + 1
        # The real inverse counts every column twice but the first and, for an even width, the last.
        twice = torch.full((self.columns, 1), 2.0)
        twice[0] = 1
        if width % 2 == 0:
            twice[-1] = 1
        self.register_buffer("twice", twice)
        for axis, length in (("h", height), ("w", width)):
            for name, wave in zip(("cos", "sin"), _waves(length), strict=True):
                self.register_buffer(f"{name}_{axis}", wave.float())
        if height == width:
            self.cos_w, self.sin_w = self.cos_h, self.sin_h

    @property
    def rows_forward(self) -> Tensor:
        """(2, w, columns)."""
        return torch.stack([self.cos_w[:, : self.columns], -self.sin_w[:, : self.columns]])

    @property
    def rows_inverse(self) -> Tensor:
        """(2, columns, w)."""
        return torch.stack(
            [self.twice * self.cos_w[: self.columns], -self.twice * self.sin_w[: self.columns]]
        )

    @property
    def columns_forward(self) -> Tensor:
        """(2h, 2h): the complex product with cos - i·sin, real parts above imaginary ones."""
        return self._blocks(self.sin_h)

    @property
    def columns_inverse(self) -> Tensor:
        """(2h, 2h): the complex product with cos + i·sin."""
        return self._blocks(-self.sin_h)

    def _blocks(self, sin: Tensor) -> Tensor:
        return torch.cat([torch.cat([self.cos_h, sin], dim=1), torch.cat([-sin, self.cos_h], dim=1)])

    def spectrum(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, 2, h, w // 2 + 1): real and imaginary parts of the half spectrum."""
        batch, channels, height, _ = x.shape
        # Rows first: cos and sin as a new dimension of two, which then stacks along the height.
        half = (x.unsqueeze(2) @ self.rows_forward).reshape(batch, channels, 2 * height, self.columns)
        return (self.columns_forward @ half).reshape(batch, channels, 2, height, self.columns)

    def picture(self, spectrum: Tensor) -> Tensor:
        """The inverse of `spectrum`."""
        batch, channels, _, height, columns = spectrum.shape
        half = self.columns_inverse @ spectrum.reshape(batch, channels, 2 * height, columns)
        return (half.reshape(batch, channels, 2, height, columns) @ self.rows_inverse).sum(dim=2)

    twice: Tensor
    cos_h: Tensor
    sin_h: Tensor
    cos_w: Tensor
    sin_w: Tensor


def _waves(length: int) -> tuple[Tensor, Tensor]:
    """Cos and sin of 2πnk/N over √N in float64; the angle from n·k mod N, so that it stays exact."""
    n = torch.arange(length)
    angle = (n[:, None] * n[None, :] % length).double() * (2 * math.pi / length)
    return torch.cos(angle) / math.sqrt(length), torch.sin(angle) / math.sqrt(length)


def with_matrices(
    model: M, tile: tuple[int, int], bottleneck: tuple[int, int], *, float32: bool = False
) -> M:
    """Replace, in place, every Fourier transform of a folded module by its matrix form.

    Args:
        model: A folded `Lama` or `CompactLama`.
        tile: Height and width of the tile, in pixels.
        bottleneck: Height and width of the Fourier units' input.
        float32: Keep the transforms in float32 when the rest is half precision.
    """
    matrices = DftMatrices(*bottleneck)
    for module in model.modules():
        if isinstance(module, GlobalWaves):
            module.transform = DftMatrices(*tile)
    for module in model.modules():
        if isinstance(module, SpectralTransform) and isinstance(module.fu, FourierUnit):
            module.fu = MatrixFourierUnit(module.fu, matrices, float32=float32)
    return model
