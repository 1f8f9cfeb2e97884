"""The compact LaMa that ships: LaMa's FFC blocks behind a push-pull prefill.

What differs from the official generator, and why (export/README.md has the measurements):
the hole is filled by push-pull first and the network only adds a residual, so training starts at the prefill's
quality instead of at grey; two scales by space-to-depth instead of full-resolution convolutions, because those
dominate the time of a narrow network on a CPU; and a way around the bottleneck at half resolution, so that
edges keep their place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.lama import Concat, FfcBlock, split_channels

#: The pyramid of the prefill ends where a tile of 512 px is one pixel wide.
PREFILL_LEVELS = 9
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

    channels: int = 128
    detail: int = 32
    blocks: int = 4
    global_share: float = 0.5

    @property
    def stride(self) -> int:
        """Height and width of every input must be multiples of this, in pixels (as for the official sizes)."""
        return 8


class ConvBnAct(nn.Sequential):
    """3×3 convolution, BatchNorm, leaky ReLU.

    Leaky, because inside the hole the quickest way to a small residual is to silence every feature there, and a plain ReLU
    never wakes up again.
    """

    def __init__(self, source: int, target: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(source, target, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(target),
            nn.LeakyReLU(LEAK, inplace=True),
        )


class CompactLama(nn.Module):
    """Prefill, then the residual from FFC blocks at a quarter of the resolution.

    Attributes:
        size: The dimensions the module was built with.
    """

    def __init__(self, size: CompactSize) -> None:
        super().__init__()
        self.size = size
        parts = split_channels(size.channels, size.global_share)
        self.stem = ConvBnAct(4 * 4, size.detail)
        self.down = ConvBnAct(size.detail + 4 * 4, size.channels, stride=2)
        self.blocks = nn.Sequential(*(FfcBlock(parts, padding_mode="zeros") for _ in range(size.blocks)))
        self.join = Concat()
        self.up = nn.Sequential(nn.Conv2d(size.channels, 4 * size.detail, 3, padding=1), nn.PixelShuffle(2))
        self.fuse = ConvBnAct(2 * size.detail, 2 * size.detail)
        self.head = nn.Conv2d(2 * size.detail, 4 * 3, 3, padding=1)
        self.parts = parts
        # Training starts at the prefill, with blocks that are nearly the identity.
        for block in self.blocks:
            for norm in (block.conv2.bn_l, block.conv2.bn_g):  # type: ignore[union-attr]
                nn.init.constant_(norm.weight, BLOCK_GAIN)  # type: ignore[union-attr, arg-type]
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Predict the picture; arguments and result as in `export.lama.Lama.forward`, not clipped to 0..1."""
        filled = prefill(image, mask)
        return filled + self.residual(filled, mask)

    def residual(self, filled: Tensor, mask: Tensor) -> Tensor:
        """What the network adds to the prefill; (B, 3, H, W)."""
        half = F.pixel_unshuffle(torch.cat([filled - 0.5, mask], dim=1), 2)
        detail = self.stem(half)
        x = self.down(torch.cat([detail, half], dim=1))
        local, globl = self.blocks((x[:, : self.parts[0]], x[:, self.parts[0] :]))
        x = self.up(self.join((local, globl)))
        out: Tensor = F.pixel_shuffle(self.head(self.fuse(torch.cat([x, detail], dim=1))), 2)
        return out


def prefill(image: Tensor, mask: Tensor) -> Tensor:
    """Fill the hole by push-pull: averages of what is known, from the finest scale that knows anything.

    Args:
        image: (B, 3, H, W); its pixels under the mask are never read.
        mask: (B, 1, H, W), 1 where the hole is.

    Returns:
        (B, 3, H, W), equal to the image outside the hole.
    """
    known = 1 - mask
    levels = [(image * known, known)]
    for _ in range(PREFILL_LEVELS):
        colour, weight = levels[-1]
        if min(weight.shape[-2:]) < 2:
            break
        colour, weight = F.avg_pool2d(colour, 2, ceil_mode=True), F.avg_pool2d(weight, 2, ceil_mode=True)
        levels.append((colour / weight.clamp(min=1e-6), (weight > 0).to(weight.dtype)))
        colour, weight = levels[-1]
        levels[-1] = (colour * weight, weight)
    below = levels[-1][0]
    for colour, weight in reversed(levels[:-1]):
        above = F.interpolate(below, size=colour.shape[-2:], mode="bilinear", align_corners=False)
        below = colour + (1 - weight) * above
    return below
