"""What rows and columns foretell of a ground: plaid, stripes, planks, ribs are threads across each other.

Each pixel is taken for the sum of what its row and what its column usually are; what is seen near by counts
more than what is seen far off, so that bands may drift and fade. A trial decides whether a ground is like
that: the ground next to the ink is hidden too, foretold, and compared with what stands there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.ground import Floats
from worker.imaging.site import grown
from worker.job import Mask

#: Rounds in which rows and columns are fitted to what the others leave over, and such fits.
_ROUNDS, _FITS = 2, 3
#: Groups of neighbouring columns (rows) for each reach: within a group all see the same.
_GROUPS = 5
#: Side in px of the squares in which something else shows, and sigmas at which it loses its say.
_STRANGE, _STRANGE_SIGMAS = (5, 5), 2.0
#: Where less than this share of the usual is seen, a row or a column is taken for the mean of all.
_SHRINKING = 0.003
#: Least sigma in levels.
_ROUNDING = 0.5
_TELEA_RADIUS = 3
#: Px that threads may drift, and the share of the usual squared slope that tells little of it.
_MOST_DRIFT, _DULL = 3.0, 0.05


@dataclass(frozen=True, slots=True)
class WeaveOptions:
    """When rows and columns are believed."""

    #: Text heights over which what a row or a column shows counts e times less.
    reach: float = 2.0
    #: Px of ground next to the ink that are hidden for the trial, at the size of the trial.
    hidden: int = 2
    #: Squared error there around any piece of ink, as a share of what diffusion leaves.
    most_wrong_anywhere: float = 4.0
    #: Shares of the ground's variance that are no error, anywhere and on the whole.
    harmless_anywhere: float = 0.5
    harmless: float = 0.025


def woven(values: Floats, known: NDArray[np.bool_], reach: float) -> tuple[Floats, Floats]:
    """The sum of row and column profiles that follows what is known, as far as it is the usual ground.

    Args:
        values: (H, W); what is not known is not looked at.
        known: (H, W)
        reach: Px along a row or a column over which what is seen counts e times less.

    Returns:
        What is foretold, (H, W), and how much each pixel has had to say, (H, W).
    """
    seen = known.astype(np.float32)
    for fit in range(_FITS):
        foretold = fitted(values[..., None], seen, reach)[..., 0]
        if fit + 1 < _FITS:
            strange = cv2.boxFilter(np.abs(values - foretold) * known, -1, _STRANGE)
            sigma = ground.MAD_TO_SIGMA * ground.quantile(strange[known], 0.5)
            ratio = strange * np.float32(1 / max(_STRANGE_SIGMAS * sigma, _ROUNDING))
            seen = known / (1 + ratio * ratio) ** 2
    return foretold, seen


def fitted(values: Floats, seen: Floats, reach: float, rounds: int = _ROUNDS) -> Floats:
    """Row and column profiles fitted to values (H, W, C) that count as much as they are seen (H, W)."""
    channels = values.shape[2]
    mean = seen.ravel() @ values.reshape(-1, channels) / np.float32(max(float(seen.sum()), 1.0))
    rows, columns = (_Profiles.along(seen[..., None], reach, axis) for axis in (1, 0))
    told = np.asarray(cv2.merge([seen] * channels), np.float32).reshape(values.shape)
    centred = (values - mean) * told
    rest = centred
    for again in range(rounds):
        of_rows = rows.of(rest)
        of_columns = columns.of(centred - of_rows * told)
        if again + 1 < rounds:
            rest = centred - of_columns * told
    of_rows += of_columns
    of_rows += mean
    return of_rows


def straightened(foretold: Floats, grey: Floats, wrong: Floats, seen: Floats, side: int) -> Floats:
    """What rows and columns foretell, moved by the few px by which they drift near by.

    Args:
        foretold: (H, W, C)
        grey: The same in one channel, (H, W).
        wrong: What is seen there less that, (H, W).
        seen: How much each pixel has to say, (H, W).
        side: Px around over which threads drift alike.
    """
    places = np.indices(grey.shape, np.float32)
    around = (side | 1, side | 1)
    for axis, (across, down) in enumerate(((0, 1), (1, 0))):
        slope = np.asarray(cv2.Sobel(grey, cv2.CV_32F, across, down, scale=1 / 8), np.float32)
        most = _MOST_DRIFT * np.abs(slope)
        steep = slope * slope * seen
        moved = cv2.blur(np.clip(wrong, -most, most) * slope * seen, around)
        places[axis] += moved / (cv2.blur(steep, around) + np.float32(_DULL * float(steep.mean()) + 1e-6))
    straight = cv2.remap(foretold, places[1], places[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(straight, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Profiles:
    """Means along one axis that change slowly along it."""

    axis: int
    #: Px along the axis.
    size: int
    #: (groups, groups): how much each group of px counts for each.
    near: Floats
    #: Total weight, (H, groups, 1) or (groups, W, 1).
    weight: Floats

    @classmethod
    def along(cls, seen: Floats, reach: float, axis: int) -> _Profiles:
        size = seen.shape[axis]
        groups = max(1, round(_GROUPS * size / max(reach, _GROUPS)))
        at = np.arange(groups, dtype=np.float32) * (size / groups)
        near = np.exp(-np.abs(at[:, None] - at) / reach).astype(np.float32)
        weight = _gathered(seen, near, axis)
        return cls(axis, size, near, weight + np.float32(max(_SHRINKING * float(weight.mean()), 1e-6)))

    def of(self, values: Floats) -> Floats:
        """The means of values that were multiplied by how much they are seen."""
        means = _gathered(values, self.near, self.axis) / self.weight
        return _resized(means, self.axis, self.size, cv2.INTER_LINEAR)


def _gathered(values: Floats, near: Floats, axis: int) -> Floats:
    """Weighted sums along an axis, one for each group."""
    grouped = _resized(values, axis, len(near), cv2.INTER_AREA)
    if axis == 1:
        return np.asarray(near @ grouped, np.float32)
    return np.asarray((near @ grouped.reshape(len(near), -1)).reshape(grouped.shape), np.float32)


def _resized(values: Floats, axis: int, size: int, interpolation: int) -> Floats:
    height, width, channels = values.shape
    shape = (size, height) if axis == 1 else (width, size)
    resized = cv2.resize(values, shape, interpolation=interpolation)
    return np.asarray(resized, np.float32).reshape(shape[1], shape[0], channels)


def wrongness(
    values: Floats, known: NDArray[np.bool_], hole: Mask, text_height: int, options: WeaveOptions
) -> float:
    """The squared error of rows and columns next to a hole, as a share of what diffusion leaves there.

    Args:
        values: The ground in one channel, (H, W).
        known: Where it is seen.
        hole: Where it is to be foretold.
        text_height: In px, at the size of the values.
        options: What is believed.

    Returns:
        Infinity where nothing can be told, or where they are far off somewhere.
    """
    hidden = grown(hole, options.hidden)
    band, seen = hidden & known, known & ~hidden
    if np.count_nonzero(band) < text_height or np.count_nonzero(seen) < 4 * text_height:
        return float("inf")
    ours, _ = woven(values, seen, options.reach * text_height)
    theirs = _diffused(values, seen, hidden)
    errors = [ground.local_mean(values - other, band, 3) ** 2 * band for other in (ours, theirs)]
    around = [ground.local_mean(error, band, text_height | 1)[band] for error in errors]
    variance = max(float(values[seen].var()), 1e-3)
    worst = ground.quantile(around[0] / np.maximum(around[1], options.harmless_anywhere * variance), 0.98)
    if worst > options.most_wrong_anywhere:
        return float("inf")
    mine, others = (float(error[band].mean()) for error in errors)
    return mine / max(others, options.harmless * variance)


def _diffused(values: Floats, seen: NDArray[np.bool_], hidden: NDArray[np.bool_]) -> Floats:
    """What OpenCV's Telea puts into what is hidden."""
    left, top, width, height = cv2.boundingRect(hidden.astype(np.uint8))
    inner = (slice(max(top - 2, 0), top + height + 2), slice(max(left - 2, 0), left + width + 2))
    low = float(values[seen].min())
    scale = 255 / max(float(values[seen].max()) - low, 1.0)
    levels = cv2.convertScaleAbs(np.maximum(values[inner] - low, 0), alpha=scale)
    filled = cv2.inpaint(levels, (~seen[inner]).astype(np.uint8), _TELEA_RADIUS, cv2.INPAINT_TELEA)
    diffused = values.copy()
    diffused[inner] = filled / np.float32(scale) + low
    return diffused
