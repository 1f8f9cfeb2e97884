"""CIEDE2000, the colour difference people see (Sharma, Wu, Dalal 2005)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np

#: 25 to the seventh power.
_FAR = 25.0**7


def ciede2000(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    """ΔE2000 of two RGB colours, 0..255 a channel."""
    colours = np.array([[one, two]], np.float32) / 255
    first, second = np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2LAB), np.float64)[0]
    return lab_difference(first, second)


def lab_difference(one: Iterable[float], two: Iterable[float]) -> float:
    """ΔE2000 of two CIE L*a*b* colours."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    mean_chroma = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * math.sqrt(mean_chroma**7 / (mean_chroma**7 + _FAR))
    c1, c2 = math.hypot(a1 * stretch, b1), math.hypot(a2 * stretch, b2)
    h1 = math.degrees(math.atan2(b1, a1 * stretch)) % 360
    h2 = math.degrees(math.atan2(b2, a2 * stretch)) % 360
    return _weighted(l2 - l1, c2 - c1, _hue_step(h1, h2, c1 * c2), (l1 + l2) / 2, (c1, c2), (h1, h2))


def _hue_step(h1: float, h2: float, product: float) -> float:
    """Degrees from one hue to the other the short way; 0 where either is grey."""
    return 0.0 if product == 0 else (h2 - h1 + 180) % 360 - 180


def _weighted(
    lightness_step: float,
    chroma_step: float,
    hue_degrees: float,
    lightness: float,
    chromas: tuple[float, float],
    hues: tuple[float, float],
) -> float:
    chroma = sum(chromas) / 2
    hue = sum(hues) if 0 in chromas else hues[0] + hue_degrees / 2
    turn = (
        1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.2 * _cos(4 * hue - 63)
    )
    hue_step = 2 * math.sqrt(chromas[0] * chromas[1]) * math.sin(math.radians(hue_degrees / 2))
    middle = (lightness - 50) ** 2
    by_lightness = lightness_step / (1 + 0.015 * middle / math.sqrt(20 + middle))
    by_chroma = chroma_step / (1 + 0.045 * chroma)
    by_hue = hue_step / (1 + 0.015 * chroma * turn)
    blue = 60 * math.exp(-((((hue % 360) - 275) / 25) ** 2))
    rotation = -2 * math.sqrt(chroma**7 / (chroma**7 + _FAR)) * math.sin(math.radians(blue))
    return math.sqrt(by_lightness**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue)


def _cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))
