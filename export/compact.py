"""The compact LaMa that ships: LaMa's FFC blocks behind two fills that need no training.

What differs from the official generator, and why (docs/model-card.md has the measurements): the network sees
the hole filled smoothly and filled from the tile's strongest waves (export/prefill.py), decides which to
believe, and adds a residual, so that training starts above OpenCV's methods instead of at grey;
space-to-depth instead of full-resolution convolutions, because those dominate the time of a narrow network on
a CPU; and a way around the bottleneck at half resolution, so that edges keep their place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.lama import Concat, FfcBlock, split_channels
from export.prefill import SpectralFill, prefill

LEAK = 0.1
#: What BatchNorm's scale at the end of each block starts from.
BLOCK_GAIN = 0.3


@dataclass(frozen=True, slots=True)
class CompactSize:
    """Dimensions of a compact LaMa, readable from its tensors.

    Attributes:
        channels: Bottleneck width, at a quarter of the resolution.
        detail: Width of the path at half the resolution.
        blocks: Residual FFC blocks.
        global_share: Share of the bottleneck that sees the spectrum.
    """

    channels: int = 64
    detail: int = 32
    blocks: int = 5
    global_share: float = 0.5

    @property
    def stride(self) -> int:
        """Height and width of every input must be multiples of this, in pixels (as for big-lama)."""
        return 8


class ConvBnAct(nn.Sequential):
    """3×3 convolution, BatchNorm, leaky ReLU.

    Leaky, because inside the hole the quickest way to a small residual is to silence every feature there, and
    a plain ReLU never wakes up again.
    """

    def __init__(self, source: int, target: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(source, target, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(target),
            nn.LeakyReLU(LEAK, inplace=True),
        )


class CompactLama(nn.Module):
    """Two fills, then FFC blocks at a quarter of the resolution.

    Attributes:
        size: The dimensions the module was built with.
    """

    def __init__(self, size: CompactSize) -> None:
        super().__init__()
        self.size = size
        parts = split_channels(size.channels, size.global_share)
        self.waves = SpectralFill()
        self.stem = ConvBnAct(4 * 7, size.detail)
        self.down = ConvBnAct(size.detail + 4 * 7, size.channels, stride=2)
        self.blocks = nn.Sequential(*(FfcBlock(parts, padding_mode="zeros") for _ in range(size.blocks)))
        self.join = Concat()
        self.up = nn.Sequential(nn.Conv2d(size.channels, 4 * size.detail, 3, padding=1), nn.PixelShuffle(2))
        self.fuse = ConvBnAct(2 * size.detail, 2 * size.detail)
        self.head = nn.Conv2d(2 * size.detail, 4 * 4, 3, padding=1)
        self.parts = parts
        # Training starts half way between the two fills, with blocks that are nearly the identity.
        for block in self.blocks:
            for norm in (block.conv2.bn_l, block.conv2.bn_g):  # type: ignore[union-attr]
                nn.init.constant_(norm.weight, BLOCK_GAIN)  # type: ignore[union-attr, arg-type]
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Predict the picture; arguments and result as in `export.lama.Lama.forward`, not clipped to 0..1."""
        filled = prefill(image, mask)
        waves = self.waves(filled, mask)
        return self.refined(filled, waves, mask)

    def refined(self, filled: Tensor, waves: Tensor, mask: Tensor) -> Tensor:
        """Between the two fills, plus a residual; (B, 3, H, W) each, in the weights' precision."""
        half = F.pixel_unshuffle(torch.cat([filled - 0.5, waves - filled, mask], dim=1), 2)
        detail = self.stem(half)
        x = self.down(torch.cat([detail, half], dim=1))
        local, globl = self.blocks((x[:, : self.parts[0]], x[:, self.parts[0] :]))
        x = self.up(self.join((local, globl)))
        out = F.pixel_shuffle(self.head(self.fuse(torch.cat([x, detail], dim=1))), 2)
        trust, residual = torch.sigmoid(out[:, :1].to(filled.dtype)), out[:, 1:].to(filled.dtype)
        return filled + trust * (waves - filled) + residual
