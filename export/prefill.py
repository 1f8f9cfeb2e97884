"""Fills that need no training: smooth, from local waves, from global waves; and which to believe where.

`blended` is their own answer; the network behind them corrects the belief, pixel by pixel, and adds what all
of them miss.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: The pyramid of the smooth fill ends where a tile of 512 px is one pixel wide.
LEVELS = 9
#: Side of the local blocks in pixels, about twice a stroke's width; they overlap by half.
BLOCK = 32
#: Thresholds of the first and the last round of the local fill, for coefficients of 0..1 pixels.
LOCAL_FIRST, LOCAL_LAST = 3.0, 0.15
#: The same for the global fill, relative to the strongest wave.
GLOBAL_FIRST, GLOBAL_LAST = 0.6, 0.006
#: Rounds of the local and of the global fill, and of the trial that decides between them.
ROUNDS, TRIAL_ROUNDS = (6, 8), (3, 5)
#: Width of the ring around the hole, in pixels, that the trial hides and then compares.
RING = 2
#: The global fill must be this much better, in squared error, than the local one, and by more than `SLACK`:
#: below about 2.5 grey levels a ripple shows more than what it repairs. `STEEPNESS` is its exponent.
ADVANTAGE, SLACK, STEEPNESS = 1.2, 1e-4, 3.0
#: No verdict is surer than this, in logits: beyond, no gradient reaches the network that corrects it.
CERTAIN = 4.0
#: The smooth fill's logit, the local fill's being 0: a little of it takes the ripples out of photographs.
SMOOTH = -2.0
#: Cells over which an error is averaged, in pixels, and how many cells wide the window is.
CELL, WINDOW = 4, 5


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


class GlobalWaves(nn.Module):
    """Stripes, checks and weaves continued: between "few strong waves" and "equal to the known pixels".

    Each round keeps the waves above a falling threshold and puts the known pixels back; what repeats across
    the tile grows into the hole. Iterative thresholding after Guleryuz (2006), on the whole tile's spectrum.
    """

    def __init__(self) -> None:
        super().__init__()
        self.transform: Transform = Fft()

    def forward(self, filled: Tensor, mask: Tensor, rounds: int) -> Tensor:
        """What the waves say, also outside the hole.

        Args:
            filled: (B, 3, H, W), 0..1, the hole filled smoothly; the width is even.
            mask: (B, 1, H, W), 1 where the hole is.
            rounds: How often to project.

        Returns:
            (B, 3, H, W), 0..1.
        """
        known = 1 - mask
        mean = (filled * known).mean(dim=(2, 3), keepdim=True) / known.mean(dim=(2, 3), keepdim=True).clamp(
            min=1e-6
        )
        start = filled - mean
        x = waves = start
        strongest = torch.zeros(())
        for number in range(rounds):
            spectrum = self.transform.spectrum(x)
            power = spectrum.square().sum(dim=(1, 2), keepdim=True)
            if number == 0:
                strongest = power.amax(dim=(3, 4), keepdim=True).clamp(min=1e-12)
            threshold = strongest * _falling(GLOBAL_FIRST, GLOBAL_LAST, number, rounds) ** 2
            waves = self.transform.picture(spectrum * _kept(power / threshold))
            x = start * known + waves * mask
        return (waves + mean).clamp(0, 1)


class LocalWaves(nn.Module):
    """Edges and shades continued: the same iteration on overlapping blocks, in the cosine transform."""

    def __init__(self) -> None:
        super().__init__()
        n = torch.arange(BLOCK).double()
        cosines = torch.cos(math.pi * (n[None] + 0.5) * n[:, None] / BLOCK) * math.sqrt(2 / BLOCK)
        cosines[0] /= math.sqrt(2)
        self.register_buffer("cosines", cosines.float(), persistent=False)
        # A block's mean is always kept.
        mean = torch.zeros(1, 1, 1, BLOCK, 1, BLOCK)
        mean[..., 0, :, 0] = 1
        self.register_buffer("mean", mean, persistent=False)

    cosines: Tensor
    mean: Tensor

    def forward(self, filled: Tensor, mask: Tensor, rounds: int) -> Tensor:
        """As `GlobalWaves.forward`; H and W are anything."""
        height, width = filled.shape[-2:]
        margins = (0, -width % BLOCK, 0, -height % BLOCK)
        filled, mask = (F.pad(tensor, margins, mode="replicate") for tensor in (filled, mask))
        x = waves = filled
        for number in range(rounds):
            threshold = _falling(LOCAL_FIRST, LOCAL_LAST, number, rounds)
            waves = self._overlapped(x, threshold)
            x = filled * (1 - mask) + waves * mask
        return waves[..., :height, :width].clamp(0, 1)

    def _overlapped(self, x: Tensor, threshold: float) -> Tensor:
        """Four grids of blocks, shifted by half a block each way, averaged."""
        height, width = x.shape[-2:]
        half = BLOCK // 2
        total = self._thresholded(x, threshold)
        for top, left in ((0, half), (half, 0), (half, half)):
            shifted = self._thresholded(F.pad(x, (left, left, top, top), mode="reflect"), threshold)
            total = total + shifted[:, :, top : top + height, left : left + width]
        return total / 4

    def _thresholded(self, x: Tensor, threshold: float) -> Tensor:
        batch, channels, height, width = x.shape
        rows, columns = height // BLOCK, width // BLOCK
        bands = self.cosines @ x.reshape(batch * channels, rows, BLOCK, width)
        waves = bands.reshape(batch, channels, height, columns, BLOCK) @ self.cosines.T
        kept = _kept(waves.square().sum(dim=1, keepdim=True) / threshold**2)
        kept = torch.maximum(kept.reshape(batch, 1, rows, BLOCK, columns, BLOCK), self.mean)
        waves = (waves * kept.reshape(batch, 1, height, columns, BLOCK)) @ self.cosines
        return (self.cosines.T @ waves.reshape(batch * channels, rows, BLOCK, width)).reshape(x.shape)


class Fills(nn.Module):
    """All three, side by side.

    Args:
        rounds: Rounds of the local and of the global fill.
        trial_rounds: The same for the trial that decides between them.
    """

    def __init__(
        self, rounds: tuple[int, int] = ROUNDS, trial_rounds: tuple[int, int] = TRIAL_ROUNDS
    ) -> None:
        super().__init__()
        self.near, self.far = LocalWaves(), GlobalWaves()
        self.rounds, self.trial_rounds = rounds, trial_rounds

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """The hole filled, and what else the network should know.

        Args:
            image: (B, 3, H, W), 0..1; its pixels under the mask are never read.
            mask: (B, 1, H, W), 1 where the hole is.

        Returns:
            (B, 11, H, W) float32: local fill (3), global waves (3), smooth fill (3), logit of the trust in
            the global waves (1), mask (1). The local and the smooth fill equal the image outside the hole;
            the waves do not, which shows how far they can be trusted.
        """
        smooth, near, far = self._filled(image, mask, self.rounds)
        trust = F.interpolate(self._trial(image, mask), scale_factor=float(CELL), mode="bilinear")
        near = torch.where(mask > 0.5, near, smooth)
        return torch.cat([near, far, smooth, trust.clamp(-CERTAIN, CERTAIN), mask], dim=1)

    def _filled(self, image: Tensor, mask: Tensor, rounds: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        smooth = prefill(image, mask)
        return smooth, self.near(smooth, mask, rounds[0]), self.far(smooth, mask, rounds[1])

    def _trial(self, image: Tensor, mask: Tensor) -> Tensor:
        """Hide a ring around the hole, fill it both ways, and compare with what is there.

        How well waves fit the pixels they were fitted to says little: a strong edge far away fits, and
        ripples in the hole.

        Returns:
            (B, 1, H / CELL, W / CELL): the logit of the trust in the global fill.
        """
        wider = F.max_pool2d(mask, 2 * RING + 1, stride=1, padding=RING)
        ring = wider - mask
        _, near, far = self._filled(image, wider, self.trial_rounds)
        ratio = (_error(near, image, ring) + 1e-6) / (ADVANTAGE * (_error(far, image, ring) + SLACK))
        return STEEPNESS * ratio.log()


def blended(fills: Tensor, correction: Tensor | None = None) -> Tensor:
    """The three fills, each weighed by how far it is believed.

    Args:
        fills: (B, 11, H, W) from `Fills`.
        correction: (B, 2, H, W), added to the logits of the global waves and of the smooth fill.

    Returns:
        (B, 3, H, W).
    """
    near, far, smooth, trust = fills[:, :3], fills[:, 3:6], fills[:, 6:9], fills[:, 9:10]
    logits = torch.cat([trust, torch.full_like(trust, SMOOTH)], dim=1)
    if correction is not None:
        logits = logits + correction
    believed = torch.cat([torch.zeros_like(trust), logits], dim=1).softmax(dim=1)
    out: Tensor = near * believed[:, :1] + far * believed[:, 1:2] + smooth * believed[:, 2:]
    return out


def _falling(first: float, last: float, number: int, rounds: int) -> float:
    return float(first * (last / first) ** (number / (rounds - 1)))


def _kept(ratio: Tensor) -> Tensor:
    """Share of a wave that stays; a ramp instead of a step: rounding must not decide whether a wave is in."""
    return (ratio - 0.5).clamp(0, 1)


def _error(filled: Tensor, image: Tensor, where: Tensor) -> Tensor:
    """Mean squared error at some pixels around each cell, (B, 1, H / CELL, W / CELL)."""

    def window(x: Tensor) -> Tensor:
        cells = F.avg_pool2d(x, CELL)
        return F.avg_pool2d(cells, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False)

    share = window(where)
    error = window((filled - image).square().mean(dim=1, keepdim=True) * where) / share.clamp(min=1e-4)
    # Far from any such pixel: what the nearest ones say.
    return prefill(error, (share < 0.02).to(error.dtype))


def prefill(image: Tensor, mask: Tensor) -> Tensor:
    """Fill the hole by push-pull: averages of what is known, from the finest scale that knows anything.

    Args:
        image: (B, C, H, W); its pixels under the mask are never read.
        mask: (B, 1, H, W), 1 where the hole is.

    Returns:
        (B, C, H, W), equal to the image outside the hole.
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
