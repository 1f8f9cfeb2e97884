"""Noise for a fill, like the noise of the ground around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.ground import Floats
from worker.job import Image, Mask

#: Ground whose deviation is below this many levels gets no grain: rounding alone is 0.29.
_LEAST = 0.5
#: From this deviation on an eye tells woven or printed grain from random noise: the ground's own is copied.
_VISIBLE = 2.0
#: Side in px of the squares whose mean is no grain.
_COARSE = 15
#: Sizes (rows, columns) of the copied pieces, tried in this order until the ring has room for some.
_PIECES = ((24, 32), (12, 24), (6, 12))
#: Places a piece is compared with before the best is copied; more change nothing that can be seen.
_TRIALS = 24
#: Side of the sheet of noise that is laid out over a large fill, in px: no eye sees random noise repeat.
_SHEET = 192
#: Px around erased ink whose noise is learned where a filter took it off.
_AROUND = 12
#: Pixels that tell how the noise's channels hang together.
_MOST_SAMPLES = 4000
#: Fewer ground pixels than this tell nothing about their noise.
_FEWEST = 60


def grow(residual: Floats, ring: NDArray[np.bool_], mask: Mask, random: np.random.Generator) -> Floats | None:
    """Noise to be added to a surface under a mask; None on clean ground.

    Args:
        residual: What the surface leaves over, (H, W, 3).
        ring: Ground pixels that the noise is learned from, (H, W).
        mask: Where it is needed; what is returned elsewhere has no meaning.
        random: Seeded by the caller, so that the same page gives the same pixels.
    """
    distance = ground.departure(residual)
    around = np.flatnonzero(ring)
    if around.size < _FEWEST:
        return None
    limit = 4 * ground.MAD_TO_SIGMA * max(ground.quantile(distance.ravel()[around], 0.5), 0.3)
    donors = ring & (distance < limit)
    of_ground = np.flatnonzero(donors)
    samples = residual.reshape(-1, 3)[of_ground[ground.thinned(len(of_ground), _MOST_SAMPLES)]]
    if len(samples) < _FEWEST:
        return None
    covariance = np.cov(samples.T) - np.eye(3) / 12  # rounding to whole levels adds the twelfth again
    deviation = float(np.sqrt(max(covariance.diagonal().max(), 0)))
    if deviation < _LEAST:
        return None
    grain = _drawn(residual, donors, covariance, random)
    if deviation >= _VISIBLE:
        fine = residual - ground.local_mean(residual, donors, _COARSE)  # unevenness would show as patches
        _copy_pieces(grain, fine, donors, mask, random)
    return grain


def removed(noisy: Image, smooth: Image, mask: Mask, seed: tuple[int, ...]) -> NDArray[np.int8] | None:
    """Noise for what is erased, like that which a filter took off the ground around it; None if clean.

    Args:
        noisy: The page, (H, W, 3).
        smooth: The same after the filter.
        mask: What is erased.
        seed: So that the same page gives the same pixels.
    """
    around = cv2.dilate(mask, np.ones((2 * _AROUND + 1, 2 * _AROUND + 1), np.uint8))
    residual = cv2.subtract(noisy, smooth, dtype=cv2.CV_32F)
    ring = (around > 0) & (mask == 0)
    noise = grow(np.asarray(residual, np.float32), ring, mask, np.random.default_rng(seed))
    return None if noise is None else np.rint(noise).clip(-127, 127).astype(np.int8)


def _drawn(
    residual: Floats, donors: NDArray[np.bool_], covariance: NDArray[np.float64], random: np.random.Generator
) -> Floats:
    """Normal noise with the ground's covariance between channels and its softness."""
    values, vectors = np.linalg.eigh(covariance)
    mixing = (vectors * np.sqrt(np.clip(values, 0, None))).astype(np.float32)
    height, width = residual.shape[:2]
    sheet = random.standard_normal((min(height, _SHEET), min(width, _SHEET), 3), np.float32)
    grey = ground.grey(residual)
    along, across = _softness(grey, donors, 1), _softness(grey, donors, 0)
    if max(along, across) > 0.2:
        sheet = cv2.GaussianBlur(sheet, (0, 0), max(along, 0.05), sigmaY=max(across, 0.05)).astype(np.float32)
        sheet /= max(float(sheet.std()), 1e-6)
    mixed = cv2.transform(sheet, mixing)
    tiles = (-(-height // _SHEET), -(-width // _SHEET), 1)
    return np.asarray(np.tile(mixed, tiles)[:height, :width], np.float32)


def _softness(residual: Floats, valid: NDArray[np.bool_], axis: int) -> float:
    """Sigma in px of the blur that gives white noise the correlation of neighbours seen along an axis.

    White noise under a Gaussian blur of sigma s has the correlation exp(-1 / (4 s²)) at a distance of one px.
    """
    first = (slice(None), slice(None, -1)) if axis == 1 else (slice(None, -1), slice(None))
    second = (slice(None), slice(1, None)) if axis == 1 else (slice(1, None), slice(None))
    both = valid[first] & valid[second]
    one, two = residual[first][both], residual[second][both]
    power = float((one**2).mean() + (two**2).mean()) / 2 if one.size else 0.0
    correlation = float((one * two).mean()) / power if power > 0 else 0.0
    return float(np.sqrt(-1 / (4 * np.log(min(correlation, 0.9))))) if correlation > 0.05 else 0.0


def _copy_pieces(
    grain: Floats, residual: Floats, donors: NDArray[np.bool_], mask: Mask, random: np.random.Generator
) -> None:
    """Replaces drawn noise by pieces of the ground's own, each taken where the strokes' gaps fit best."""
    for height, width in _PIECES:
        if height > mask.shape[0] or width > mask.shape[1]:
            continue
        # top left corners of pieces that hold nothing but ground
        whole = cv2.erode(
            donors.astype(np.uint8),
            np.ones((height, width), np.uint8),
            anchor=(0, 0),
            borderType=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        tops, lefts = np.nonzero(whole[: mask.shape[0] - height + 1, : mask.shape[1] - width + 1])
        if len(tops) >= _TRIALS:
            break
    else:
        return
    grey = ground.grey(residual)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    left, top, across, down = cv2.boundingRect(mask)
    for y in range(top, top + down, height):
        for x in range(left, left + across, width):
            y0, x0 = min(y, mask.shape[0] - height), min(x, mask.shape[1] - width)
            piece = (slice(y0, y0 + height), slice(x0, x0 + width))
            hole = mask[piece] > 0
            if not hole.any():
                continue
            chosen = random.integers(0, len(tops), _TRIALS)
            trials = grey[tops[chosen, None, None] + rows, lefts[chosen, None, None] + columns]
            misfit = (((trials - grey[piece]) ** 2) * donors[piece]).sum(axis=(1, 2))
            best = chosen[int(misfit.argmin())]
            source = residual[tops[best] : tops[best] + height, lefts[best] : lefts[best] + width]
            grain[piece][hole] = source[hole]
