"""A small drawing board: anti-aliased shapes with gradients, blur and texture on a float picture.

Everything but the lettering is painted at once; the lettering is kept aside and set last, so that the
same drawing gives the page with its text and the clean plate without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
#: Colours for the pixels at (x, y): two float grids of one shape in, (..., 3) out.
Shader = Callable[[Floats, Floats], Floats]
Fill = str | Shader

#: Shapes are filled this many times larger and averaged down.
SUPERSAMPLING = 4


def rgb(colour: str) -> Floats:
    """`#rrggbb` as three floats of 0..255."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32)


def _ramp(position: Floats, stops: Sequence[str]) -> Floats:
    knots = np.linspace(0, 1, len(stops))
    table = np.stack([rgb(stop) for stop in stops])
    return np.stack([np.interp(position, knots, table[:, c]) for c in range(3)], -1).astype(np.float32)


def linear(start: tuple[float, float], end: tuple[float, float], *stops: str) -> Shader:
    """A gradient with evenly spaced stops from `start` to `end`."""
    (x0, y0), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])

    def shade(x: Floats, y: Floats) -> Floats:
        position = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)
        return _ramp(np.asarray(position, np.float32), stops)

    return shade


def radial(centre: tuple[float, float], radius: float, *stops: str) -> Shader:
    """A gradient with evenly spaced stops from `centre` outward to `radius`."""

    def shade(x: Floats, y: Floats) -> Floats:
        return _ramp(np.hypot(x - centre[0], y - centre[1]) / radius, stops)

    return shade


def sampled(texture: Floats, left: float, top: float) -> Shader:
    """A texture that lies with its corner at (left, top)."""

    def shade(x: Floats, y: Floats) -> Floats:
        rows = (y - top).astype(int).clip(0, texture.shape[0] - 1)
        columns = (x - left).astype(int).clip(0, texture.shape[1] - 1)
        return np.asarray(texture[rows, columns], np.float32)

    return shade


def rectangle(left: float, top: float, right: float, bottom: float, radius: float = 0) -> Floats:
    """Outline of a rectangle, its corners rounded."""
    if radius <= 0:
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    quarter = np.linspace(0, np.pi / 2, 17)
    corners = [(right - radius, bottom - radius, 0), (left + radius, bottom - radius, 1)]
    corners += [(left + radius, top + radius, 2), (right - radius, top + radius, 3)]
    arcs = [
        np.stack(
            [x + radius * np.cos(quarter + q * np.pi / 2), y + radius * np.sin(quarter + q * np.pi / 2)], 1
        )
        for x, y, q in corners
    ]
    return np.concatenate(arcs).astype(np.float32)


def ellipse(x: float, y: float, rx: float, ry: float | None = None, angle: float = 0) -> Floats:
    """Outline of an ellipse, turned by `angle` degrees clockwise."""
    turn = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    points = np.stack([rx * np.cos(turn), (rx if ry is None else ry) * np.sin(turn)], 1)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.asarray(points @ np.array([(c, s), (-s, c)]) + (x, y), np.float32)


def burst(x: float, y: float, outer: float, inner: float, spikes: int) -> Floats:
    """Outline of a star with many points."""
    turn = np.arange(2 * spikes) * np.pi / spikes - np.pi / 2
    reach = np.where(np.arange(2 * spikes) % 2 == 0, outer, inner)
    return np.stack([x + reach * np.cos(turn), y + reach * np.sin(turn)], 1).astype(np.float32)


def curve(points: ArrayLike, *, closed: bool = True) -> Floats:
    """A smooth line through the points (Catmull-Rom)."""
    knots = np.asarray(points, np.float64)
    ends = knots[-1:], knots[:2]
    knots = np.concatenate([ends[0], knots, ends[1]] if closed else [knots[:1], knots, knots[-1:]])
    t = np.linspace(0, 1, 16, endpoint=False)[:, None]
    pieces = []
    for i in range(1, len(knots) - 2):
        a, b, c, d = knots[i - 1 : i + 3]
        cubic = (3 * (b - c) + d - a) * t**3
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + cubic))
    return np.concatenate([*pieces, knots[-2:-1]]).astype(np.float32)


def blurred(mask: Floats, sigma: float) -> Floats:
    """The mask under a Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.float32)


class Canvas:
    """A picture being painted.

    Attributes:
        plate: float32 (height, width, 3), 0..255.
    """

    def __init__(self, width: int, height: int, ground: Fill = "#ffffff") -> None:
        self.plate: Floats = np.empty((height, width, 3), np.float32)
        self.width, self.height = width, height
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        self.plate[:] = rgb(ground) if isinstance(ground, str) else ground(x, y)

    def fill(
        self,
        outline: Floats | Sequence[Floats],
        fill: Fill,
        *,
        opacity: float = 1,
        blur: float = 0,
        clip: Floats | None = None,
    ) -> None:
        """Fill an outline (several: even-odd), softened by `blur` px, only within `clip`."""
        contours = [outline] if isinstance(outline, np.ndarray) else list(outline)
        box = self._box(np.concatenate(contours), 3 * blur + 1)
        if box is None:
            return
        coverage = _coverage(contours, box)
        if blur:
            coverage = blurred(coverage, blur)
        self._blend(box, coverage * np.float32(opacity), fill, clip)

    def stroke(
        self,
        points: Floats,
        width: float,
        fill: Fill,
        *,
        closed: bool = False,
        opacity: float = 1,
        blur: float = 0,
        clip: Floats | None = None,
    ) -> None:
        """Draw a line of round caps and joins along the points."""
        box = self._box(points, width + 3 * blur + 1)
        if box is None:
            return
        coverage = _coverage([points], box, line=width, closed=closed)
        if blur:
            coverage = blurred(coverage, blur)
        self._blend(box, coverage * np.float32(opacity), fill, clip)

    def shadow(
        self, outline: Floats, dx: float, dy: float, blur: float, opacity: float, colour: str = "#000000"
    ) -> None:
        """A soft shadow of the outline."""
        self.fill(outline + np.array((dx, dy), np.float32), colour, opacity=opacity, blur=blur)

    def paste(self, picture: Floats, left: int, top: int, alpha: Floats | None = None) -> None:
        """Lay a picture (h, w, 3) at a place, through an alpha of 0..1 (h, w)."""
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + picture.shape[1], self.width), min(top + picture.shape[0], self.height)
        inner = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        under = self.plate[y0:y1, x0:x1]
        share = 1.0 if alpha is None else alpha[inner][..., None]
        under += (picture[inner] - under) * share

    def grain(self, strength: float, seed: int, top: int = 0, bottom: int | None = None) -> None:
        """Add the fine noise of a photograph, standard deviation `strength` levels."""
        rows = self.plate[top:bottom]
        noise = np.random.default_rng(seed).normal(0, strength, rows.shape[:2]).astype(np.float32)
        rows += noise[..., None]

    def _box(self, points: Floats, pad: float) -> tuple[int, int, int, int] | None:
        low, high = np.floor(points.min(0) - pad).astype(int), np.ceil(points.max(0) + pad).astype(int)
        left, top = max(int(low[0]), 0), max(int(low[1]), 0)
        right, bottom = min(int(high[0]), self.width), min(int(high[1]), self.height)
        return (left, top, right, bottom) if right > left and bottom > top else None

    def _blend(self, box: tuple[int, int, int, int], share: Floats, fill: Fill, clip: Floats | None) -> None:
        left, top, right, bottom = box
        if clip is not None:
            share = share * _coverage([clip], box)
        under = self.plate[top:bottom, left:right]
        if isinstance(fill, str):
            colour: Floats = rgb(fill)
        else:
            y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
            colour = fill(x, y)
        under += (colour - under) * share[..., None]


def _coverage(
    contours: Sequence[Floats], box: tuple[int, int, int, int], *, line: float = 0, closed: bool = True
) -> Floats:
    """Share of each pixel of `box` that the shape covers, 0..1."""
    left, top, right, bottom = box
    s = SUPERSAMPLING
    large = np.zeros(((bottom - top) * s, (right - left) * s), np.uint8)
    points = [np.round((c - (left, top)) * s).astype(np.int32) for c in contours]
    if line:
        cv2.polylines(large, points, closed, 255, max(1, round(line * s)))
    else:
        cv2.fillPoly(large, points, 255)
    small = cv2.resize(large, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)
