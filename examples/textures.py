"""Cloth, wood and lights: grounds that no gradient can stand in for. All are float32 (height, width, 3)."""

from __future__ import annotations

import cv2
import numpy as np

from examples.canvas import Floats, rgb


def clouds(width: int, height: int, cell: tuple[float, float], seed: int, octaves: int = 4) -> Floats:
    """Smooth noise of mean 0 and deviation about 1; `cell` is the largest bump's size (x, y) in px."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        columns = max(2, round(width / cell[0] * 2**octave) + 1)
        rows = max(2, round(height / cell[1] * 2**octave) + 1)
        bumps = rng.normal(0, 1, (rows, columns)).astype(np.float32)
        total += cv2.resize(bumps, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return np.asarray(total / total.std(), np.float32)


def tint(light: Floats, dark: str, middle: str, bright: str) -> Floats:
    """A brightness map of 0..1 in three colours."""
    stops = np.stack([rgb(c) for c in (dark, middle, bright)])
    channels = [np.interp(light, (0, 0.5, 1), stops[:, c]) for c in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def knit(width: int, height: int, stitch: float, colours: tuple[str, str, str], seed: int) -> Floats:
    """Stockinette: columns of V stitches, `stitch` px wide."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = x + 0.10 * stitch * clouds(width, height, (9 * stitch, 9 * stitch), seed, 2)
    y = y + 0.12 * stitch * clouds(width, height, (9 * stitch, 9 * stitch), seed + 1, 2)
    column = x / stitch
    half = np.abs(column % 1 - 0.5) * 2
    slope = 0.95
    row = y / (0.82 * stitch) - slope * (1 - half)
    across = np.abs(row % 1 - 0.5) * 2
    body = np.sqrt(np.clip(1 - across**2, 0, 1)) * np.sqrt(np.clip(1 - (2 * half - 1.02) ** 2, 0, 1)) ** 0.7
    side = np.where(column % 1 < 0.5, 0.05, -0.05)
    strands = np.sin((row * 2.2 + half * 3.1) * 2 * np.pi) * 0.05
    light = 0.12 + 0.66 * body + side * body + strands * body
    fuzz = 0.035 * clouds(width, height, (5, 5), seed + 2, 2) + 0.03 * clouds(
        width, height, (160, 160), seed + 3, 2
    )
    return tint(np.asarray(light + fuzz, np.float32), *colours)


def weave(width: int, height: int, thread: float, colours: tuple[str, str, str], seed: int) -> Floats:
    """Linen: a plain weave of uneven threads."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = x + thread * 0.16 * clouds(width, height, (40, 400), seed, 2)
    y = y + thread * 0.16 * clouds(width, height, (400, 40), seed + 1, 2)
    u, v = np.sin(np.pi * x / thread), np.sin(np.pi * y / thread)
    over = u * v > 0
    warp = np.abs(np.sin(np.pi * x / thread)) * (0.8 + 0.2 * np.abs(v))
    weft = np.abs(np.sin(np.pi * y / thread)) * (0.8 + 0.2 * np.abs(u))
    slubs = np.where(
        over,
        clouds(width, height, (thread, 90), seed + 2, 3),
        clouds(width, height, (90, thread), seed + 3, 3),
    )
    light = 0.30 + 0.34 * np.where(over, warp, weft) + np.where(over, 0.04, -0.02) + 0.07 * slubs
    light += 0.03 * clouds(width, height, (220, 220), seed + 4, 3)
    return tint(np.asarray(light, np.float32), *colours)


def planks(width: int, height: int, board: int, colours: tuple[str, str, str], seed: int) -> Floats:
    """Wooden boards that lie across the picture, with grain, knots' swirls and dark joints."""
    rng = np.random.default_rng(seed)
    y, _ = np.mgrid[0:height, 0:width].astype(np.float32)
    number = (y // board).astype(int)
    shift = rng.uniform(0, 400, number.max() + 1).astype(np.float32)[number]
    tone = rng.normal(0, 0.05, number.max() + 1).astype(np.float32)[number]
    swirl = clouds(width, height, (520, 60), seed + 1, 3) * 11 + shift
    rings = np.sin((y * 0.9 + swirl) / 4.6) * 0.5 + np.sin((y * 2.1 + swirl * 1.6) / 3.1) * 0.25
    fibres = clouds(width, height, (150, 2.2), seed + 2, 2)
    light = 0.5 + 0.10 * rings + 0.075 * fibres + tone + 0.05 * clouds(width, height, (500, 140), seed + 3, 3)
    edge = np.minimum(y % board, board - y % board)
    light = np.where(edge < 2.5, light - 0.42 * (1 - edge / 2.5) - 0.06, light) - 0.05 * np.exp(-edge / 5)
    return tint(np.asarray(light, np.float32), *colours)


def stripes(width: int, height: int, period: int, ground: str, line: str, seed: int) -> Floats:
    """A jersey with level stripes, a third of each period in the `line` colour, with fine ribs."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y = y + 1.6 * clouds(width, height, (260, 90), seed, 2)
    share = np.clip((np.abs(y % period - period / 2) - period / 3) * 0.9 + 0.5, 0, 1)[..., None]
    cloth = rgb(ground) + (rgb(line) - rgb(ground)) * share
    ribs = 1 + 0.05 * np.sin(2 * np.pi * x / 4.2) + 0.018 * clouds(width, height, (4, 4), seed + 1, 2)
    folds = 1 + 0.045 * clouds(width, height, (300, 500), seed + 2, 2)
    return np.asarray(cloth * (ribs * folds)[..., None], np.float32)


def tartan(width: int, height: int, period: int, colours: tuple[str, str, str, str], seed: int) -> Floats:
    """A twilled check in four colours: ground, broad band, narrow band, fine line."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = x + 1.2 * clouds(width, height, (200, 300), seed, 2)
    y = y + 1.2 * clouds(width, height, (300, 200), seed + 1, 2)
    bands = ((0.5, 0.21, 1), (0.5, 0.07, 2), (0.06, 0.022, 3), (0.94, 0.022, 3))

    def threads(at: Floats) -> Floats:
        phase = at % period / period
        cloth = np.broadcast_to(rgb(colours[0]), (*at.shape, 3)).copy()
        for centre, half, colour in bands:
            share = np.clip((half - np.abs(phase - centre)) * period * 0.7 + 0.5, 0, 1)[..., None]
            cloth += (rgb(colours[colour]) - cloth) * share
        return cloth

    twill = 0.5 + 0.5 * np.tanh(2.2 * np.sin(2 * np.pi * (x + y) / 5.2))
    cloth = threads(x) * twill[..., None] + threads(y) * (1 - twill[..., None])
    ribs = 1 + 0.06 * np.sin(2 * np.pi * (x + y) / 5.2) + 0.03 * clouds(width, height, (4, 4), seed + 2, 2)
    folds = 1 + 0.05 * clouds(width, height, (340, 420), seed + 3, 2)
    return np.asarray(cloth * (ribs * folds)[..., None], np.float32)


def evening(width: int, height: int, seed: int) -> Floats:
    """Out-of-focus lights of a winter evening, as a photograph shows them."""
    rng = np.random.default_rng(seed)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None] * np.ones((1, width), np.float32)
    scene = tint(y + 0.10 * clouds(width, height, (420, 300), seed, 3), "#14212b", "#3a3430", "#6b4a33")
    for colour, count, radius in (
        ("#ffb45e", 34, 46),
        ("#ff8c42", 22, 30),
        ("#ffe2ae", 26, 22),
        ("#d8432f", 8, 34),
    ):
        for _ in range(count):
            cx, cy = rng.uniform(-40, width + 40), height * rng.beta(1.6, 1.9)
            r = radius * rng.uniform(0.55, 1.25)
            left, top, size = int(cx - r - 8), int(cy - r - 8), int(2 * r + 16)
            gy, gx = np.mgrid[0:size, 0:size].astype(np.float32)
            distance = np.hypot(gx + left - cx, gy + top - cy) / r
            disc = np.clip((1 - distance) * r / 5 + 0.5, 0, 1) * (0.72 + 0.4 * np.clip(distance, 0, 1) ** 4)
            x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + size, width), min(top + size, height)
            if x1 > x0 and y1 > y0:
                part = disc[y0 - top : y1 - top, x0 - left : x1 - left, None]
                # Lights add up; a screen blend keeps them below white.
                under = scene[y0:y1, x0:x1]
                under += (255 - under) * part * rgb(colour) / 255 * rng.uniform(0.08, 0.34)
    noise = np.random.default_rng(seed + 1).normal(0, 2.2, (height, width, 1))
    return np.asarray(scene + noise, np.float32)
