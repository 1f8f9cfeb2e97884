"""Colours: distances, contrast, the dominant one of many pixels. A colour is RGB, 0..255."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

RGB = tuple[int, int, int]
Pixels = NDArray[np.float32]

#: WCAG 2.1's least contrast for large text (success criterion 1.4.3).
LEAST_CONTRAST = 3.0
#: Colours this near (RGB, Euclidean) belong to one ink: anti-aliasing and JPEG spread them that far.
_SPREAD = 40.0
_SUM = np.ones((1, 3), np.float32)


def dot(one: Pixels, two: Pixels) -> Pixels:
    """Scalar product of two (h, w, 3) fields, pixel by pixel."""
    return np.asarray(cv2.transform(one * two, _SUM), np.float32)


def length(field: Pixels) -> Pixels:
    """Euclidean length of a (h, w, 3) field, pixel by pixel."""
    return np.sqrt(dot(field, field))


def largest(field: Pixels) -> Pixels:
    """Largest absolute channel of a (h, w, 3) field, pixel by pixel."""
    size = np.abs(field)
    return np.maximum(np.maximum(size[..., 0], size[..., 1]), size[..., 2])


def coverage_of(departure: Pixels, axis: Pixels) -> Pixels:
    """How far, 0..1, each pixel is on its way from ground to fill.

    Args:
        departure: Page minus ground, (h, w, 3).
        axis: Fill minus ground, same shape.
    """
    return np.clip(dot(departure, axis) / np.maximum(dot(axis, axis), 1.0), 0, 1)


def to_lab(colours: NDArray[np.floating]) -> Pixels:
    """(N, 3) RGB → (N, 3) CIE L*a*b*."""
    scaled = (np.asarray(colours, np.float32) / 255).reshape(-1, 1, 3)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB), np.float32).reshape(-1, 3)


def difference(one: RGB, two: RGB) -> float:
    """ΔE (CIE 1976) of two colours."""
    first, second = to_lab(np.array([one, two], np.float32))
    return float(np.linalg.norm(first - second))


def luminance(colour: NDArray[np.floating] | RGB) -> float:
    """WCAG's relative luminance, 0..1."""
    channels = np.asarray(colour, np.float64) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(one: RGB, two: RGB) -> float:
    """WCAG's contrast ratio, 1..21."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def legible(colour: RGB, ground: RGB, least: float = LEAST_CONTRAST) -> RGB:
    """The colour nearest to `colour`, on its way to black or white, that reads on `ground`."""
    if contrast(colour, ground) >= least:
        return colour
    candidates = []
    for end in (0, 255):
        low, high = 0.0, 1.0
        if contrast((end, end, end), ground) < least:
            continue
        for _ in range(8):
            middle = (low + high) / 2
            enough = contrast(_mixed(colour, end, middle), ground) >= least
            low, high = (low, middle) if enough else (middle, high)
        candidates.append(_mixed(colour, end, high))
    return min(candidates, key=lambda moved: difference(colour, moved))


def _mixed(colour: RGB, end: int, share: float) -> RGB:
    red, green, blue = (round(channel + (end - channel) * share) for channel in colour)
    return red, green, blue


def dominant(pixels: Pixels) -> RGB:
    """The colour most of the pixels share: the median of those near the fullest cell of a 16³ histogram."""
    cells = pixels.astype(np.int64) >> 4
    keys = (cells[:, 0] << 8) | (cells[:, 1] << 4) | cells[:, 2]
    fullest = int(np.bincount(keys, minlength=4096).argmax())
    centre = np.median(pixels[keys == fullest], axis=0)
    near = pixels[np.linalg.norm(pixels - centre, axis=1) <= _SPREAD]
    return as_rgb(np.median(near, axis=0))


def as_rgb(colour: NDArray[np.floating]) -> RGB:
    """Three floats → a colour."""
    red, green, blue = (round(float(channel)) for channel in np.clip(colour, 0, 255))
    return red, green, blue
