"""The layout file: a page's layout as JSON, version 1.

    {"version": 1, "width": 800, "height": 1140, "language": "ko",
     "blocks": [{"id": 3, "source": "…", "translation": "…", "flags": [], "polygon": [[x, y] × 4],
                 "angle": 0.0, "warp": null, "alignment": "left", "size": 24.0,
                 "room": [left, top, right, bottom],
                 "fonts": ["Noto Sans CJK KR"],
                 "style": {"fill": {"start": "#141414", "end": "#141414", "axis": "flat"},
                           "ground": "#ffffff", "weight": 400, "slant": 0.0,
                           "outline": {"colour": "#ffffff", "width": 2.0} or null,
                           "shadow": {"colour": "#000000", "dx": 2.0, "dy": 2.0, "blur": 1.0,
                                      "opacity": 0.5} or null, "serif": false},
                 "lines": [{"text": "…", "left": 40.0, "baseline": 80.0}]}]}

A person edits `translation`, which is then broken and fitted anew, or moves, resizes and recolours what is
there. Numbers are written so that they read back as the same floats.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from worker.errors import BadLayout
from worker.job import LANGUAGE_TAG, Flag
from worker.rendering.align import Alignment
from worker.rendering.colour import RGB
from worker.rendering.effects import Outline, Shadow
from worker.rendering.frame import Rect
from worker.rendering.layout import PlacedLine
from worker.rendering.perspective import Warp, matrix_of
from worker.rendering.segment import clean
from worker.rendering.sheet import Sheet, SheetBlock
from worker.rendering.style import Fill, Style

VERSION = 1
#: Bounds on what a file may ask for: far beyond any page, near enough that drawing it ends.
_MOST_BYTES, _MOST_BLOCKS, _MOST_LINES, _LONGEST_TEXT = 1 << 24, 5000, 500, 5000
_LONGEST_SIDE, _FARTHEST, _LARGEST_SIZE, _WIDEST_EFFECT = 1_000_000, 1e7, 4000.0, 200.0
#: A homography flatter than this shows text as a line.
_LEAST_DETERMINANT = 1e-4
_AXES = ("flat", "vertical", "horizontal")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def dump_layout(sheet: Sheet) -> bytes:
    """Write a layout file, UTF-8, one block a line."""
    head = {
        "version": VERSION,
        "width": sheet.width,
        "height": sheet.height,
        "language": sheet.language,
    }
    blocks = ",\n".join(_json(_block_fields(block)) for block in sheet.blocks)
    return f'{_json(head)[:-1]}, "blocks": [\n{blocks}\n]}}\n'.encode()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _block_fields(block: SheetBlock) -> dict[str, object]:
    room, style = block.room, asdict(block.style)
    style["ground"] = _hex(block.style.ground)
    style["fill"] |= {"start": _hex(block.style.fill.start), "end": _hex(block.style.fill.end)}
    for effect in (block.style.outline, block.style.shadow):
        if effect is not None:
            style[type(effect).__name__.lower()]["colour"] = _hex(effect.colour)
    return {
        "id": block.id,
        "source": block.source,
        "translation": block.translation,
        "flags": list(block.flags),
        "polygon": block.polygon,
        "angle": block.angle,
        "warp": block.warp,
        "alignment": block.alignment,
        "size": block.size,
        "room": [room.left, room.top, room.right, room.bottom],
        "fonts": block.fonts,
        "style": style,
        "lines": [asdict(line) for line in block.lines],
    }


def _hex(colour: RGB) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def parse_layout(payload: bytes) -> Sheet:
    """Read a layout file.

    Args:
        payload: The file, from anywhere: nothing in it is trusted.

    Raises:
        BadLayout: It is no layout, or of another version; names the field.
    """
    if len(payload) > _MOST_BYTES:
        raise BadLayout(f"the layout has more than {_MOST_BYTES} bytes")
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        raise BadLayout("the layout is not JSON") from None
    page = _Field("layout", content)
    version = page["version"].integer(0, 1 << 30)
    if version != VERSION:
        raise BadLayout(f"version: this is version {version}, only {VERSION} can be read")
    blocks = tuple(_block(field) for field in page["blocks"].items(0, _MOST_BLOCKS))
    if len({block.id for block in blocks}) < len(blocks):
        raise BadLayout("blocks: two blocks have the same id")
    return Sheet(
        page["width"].integer(1, _LONGEST_SIDE),
        page["height"].integer(1, _LONGEST_SIDE),
        page["language"].matching(re.compile(LANGUAGE_TAG), "a language tag"),
        blocks,
    )


def _block(field: _Field) -> SheetBlock:
    return SheetBlock(
        field["id"].integer(0, 1 << 30),
        field["source"].text(),
        field["translation"].text(),
        tuple(Flag(flag.one_of(tuple(Flag))) for flag in field["flags"].items(0, len(Flag))),
        tuple(_point(corner) for corner in field["polygon"].items(4, 4)),
        field["angle"].number(-180, 180),
        _warp(field["warp"]),
        Alignment(field["alignment"].one_of(tuple(Alignment))),
        field["size"].number(1, _LARGEST_SIZE),
        _rect(field["room"]),
        tuple(name.text() for name in field["fonts"].items(0, 50)),
        _style(field["style"]),
        tuple(
            PlacedLine(line["text"].text().replace("\n", " "), line["left"].place(), line["baseline"].place())
            for line in field["lines"].items(1, _MOST_LINES)
        ),
    )


def _warp(field: _Field) -> Warp | None:
    if field.value is None:
        return None
    warp = tuple(entry.place() for entry in field.items(9, 9))
    if abs(np.linalg.det(matrix_of(warp))) < _LEAST_DETERMINANT:
        raise BadLayout(f"{field.name}: must be null or a matrix that can be inverted")
    return warp


def _point(field: _Field) -> tuple[float, float]:
    x, y = field.items(2, 2)
    return x.place(), y.place()


def _rect(field: _Field) -> Rect:
    left, top, right, bottom = (side.place() for side in field.items(4, 4))
    if right < left or bottom < top:
        raise BadLayout(f"{field.name}: must be [left, top, right, bottom]")
    return Rect(left, top, right, bottom)


def _style(field: _Field) -> Style:
    fill, outline, shadow = field["fill"], field["outline"], field["shadow"]
    return Style(
        Fill(fill["start"].colour(), fill["end"].colour(), fill["axis"].one_of(_AXES)),
        field["ground"].colour(),
        field["weight"].integer(1, 1000),
        field["slant"].number(-2, 2),
        None
        if outline.value is None
        else Outline(outline["colour"].colour(), outline["width"].number(0, _WIDEST_EFFECT)),
        None
        if shadow.value is None
        else Shadow(
            shadow["colour"].colour(),
            shadow["dx"].number(-_WIDEST_EFFECT, _WIDEST_EFFECT),
            shadow["dy"].number(-_WIDEST_EFFECT, _WIDEST_EFFECT),
            shadow["blur"].number(0, _WIDEST_EFFECT),
            shadow["opacity"].number(0, 1),
        ),
        field["serif"].boolean(),
    )


@dataclass(frozen=True, slots=True)
class _Field:
    """A value of the file with its path, so that every complaint names it."""

    name: str
    value: Any

    def __getitem__(self, key: str) -> _Field:
        name = key if self.name == "layout" else f"{self.name}.{key}"
        if not isinstance(self.value, dict):
            raise BadLayout(f"{self.name}: must be an object")
        if key not in self.value:
            raise BadLayout(f"{name}: is missing")
        return _Field(name, self.value[key])

    def items(self, fewest: int, most: int) -> Iterator[_Field]:
        if not isinstance(self.value, list) or not fewest <= len(self.value) <= most:
            count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise BadLayout(f"{self.name}: must be a list of {count} entries")
        return (_Field(f"{self.name}[{index}]", item) for index, item in enumerate(self.value))

    def number(self, low: float, high: float) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise BadLayout(f"{self.name}: must be a number")
        if not low <= self.value <= high:  # false for NaN too
            raise BadLayout(f"{self.name}: must lie between {low:g} and {high:g}")
        return float(self.value)

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            raise BadLayout(f"{self.name}: must be true or false")
        return self.value

    def place(self) -> float:
        return self.number(-_FARTHEST, _FARTHEST)

    def integer(self, low: int, high: int) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise BadLayout(f"{self.name}: must be a whole number")
        return math.floor(self.number(low, high))

    def text(self) -> str:
        if not isinstance(self.value, str) or len(self.value) > _LONGEST_TEXT:
            raise BadLayout(f"{self.name}: must be a text of at most {_LONGEST_TEXT} characters")
        return clean(self.value)

    def one_of(self, choices: tuple[str, ...]) -> str:
        if not isinstance(self.value, str) or self.value not in choices:
            raise BadLayout(f"{self.name}: must be one of {', '.join(choices)}")
        return self.value

    def matching(self, pattern: re.Pattern[str], what: str) -> str:
        if not isinstance(self.value, str) or not pattern.fullmatch(self.value):
            raise BadLayout(f"{self.name}: must be {what}")
        return self.value

    def colour(self) -> RGB:
        code = self.matching(_COLOUR, "a colour like #1a2b3c")
        return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
