"""Two fills that need no training: smooth by push-pull, and the few waves that explain what is known.

The network behind them decides, pixel by pixel, which of the two to believe, and adds what both miss.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: The pyramid ends where a tile of 512 px is one pixel wide.
LEVELS = 9
#: Rounds of the spectral fill, and the threshold of the first and the last one relative to the strongest
#: wave. Found on training tiles: fewer rounds leave the hole's own shape in the spectrum, a lower end lets
#: noise through.
ROUNDS, FIRST, LAST = 8, 0.6, 0.006


class Transform(Protocol):
    """A real two-dimensional Fourier transform, orthonormal."""

    def spectrum(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, 2, h, w // 2 + 1)."""
        ...

    def picture(self, spectrum: Tensor) -> Tensor:
        """Back again; the width is even."""
        ...


class Fft(nn.Module):
    """torch's own transform, in float32."""

    def spectrum(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, 2, h, w // 2 + 1)."""
        return torch.view_as_real(torch.fft.rfft2(x, norm="ortho")).permute(0, 1, 4, 2, 3)

    def picture(self, spectrum: Tensor) -> Tensor:
        """Back again; the width is even."""
        waves = torch.view_as_complex(spectrum.permute(0, 1, 3, 4, 2).contiguous())
        size = (spectrum.shape[3], 2 * (spectrum.shape[4] - 1))
        picture: Tensor = torch.fft.irfft2(waves, s=size, norm="ortho")
        return picture


class SpectralFill(nn.Module):
    """Stripes, checks and weaves continued: between "few strong waves" and "equal to the known pixels".

    Each round keeps the waves above a falling threshold and puts the known pixels back; what repeats across
    the tile grows into the hole. Iterative thresholding after Guleryuz (2006), here on the whole tile's
    spectrum.
    """

    def __init__(self) -> None:
        super().__init__()
        self.transform: Transform = Fft()

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """What the waves alone say.

        Args:
            filled: (B, 3, H, W), 0..1, the hole filled smoothly; H and W even.
            mask: (B, 1, H, W), 1 where the hole is.

        Returns:
            (B, 3, H, W), 0..1, also outside the hole, where it shows how far the waves can be trusted.
        """
        known = 1 - mask
        mean = (filled * known).mean(dim=(2, 3), keepdim=True) / known.mean(dim=(2, 3), keepdim=True).clamp(
            min=1e-6
        )
        start = filled - mean
        x = waves = start
        strongest = torch.zeros(())
        for number in range(ROUNDS):
            spectrum = self.transform.spectrum(x)
            power = spectrum.square().sum(dim=(1, 2), keepdim=True)
            if number == 0:
                strongest = power.amax(dim=(3, 4), keepdim=True).clamp(min=1e-12)
            threshold = strongest * (FIRST * (LAST / FIRST) ** (number / (ROUNDS - 1))) ** 2
            # A ramp instead of a step: rounding must not decide whether a wave is in.
            kept = (power / threshold - 0.5).clamp(0, 1)
            waves = self.transform.picture(spectrum * kept)
            x = start * known + waves * mask
        return (waves + mean).clamp(0, 1)


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
    for _ in range(LEVELS):
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
