"""The compact LaMa that ships: LaMa's FFC blocks behind fills that need no training.

What differs from the official generator, and why (docs/model-card.md has the measurements): the network sees
the hole filled smoothly, from local waves and from the whole tile's waves (export/prefill.py), corrects which
of them to believe, and adds a residual, so that training starts well above OpenCV's methods instead of at
grey; space-to-depth instead of full-resolution convolutions, because those dominate the time of a narrow
network on a CPU; and a way around the bottleneck at half resolution, so that edges keep their place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.lama import Concat, FfcBlock, split_channels
from export.prefill import Fills, blended

#: Slope of the leaky ReLU below zero.
LEAK = 0.1
#: Brings the trust's logit, -4..4, to the size of the other inputs.
TRUST_SCALE = 4.0
#: A pixel's surroundings: cells of this many pixels, and how many of them the window is wide.
CELL, WINDOW = 8, 5
#: Contrast of what counts as flat, two and a half grey levels.
FLAT = 0.01
#: What the network sees of a pixel, and what it says about one.
SEEN, SAID = 11, 5
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
    blocks: int = 6
    global_share: float = 0.5

    @property
    def stride(self) -> int:
        """Height and width of every input must be multiples of this, in pixels (as for big-lama)."""
        return 8


class ConvAct(nn.Sequential):
    """3×3 convolution and leaky ReLU.

    No BatchNorm: its statistics would be those of the known pixels, where no loss bounds the features; and
    leaky, because the quickest way to a small residual is to silence every feature in the hole, from where a
    ReLU never wakes up.
    """

    def __init__(self, source: int, target: int, stride: int = 1) -> None:
        convolution = nn.Conv2d(source, target, 3, stride, padding=1)
        nn.init.kaiming_normal_(convolution.weight, a=LEAK)
        _start_at_zero(convolution.bias)
        super().__init__(convolution, nn.LeakyReLU(LEAK))


def _start_at_zero(weights: Tensor | None) -> None:
    if weights is not None:
        nn.init.zeros_(weights)


class CompactLama(nn.Module):
    """The fills, then FFC blocks at a quarter of the resolution.

    Attributes:
        size: The dimensions the module was built with.
    """

    def __init__(self, size: CompactSize) -> None:
        super().__init__()
        self.size = size
        parts = split_channels(size.channels, size.global_share)
        self.fills = Fills()
        self.stem = ConvAct(4 * SEEN, size.detail)
        self.down = ConvAct(size.detail + 4 * SEEN, size.channels, stride=2)
        blocks = [FfcBlock(parts, padding_mode="zeros") for _ in range(size.blocks)]
        self.blocks = nn.Sequential(*blocks)
        self.join = Concat()
        self.up = nn.Sequential(nn.Conv2d(size.channels, 4 * size.detail, 3, padding=1), nn.PixelShuffle(2))
        self.fuse = ConvAct(2 * size.detail, 2 * size.detail)
        self.head = nn.Conv2d(2 * size.detail, 4 * SAID, 3, padding=1)
        self.parts = parts
        # Training starts at the fills' own answer, with blocks that are nearly the identity.
        for block in blocks:
            for norm in (block.conv2.bn_l, block.conv2.bn_g):
                if norm is not None:
                    nn.init.constant_(norm.weight, BLOCK_GAIN)
        _start_at_zero(self.head.weight)
        _start_at_zero(self.head.bias)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Predict the picture; arguments and result as in `export.lama.Lama.forward`, not clipped to 0..1."""
        return self.refined(self.fills(image, mask))

    def refined(self, fills: Tensor) -> Tensor:
        """From the fills (B, 11, H, W) to the picture (B, 3, H, W)."""
        near, far, smooth, trust, mask = (fills[:, a:b] for a, b in pairwise((0, 3, 6, 9, 10, 11)))
        mean, contrast = _surroundings(near)
        colours = [(near - mean) / 2, far - near, smooth - near]
        seen = torch.cat([torch.cat(colours, dim=1) / contrast, trust / TRUST_SCALE, mask], dim=1)
        # Sums over surroundings in float32, convolutions in the weights' precision.
        half = F.pixel_unshuffle(seen.to(self.head.weight.dtype), 2)
        detail = self.stem(half)
        x = self.down(torch.cat([detail, half], dim=1))
        local, globl = self.blocks((x[:, : self.parts[0]], x[:, self.parts[0] :]))
        x = self.up(self.join((local, globl)))
        out = F.pixel_shuffle(self.head(self.fuse(torch.cat([x, detail], dim=1))), 2).to(fills.dtype)
        return blended(fills, out[:, :2]) + contrast * out[:, 2:]


def _surroundings(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, 3, H, W) and contrast (B, 1, H, W), a standard deviation, of each pixel's surroundings.

    Everything the network sees is in units of it, and so is what it adds: where nothing happens nothing can
    be spoilt, and a faint texture is the same task as a strong one.
    """

    def window(x: Tensor) -> Tensor:
        cells = F.avg_pool2d(x, CELL)
        wide = F.avg_pool2d(cells, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)
        return F.interpolate(wide, scale_factor=float(CELL), mode="bilinear")

    mean = window(picture)
    variance = (window(picture.square()) - mean.square()).clamp(min=0).mean(dim=1, keepdim=True)
    return mean, (variance + FLAT**2).sqrt()
