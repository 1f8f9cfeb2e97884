"""A TrueType font made on the spot: a box for each character, so that tests need no font of the machine."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

_EM = 1000


def write_font(path: Path, characters: str, family: str = "Boxes") -> None:
    """Write a font in which glyph n shows the n-th of the (sorted) characters, as a box half an em wide."""
    glyphs = [b"", *(_box(450, 700) for _ in characters)]
    offsets = [sum(map(len, glyphs[:count])) for count in range(len(glyphs) + 1)]
    count = len(glyphs)
    tables = {
        b"OS/2": struct.pack(">H2xHH88x", 4, 400, 5),
        b"cmap": _cmap([ord(character) for character in characters]),
        b"glyf": b"".join(glyphs),
        b"head": struct.pack(">IIIIHHqqhhhhHHhhh", 0x10000, 0, 0, 0x5F0F3CF5, 0, _EM, *[0] * 7, 8, 2, 1, 0),
        b"hhea": struct.pack(">IhhhH22xH", 0x10000, 800, -200, 0, 500, count),
        b"hmtx": struct.pack(">Hh", 500, 25) * count,
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
