"""Pages for the quality benchmark, each with the clean plate under its text: drawn, so that truth is known.

A class of pages shares the kind of ground; every page carries the same five ways of lettering (plain,
outlined, shadowed, slanted, a paragraph). Pages are as large as the largest tile, so that a network can also
take them whole.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from examples import detail_strip
from examples.canvas import Canvas, Floats, ellipse, linear, radial, rectangle, rgb
from examples.lettering import Lettering, Line, Look
from examples.products import mug
from examples.strip_grounds import CHECK, KNIT, LINEN, WOOD
from examples.textures import clouds, evening, knit, planks, stripes, tartan, weave
from worker.job import Image, TextLine

SIDE = 512


@dataclass(frozen=True, slots=True, eq=False)
class Poster:
    """One page and what it must look like without its text; all pictures are RGB uint8 of one shape."""

    kind: str
    #: As a shop would upload it: with noise, and after JPEG where its class says so.
    page: Image
    #: The same before JPEG: where text changed the ground, it differs from the plate.
    drawn: Image
    #: The same without text, with the same noise.
    plate: Image
    #: The ground without noise.
    clean: Image
    #: Deviation of the noise in levels.
    noise: float
    lines: tuple[TextLine, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """How the pages of a class are made."""

    draw: Callable[[], Iterator[Floats]]
    noise: float = 0.0
    jpeg: int | None = None


def posters(kinds: Mapping[str, Ground] | None = None) -> Iterator[Poster]:
    """All pages, class by class; the same pixels each time."""
    for kind, ground in (kinds or GROUNDS).items():
        for number, picture in enumerate(ground.draw()):
            yield _poster(kind, ground, picture, number)


def strip() -> Poster:
    """The sample detail page: 790 × 6000, text on knit, linen, wood, stripes, checks and lights."""
    sample = detail_strip.draw()
    page = _jpeg(sample.page, 88)
    return Poster(
        "strip", page, sample.page, sample.plate, sample.plate, 0.0, tuple(map(_read, sample.lines))
    )


def textured_paragraphs() -> Poster:
    """A page of 1024 × 1024 with twenty-four lines of text in three paragraphs on wood."""
    picture = planks(1024, 1024, 133, WOOD, 62)
    text = Lettering()
    look = Look(30, "#fff3dc", 600)
    line = "一杯热茶，一本旧书，一件穿了就不想脱的毛衣，陪你慢慢过冬"
    for row in range(24):
        text.line(60, 40 + 38 * row + 24 * (row // 8), line[row % 7 :], look)
    page = picture.copy()
    text.set_on(page)
    levels = _levels(page)
    truth = _levels(picture)
    return Poster("paragraphs", levels, levels, truth, truth, 0.0, tuple(map(_read, text.lines)))


def _poster(kind: str, ground: Ground, picture: Floats, number: int) -> Poster:
    noise = np.random.default_rng(number).normal(0, ground.noise, picture.shape).astype(np.float32)
    lettering = Lettering()
    _letter(lettering, dark=picture.mean() > 128, number=number)
    page = picture + noise  # a photograph's ground is noisy, the type set over it is not
    lettering.set_on(page)
    encoded = _levels(page) if ground.jpeg is None else _jpeg(_levels(page), ground.jpeg)
    lines = tuple(map(_read, lettering.lines))
    return Poster(
        kind, encoded, _levels(page), _levels(picture + noise), _levels(picture), ground.noise, lines
    )


def _letter(text: Lettering, *, dark: bool, number: int) -> None:
    """Five ways of setting type, in colours that stand out from the ground."""
    ink, other = ("#2b1a14", "#fffaf0") if dark else ("#fffaf0", "#1d1410")
    strong = ("#c0392b", "#1f4e8c", "#7a2e7e")[number % 3]
    text.line(30, 26, "秋日限定新品", Look(44, ink, 800))
    text.line(30, 104, "柔软轻盈", Look(50, strong, 900, outline=(5, other)))
    text.line(
        270, 112, "一整个冬天", Look(40, ink, 700, shadow=(0, 3, 4.0, 0.6, other if not dark else "#6b5a4a"))
    )
    text.line(60, 226, "限时特惠中", Look(42, strong, 900, outline=(4, other)), angle=-14)
    text.line(300, 226, "领券立减三十元", Look(26, ink, 600), angle=8)
    for row, line in enumerate(
        ("精选内蒙古山羊绒，细软蓬松，", "贴身穿也不扎人，清晨到夜晚", "都暖和，机洗不变形。")
    ):
        text.line(40, 352 + 44 * row, line, Look(27, ink, 500))


def _flat() -> Iterator[Floats]:
    for colour in ("#ffffff", "#f4e3c1", "#1f2d3d"):
        yield Canvas(SIDE, SIDE, colour).plate


def _linear() -> Iterator[Floats]:
    yield Canvas(SIDE, SIDE, linear((0, 0), (0, SIDE), "#fff4e2", "#e9b48a")).plate
    yield Canvas(SIDE, SIDE, linear((0, 0), (SIDE, SIDE), "#26384f", "#6d3b5e")).plate


def _radial() -> Iterator[Floats]:
    yield Canvas(SIDE, SIDE, radial((256, 200), 420, "#ffffff", "#cfe0d2")).plate
    yield Canvas(SIDE, SIDE, radial((120, 400), 560, "#7b2d3a", "#2a1218")).plate


def _smooth() -> Iterator[Floats]:
    yield from (next(_flat()) * 0.86, *_linear(), next(_radial()) * 0.93)


def _striped() -> Iterator[Floats]:
    yield stripes(SIDE, SIDE, 54, "#f6f1e6", "#2e4468", 72)
    yield _ruled(18, 0.0, "#e8d9c0", "#c79a6b")
    yield _ruled(30, 0.6, "#fbeef0", "#e5a9b4")


def _ruled(period: float, angle: float, one: str, two: str) -> Floats:
    """Sharp printed stripes at an angle (radians)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    phase = np.abs((x * np.sin(angle) + y * np.cos(angle)) / period % 1 - 0.5)
    share = np.clip((phase - 0.25) * period + 0.5, 0, 1)[..., None]
    return np.asarray(rgb(one) + (rgb(two) - rgb(one)) * share, np.float32)


def _checked() -> Iterator[Floats]:
    yield tartan(SIDE, SIDE, 150, CHECK, 71)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    for cell, one, two in ((32, "#ffffff", "#f3c6c6"), (20, "#39424e", "#4a5563")):
        yield np.where(((x // cell + y // cell) % 2 == 0)[..., None], rgb(one), rgb(two)).astype(np.float32)
    dots = np.hypot(x % 28 - 14, y % 28 - 14)[..., None]
    yield (rgb("#fff6dd") + (rgb("#e8b04f") - rgb("#fff6dd")) * np.clip(6.5 - dots, 0, 1)).astype(np.float32)


def _cloth() -> Iterator[Floats]:
    yield knit(SIDE, SIDE, 34, KNIT, 31)
    yield knit(SIDE, SIDE, 11, KNIT, 32)
    yield weave(SIDE, SIDE, 5.5, LINEN, 51)
    yield planks(SIDE, SIDE, 133, WOOD, 61)


def _photographs() -> Iterator[Floats]:
    yield evening(790, 1040, 21)[:SIDE, :SIDE].copy()
    yield evening(SIDE, SIDE, 7)
    sky = Canvas(SIDE, SIDE, linear((0, 0), (0, SIDE), "#7fa8cf", "#dfe6e4", "#c8a97a"))
    sky.plate += 16 * clouds(SIDE, SIDE, (240, 120), 5, 5)[..., None]
    sky.grain(2.0, 3)
    yield sky.plate
    table = Canvas(SIDE, SIDE, radial((256, 150), 520, "#f3e7d3", "#8e6f52"))
    table.fill(rectangle(0, 330, SIDE, SIDE), linear((0, 330), (0, SIDE), "#6b4a33", "#3b2719"))
    table.fill(ellipse(270, 470, 190, 40), "#1a0d06", opacity=0.5, blur=18)
    picture, alpha = mug(300, 284)
    table.paste(picture, 120, 140, alpha)
    table.grain(2.0, 4)
    yield table.plate


#: Class → its grounds.
GROUNDS: Mapping[str, Ground] = {
    "flat": Ground(_flat),
    "linear gradient": Ground(_linear),
    "radial gradient": Ground(_radial),
    "noise σ 3": Ground(_smooth, noise=3.0),
    "noise σ 6": Ground(_smooth, noise=6.0),
    "JPEG q90": Ground(_smooth, jpeg=90),
    "JPEG q75": Ground(_smooth, jpeg=75),
    "stripes": Ground(_striped),
    "checks, plaid, dots": Ground(_checked),
    "plaid, stripes q85": Ground(lambda: iter((*_striped(), *_checked())), jpeg=85),
    "knit, linen, wood": Ground(_cloth),
    "photographs": Ground(_photographs),
    "photographs q85": Ground(_photographs, jpeg=85),
}


def _read(line: Line) -> TextLine:
    """A drawn line as the OCR engine reports it."""
    return TextLine(line.polygon, line.text, line.score)


def _jpeg(picture: Image, quality: int) -> Image:
    buffer = io.BytesIO()
    Pillow.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Pillow.open(buffer).convert("RGB"))


def _levels(picture: Floats) -> Image:
    return np.asarray(np.rint(picture).clip(0, 255), np.uint8)
