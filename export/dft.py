"""The Fourier unit as matrix products: runs on every engine, needs no DFT operator, and is the fastest form.

The matrices are constants of the tile size. They follow torch's CPU transforms exactly, also where libraries differ:
after the ReLU the spectrum is no longer Hermitian in its first and last column, and torch inverts the rows as a complex
transform, then the columns as a real one that drops the imaginary part of those two columns.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from export.lama import FourierUnit, SpectralTransform


class MatrixFourierUnit(nn.Module):
    """A folded `FourierUnit` for one spectrum size; no transposes, the interleave falls out of the layout."""

    def __init__(self, unit: FourierUnit, matrices: DftMatrices, *, float32: bool = False) -> None:
        super().__init__()
        self.conv_layer, self.relu = unit.conv_layer, unit.relu
        self.matrices, self.float32 = matrices, float32

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → the same shape."""
        m, batch, channels, height, width = self.matrices, x.shape[0], x.shape[1], x.shape[2], x.shape[3]
        columns = m.columns
        # A separate float32 transform keeps half precision out of the sums over a whole tile.
        wide = x.float() if self.float32 else x
        # Rows to half spectra: cos and sin side by side as a new dimension of two, then stacked along the height.
        half = (wide.unsqueeze(2) @ m.rows_forward).reshape(batch, channels, 2 * height, columns)
        planes = (m.columns_forward @ half).reshape(batch, 2 * channels, height, columns)
        planes = self.relu(self.conv_layer(planes.to(x.dtype)))
        if self.float32:
            planes = planes.float()
        half = m.columns_inverse @ planes.reshape(batch, channels, 2 * height, columns)
        half = half.reshape(batch, channels, 2, height, columns) @ m.rows_inverse
        return half.sum(dim=2).reshape(batch, channels, height, width).to(x.dtype)


class DftMatrices(nn.Module):
    """The four constant matrices of a spectrum size, shared by all units; 1/√n sits in each, which keeps fp16 in range."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.columns = width // 2 + 1
        cos_w, sin_w = _waves(width, torch.float64)
        cos_w, sin_w = cos_w[:, : self.columns], sin_w[:, : self.columns]
        cos_h, sin_h = _waves(height, torch.float64)
        # The real inverse counts every column twice but the first and, for an even width, the last.
        twice = torch.full((self.columns, 1), 2.0, dtype=torch.float64)
        twice[0] = 1
        if width % 2 == 0:
            twice[-1] = 1
        matrices = {
            "rows_forward": torch.stack([cos_w, -sin_w]),
            "columns_forward": torch.cat([torch.cat([cos_h, sin_h], 1), torch.cat([-sin_h, cos_h], 1)]),
            "columns_inverse": torch.cat([torch.cat([cos_h, -sin_h], 1), torch.cat([sin_h, cos_h], 1)]),
            "rows_inverse": torch.stack([twice * cos_w.T, -twice * sin_w.T]),
        }
        for name, matrix in matrices.items():
            self.register_buffer(name, matrix.float())

    rows_forward: Tensor
    columns_forward: Tensor
    columns_inverse: Tensor
    rows_inverse: Tensor


def _waves(length: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """cos and sin of 2πnk/N over √N; the angle from n·k mod N, so that it stays exact."""
    n = torch.arange(length)
    angle = (n[:, None] * n[None, :] % length).to(dtype) * (2 * math.pi / length)
    return torch.cos(angle) / math.sqrt(length), torch.sin(angle) / math.sqrt(length)


def with_matrices(model: nn.Module, height: int, width: int, *, float32: bool = False) -> nn.Module:
    """Replace, in place, every Fourier unit of a folded module by its matrix form.

    Args:
        model: A folded `Lama` or `CompactLama`.
        height: Height of the bottleneck (tile height over its stride), in pixels.
        width: Width of the bottleneck, in pixels.
        float32: Keep the transforms in float32 when the rest is half precision.
    """
    matrices = DftMatrices(height, width)
    for module in model.modules():
        if isinstance(module, SpectralTransform) and isinstance(module.fu, FourierUnit):
            module.fu = MatrixFourierUnit(module.fu, matrices, float32=float32)  # type: ignore[assignment]
    return model
