"""A fill that changes steadily from one colour to another, down each line or along the block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.rendering.colour import RGB, Pixels, as_rgb, difference, quantile
from worker.rendering.cores import FLAT, Cores
from worker.rendering.ink import Ink

#: A gradient counts where its ends differ by this much (ΔE) and a straight line explains it this well; no
#: channel of such a one changes by fewer levels.
_GRADIENT_DIFFERENCE, _GRADIENT_FIT, _LEAST_CHANGE = 12.0, 0.75, 8.0
#: The bands whose medians tell a gradient.
_BANDS = np.arange(9) / 8


def find_gradient(cores: Cores, ink: Ink) -> tuple[RGB, RGB, str] | None:
    """Both ends of a block's fill and its axis; None where one colour is enough.

    Args:
        cores: Pixels that show the pure fill.
        ink: The block's geometry.
    """
    if cores.deviation < FLAT:
        return None
    colours = cores.colours.astype(np.float32)
    local = ink.frame.to_local(cores.points)
    along = (local[:, 0] - ink.rect.left) / max(ink.rect.width, 1.0)
    down = np.full(len(local), np.nan)
    for line in ink.lines:
        inside = (local[:, 1] >= line.rect.top) & (local[:, 1] <= line.rect.bottom)
        down[inside] = (local[inside, 1] - line.rect.top) / max(line.rect.height, 1.0)
    for axis, place in (("vertical", down), ("horizontal", along)):
        ends = _ends(place, colours)
        if ends is not None:
            return *ends, axis
    return None


def _ends(place: NDArray[np.float64], colours: Pixels) -> tuple[RGB, RGB] | None:
    """Colours at 0 and 1 of a straight transition, if the medians of eight bands follow one."""
    inside = place == place  # places outside the lines are NaN
    offset = place[inside] - 0.5
    offset -= offset.sum() / max(len(offset), 1)
    if np.abs(offset @ colours[inside]).max() < _LEAST_CHANGE * float(offset @ offset):
        return None
    order = np.argsort(place)  # places outside the lines (NaN) come last
    ends = np.searchsorted(place[order], _BANDS)
    sizes = np.diff(ends)
    told = np.flatnonzero(sizes >= 6)
    if len(told) < 5:
        return None
    at = _BANDS[told] + 1 / 16
    colours = colours.take(order, axis=0)
    medians = np.array([quantile(colours[ends[band] : ends[band + 1]], 0.5) for band in told])
    offset = at - at.mean()
    slope = offset @ medians / (offset @ offset)
    start = medians.mean(axis=0) - slope * at.mean()
    spread = float(((medians - medians.mean(axis=0)) ** 2).sum())
    rest = float(((medians - (start + np.outer(at, slope))) ** 2).sum())
    first, last = as_rgb(start), as_rgb(start + slope)
    if difference(first, last) < _GRADIENT_DIFFERENCE or rest > (1 - _GRADIENT_FIT) * spread:
        return None
    return first, last
