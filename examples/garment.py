"""A knitted jumper laid flat."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from examples.canvas import Canvas, Floats, Shader, curve
from examples.textures import knit, tint

CAMEL = ("#5f4226", "#bf935f", "#ecd0a2")
SHADE = "#2a1606"

# Right halves of outlines, from the top's middle to the bottom's; the collar's middle is the origin.
# fmt: off
TORSO = ((0, 42), (35, 34), (70, 8), (110, 26), (150, 52), (146, 120), (140, 240),
         (142, 360), (138, 425), (70, 432), (0, 434))
HEM = ((0, 400), (142, 400), (141, 441), (137, 445), (70, 450), (0, 452))
NECK = ((0, -8), (40, -4), (70, 8), (36, 34), (0, 42))
BAND = ((0, 31), (34, 25), (62, 7), (71, 4), (74, 12), (42, 43), (0, 53))
# Whole outlines of the right sleeve.
SLEEVE = ((120, 60), (152, 60), (184, 122), (206, 220), (222, 320), (227, 376),
          (204, 386), (177, 388), (164, 330), (150, 240), (136, 150))
CUFF = ((169, 358), (226, 350), (231, 398), (227, 403), (178, 410), (174, 406))
FOLDS = (((-118, 130), (-90, 220), (-104, 330)), ((120, 110), (96, 220), (112, 350)),
         ((-30, 180), (-10, 280), (-34, 380)))
# fmt: on


@dataclass(frozen=True, slots=True)
class _Cut:
    """Where the jumper lies and what it is made of."""

    x: float
    top: float
    scale: float
    colours: tuple[str, str, str]

    def at(self, points: ArrayLike, side: int = 1) -> Floats:
        """Page pixels of points given in the jumper's units, mirrored for `side` -1."""
        place = np.array((self.x, self.top), np.float32)
        return (
            np.asarray(points, np.float32) * np.array((side, 1), np.float32) * np.float32(self.scale) + place
        )

    def whole(self, half: ArrayLike) -> Floats:
        """Page pixels of a half outline and its mirror image."""
        return np.concatenate([self.at(half), self.at(half, -1)[-2:0:-1]])


def jumper(canvas: Canvas, x: float, top: float, scale: float, colours: tuple[str, str, str] = CAMEL) -> None:
    """Paint a jumper of 460 × 460 units, its collar's middle at (x, top)."""
    cut = _Cut(x, top, scale, colours)
    cloth = knit(640, 640, 11, colours, 11)
    torso = curve(cut.whole(TORSO))
    sleeves = {side: curve(cut.at(SLEEVE, side)) for side in (-1, 1)}
    for part in (torso, *sleeves.values()):
        canvas.shadow(part, 8 * scale, 14 * scale, 14 * scale, 0.30, "#1d0f05")
    for side, sleeve in sleeves.items():
        canvas.fill(sleeve, _cloth(cloth, cut, side * -9))
        canvas.stroke(sleeve, 16 * scale, SHADE, closed=True, opacity=0.32, blur=8 * scale, clip=sleeve)
        _ribs(canvas, cut.at(CUFF, side), cut, side * -9)
    canvas.shadow(torso, 0, 3 * scale, 6 * scale, 0.38, "#1d0f05")
    canvas.fill(torso, _cloth(cloth, cut, 0))
    for fold in FOLDS:
        line = curve(cut.at(fold), closed=False)
        canvas.stroke(line, 9 * scale, SHADE, opacity=0.20, blur=11 * scale, clip=torso)
    canvas.stroke(torso, 18 * scale, SHADE, closed=True, opacity=0.30, blur=10 * scale, clip=torso)
    _ribs(canvas, cut.whole(HEM), cut, 0)
    sheen = cut.at(((-90, 40), (-20, 60), (-40, 380), (-110, 380)))
    canvas.fill(sheen, "#fff3d6", opacity=0.13, blur=26 * scale, clip=torso)
    _collar(canvas, cut)


def _collar(canvas: Canvas, cut: _Cut) -> None:
    back, band, scale = curve(cut.whole(NECK)), curve(cut.whole(BAND)), cut.scale
    canvas.fill(back, _rib_shader(cut, 0, 0.55))
    canvas.stroke(back, 10 * scale, "#1d0f05", closed=True, opacity=0.4, blur=6 * scale, clip=back)
    canvas.shadow(band, 0, 3 * scale, 4 * scale, 0.35, "#1d0f05")
    canvas.fill(band, _rib_shader(cut, 0, 1.0))
    canvas.stroke(band, 4 * scale, SHADE, closed=True, opacity=0.25, blur=2 * scale, clip=band)


def _cloth(cloth: Floats, cut: _Cut, turn: float) -> Shader:
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def shade(x: Floats, y: Floats) -> Floats:
        u, v = (x - cut.x) / cut.scale, (y - cut.top) / cut.scale
        columns, rows = (np.asarray(at, np.float32) for at in (u * c - v * s + 320, u * s + v * c + 80))
        return np.asarray(
            cv2.remap(cloth, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32
        )

    return shade


def _rib_shader(cut: _Cut, turn: float, light: float) -> Shader:
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))

    def shade(x: Floats, y: Floats) -> Floats:
        u = ((x - cut.x) * c - (y - cut.top) * s) / cut.scale
        v = ((x - cut.x) * s + (y - cut.top) * c) / cut.scale
        rib = np.abs(np.sin(np.pi * u / 9))
        stitch = np.sin(2 * np.pi * v / 7 + rib * 2)
        return tint(np.asarray((0.10 + 0.58 * rib**0.7 + 0.07 * stitch) * light, np.float32), *cut.colours)

    return shade


def _ribs(canvas: Canvas, outline: Floats, cut: _Cut, turn: float) -> None:
    scale = cut.scale
    canvas.shadow(outline, 0, -2 * scale, 2 * scale, 0.25, "#1d0f05")
    canvas.fill(outline, _rib_shader(cut, turn, 1.0))
    canvas.stroke(outline, 12 * scale, SHADE, closed=True, opacity=0.30, blur=6 * scale, clip=outline)
