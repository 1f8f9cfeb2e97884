"""Who plays in the comic: a cat who waits for a parcel, and the courier robot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from examples.canvas import Canvas, Fill, Floats, curve, ellipse, rectangle

BLACK, WHITE = "#111111", "#ffffff"


def ink(canvas: Canvas, outline: Floats, fill: Fill, width: float = 4) -> None:
    """A filled shape with a black contour."""
    canvas.fill(outline, fill)
    canvas.stroke(outline, width, BLACK, closed=True)


def _placed(x: float, y: float, size: float) -> Callable[..., Floats]:
    """Points about an origin → page pixels."""

    def at(*points: tuple[float, float]) -> Floats:
        return np.array(points, np.float32) * np.float32(size) + np.array((x, y), np.float32)

    return at


def cat_head(canvas: Canvas, x: float, y: float, size: float, mood: str) -> None:
    """The cat's head about (x, y); `mood` is `waiting` or `happy`."""
    at = _placed(x, y, size)

    for side in (-1, 1):
        ink(canvas, at((side * 74, -14), (side * 70, -86), (side * 16, -58)), WHITE)
        canvas.fill(at((side * 64, -30), (side * 62, -68), (side * 30, -52)), "#9a9a9a")
    ink(
        canvas,
        curve(
            at(
                (0, -66),
                (50, -56),
                (82, -14),
                (80, 26),
                (46, 58),
                (0, 66),
                (-46, 58),
                (-80, 26),
                (-82, -14),
                (-50, -56),
            )
        ),
        WHITE,
    )
    canvas.fill(curve(at((-14, -63), (0, -66), (14, -63), (8, -30), (0, -22), (-8, -30))), "#3a3a3a")
    for side in (-1, 1):
        canvas.fill(
            curve(at((side * 34, -60), (side * 46, -54), (side * 36, -32), (side * 28, -36))), "#3a3a3a"
        )
        for lift in (0, 12):
            canvas.stroke(at((side * 58, 24 + lift), (side * 104, 18 + lift * 1.6)), 3, BLACK)
    (_waiting_face if mood == "waiting" else _happy_face)(canvas, x, y, size)
    ink(canvas, curve(at((-8, 16), (8, 16), (0, 25))), "#3a3a3a", 3)


def _waiting_face(canvas: Canvas, x: float, y: float, size: float) -> None:
    at = _placed(x, y, size)

    for side in (-1, 1):
        canvas.fill(ellipse(x + side * 34 * size, y + 2 * size, 15 * size, 17 * size), BLACK)
        canvas.fill(ellipse(x + (side * 34 + 5) * size, y - 5 * size, 5 * size), WHITE)
        canvas.fill(
            rectangle(x + (side * 34 - 18) * size, y - 18 * size, x + (side * 34 + 18) * size, y - 6 * size),
            WHITE,
        )
        canvas.stroke(at((side * 34 - 18, -6), (side * 34 + 18, -6)), 4, BLACK)
    canvas.stroke(curve(at((-12, 42), (0, 36), (12, 42)), closed=False), 4, BLACK)


def _happy_face(canvas: Canvas, x: float, y: float, size: float) -> None:
    at = _placed(x, y, size)

    for side in (-1, 1):
        canvas.stroke(
            curve(at((side * 34 - 18, 6), (side * 34, -12), (side * 34 + 18, 6)), closed=False), 5, BLACK
        )
        canvas.fill(ellipse(x + side * 54 * size, y + 22 * size, 14 * size, 8 * size), "#bdbdbd")
    ink(canvas, curve(at((-18, 28), (0, 32), (18, 28), (12, 50), (0, 56), (-12, 50))), "#5a5a5a", 3.5)


def jumper_body(canvas: Canvas, x: float, y: float) -> None:
    """The cat's body in a jumper with a pattern, shoulders at about y - 40."""
    body = curve(
        [
            (x - 70, y - 44),
            (x - 128, y - 4),
            (x - 146, y + 80),
            (x + 146, y + 80),
            (x + 128, y - 4),
            (x + 70, y - 44),
            (x, y - 34),
        ]
    )
    ink(canvas, body, "#8c8c8c")
    for row, mark in ((y + 2, 9), (y + 30, 9)):
        zigzag = np.array(
            [(x - 140 + i * 14, row + (mark if i % 2 else -mark)) for i in range(21)], np.float32
        )
        canvas.stroke(zigzag, 5, WHITE, clip=body)
    canvas.stroke(body, 4, BLACK, closed=True)
    for side in (-1, 1):
        arm = curve(
            [
                (x + side * 118, y - 6),
                (x + side * 176, y - 60),
                (x + side * 196, y - 50),
                (x + side * 192, y - 26),
                (x + side * 132, y + 42),
            ]
        )
        ink(canvas, arm, "#8c8c8c")
        ink(canvas, ellipse(x + side * 190, y - 56, 22, 20), WHITE)
    collar = curve(
        [(x - 66, y - 40), (x, y - 20), (x + 66, y - 40), (x + 62, y - 16), (x, y + 4), (x - 62, y - 16)]
    )
    ink(canvas, collar, WHITE)


def courier(canvas: Canvas, x: float, y: float, size: float, *, parcel: bool) -> None:
    """The robot with its cap, holding a parcel or waving; (x, y) is the middle of its face."""
    at = _placed(x, y, size)

    def block(left: float, top: float, right: float, bottom: float, radius: float, fill: Fill) -> None:
        ink(
            canvas,
            rectangle(x + left * size, y + top * size, x + right * size, y + bottom * size, radius * size),
            fill,
        )

    block(-62, 50, 62, 150, 22, "#cfcfcf")
    block(-78, -58, 78, 58, 34, WHITE)
    block(-58, -36, 58, 36, 22, "#222222")
    for side in (-1, 1):
        canvas.stroke(
            curve(at((side * 28 - 13, 4), (side * 28, -12), (side * 28 + 13, 4)), closed=False), 6, WHITE
        )
        block(side * 88 - 10, -16, side * 88 + 10, 20, 7, "#8c8c8c")
    canvas.stroke(curve(at((-10, 17), (0, 23), (10, 17)), closed=False), 5, WHITE)
    ink(canvas, curve(at((-70, -48), (-58, -84), (0, -100), (58, -84), (70, -48), (0, -56))), "#3a3a3a")
    ink(canvas, curve(at((-84, -42), (-40, -58), (40, -58), (84, -42), (40, -48), (-40, -48))), "#3a3a3a")
    canvas.fill(ellipse(x, y - 76 * size, 11 * size), WHITE)
    if not parcel:
        ink(canvas, curve(at((56, 78), (104, 40), (116, 52), (64, 104))), "#cfcfcf")
        ink(canvas, ellipse(x + 114 * size, y + 34 * size, 17 * size), WHITE)
        return
    ink(canvas, curve(at((-58, 66), (-96, 100), (-128, 96), (-130, 78), (-104, 72), (-60, 96))), "#cfcfcf")
    block(-178, -12, -86, 66, 4, "#e4e4e4")
    canvas.fill(at((-140, -10), (-124, -10), (-124, 64), (-140, 64)), WHITE)
    canvas.stroke(at((-176, 18), (-88, 18)), 3, BLACK)
    ink(canvas, ellipse(x - 128 * size, y + 72 * size, 22 * size, 15 * size), WHITE)
