"""A page drawn again from its plate and its layout, on this machine: after a person edited a line."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from worker.errors import BadImage, BadLayout
from worker.imaging import codec
from worker.job import SourceFormat
from worker.rendering.fonts import FontOptions, FontSet
from worker.rendering.sheet import render_sheet
from worker.rendering.sheet_file import parse_layout
from worker.settings import LimitSettings, ServiceSettings, read_group

_SUFFIX = ".layout.json"
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


@dataclass(frozen=True, slots=True)
class Rerendered:
    """What was drawn again."""

    path: Path
    #: What drawing took.
    milliseconds: float
    #: How many edited texts had to be set clearly smaller than the old ones.
    smaller: int


def rerender(layout: Path, plate: Path | None, out: Path | None) -> Rerendered:
    """Draw a page again.

    Args:
        layout: Its layout file.
        plate: Its erased page; None: NAME.plate.png beside NAME.layout.json.
        out: The picture to write, its format told by its name; None: NAME.png beside the layout.

    Raises:
        BadLayout: The layout cannot be read, does not suit the plate, or a text in it cannot be drawn.
        BadImage, TooLarge: The plate cannot be read, or `out` names no format that can be written.
        SettingsError: FONT_PATHS names no fonts.
    """
    name = layout.name.removesuffix(_SUFFIX).removesuffix(".json")
    plate = plate or layout.with_name(f"{name}.plate.png")
    out = out or layout.with_name(f"{name}.png")
    if out.suffix.lower() not in _FORMATS:
        raise BadImage(f"{out.name}: must end in {', '.join(_FORMATS)}")
    if not plate.is_file():
        raise BadLayout(f"{plate} is missing; name the erased page with --plate")
    fonts = FontSet.load(FontOptions(read_group(ServiceSettings).font_paths))
    sheet = parse_layout(layout.read_bytes())
    page = codec.decode(plate.read_bytes(), max_pixels=read_group(LimitSettings).max_pixels)
    started = time.perf_counter()
    redrawn = render_sheet(page.rgb, sheet, fonts)
    milliseconds = 1000 * (time.perf_counter() - started)
    source = SourceFormat(_FORMATS[out.suffix.lower()], subsampling=0)
    out.write_bytes(codec.encode(replace(page, source=source), redrawn.rgb).payload)
    return Rerendered(out, milliseconds, len(redrawn.smaller))
