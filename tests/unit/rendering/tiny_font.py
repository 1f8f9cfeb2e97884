"""A TrueType font made on the spot, so that tests need no font of the machine."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from pathlib import Path

_EM = 1000


def write_font(
    path: Path,
    characters: str,
    family: str = "Boxes",
    *,
    grid: tuple[int, int] | None = None,
    panose: tuple[int, int] = (0, 0),
    italic: bool = False,
) -> None:
    """Write a font in which glyph n shows the n-th of the (sorted) characters.

    Args:
        path: The file.
        characters: Sorted by code point.
        family: Its name.
        grid: None for boxes half an em wide; else each character looks like 田, with vertical and horizontal
            strokes of these widths, in thousandths of an em.
        panose: Its first two digits; (2, 2) is a face with serifs, (2, 11) one without.
        italic: Whether the face says that it leans.
    """
    drawn, advance = (_box(450, 700), 500) if grid is None else (_lattice(*grid), 1000)
    glyphs = [b"", *(drawn for _ in characters)]
    offsets = [sum(map(len, glyphs[:count])) for count in range(len(glyphs) + 1)]
    count = len(glyphs)
    tables = {
        b"OS/2": struct.pack(">H2xHH24xBB62x", 4, 400, 5, *panose),
        b"cmap": _cmap([ord(character) for character in characters]),
        b"glyf": b"".join(glyphs),
        b"head": struct.pack(
            ">IIIIHHqqhhhhHHhhh", 0x10000, 0, 0, 0x5F0F3CF5, 0, _EM, *[0] * 6, 2 * italic, 8, 2, 1, 0
        ),
        b"hhea": struct.pack(">IhhhH22xH", 0x10000, 800, -200, 0, 500, count),
        b"hmtx": struct.pack(">Hh", advance, 25) * count,
        b"loca": struct.pack(f">{count + 1}I", *offsets),
        b"maxp": struct.pack(">IH26x", 0x10000, count),
        b"name": _name(family),
    }
    path.write_bytes(_sfnt(tables))


def _box(width: int, height: int) -> bytes:
    """One contour of four points, (25, 0) its first; padded to whole words."""
    header = struct.pack(">hhhhhHH", 1, 25, 0, 25 + width, height, 3, 0)
    points = struct.pack(">4B4h4h", *[1] * 4, 25, width, 0, -width, 0, 0, height, 0)
    return header + points + bytes(-len(header + points) % 4)


def _lattice(stem: int, bar: int) -> bytes:
    """The character 田: three vertical and three horizontal strokes, one contour each."""
    left, right, low, high = 95, 905, -70, 785
    rects = [(x, low, x + stem, high) for x in (left, 500 - stem // 2, right - stem)]
    rects += [(left, y, right, y + bar) for y in (low, 357 - bar // 2, high - bar)]
    corners = [corner for x0, y0, x1, y1 in rects for corner in ((x0, y0), (x0, y1), (x1, y1), (x1, y0))]
    header = struct.pack(">hhhhh", len(rects), left, low, right, high)
    header += struct.pack(f">{len(rects)}HH", *range(3, 4 * len(rects), 4), 0)
    steps = [(x - px, y - py) for (px, py), (x, y) in itertools.pairwise([(0, 0), *corners])]
    points = bytes([1] * len(corners)) + b"".join(struct.pack(">h", x) for x, _ in steps)
    points += b"".join(struct.pack(">h", y) for _, y in steps)
    return header + points + bytes(-len(header + points) % 4)


def _cmap(codes: Sequence[int]) -> bytes:
    groups = b"".join(struct.pack(">III", code, code, glyph) for glyph, code in enumerate(codes, start=1))
    subtable = struct.pack(">HHIII", 12, 0, 16 + len(groups), 0, len(codes)) + groups
    return struct.pack(">HHHHI", 0, 1, 3, 10, 12) + subtable


def _name(family: str) -> bytes:
    text = family.encode("utf-16-be")
    return struct.pack(">HHH", 0, 1, 18) + struct.pack(">HHHHHH", 3, 1, 0x409, 1, len(text), 0) + text


def _sfnt(tables: dict[bytes, bytes]) -> bytes:
    """The tables behind their directory; checksums stay 0, which no shaper minds."""
    directory, body = struct.pack(">IHHHH", 0x10000, len(tables), 0, 0, 0), b""
    start = len(directory) + 16 * len(tables)
    for tag, table in sorted(tables.items()):
        directory += struct.pack(">4sIII", tag, 0, start + len(body), len(table))
        body += table + bytes(-len(table) % 4)
    return directory + body
