"""What rows and columns foretell of a ground: plaid, stripes, planks, ribs are threads across each other.

Each pixel is taken for the sum of what its row and what its column usually are; what is seen near by counts
more than what is seen far off, so that bands may drift and fade. A trial decides whether a ground is like
that: the ground next to the ink is hidden too, foretold, and compared with what stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import ink_box, padded
from worker.imaging.ground import Floats
from worker.imaging.site import grown
from worker.job import Image, Mask

#: Of any number of channels.
Texels = TypeVar("Texels", Floats, NDArray[np.int16], NDArray[np.uint8])

#: Rounds in which rows and columns are fitted to what the others leave over, and such fits.
_ROUNDS, _FITS = 2, 2
#: Groups of neighbouring columns (rows) for each reach: within a group all see the same.
_GROUPS = 5
#: Side in px of the squares in which something else shows, and sigmas at which it loses its say.
_STRANGE, _STRANGE_SIGMAS = (5, 5), 2.0
#: Where less than this share of the usual is seen, a row or a column is taken for the mean of all.
_SHRINKING = 0.003
#: Least sigma in levels.
_ROUNDING = 0.5
#: Sigma in px of diffusion near by, the squares of that further off, and how much that counts beside it.
_DIFFUSED, _FURTHER, _FAR, _NEXT_TO_NONE = 1.0, (33, 33), 1e-3, np.float32(1e-9)
#: Px that threads may drift, and the share of the usual squared slope that tells little of it.
_MOST_DRIFT, _DULL = 3.0, 0.005
#: How many times as far along a thread its drift is told, and how much that counts beside what is near.
_ALONG, _ALONG_COUNTS = 4, 0.1


@dataclass(frozen=True, slots=True)
class WeaveOptions:
    """When rows and columns are believed."""

    #: Text heights over which what a row or a column shows counts e times less.
    reach: float = 2.0
    #: Px of ground next to the ink that are hidden for the trial, at the size of the trial.
    hidden: int = 2
    #: Squared error there around any piece of ink, as a share of what diffusion leaves.
    most_wrong_anywhere: float = 4.0
    #: Shares of the variance near the hole that are no error, anywhere and on the whole.
    harmless_anywhere: float = 0.5
    harmless: float = 0.025
    #: The same where one colour does better: the little that is seen between letters may lie on one stripe.
    #: Cloth leaves up to 0.05, a picture under a translucent bar 0.14 and more.
    harmless_plain: float = 0.1
    #: Share of the variance of what is finer than the trial sees that is no error.
    harmless_fine: float = 0.5


def woven(values: Floats, known: NDArray[np.bool_], reach: float) -> tuple[Floats, Floats]:
    """The sum of row and column profiles that follows what is known, as far as it is the usual ground.

    Args:
        values: (H, W); what is not known is not looked at.
        known: (H, W)
        reach: Px along a row or a column over which what is seen counts e times less.

    Returns:
        What is foretold, (H, W), and how much each pixel has had to say, (H, W).
    """
    loom, seen = Loom.of(values.shape, reach), known.astype(np.float32)
    for _ in range(_FITS - 1):
        seen = usual(values, loom.fitted(values, seen), known)
    return loom.fitted(values, seen), seen


def usual(values: Floats, foretold: Floats, known: NDArray[np.bool_]) -> Floats:
    """How much each pixel has to say: what departs from what is foretold more than most is no ground."""
    apart = cv2.copyTo(cv2.absdiff(values, foretold), known.view(np.uint8))
    strange = np.asarray(cv2.boxFilter(apart, -1, _STRANGE), np.float32)
    sigma = ground.MAD_TO_SIGMA * ground.quantile(strange[known], 0.5)
    strange *= np.float32(1 / max(_STRANGE_SIGMAS * sigma, _ROUNDING))
    strange *= strange
    strange += 1
    strange *= strange
    return np.asarray(known / strange, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Loom:
    """How rows and columns of a shape are fitted to values."""

    #: How much each row counts for each group of rows, (groups, H), and each column likewise, (W, groups).
    rows: Floats
    columns: Floats

    @classmethod
    def of(cls, shape: tuple[int, ...], reach: float) -> Loom:
        """What counts e times less for each `reach` px away."""
        return cls(nearness(shape[0], reach), np.ascontiguousarray(nearness(shape[1], reach).T))

    def fitted(self, values: Floats, seen: Floats, rounds: int = _ROUNDS) -> Floats:
        """Row and column profiles fitted to values that count as much as they are seen (H, W).

        Args:
            values: (H, W), or (C, H, W) of several channels.
            seen: (H, W)
            rounds: How many times rows and columns are fitted to what the others leave over.
        """
        mean, of_rows, of_columns = self.threads(values, seen, rounds)
        of_rows += of_columns
        of_rows += mean[:, None, None]
        return of_rows.reshape(values.shape)

    def threads(self, values: Floats, seen: Floats, rounds: int = _ROUNDS) -> tuple[Floats, Floats, Floats]:
        """The mean of each channel, (C,), and what rows and what columns show beside it, (C, H, W)."""
        down, across = steadied(self.rows @ seen), steadied(seen @ self.columns)
        height, width = seen.shape
        flat = values.reshape(-1, height * width)
        mean = flat @ seen.ravel() * np.float32(1 / max(float(seen.sum()), 1.0))
        rest = centred = (flat - mean[:, None]).reshape(-1, height, width) * seen
        of_columns, less = np.empty_like(centred), np.empty_like(centred)
        for again in range(rounds):
            told = (rest @ self.columns / across).reshape(-1, across.shape[1])
            of_rows = resized(told, (len(told), width)).reshape(rest.shape)
            np.multiply(of_rows, seen, out=less)
            left = self.rows @ np.subtract(centred, less, out=less)
            left /= down
            for few, full in zip(left, of_columns, strict=True):
                cv2.resize(few, (width, height), dst=full)
            if again + 1 < rounds:
                np.multiply(of_columns, seen, out=less)
                rest = np.subtract(centred, less, out=less)
        return mean, of_rows, of_columns


def threads_down(foretold: Floats, pixels: Image, seen: Mask, near: Floats) -> tuple[Floats, Floats]:
    """What is foretold at reduced size, and threads that run down in what is seen beyond it.

    Args:
        foretold: (h, w, 3)
        pixels: (H, W, 3)
        seen: 1 where they are seen, (H, W).
        near: How much each row counts for each group of rows, (groups, h).

    Returns:
        Both (h, W, 3).
    """
    height, width = len(foretold), seen.shape[1]
    wide = resized(foretold, (height, width))
    pixels, seen = np.asarray(cv2.copyTo(pixels, seen), np.uint8), np.ascontiguousarray(seen)
    rest = pixels.reshape(height, -1, width * 3).sum(axis=1, dtype=np.float32)
    count = seen.reshape(height, -1, width).sum(axis=1, dtype=np.uint16).astype(np.float32)
    rest -= cv2.multiply(wide, cv2.merge([count] * 3)).reshape(rest.shape)
    means = (near @ rest).reshape(len(near), width, 3)
    means = np.asarray(cv2.divide(means, cv2.merge([steadied(near @ count)] * 3)), np.float32)
    return wide, resized(means, wide.shape)


def nearness(length: int, reach: float) -> Floats:
    """How much each row counts for each group of neighbouring rows, (groups, length)."""
    groups = max(1, round(_GROUPS * length / max(reach, _GROUPS)))
    at = (np.arange(groups, dtype=np.float32) + np.float32(0.5)) * np.float32(length / groups)
    apart = np.abs(at[:, None] - np.arange(0.5, length, dtype=np.float32))
    return np.asarray(np.exp(apart * np.float32(-1 / reach)), np.float32)


def steadied(weight: Floats) -> Floats:
    """Total weights, so much more that a mean of little is drawn to 0."""
    return weight + np.float32(max(_SHRINKING * float(weight.mean()), 1e-6))


def drifted(
    grey: Floats, wrong: Floats, told: Floats, axis: int, shape: tuple[int, ...], side: int
) -> Floats:
    """How far threads lie from where rows and columns foretell them near by, in px down (across).

    Args:
        grey: What is foretold on some of the columns (rows), in one channel.
        wrong: What is seen there less that.
        told: How much each pixel has to say.
        axis: 0 for px down, 1 for px across.
        shape: The answer's.
        side: Px around, at that shape, over which threads drift alike; where nothing is seen so near, what is
            seen further along the thread tells it.
    """
    slope = cv2.Sobel(grey, cv2.CV_32F, axis, 1 - axis, ksize=1, scale=1 / 2)
    most = _MOST_DRIFT * np.abs(slope)
    told = told * slope
    sums = (np.clip(wrong, -most, most) * told, slope * told)
    low = [cv2.resize(each, shape[::-1], interpolation=cv2.INTER_AREA) for each in sums]
    near, far = side | 1, _ALONG * side | 1
    along = (near, far) if axis else (far, near)
    moved, steep = (
        cv2.scaleAdd(cv2.blur(each, along), _ALONG_COUNTS, cv2.blur(each, (near, near))) for each in low
    )
    return np.asarray(moved / (steep + np.float32(_DULL * float(low[1].mean()) + 1e-6)), np.float32)


def resized(picture: Texels, shape: tuple[int, ...], interpolation: int = cv2.INTER_LINEAR) -> Texels:
    """A picture (H, W) or (H, W, C) of another shape."""
    return np.asarray(cv2.resize(picture, shape[1::-1], interpolation=interpolation), picture.dtype)


def tried(
    values: Floats, known: NDArray[np.bool_], hole: Mask, text_height: int, fine: float, options: WeaveOptions
) -> tuple[float, Floats]:
    """A trial of rows and columns next to a hole, where the ground is hidden from them.

    Args:
        values: The ground in one channel, (H, W).
        known: Where it is seen.
        hole: Where it is to be foretold.
        text_height: In px, at the size of the values.
        fine: Variance of what is finer than these px: a smaller error is not seen under it.
        options: What is believed.

    Returns:
        Their squared error as a share of what diffusion leaves, infinity where nothing can be told or where
        they are far off somewhere; and how much each known pixel has to say, (H, W).
    """
    hidden = grown(hole, options.hidden)
    band, seen = hidden & known, known & ~hidden
    if np.count_nonzero(band) < text_height or np.count_nonzero(seen) < 4 * text_height:
        return float("inf"), known.astype(np.float32)
    ours, _ = woven(values, seen, options.reach * text_height)
    told = np.where(hidden, known, usual(values, ours, seen)).astype(np.float32)
    # the errors of both, side by side
    near = padded(ink_box(band.view(np.uint8)), max(_FURTHER) // 2 + 1, band).slices
    few, foretold, band = values[near], ours[near], band[near]
    apart = np.asarray(cv2.merge([few - foretold, few - diffused(few, seen[near])]), np.float32)
    errors = _local_mean(apart, band, 3) ** 2
    around = _local_mean(errors, band, text_height | 1)[band]
    variance = max(float(values[known & grown(hole, max(text_height // 2, options.hidden))].var()), 1e-3)
    unseen = options.harmless_fine * fine
    floor = max(options.harmless_anywhere * variance, unseen)
    worst = ground.quantile(around[:, 0] / np.maximum(around[:, 1], floor), 0.98)
    if worst > options.most_wrong_anywhere:
        return float("inf"), told
    between = _between(band, hole[near], 2 * text_height)
    # what one colour leaves: where a bar ends close by, both know less
    varied = max(float(few[between].var()), options.harmless_plain * variance)
    mine, others = errors[between].mean(axis=0).tolist()
    return mine / max(min(others, varied), options.harmless * variance, unseen), told


def _between(band: NDArray[np.bool_], hole: Mask, least: int) -> NDArray[np.bool_]:
    """What lies between the pieces of ink, where that is enough: past them a bar may end."""
    between = np.zeros_like(band)
    inner = ink_box(hole).slices
    between[inner] = band[inner]
    return between if np.count_nonzero(between) >= least else band


def _local_mean(pairs: Floats, valid: NDArray[np.bool_], side: int) -> Floats:
    """Means over squares of valid pixels, of two channels."""
    weights = valid.view(np.uint8)
    share = np.maximum(cv2.boxFilter(weights, cv2.CV_32F, (side, side)), np.float32(1e-6))
    means = cv2.boxFilter(cv2.copyTo(pairs, weights), -1, (side, side))
    return np.asarray(cv2.divide(means, cv2.merge([share, share])), np.float32)


def diffused(values: Floats, seen: NDArray[np.bool_]) -> Floats:
    """What is seen, and elsewhere the mean of what is seen over a few px; where nothing is, over more."""
    weight = seen.astype(np.float32)
    both = cv2.merge([values * weight, weight])
    near, further = cv2.GaussianBlur(both, (0, 0), _DIFFUSED), cv2.blur(both, _FURTHER)
    mean, share = cv2.split(cv2.scaleAdd(further, _FAR, near))
    return np.asarray(np.where(seen, values, mean / np.maximum(share, _NEXT_TO_NONE)), np.float32)
