"""The goods on sale, as solids for the studio."""

from __future__ import annotations

import numpy as np

from examples.canvas import Floats, curve
from examples.studio import Camera, Material, Solid, box, cut, photograph, revolve, sphere, tube, union

Picture = tuple[Floats, Floats]

STEEL = Material("#d9dad8", gloss=0.75, metal=True)
WALNUT = Material("#8a5a36", gloss=0.35)


def _rod(points: list[tuple[float, float]], radii: tuple[float, float], z: float = 0) -> Solid:
    """A rod in the plane z through (x, y) points, smooth, its radius running from one end to the other."""
    path = curve(points, closed=False)[::4]
    spatial = np.concatenate([path, np.full((len(path), 1), z, np.float32)], 1)
    return tube(spatial, list(np.linspace(radii[0], radii[1], len(path))))


def kettle(width: int, height: int) -> Picture:
    """A gooseneck kettle in matt sage green with walnut handle and knob, on its base."""
    body = revolve(
        np.concatenate(
            [
                curve(
                    [(0.86, 0.10), (0.90, 0.13), (0.90, 0.20), (0.86, 0.55), (0.76, 1.05), (0.64, 1.45)],
                    closed=False,
                ),
                curve([(0.64, 1.45), (0.60, 1.53), (0.52, 1.58), (0.47, 1.60)], closed=False),
            ]
        )
    )
    lid = revolve(curve([(0.50, 1.60), (0.48, 1.66), (0.36, 1.70), (0.12, 1.72)], closed=False))
    ring = revolve(np.array([(0.50, 1.57), (0.525, 1.59), (0.525, 1.61), (0.50, 1.63)], np.float32))
    neck = revolve(np.array([(0.06, 1.70), (0.06, 1.79)], np.float32))
    knob = sphere(0, 1.87, 0, 0.125, (1, 0.85, 1))
    spout = _rod([(-0.72, 0.42), (-1.05, 0.52), (-1.20, 0.95), (-1.27, 1.38), (-1.52, 1.56)], (0.135, 0.065))
    handle = _rod([(0.95, 1.46), (1.32, 1.46), (1.42, 1.22), (1.36, 0.72), (1.26, 0.50)], (0.085, 0.075))
    bracket = _rod([(0.58, 1.40), (0.80, 1.46), (1.02, 1.46)], (0.055, 0.055))
    base = revolve(curve([(1.0, -0.02), (1.06, 0.0), (1.06, 0.05), (1.0, 0.075)], closed=False))
    foot = revolve(np.array([(0.84, 0.06), (0.84, 0.11)], np.float32))
    sage = Material("#7f9a86", gloss=0.30)
    parts = [
        (union(body, spout, blend=0.12), sage),
        (lid, sage),
        (ring, STEEL),
        (union(neck, bracket), STEEL),
        (union(knob, handle), WALNUT),
        (base, Material("#3a3f3c", gloss=0.4)),
        (foot, STEEL),
    ]
    return photograph(parts, Camera((-0.04, 0.93, 0), 2.5, pitch=9), width, height)


def _turn(x: float, y: float, z: float) -> Floats:
    """Rotation about the three axes, degrees."""
    a, b, c = np.radians((x, y, z))
    about_x = np.array([(1, 0, 0), (0, np.cos(a), -np.sin(a)), (0, np.sin(a), np.cos(a))])
    about_y = np.array([(np.cos(b), 0, np.sin(b)), (0, 1, 0), (-np.sin(b), 0, np.cos(b))])
    about_z = np.array([(np.cos(c), -np.sin(c), 0), (np.sin(c), np.cos(c), 0), (0, 0, 1)])
    return np.asarray(about_z @ about_y @ about_x, np.float32)


def _placed(solid: Solid, turn: Floats, x: float, y: float, z: float) -> Solid:
    centre = np.array((x, y, z), np.float32)
    return lambda p: solid(np.asarray((p - centre) @ turn, np.float32))


def earphones(width: int, height: int) -> Picture:
    """Two pearl-white earbuds above their charging case."""
    shell = union(
        sphere(0, 0, 0, 0.30, (0.95, 0.95, 0.8)),
        _rod([(0.06, -0.08), (0.1, -0.45), (0.1, -0.78)], (0.125, 0.10)),
        blend=0.14,
    )
    tip = _placed(
        revolve(curve([(0.17, 0), (0.19, 0.04), (0.17, 0.14), (0.10, 0.19), (0.02, 0.20)], closed=False)),
        _turn(90, 0, 40),
        -0.17,
        0.05,
        0.17,
    )
    axis = _turn(90, 0, 40) @ np.array((0, 1, 0), np.float32)
    x, y, z = (float(c) for c in np.array((-0.17, 0.05, 0.17)) + axis * 0.20)
    nozzle = sphere(x, y, z, 0.055)
    mesh = sphere(0.14, -0.62, 0.105, 0.035, (0.6, 1, 0.5))
    accent = sphere(0.09, 0.08, 0.235, 0.085, (1, 1, 0.35))
    left, right = _turn(0, 24, 14), _turn(0, -30, -16)
    mirrored = np.array([(-1, 0, 0), (0, 1, 0), (0, 0, 1)], np.float32)
    pearl = Material("#f4f1f6", gloss=0.72)
    parts: list[tuple[Solid, Material]] = []
    for turn, x, y in ((left, 0.56, 0.76), (right @ mirrored, -0.56, 0.85)):
        parts += [
            (_placed(shell, turn, x, y, 0.25), pearl),
            (_placed(tip, turn, x, y, 0.25), Material("#d4cfe0", gloss=0.25)),
            (_placed(nozzle, turn, x, y, 0.25), Material("#5a5468", gloss=0.2)),
            (_placed(mesh, turn, x, y, 0.25), Material("#4a4458", gloss=0.3)),
            (_placed(accent, turn, x, y, 0.25), Material("#e8b66a", gloss=0.8, metal=True)),
        ]
    seam = box((0, -0.62, 0), (2, 0.008, 2), 0.004)
    case = cut(box((0, -0.78, -0.1), (0.92, 0.50, 0.36), 0.34), seam)
    parts += [(case, pearl), (sphere(0, -0.86, 0.255, 0.028, (1, 1, 0.5)), Material("#55e0a0", gloss=0.6))]
    parts += [(box((0, -0.62, 0.24), (0.09, 0.045, 0.03), 0.02), Material("#e8b66a", gloss=0.8, metal=True))]
    return photograph(parts, Camera((0, -0.05, 0), 2.76, pitch=12), width, height)


def mug(width: int, height: int) -> Picture:
    """A stoneware mug of tea, seen from above."""
    wall = curve([(0.62, 0.0), (0.70, 0.04), (0.74, 0.3), (0.75, 0.8), (0.75, 1.12)], closed=False)
    lip = curve([(0.75, 1.12), (0.735, 1.16), (0.70, 1.16), (0.685, 1.12)], closed=False)
    inner = curve([(0.685, 1.12), (0.68, 0.7), (0.66, 0.2), (0.0, 0.14)], closed=False)
    body = revolve(np.concatenate([wall, lip, inner]))
    handle = _rod([(0.70, 0.95), (1.05, 0.98), (1.18, 0.70), (1.08, 0.38), (0.68, 0.26)], (0.085, 0.085))
    tea = revolve(np.array([(0.675, 0.90), (0.675, 0.94)], np.float32))
    parts = [
        (
            union(cut(handle, revolve(np.array([(0.70, 0.1), (0.70, 1.3)], np.float32))), body, blend=0.08),
            Material("#e9e2d3", gloss=0.5),
        ),
        (tea, Material("#9a4a18", gloss=0.6)),
    ]
    return photograph(parts, Camera((0.16, 0.6, 0), 2.3, pitch=52, yaw=28), width, height)
