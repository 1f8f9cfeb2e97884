"""Procedural grounds with structure: stripes, checks, weaves, tiles, wood, lattices of random motifs.

Every function draws one float32 picture (S, S, 3), 0..1, from a numpy generator: the same seed, the same
picture.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Rng = np.random.Generator


def palette(rng: Rng, count: int) -> Picture:
    """(count, 3) colours that go together: one hue family, a spread of lightness, or anything at all."""
    base = rng.random(3)
    spread = rng.choice([0.08, 0.2, 0.5])
    colours = np.clip(base + rng.normal(0, spread, (count, 3)), 0, 1)
    if rng.random() < 0.35:
        colours = np.clip(base + rng.uniform(-0.6, 0.6, (count, 1)), 0, 1) * np.ones((1, 3))
    if rng.random() < 0.25:
        colours = rng.random((count, 3))
    return colours.astype(np.float32)


def plane(rng: Rng, size: int, warp: float = 0.0) -> tuple[Picture, Picture]:
    """Coordinates (u, v) in pixels: rotated, shifted, slightly sheared, optionally warped smoothly."""
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32)
    angle = rng.choice([0.0, np.pi / 4, np.pi / 2]) if rng.random() < 0.5 else rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u = cos * xs + sin * ys + np.float32(rng.uniform(0, 400))
    v = -sin * xs + cos * ys + np.float32(rng.uniform(0, 400))
    if rng.random() < 0.2:
        u = u + np.float32(rng.uniform(-0.4, 0.4)) * v
    if warp:
        u = u + np.float32(warp) * smooth_noise(rng, size, rng.uniform(32, 120))
        v = v + np.float32(warp) * smooth_noise(rng, size, rng.uniform(32, 120))
    return u, v


def smooth_noise(rng: Rng, size: int, scale: float) -> Picture:
    """Band-limited noise (S, S), about -1..1, with features of `scale` pixels."""
    cells = max(3, int(size / scale) + 3)
    grid = rng.normal(0, 0.6, (cells, cells)).astype(np.float32)
    return cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def fractal_noise(rng: Rng, size: int, roughness: float) -> Picture:
    """Octaves of smooth noise, (S, S), normalised to 0..1."""
    total = np.zeros((size, size), np.float32)
    scale, weight = size / 2, 1.0
    while scale >= 1.5:
        total += np.float32(weight) * smooth_noise(rng, size, scale)
        scale, weight = scale / 2, weight * roughness
    total -= total.min()
    return np.asarray(total / max(float(total.max()), 1e-6), np.float32)


def edge(wave: Picture, softness: float) -> Picture:
    """A ramp of `softness` around zero, from 0 to 1: a square wave with an anti-aliased edge."""
    return np.asarray(np.clip(wave / np.float32(softness) + 0.5, 0, 1), np.float32)


def blend(colours: Picture, level: Picture) -> Picture:
    """Mix two colours by `level` (S, S)."""
    mixed: Picture = colours[0] * (1 - level[..., None]) + colours[1] * level[..., None]
    return mixed


def _period(rng: Rng) -> float:
    return float(np.exp(rng.uniform(np.log(5), np.log(64))))


def _warp(rng: Rng) -> float:
    return float(rng.uniform(1, 8)) if rng.random() < 0.25 else 0.0


def stripes(rng: Rng, size: int) -> Picture:
    """Bars of two to four colours, sharp or soft, or a sine."""
    u, _ = plane(rng, size, _warp(rng))
    period = _period(rng)
    if rng.random() < 0.3:
        return blend(palette(rng, 2), 0.5 + 0.5 * np.sin(u * np.float32(2 * np.pi / period)))
    count = int(rng.integers(2, 5))
    colours, edges = palette(rng, count), np.sort(rng.random(count - 1))
    phase = (u / np.float32(period * count / 2)) % 1
    picture = np.broadcast_to(colours[0], (size, size, 3)).copy()
    soft = 1.2 / (period * count / 2)
    for start, colour in zip(edges, colours[1:], strict=True):
        level = edge(phase - np.float32(start), soft) * edge(1 - phase, soft)
        picture = picture * (1 - level[..., None]) + colour * level[..., None]
    return picture


def checks(rng: Rng, size: int) -> Picture:
    """A chessboard."""
    u, v = plane(rng, size, _warp(rng))
    period = _period(rng)
    other = period * rng.choice([1.0, 1.0, rng.uniform(0.5, 2)])
    wave = np.sin(u * np.float32(2 * np.pi / period)) * np.sin(v * np.float32(2 * np.pi / other))
    return blend(palette(rng, 2), edge(wave, rng.uniform(0.02, 0.4)))


def plaid(rng: Rng, size: int) -> Picture:
    """Tartan and gingham: two families of translucent bands, sometimes with a twill."""
    u, v = plane(rng, size)
    picture = np.broadcast_to(palette(rng, 1)[0], (size, size, 3)).copy()
    period = _period(rng) * 1.5
    for colour in palette(rng, int(rng.integers(1, 4))):
        share, offset, alpha = rng.uniform(0.08, 0.5), rng.random(), rng.uniform(0.3, 0.8)
        for axis in (u, v):
            phase = (axis / np.float32(period) + np.float32(offset)) % 1
            level = np.float32(alpha) * edge(phase, 1 / period) * edge(np.float32(share) - phase, 1 / period)
            picture = picture * (1 - level[..., None]) + colour * level[..., None]
    if rng.random() < 0.4:
        picture = (
            picture * (1 + 0.08 * np.sin((u + v) * np.float32(2 * np.pi / rng.uniform(3, 7))))[..., None]
        )
    return picture


def dots(rng: Rng, size: int) -> Picture:
    """Discs or rings on a square or hexagonal grid."""
    u, v = plane(rng, size)
    period = max(8.0, _period(rng))
    row = np.floor(v / np.float32(period))
    if rng.random() < 0.5:
        u = u + np.float32(period / 2) * (row % 2)
    du, dv = u % np.float32(period) - np.float32(period / 2), v % np.float32(period) - np.float32(period / 2)
    distance = np.sqrt(du * du + dv * dv)
    level = edge(np.float32(period * rng.uniform(0.15, 0.45)) - distance, 1.2)
    if rng.random() < 0.25:
        level *= edge(distance - np.float32(period * 0.14), 1.2)
    return blend(palette(rng, 2), level)


def bricks(rng: Rng, size: int) -> Picture:
    """Bricks, floor tiles, planks: cells with joints and a shade of their own."""
    u, v = plane(rng, size)
    height = max(8.0, _period(rng))
    width = height * rng.choice([1.0, 2.0, rng.uniform(1, 6)])
    row = np.floor(v / np.float32(height))
    u = u + row * np.float32(width * rng.choice([0.0, 0.5, 0.33]))
    column = np.floor(u / np.float32(width))
    table = rng.normal(0, rng.choice([0.0, 0.05, 0.12]), (64, 64)).astype(np.float32)
    shade = table[row.astype(int) % 64, column.astype(int) % 64]
    du = np.minimum(u % np.float32(width), np.float32(width) - u % np.float32(width))
    dv = np.minimum(v % np.float32(height), np.float32(height) - v % np.float32(height))
    level = edge(np.minimum(du, dv) - np.float32(rng.uniform(0.5, max(1.0, height / 10))), 1.2)
    picture = blend(palette(rng, 2), level)
    if rng.random() < 0.5:
        picture = picture + (0.15 * fractal_noise(rng, size, 0.8) - 0.07)[..., None]
    shaded: Picture = picture + (shade * level)[..., None]
    return shaded


def weave(rng: Rng, size: int) -> Picture:
    """Plain, basket and twill weaves, knit-like zigzags: threads with round shading, over and under."""
    u, v = plane(rng, size, rng.choice([0.0, 0.0, 1.5]))
    period = float(np.exp(rng.uniform(np.log(4), np.log(28))))
    column, row = np.floor(u / np.float32(period)), np.floor(v / np.float32(period))
    step = int(rng.integers(1, 4))
    over = ((column + row * step) % int(rng.integers(2, 5)) == 0)[..., None]
    across = np.sin(np.pi * (u / np.float32(period) % 1))[..., None]
    along = np.sin(np.pi * (v / np.float32(period) % 1))[..., None]
    warp, weft = palette(rng, 2)
    depth = rng.uniform(0.2, 0.9)
    picture = np.where(over, warp * (1 - depth + depth * across), weft * (1 - depth + depth * along))
    return np.asarray(picture, np.float32)


def zigzag(rng: Rng, size: int) -> Picture:
    """Chevrons, waves, herringbones."""
    u, v = plane(rng, size)
    period, amplitude = max(8.0, _period(rng)), rng.uniform(3, 24)
    phase = u / np.float32(period) % 1
    shape = np.abs(2 * phase - 1) if rng.random() < 0.6 else 0.5 + 0.5 * np.sin(2 * np.pi * phase)
    wave = np.sin((v + np.float32(amplitude) * shape) * np.float32(2 * np.pi / _period(rng)))
    return blend(palette(rng, 2), edge(wave, rng.uniform(0.1, 1.6)))


def wood(rng: Rng, size: int) -> Picture:
    """Grain: a warped sine of several periods along one axis."""
    u, v = plane(rng, size)
    stretched = cv2.resize(fractal_noise(rng, size, 0.6), (size, size * 6))[:size]
    field = u * np.float32(rng.uniform(0.02, 0.1)) + np.float32(rng.uniform(2, 8)) * stretched + 0.002 * v
    level = 0.5 + 0.3 * np.sin(2 * np.pi * field) + 0.2 * np.sin(2 * np.pi * 3.7 * field)
    colours = palette(rng, 2)
    if rng.random() < 0.6:
        brown = np.array([0.62, 0.42, 0.25], np.float32)
        colours = np.clip(brown * rng.uniform(0.5, 1.4, (2, 1)) + rng.normal(0, 0.04, (2, 3)), 0, 1)
    return blend(colours.astype(np.float32), level.astype(np.float32))


def marble(rng: Rng, size: int) -> Picture:
    """Veins, clouds, plaster, paper: fractal noise through a colour ramp."""
    level = fractal_noise(rng, size, rng.uniform(0.35, 0.95))
    if rng.random() < 0.4:
        u, _ = plane(rng, size)
        level = 0.5 + 0.5 * np.sin(u * np.float32(2 * np.pi / max(20.0, _period(rng))) + 6 * level)
    return blend(palette(rng, 2), level)


def lattice(rng: Rng, size: int) -> Picture:
    """Any motif, repeated: shapes on a small canvas, tiled straight or with an offset, turned and scaled."""
    cell = int(rng.integers(24, 96))
    motif = np.broadcast_to(palette(rng, 1)[0], (cell, cell, 3)).copy()
    for colour in palette(rng, int(rng.integers(1, 6))):
        centre = tuple(int(c) for c in rng.integers(0, cell, 2))
        extent = tuple(int(c) for c in rng.integers(2, max(3, cell // 3), 2))
        tone = tuple(float(c) for c in colour)
        if rng.random() < 0.5:
            cv2.ellipse(
                motif,
                centre,
                extent,
                float(rng.uniform(0, 180)),
                0,
                360,
                tone,
                int(rng.choice([-1, 1, 2, 3])),
                cv2.LINE_AA,
            )
        else:
            points = rng.integers(0, cell, (int(rng.integers(2, 5)), 2)).astype(np.int32)
            cv2.polylines(motif, [points], rng.random() < 0.5, tone, int(rng.integers(1, 5)), cv2.LINE_AA)
    rows = [np.roll(motif, int(cell * 0.5) * (r % 2) * int(rng.random() < 0.5), axis=1) for r in range(2)]
    block = np.concatenate(rows, axis=0)
    angle, zoom = rng.choice([0.0, 45.0, rng.uniform(0, 180)]), rng.uniform(0.5, 1.4)
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), float(angle), float(zoom))
    repeat = int(np.ceil(3.2 * size / cell / 2)) + 1
    sheet = np.tile(block, (repeat // 2 + 1, repeat, 1))
    middle = [max(0, (s - size) // 2) for s in sheet.shape[:2]]
    shift = np.array([[1, 0, -middle[1]], [0, 1, -middle[0]], [0, 0, 1]], np.float64)
    matrix = matrix.astype(np.float64) @ shift
    flags = cv2.INTER_AREA if zoom < 0.7 else cv2.INTER_LINEAR
    sheet = sheet.astype(np.float32)
    turned = cv2.warpAffine(sheet, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_WRAP)
    return turned.astype(np.float32)


#: name → (function, weight in training)
KINDS: dict[str, tuple[Callable[[Rng, int], Picture], float]] = {
    "stripes": (stripes, 2.0),
    "checks": (checks, 1.5),
    "plaid": (plaid, 1.0),
    "dots": (dots, 1.0),
    "bricks": (bricks, 1.3),
    "weave": (weave, 1.5),
    "zigzag": (zigzag, 1.0),
    "wood": (wood, 0.8),
    "marble": (marble, 1.0),
    "lattice": (lattice, 1.5),
}


def pattern(rng: Rng, size: int, kind: str | None = None) -> Picture:
    """One ground of the given or a random kind, with light falling across it now and then."""
    if kind is None:
        weights = np.array([weight for _, weight in KINDS.values()])
        kind = str(rng.choice(list(KINDS), p=weights / weights.sum()))
    picture = KINDS[kind][0](rng, size)
    if rng.random() < 0.3:
        picture = (
            picture * (1 + np.float32(rng.uniform(0.05, 0.3)) * smooth_noise(rng, size, size))[..., None]
        )
    return np.clip(picture, 0, 1).astype(np.float32)
