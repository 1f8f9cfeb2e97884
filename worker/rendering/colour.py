"""Colours: distances, contrast, the dominant one of many pixels. A colour is RGB, 0..255."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image, Mask

RGB = tuple[int, int, int]
Pixels = NDArray[np.float32]
T = TypeVar("T", bound=np.number)

#: WCAG 2.1's least contrast for large text (success criterion 1.4.3).
LEAST_CONTRAST = 3.0
#: Steps in which lightness is tried on its way to black or white.
_STEPS = 101
#: Colours this near (RGB, Euclidean) belong to one ink: anti-aliasing and JPEG spread them that far.
_SPREAD = 40.0
#: Pixels that tell a dominant colour.
_ENOUGH = 600
_SUM = np.ones((1, 3), np.float32)
#: What a cell of each channel counts in the index of a 16³ histogram.
_CELLS = np.array([256, 16, 1])


def dot(one: Pixels, two: Pixels) -> Pixels:
    """Scalar product of two (h, w, 3) fields, pixel by pixel."""
    return np.asarray(cv2.transform(cv2.multiply(one, two), _SUM), np.float32)


def shares_along(departure: Pixels, axis: Pixels) -> Pixels:
    """How far, 0..1, each of (N, 3) pixels is on its way from ground to fill, (N,).

    Args:
        departure: Pixel less ground.
        axis: Fill less ground.
    """
    along = np.einsum("ij,ij->i", departure, axis) / np.maximum(np.einsum("ij,ij->i", axis, axis), 1.0)
    return np.asarray(np.minimum(np.maximum(along, 0), 1), np.float32)


def to_lab(colours: NDArray[np.floating]) -> Pixels:
    """(N, 3) RGB → (N, 3) CIE L*a*b*."""
    scaled = (np.asarray(colours, np.float32) / 255).reshape(-1, 1, 3)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB), np.float32).reshape(-1, 3)


def from_lab(colours: Pixels) -> Pixels:
    """(N, 3) CIE L*a*b* → (N, 3) RGB, cut to what a screen can show."""
    scaled = np.asarray(cv2.cvtColor(colours.reshape(-1, 1, 3), cv2.COLOR_LAB2RGB), np.float32)
    return np.clip(scaled.reshape(-1, 3) * 255, 0, 255)


@lru_cache(maxsize=4096)
def difference(one: RGB, two: RGB) -> float:
    """ΔE (CIE 1976) of two colours."""
    first, second = to_lab(np.array([one, two], np.float32))
    return float(np.linalg.norm(first - second))


def luminances(colours: NDArray[np.floating]) -> NDArray[np.float64]:
    """WCAG's relative luminance, 0..1, of (N, 3) colours."""
    channels = np.asarray(colours, np.float64) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


@lru_cache(maxsize=4096)
def contrast(one: RGB, two: RGB) -> float:
    """WCAG's contrast ratio, 1..21."""
    low, high = sorted(luminances(np.array([one, two], np.float64)))
    return float((high + 0.05) / (low + 0.05))


def legible(colour: RGB, ground: RGB, least: float = LEAST_CONTRAST) -> RGB:
    """The colour nearest to `colour`, of the same hue but lighter or darker, that reads on `ground`.

    Only its lightness moves; near black and white, where no screen has its chroma, that fades too. Where not
    even black or white has so much contrast, it is the better of them.
    """
    if contrast(colour, ground) >= least:
        return colour
    lab = to_lab(np.array([colour], np.float32))[0]
    candidates = []
    for end in (0.0, 100.0):
        path = np.repeat(lab[None], _STEPS, axis=0)
        path[:, 0] = np.linspace(lab[0], end, _STEPS)
        path[:, 1:] *= np.minimum(1.0, 1.5 * np.abs(end - path[:, :1]) / max(abs(end - float(lab[0])), 1.0))
        steps = np.rint(from_lab(path))
        shine, base = luminances(steps) + 0.05, float(luminances(np.array([ground]))[0]) + 0.05
        enough = np.flatnonzero(np.maximum(shine / base, base / shine) >= least)
        candidates += [as_rgb(steps[step]) for step in enough[:1]]
    if not candidates:
        return max(((0, 0, 0), (255, 255, 255)), key=lambda end: contrast(end, ground))
    return min(candidates, key=lambda moved: difference(colour, moved))


def squares(difference: Image) -> Pixels:
    """Squared length (RGB) of each pixel's absolute difference from something, (h, w, 3) → (h, w)."""
    return np.asarray(cv2.transform(cv2.multiply(difference, difference, dtype=cv2.CV_32F), _SUM), np.float32)


def inked(where: NDArray[np.bool_] | Mask) -> NDArray[np.intp]:
    """Places of what is set, in reading order."""
    return np.flatnonzero(where.astype(np.bool_, copy=False))  # several times as fast as on bytes


def some(places: NDArray[np.intp], most: int = _ENOUGH) -> NDArray[np.intp]:
    """At most so many of the places, evenly spread: as many as tell a colour."""
    return places[:: len(places) // most + 1]


def sample(pixels: Image, where: Mask) -> Image:
    """Some of the pixels under a mask, (N, 3)."""
    return taken(pixels, some(inked(where)))


def taken(pixels: NDArray[T], places: NDArray[np.intp]) -> NDArray[T]:
    """The pixels (h, w, 3) at some places, (N, 3)."""
    return pixels.reshape(-1, 3).take(places, axis=0)  # four times as fast as indexing with them


def dominant(pixels: Image) -> RGB:
    """The colour most of the pixels share: the median of those near the fullest cell of a 16³ histogram."""
    keys = (pixels >> 4).astype(np.intp) @ _CELLS
    fullest = int(np.bincount(keys).argmax())
    offset = pixels.astype(np.float32) - quantile(pixels.compress(keys == fullest, axis=0), 0.5)
    near = pixels.compress(np.einsum("ij,ij->i", offset, offset) <= _SPREAD**2, axis=0)
    return as_rgb(quantile(near, 0.5))


def quantile(values: NDArray[T], share: float) -> NDArray[T]:
    """The value that a share of the N values, or of each of their columns, is not above.

    One of the values: unlike NumPy's median and percentile it does not interpolate, which takes them ten
    times as long on the few hundred pixels that tell a colour.
    """
    rank = min(int(share * len(values)), len(values) - 1)
    ranked = values.copy()
    ranked.partition(rank, axis=0)
    return np.asarray(ranked[rank])


def as_rgb(colour: NDArray[np.floating] | Image) -> RGB:
    """Three numbers → a colour."""
    red, green, blue = (round(min(max(channel, 0.0), 255.0)) for channel in colour.tolist())
    return red, green, blue
