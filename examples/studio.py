"""A product photographer's studio: solids as distance fields, ray marched under soft boxes.

Lengths are in scene units, y points up, the camera looks along -z from the front, slightly from above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from examples.canvas import Floats, blurred, rgb

#: Distance of each point (n, 3) to a solid's surface, negative inside.
Solid = Callable[[Floats], Floats]

#: The scene lies within this distance of the camera's target.
REACH = 2.4
STEPS = 80
HIT = 0.0008
#: Fine rays in a row that share one coarse ray.
CELL = 8


@dataclass(frozen=True, slots=True)
class Material:
    """What a surface looks like."""

    colour: str
    #: 0 matt … 1 mirror-like.
    gloss: float = 0.3
    #: Metals reflect in their own colour and have no diffuse light.
    metal: bool = False


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the picture is taken from: looks at `target`, `height` scene units fill the picture's height."""

    target: tuple[float, float, float]
    height: float
    #: Degrees the camera is raised and turned about the target.
    pitch: float = 10
    yaw: float = 0


def sphere(
    x: float, y: float, z: float, radius: float, squash: tuple[float, float, float] = (1, 1, 1)
) -> Solid:
    """A ball, its axes scaled by `squash` (each ≤ 1)."""
    centre, scale = np.array((x, y, z), np.float32), np.array(squash, np.float32)
    return lambda p: (np.linalg.norm((p - centre) / scale, axis=1) - radius) * min(squash)


def box(
    centre: tuple[float, float, float],
    half: tuple[float, float, float],
    radius: float,
    turn: Floats | None = None,
) -> Solid:
    """A block with rounded edges, turned by a rotation matrix."""
    middle, reach = np.array(centre, np.float32), np.array(half, np.float32) - radius

    def distance(p: Floats) -> Floats:
        local = p - middle if turn is None else (p - middle) @ turn
        q = np.abs(local) - reach
        outside = np.linalg.norm(np.maximum(q, 0), axis=1)
        return np.asarray(outside + np.minimum(q.max(1), 0) - radius, np.float32)

    return distance


def tube(points: Floats, radii: Sequence[float]) -> Solid:
    """A bent, tapering rod through 3-D points."""

    def distance(p: Floats) -> Floats:
        result: Floats | None = None
        for a, b, ra, rb in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
            along = (b - a).astype(np.float32)
            t = np.clip((p - a) @ along / (along @ along), 0, 1).astype(np.float32)
            d = np.linalg.norm(p - a - t[:, None] * along, axis=1) - (ra + (rb - ra) * t)
            result = d if result is None else np.minimum(result, d)
        assert result is not None
        return result

    middle = (points.max(0) + points.min(0)) / 2
    radius = float(np.linalg.norm(points - middle, axis=1).max() + max(radii))
    return bounded(distance, middle, radius)


def bounded(solid: Solid, centre: Floats, radius: float, margin: float = 0.3) -> Solid:
    """The same solid, computed only near the ball that holds it; farther off the ball's distance serves."""

    def distance(p: Floats) -> Floats:
        result: Floats = (np.linalg.norm(p - centre, axis=1) - radius).astype(np.float32)
        near = result < margin
        result[near] = solid(p[near])
        return result

    return distance


def revolve(profile: Floats, x: float = 0, z: float = 0, *, detail: int = 384) -> Solid:
    """A solid of revolution about the y axis; the profile's points are (radius, y) from bottom to top."""
    outline = np.concatenate([[(0, profile[0, 1])], profile, [(0, profile[-1, 1])]]).astype(np.float32)
    margin = 0.25
    low = np.array((0, outline[:, 1].min() - margin), np.float32)
    high = outline.max(0) + margin
    cell = float((high - low).max() / detail)
    shape = np.ceil((high - low) / cell).astype(int) + 1
    ys, xs = np.mgrid[0 : shape[1], 0 : shape[0]].astype(np.float32)
    grid = np.stack([low[0] + xs * cell, low[1] + ys * cell], -1)
    field: Floats = np.full(grid.shape[:2], np.inf, np.float32)
    for a, b in pairwise(outline):
        along = b - a
        if along @ along == 0:
            continue
        t = np.clip((grid - a) @ along / (along @ along), 0, 1)
        field = np.minimum(field, np.linalg.norm(grid - a - t[..., None] * along, axis=2))
    inside = np.zeros(field.shape, bool)
    for (xa, ya), (xb, yb) in pairwise(outline):
        if ya != yb:
            crosses = (grid[..., 1] >= min(ya, yb)) & (grid[..., 1] < max(ya, yb))
            inside ^= crosses & (grid[..., 0] < xa + (grid[..., 1] - ya) / (yb - ya) * (xb - xa))
    field = blurred(np.where(inside, -field, field).astype(np.float32), 1.2)

    def distance(p: Floats) -> Floats:
        radius = np.hypot(p[:, 0] - x, p[:, 2] - z)
        at_r, at_y = (radius - low[0]) / cell, (p[:, 1] - low[1]) / cell
        # Beyond the grid: the distance to the grid is added, a bound that never overshoots.
        r, y = np.clip(at_r, 0, shape[0] - 1), np.clip(at_y, 0, shape[1] - 1)
        columns, rows = r.astype(np.int32), y.astype(np.int32)
        columns, rows = np.minimum(columns, shape[0] - 2), np.minimum(rows, shape[1] - 2)
        fr, fy = r - columns, y - rows
        upper = field[rows, columns] * (1 - fr) + field[rows, columns + 1] * fr
        lower = field[rows + 1, columns] * (1 - fr) + field[rows + 1, columns + 1] * fr
        outside = np.hypot(at_r - r, at_y - y) * cell
        inner = upper * (1 - fy) + lower * fy
        return np.asarray(np.where(outside > 0, np.maximum(outside, inner), inner), np.float32)

    return distance


def union(*solids: Solid, blend: float = 0) -> Solid:
    """All solids as one, their seams rounded by `blend`."""

    def distance(p: Floats) -> Floats:
        result = solids[0](p)
        for solid in solids[1:]:
            result = _smooth_min(result, solid(p), blend) if blend else np.minimum(result, solid(p))
        return result

    return distance


def cut(solid: Solid, hole: Solid) -> Solid:
    """The solid without the hole."""
    return lambda p: np.maximum(solid(p), -hole(p))


def _smooth_min(a: Floats, b: Floats, k: float) -> Floats:
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.asarray(np.minimum(a, b) - h * h * (k / 4), np.float32)


def _softboxes(direction: Floats, gloss: float) -> Floats:
    """Light that comes from a direction: a large box left, a strip right, one above, a pale room."""
    x, y, z = direction.T
    soft = 0.05 + 0.5 * (1 - gloss) ** 2

    def panel(u: Floats, v: Floats, half_u: float, half_v: float) -> Floats:
        return _soft_step((half_u - np.abs(u)) / soft) * _soft_step((half_v - np.abs(v)) / soft)

    azimuth = np.arctan2(x, z)
    room = 0.34 + 0.25 * y
    left = 1.25 * panel(azimuth + 0.95, y - 0.15, 0.33, 0.62)
    right = 0.85 * panel(azimuth - 1.15, y - 0.1, 0.14, 0.7)
    above = 0.9 * _soft_step((y - 0.66) / (soft + 0.5))
    return np.asarray(np.maximum(room + left + right + above, 0.04), np.float32)


def _soft_step(at: ArrayLike) -> Floats:
    t = np.clip(np.asarray(at, np.float32) + 0.5, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def photograph(
    parts: Sequence[tuple[Solid, Material]], camera: Camera, width: int, height: int, *, samples: int = 3
) -> tuple[Floats, Floats]:
    """Take a picture.

    Returns:
        The picture, float32 (height, width, 3) of 0..255, and its alpha, (height, width) of 0..1.
    """
    w, h = width * samples, height * samples
    back = _axes(camera)[2]
    whole = union(*(solid for solid, _ in parts))
    # Coarse rays first: all fine rays of a cell lie within `radius` of the cell's own, so they can start
    # where that one comes so near to a surface, and need not start where it never does.
    radius = camera.height / h * CELL * 0.71
    coarse = _rays(camera, -(-w // CELL), -(-h // CELL), camera.height / h * CELL, (w, h))
    depth, reached = _march(whole, coarse.reshape(-1, 3), -back, radius)
    start = _rays(camera, w, h, camera.height / h, (w, h)).reshape(-1, 3)

    def spread(cells: Floats | NDArray[np.bool_]) -> Floats:
        return (
            cells.reshape(coarse.shape[:2]).repeat(CELL, 0).repeat(CELL, 1)[:h, :w].ravel().astype(np.float32)
        )

    hit = np.flatnonzero(spread(reached))
    points = start[hit] - spread(np.maximum(depth - np.float32(radius), 0))[hit, None] * back
    travelled, touched = _march(whole, points, -back, HIT)
    points, hit = (points - travelled[:, None] * back)[touched], hit[touched]
    lit = np.zeros((h * w, 3), np.float32)
    lit[hit] = _shade(parts, whole, points, back)
    alpha = np.zeros(h * w, np.float32)
    alpha[hit] = 1
    small = cv2.resize(lit.reshape(h, w, 3), (width, height), interpolation=cv2.INTER_AREA)
    cover = cv2.resize(alpha.reshape(h, w), (width, height), interpolation=cv2.INTER_AREA)
    covered = np.asarray(cover, np.float32)
    return np.asarray(small / np.maximum(covered, 1e-3)[..., None], np.float32), covered


def _axes(camera: Camera) -> tuple[Floats, Floats, Floats]:
    pitch, yaw = np.radians(camera.pitch), np.radians(camera.yaw)
    back = np.array((np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)), np.float32)
    right = np.array((np.cos(yaw), 0, -np.sin(yaw)), np.float32)
    return right, np.cross(back, right).astype(np.float32), back


def _rays(camera: Camera, columns: int, rows: int, pitch: float, size: tuple[int, int]) -> Floats:
    """Where a grid of rays starts, (rows, columns, 3), its top left corner that of `size` fine rays."""
    right, up, back = _axes(camera)
    half_width, half_height = camera.height * size[0] / size[1] / 2, camera.height / 2
    ys, xs = np.mgrid[0:rows, 0:columns].astype(np.float32)
    across, down = (xs + 0.5) * pitch - half_width, (ys + 0.5) * pitch - half_height
    middle = np.array(camera.target, np.float32) + back * REACH
    return np.asarray(middle + across[..., None] * right - down[..., None] * up, np.float32)


def _march(solid: Solid, start: Floats, direction: Floats, near: float) -> tuple[Floats, NDArray[np.bool_]]:
    """How far each ray goes until it is `near` a surface, and whether it ever is."""
    travelled, reached = np.zeros(len(start), np.float32), np.zeros(len(start), bool)
    alive = np.arange(len(start))
    for _ in range(STEPS):
        distance = solid(start[alive] + travelled[alive, None] * direction)
        stop = distance < near
        reached[alive[stop]] = True
        alive, distance = alive[~stop], distance[~stop]
        travelled[alive] += distance * np.float32(0.9)
        alive = alive[travelled[alive] < 2 * REACH]
        if not len(alive):
            break
    return travelled, reached


def _shade(parts: Sequence[tuple[Solid, Material]], whole: Solid, points: Floats, view: Floats) -> Floats:
    normal = np.zeros_like(points)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        along = np.array(corner, np.float32)
        normal += along * whole(points + along * np.float32(0.004))[:, None]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
    occlusion = np.zeros(len(points), np.float32)
    for reach in (0.04, 0.12, 0.28):
        occlusion += np.maximum(reach - whole(points + normal * np.float32(reach)), 0) / reach
    open_sky = np.clip(1 - 0.28 * occlusion, 0.25, 1)[:, None]
    facing = np.clip(normal @ view, 0, 1)
    mirror = 2 * facing[:, None] * normal - view
    key = np.clip(normal @ _unit(-0.65, 0.55, 0.55) * 0.85 + 0.15, 0, 1)
    fill = np.clip(normal @ _unit(0.8, 0.2, 0.5), 0, 1)
    diffuse = (0.38 + 0.14 * normal[:, 1] + 0.55 * key + 0.16 * fill)[:, None]
    nearest = np.stack([solid(points) for solid, _ in parts]).argmin(0)
    picture = np.zeros_like(points)
    for i, (_, material) in enumerate(parts):
        mine = nearest == i
        colour = (rgb(material.colour) / 255) ** 2.2
        light = _softboxes(mirror[mine], material.gloss)[:, None] ** 1.6
        fresnel = (0.04 + 0.96 * (1 - facing[mine]) ** 5)[:, None]
        if material.metal:
            tint = colour + (1 - colour) * fresnel
            picture[mine] = light * tint * open_sky[mine]
        else:
            shine = light * np.minimum(fresnel, 0.5) * (0.25 + 1.35 * material.gloss)
            picture[mine] = colour * diffuse[mine] * open_sky[mine] ** 1.5 + shine * open_sky[mine]
    # A soft shoulder keeps highlights from clipping hard.
    return np.asarray(
        255
        * np.clip(np.where(picture > 0.8, 1 - 0.2 * np.exp(-(picture - 0.8) / 0.2), picture), 0, 1)
        ** (1 / 2.2),
        np.float32,
    )


def _unit(x: float, y: float, z: float) -> Floats:
    v = np.array((x, y, z), np.float32)
    return np.asarray(v / np.linalg.norm(v), np.float32)
