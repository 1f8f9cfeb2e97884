"""Procedural posters: what lies behind the text on a product page, without the text.

Gradients, panels, badges, rules, tables, discs of light, and panels filled with a picture or a pattern.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from export.training.patterns import Picture, Rng, blend, palette, pattern, smooth_noise

#: Draws a ground (S, S, 3), 0..1, for a panel: a photograph, a texture.
Ground = Callable[[Rng, int], Picture]


def poster(rng: Rng, size: int, ground: Ground | None = None) -> Picture:
    """One poster cut-out (S, S, 3), 0..1."""
    picture = _gradient(rng, size)
    for _ in range(int(rng.integers(1, 7))):
        draw = _LAYERS[int(rng.integers(len(_LAYERS)))]
        picture = draw(rng, picture)
    if rng.random() < 0.35:
        filled = ground(rng, size) if ground is not None and rng.random() < 0.6 else pattern(rng, size)
        shape = _shape(rng, size)[..., None]
        picture = picture * (1 - shape) + filled * shape
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(0.004, 0.03), picture.shape).astype(np.float32)
        picture = picture + noise
    return np.clip(picture, 0, 1).astype(np.float32)


def _gradient(rng: Rng, size: int) -> Picture:
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) / size
    if rng.random() < 0.6:
        angle = rng.uniform(0, 2 * np.pi)
        level = 0.5 + (xs - 0.5) * np.float32(np.cos(angle)) + (ys - 0.5) * np.float32(np.sin(angle))
    else:
        level = np.hypot(xs - np.float32(rng.random()), ys - np.float32(rng.random()))
    return blend(palette(rng, 2), np.clip(level * np.float32(rng.uniform(0.2, 1.2)), 0, 1))


def _corners(rng: Rng, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    x, y = rng.integers(-size // 3, size, 2)
    width, height = rng.integers(size // 8, size, 2)
    return (int(x), int(y)), (int(x + width), int(y + height))


def _shape(rng: Rng, size: int) -> Picture:
    """Coverage (S, S), 0..1, of a rectangle, rounded rectangle, disc or polygon, anti-aliased."""
    scale = 4
    canvas = np.zeros((size, size), np.uint8)
    kind = rng.random()
    first, second = _corners(rng, size * scale)
    if kind < 0.45:
        canvas = np.zeros((size * scale, size * scale), np.uint8)
        cv2.rectangle(canvas, first, second, 255, -1)
        canvas = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)
    elif kind < 0.75:
        centre = tuple(int(c) for c in rng.integers(0, size, 2))
        across, along = (int(c) for c in rng.integers(size // 12, size // 2, 2))
        if rng.random() < 0.6:
            along = across
        cv2.ellipse(canvas, centre, (across, along), float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    else:
        points = rng.integers(-size // 4, size + size // 4, (int(rng.integers(3, 6)), 2)).astype(np.int32)
        cv2.fillPoly(canvas, [cv2.convexHull(points)], 255, cv2.LINE_AA)
    return canvas.astype(np.float32) / np.float32(255)


def _panel(rng: Rng, picture: Picture) -> Picture:
    """A filled shape, now and then translucent, with a gradient of its own or a soft shadow."""
    size = picture.shape[0]
    shape = _shape(rng, size)
    if rng.random() < 0.3:
        shadow = cv2.GaussianBlur(np.roll(shape, (4, 4), (0, 1)), (0, 0), float(rng.uniform(2, 9)))
        picture = picture * (1 - np.float32(0.4) * shadow[..., None])
    fill = _gradient(rng, size) if rng.random() < 0.4 else np.broadcast_to(palette(rng, 1)[0], picture.shape)
    alpha = np.float32(rng.choice([1.0, 1.0, rng.uniform(0.2, 0.9)])) * shape[..., None]
    return picture * (1 - alpha) + fill * alpha


def _rules(rng: Rng, picture: Picture) -> Picture:
    """Straight lines: rules, frames, table grids, rays."""
    size = picture.shape[0]
    picture = np.ascontiguousarray(picture)
    colour, width = tuple(float(c) for c in palette(rng, 1)[0]), int(rng.choice([1, 1, 2, 2, 3, 5, 8]))
    kind = rng.random()
    if kind < 0.35:
        gap = rng.integers(16, 90, 2)
        for x in range(int(rng.integers(0, gap[0])), size, int(gap[0])):
            cv2.line(picture, (x, 0), (x, size), colour, width, cv2.LINE_AA)
        for y in range(int(rng.integers(0, gap[1])), size, int(gap[1])):
            cv2.line(picture, (0, y), (size, y), colour, width, cv2.LINE_AA)
    elif kind < 0.55:
        cv2.rectangle(picture, *_corners(rng, size), colour, width, cv2.LINE_AA)
    elif kind < 0.7:
        centre = tuple(int(c) for c in rng.integers(0, size, 2))
        for angle in np.arange(0, 2 * np.pi, 2 * np.pi / int(rng.integers(8, 40))):
            end = (int(centre[0] + 2 * size * np.cos(angle)), int(centre[1] + 2 * size * np.sin(angle)))
            cv2.line(picture, centre, end, colour, width, cv2.LINE_AA)
    else:
        for _ in range(int(rng.integers(1, 9))):
            a, b, c, d = (int(v) for v in rng.integers(-size // 2, size + size // 2, 4))
            cv2.line(picture, (a, b), (c, d), colour, width, cv2.LINE_AA)
    return picture


def _curves(rng: Rng, picture: Picture) -> Picture:
    """Smooth strokes and rings: swooshes, outlines of products."""
    size = picture.shape[0]
    picture = np.ascontiguousarray(picture)
    for colour in palette(rng, int(rng.integers(1, 4))):
        t = np.linspace(0, 1, 40)[:, None]
        a, b, c, d = rng.uniform(-0.2 * size, 1.2 * size, (4, 2))
        points = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
        tone = tuple(float(v) for v in colour)
        cv2.polylines(picture, [points.astype(np.int32)], False, tone, int(rng.integers(1, 16)), cv2.LINE_AA)
    return picture


def _glow(rng: Rng, picture: Picture) -> Picture:
    """Soft light and shade."""
    size = picture.shape[0]
    field = smooth_noise(rng, size, rng.uniform(0.3, 1.2) * size)
    return picture + np.float32(rng.uniform(0.03, 0.2)) * field[..., None]


_LAYERS = (_panel, _panel, _panel, _rules, _rules, _curves, _glow)
