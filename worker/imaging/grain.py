"""Noise for a fill, like the noise of the ground around it."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import ink_box, padded
from worker.imaging.ground import Floats
from worker.job import Image, Mask

#: Ground whose deviation is below this many levels gets no grain: rounding alone is 0.29.
_LEAST = 0.5
#: Variance of rounding to whole levels.
_ROUNDING = 1 / 12
#: From this deviation on an eye tells woven or printed grain from random noise: the ground's own is copied.
_VISIBLE = 2.0
#: Side in px of cells over which a ground may change; their means (and their neighbours') are no grain.
_COARSE = 6
#: Sizes (rows, columns) of the copied pieces, tried in this order until the ring has room for some.
_PIECES = ((24, 32), (12, 24), (6, 12))
#: Places a piece is compared with before the best is copied; more change nothing that can be seen.
_TRIALS = 12
#: Pieces that are looked at together.
_AT_ONCE = 64
#: Side of the sheet of noise that is laid out over a large fill, in px: no eye sees noise below `_VISIBLE`
#: repeat.
_SHEET = 128
#: Px around erased ink whose noise is learned where a filter took it off.
_AROUND = 12
#: Pixels that tell how the noise's channels hang together.
_MOST_SAMPLES = 1500
#: Fewer ground pixels than this tell nothing about their noise.
_FEWEST = 60
_GREY = np.full(3, 1 / 3, np.float32)


def grow(residual: Floats, ring: NDArray[np.bool_], mask: Mask, random: np.random.Generator) -> Floats | None:
    """Noise to be added to a surface under a mask; None on clean ground.

    Args:
        residual: What the surface leaves over, (H, W, 3).
        ring: Ground pixels that the noise is learned from, (H, W); nothing else stands there.
        mask: Where it is needed; what is returned elsewhere has no meaning.
        random: Seeded by the caller, so that the same page gives the same pixels.
    """
    around = np.flatnonzero(ring)
    if around.size < _FEWEST:
        return None
    few = around[ground.thinned(len(around), _MOST_SAMPLES)]
    pixels = residual.reshape(-1, 3).take(few, axis=0)
    distance = ground.largest(pixels.T)
    limit = 4 * ground.MAD_TO_SIGMA * max(ground.quantile(distance, 0.5), 0.3)
    settled = distance < limit
    few = few.compress(settled)
    if len(few) < _FEWEST:
        return None
    _, deviation = cv2.meanStdDev(pixels.compress(settled, axis=0)[:, None])
    if deviation.max() ** 2 - _ROUNDING < _LEAST**2:
        return None
    residual = np.asarray(cv2.subtract(residual, _unevenness(residual, ring)), np.float32)
    pixels = residual.reshape(-1, 3)
    covariance = _covariance(pixels.take(few, axis=0))
    power = float(covariance.diagonal().max())
    if power < _LEAST**2:
        return None
    if power >= _VISIBLE**2:
        copied = _copied(residual, ring & (ground.departure(residual) < limit), mask, random)
        if copied is not None:
            return copied
    width = ring.shape[1]
    within, above = few[few % width < width - 1], few[few < ring.size - width]
    known = ring.ravel()
    across = _softness(pixels, within[known[within + 1]], 1)
    down = _softness(pixels, above[known[above + width]], width)
    noise = np.zeros_like(residual)
    box = ink_box(mask)
    noise[box.slices] = _drawn(box.height, box.width, covariance, (across, down), random)
    return noise


def removed(noisy: Image, smooth: Image, mask: Mask, seed: tuple[int, ...]) -> NDArray[np.int8] | None:
    """Noise for what is erased, like that which a filter took off the ground around it; None if clean.

    Args:
        noisy: The page, (H, W, 3).
        smooth: The same after the filter.
        mask: What is erased.
        seed: So that the same page gives the same pixels.
    """
    inner = padded(ink_box(mask), _AROUND, mask).slices
    ink = mask[inner]
    around = cv2.dilate(ink, np.ones((2 * _AROUND + 1, 2 * _AROUND + 1), np.uint8))
    residual = np.asarray(cv2.subtract(noisy[inner], smooth[inner], dtype=cv2.CV_32F), np.float32)
    noise = grow(residual, (around > 0) & (ink == 0), ink, np.random.default_rng(seed))
    if noise is None:
        return None
    whole = np.zeros(noisy.shape, np.int8)
    whole[inner] = np.rint(np.clip(noise, -127, 127))
    return whole


def _covariance(pixels: Floats) -> NDArray[np.float64]:
    """Of some noise between channels, (N, 3) → (3, 3); rounding to whole levels adds its own again."""
    apart = np.ascontiguousarray(pixels.T)
    apart -= apart.mean(axis=1)[:, None]
    return np.asarray(apart @ apart.T, np.float64) / (len(pixels) - 1) - np.eye(3) * _ROUNDING


def _drawn(
    height: int,
    width: int,
    covariance: NDArray[np.float64],
    softness: tuple[float, float],
    random: np.random.Generator,
) -> Floats:
    """Normal noise of that covariance between channels and that softness across and down."""
    values, vectors = np.linalg.eigh(covariance)
    mixing = (vectors * np.sqrt(np.clip(values, 0, None))).astype(np.float32)
    white = _white()
    down, across = min(height, _SHEET), min(width, _SHEET)
    top, left = random.integers(0, (len(white) - down + 1, len(white) - across + 1)).tolist()
    sheet = white[top : top + down, left : left + across]
    if max(softness) > 0.2:
        along, upright = (max(sigma, 0.05) for sigma in softness)
        sheet = cv2.GaussianBlur(sheet, (0, 0), along, sigmaY=upright).astype(np.float32, copy=False)
        mixing /= max(float(cv2.meanStdDev(sheet)[1].mean()), 1e-6)
    mixed = cv2.transform(sheet, mixing)
    tiles = (-(-height // _SHEET), -(-width // _SHEET), 1)
    return np.asarray(np.tile(mixed, tiles)[:height, :width], np.float32)


@cache
def _white() -> Floats:
    """White noise of deviation 1, from which every sheet is a piece."""
    noise = np.random.default_rng(0).standard_normal((2 * _SHEET, 2 * _SHEET, 3), np.float32)
    noise.flags.writeable = False
    return noise


def _softness(pixels: Floats, places: NDArray[np.intp], step: int) -> float:
    """Sigma in px of the blur that gives white noise the correlation seen between neighbours.

    White noise under a Gaussian blur of sigma s has the correlation exp(-1 / (4 s²)) at a distance of one px.

    Args:
        pixels: The noise, (N, 3).
        places: Which of them are compared with those `step` further on.
        step: 1 for neighbours in a row, the width for those in a column.
    """
    one, two = (pixels.take(each, axis=0) @ _GREY for each in (places, places + step))
    power = float(one @ one + two @ two) / 2
    correlation = float(one @ two) / power if power > 0 else 0.0
    return float(np.sqrt(-1 / (4 * np.log(min(correlation, 0.9))))) if correlation > 0.05 else 0.0


def _copied(
    residual: Floats, donors: NDArray[np.bool_], mask: Mask, random: np.random.Generator
) -> Floats | None:
    """Pieces of the ground's own noise, each taken where the strokes' gaps fit best; None where none fits."""
    for height, width in _PIECES:
        if height > mask.shape[0] or width > mask.shape[1]:
            continue
        # top left corners of pieces that hold nothing but ground
        whole = cv2.erode(
            donors.view(np.uint8),
            np.ones((height, width), np.uint8),
            anchor=(0, 0),
            borderType=cv2.BORDER_CONSTANT,
            borderValue=0,
        )
        whole = whole[: mask.shape[0] - height + 1, : mask.shape[1] - width + 1]
        places = np.flatnonzero(whole)
        if len(places) >= _TRIALS:
            break
    else:
        return None
    noise = np.zeros_like(residual)
    box = ink_box(mask)
    rows = np.minimum(np.arange(box.top, box.bottom, height), mask.shape[0] - height)
    columns = np.minimum(np.arange(box.left, box.right, width), mask.shape[1] - width)
    tops, lefts = (np.ravel(each) for each in np.meshgrid(rows, columns, indexing="ij"))
    there, known, needed = (
        np.lib.stride_tricks.sliding_window_view(picture, (height, width))
        for picture in (ground.grey(residual), donors.astype(np.float32), mask)
    )
    wanted = needed[tops, lefts].any(axis=(1, 2))
    tops, lefts = tops[wanted], lefts[wanted]
    sources = places[random.integers(0, len(places), (len(tops), _TRIALS))]
    for start in range(0, len(tops), _AT_ONCE):
        few = slice(start, start + _AT_ONCE)
        down, across = np.divmod(sources[few], whole.shape[1])
        apart = there[down, across] - there[tops[few], lefts[few]][:, None]
        seen = known[tops[few], lefts[few]].reshape(-1, height * width)
        misfit = np.einsum("nti,ni->nt", np.square(apart).reshape(len(seen), _TRIALS, -1), seen)
        best = np.arange(len(seen)), misfit.argmin(axis=1)
        for y, x, top, left in zip(tops[few], lefts[few], down[best], across[best], strict=True):
            noise[y : y + height, x : x + width] = residual[top : top + height, left : left + width]
    return noise


def _unevenness(residual: Floats, donors: NDArray[np.bool_]) -> Floats:
    """What is no grain but the ground's slow changes: pieces of it would show as patches."""
    height, width = donors.shape
    down, across = -(-height // _COARSE), -(-width // _COARSE)
    seen = donors.view(np.uint8)
    share = np.zeros((down * _COARSE, across * _COARSE), np.float32)
    total = np.zeros((*share.shape, 3), np.float32)
    share[:height, :width] = seen
    cv2.copyTo(residual, seen, total[:height, :width])
    # whole cells of whole pixels are averaged in a quarter of the time
    share, total = (cv2.resize(each, (across, down), interpolation=cv2.INTER_AREA) for each in (share, total))
    share = cv2.blur(share, (3, 3))  # over cells and their neighbours: the grain's own mean is smaller there
    total = cv2.blur(total, (3, 3))
    means = total / np.maximum(share, np.float32(1e-3))[..., None]
    whole = cv2.resize(means, (across * _COARSE, down * _COARSE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole[:height, :width], np.float32)
