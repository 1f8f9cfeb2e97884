"""Fonts: files → families → shaped text, with fallback per character.

HarfBuzz shapes and later rasterises (see draw.py). Its faces and fonts are never changed once built, so one
`FontSet` serves all threads. Lengths here are in em: multiply by the font size in px.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import uharfbuzz as hb
from numpy.typing import NDArray

from worker.errors import SettingsError
from worker.rendering.direction import levels_of, visual_order
from worker.rendering.runs import Run, split_runs

_SUFFIXES = (".otf", ".ttf", ".ttc", ".otc")
#: Debian's fonts-noto-cjk, tried where the Python package is absent.
_DEBIAN_FONTS = Path("/usr/share/fonts/opentype/noto")
#: The suffix by which pan-CJK families name the region whose glyph forms they prefer.
_REGION_NAME = re.compile(r"\b(KR|JP|SC|TC|HK)\b")
_REGION_OF_LANGUAGE = (
    ("zh-hant-hk", "HK"),
    ("zh-hk", "HK"),
    ("zh-hant", "TC"),
    ("zh-tw", "TC"),
    ("zh", "SC"),
    ("ja", "JP"),
    ("ko", "KR"),
)
#: Weights are rounded to this step, so that a page needs few font instances.
_WEIGHT_STEP = 25


@dataclass(frozen=True, slots=True)
class FontOptions:
    """Where fonts come from."""

    #: Files or folders, the preferred first; empty: the packaged Noto Sans CJK.
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of one font file."""

    family: str
    #: Lowest and highest weight it can take; equal for a static face.
    weights: tuple[int, int]
    _face: hb.Face
    _fonts: dict[int, hb.Font] = field(default_factory=dict)

    def font(self, weight: int) -> hb.Font:
        """The face at the weight nearest to `weight`."""
        low, high = self.weights
        weight = min(max(round(weight / _WEIGHT_STEP) * _WEIGHT_STEP, low), high)
        font = self._fonts.get(weight)
        if font is None:
            font = hb.Font(self._face)
            if low < high:
                font.set_variations({"wght": weight})
            font = self._fonts.setdefault(weight, font)  # atomic: two threads may have built it
        return font


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """The faces of one family: one variable face, or one static face for each weight."""

    name: str
    faces: tuple[Face, ...]

    def font(self, weight: int) -> hb.Font:
        """The face that comes nearest to `weight`, at that weight."""
        return min(self.faces, key=lambda face: _distance(weight, face.weights)).font(weight)


@dataclass(frozen=True, slots=True, eq=False)
class Glyph:
    """One glyph of a shaped line; `x`, `y` in em from the line's start on the baseline, y upward."""

    font: hb.Font
    id: int
    x: float
    y: float
    #: em per font unit.
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class Shaped:
    """A line of text as glyphs. All lengths in em, y upward from the baseline."""

    glyphs: tuple[Glyph, ...]
    #: Width each character adds, one entry for each character of the text (0 inside a cluster).
    advances: NDArray[np.float64]
    left: float
    right: float
    bottom: float
    top: float
    #: Characters no font of the set has; they are left out.
    missing: str
    #: Names of the families used, most used first.
    families: tuple[str, ...]

    @property
    def advance(self) -> float:
        """Width of the whole line."""
        return float(self.advances.sum())


class FontSet:
    """All fonts the typesetter may use, preferred first."""

    def __init__(self, files: Sequence[tuple[Face, ...]]) -> None:
        """Take the faces of each file, preferred files first."""
        self._files = tuple(files)
        # Bounded and thread-safe; the same labels come again and again on product pages.
        self._shaped = lru_cache(maxsize=4096)(self._shape)
        self._families = lru_cache(maxsize=64)(self._select_families)

    @classmethod
    def load(cls, options: FontOptions | None = None) -> FontSet:
        """Open the fonts.

        Args:
            options: Where they are; None for the packaged ones.

        Raises:
            SettingsError: A path is missing or no font, or there is no font at all.
        """
        paths = (options or FontOptions()).paths or _default_paths()
        files = [_open(path) for path in _font_files(paths)]
        if not files:
            raise SettingsError("FONT_PATHS: no font found; install the extra `fonts` or name font files")
        return cls(files)

    def shape(self, text: str, language: str, weight: int) -> Shaped:
        """Turn one line of text into glyphs.

        Args:
            text: One line, cleaned (see segment.clean).
            language: BCP-47; decides between regional glyph forms and the order of the families.
            weight: 100..900.
        """
        return self._shaped(text, language, weight)

    def _shape(self, text: str, language: str, weight: int) -> Shaped:
        fonts = [(family.name, family.font(weight)) for family in self._families(language)]
        runs, missing = split_runs(text, [font for _, font in fonts], levels_of(text, language))
        glyphs: list[Glyph] = []
        advances = np.zeros(len(text))
        used: dict[str, int] = {}
        pen = 0.0
        for index in visual_order([run.level for run in runs]):
            run = runs[index]
            name, font = fonts[run.font]
            used[name] = used.get(name, 0) + len(run.text)
            pen = _shape_run(run, language, font, pen, glyphs, advances)
        box = _ink_box(glyphs)
        return Shaped(
            tuple(glyphs), advances, *box, missing, tuple(sorted(used, key=lambda name: -used[name]))
        )

    def _select_families(self, language: str) -> tuple[Family, ...]:
        """One family of each name that suits the language, in the order of the files."""
        region = next((name for tag, name in _REGION_OF_LANGUAGE if language.lower().startswith(tag)), "JP")
        chosen: dict[str, list[Face]] = {}
        others: dict[str, list[Face]] = {}
        for faces in self._files:
            named = [_REGION_NAME.search(face.family) for face in faces]
            has_region = any(match is not None and match[1] == region for match in named)
            for face, match in zip(faces, named, strict=True):
                suits = match is None or match[1] == region or not has_region
                (chosen if suits else others).setdefault(face.family, []).append(face)
        return tuple(Family(name, tuple(faces)) for name, faces in (chosen | others).items())


def _distance(weight: int, weights: tuple[int, int]) -> int:
    return max(weights[0] - weight, weight - weights[1], 0)


def _default_paths() -> tuple[Path, ...]:
    package = importlib.util.find_spec("manimgx_fonts_cjk")
    if package is not None and package.submodule_search_locations:
        return (Path(package.submodule_search_locations[0]),)
    if _DEBIAN_FONTS.is_dir():
        return tuple(sorted(_DEBIAN_FONTS.glob("NotoSansCJK-*.ttc")))
    return ()


def _font_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        else:
            yield path


def _open(path: Path) -> tuple[Face, ...]:
    """All faces of a file; a file of which HarfBuzz can use nothing is an error."""
    try:
        blob = hb.Blob.from_file_path(str(path))
    except hb.HarfBuzzError:
        raise SettingsError(f"FONT_PATHS: cannot read {path}") from None
    faces = [hb.Face(blob, index) for index in range(hb.Face(blob, 0).count)]
    if not faces or not len(faces[0].unicodes):
        raise SettingsError(f"FONT_PATHS: {path} is not a font, or is damaged")
    return tuple(_describe(face) for face in faces)


def _describe(face: hb.Face) -> Face:
    names = hb.OTNameIdPredefined
    family = face.get_name(names.TYPOGRAPHIC_FAMILY) or face.get_name(names.FONT_FAMILY) or "unnamed"
    axis = next((axis for axis in face.axis_infos if axis.tag == "wght"), None)
    if axis is not None:
        return Face(family, (int(axis.min_value), int(axis.max_value)), face)
    weight = int(hb.Font(face).get_style_value(hb.StyleTag.WEIGHT))
    return Face(family, (weight, weight), face)


def _shape_run(
    run: Run,
    language: str,
    font: hb.Font,
    pen: float,
    glyphs: list[Glyph],
    advances: NDArray[np.float64],
) -> float:
    """Append the glyphs of one run at `pen`, note the characters' advances, return the new pen."""
    buffer = hb.Buffer()
    buffer.add_str(run.text)
    buffer.guess_segment_properties()
    buffer.direction = "rtl" if run.level % 2 else "ltr"
    buffer.language = language
    hb.shape(font, buffer)
    scale = 1.0 / font.face.upem
    for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True):
        x, y = pen + position.x_offset * scale, position.y_offset * scale
        glyphs.append(Glyph(font, info.codepoint, x, y, scale))
        advances[run.start + info.cluster] += position.x_advance * scale
        pen += position.x_advance * scale
    return pen


def _ink_box(glyphs: Iterable[Glyph]) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of all ink; zeros where there is none."""
    boxes = []
    for glyph in glyphs:
        ink = glyph.font.get_glyph_extents(glyph.id)
        if ink is not None and ink.width and ink.height:
            left, top = glyph.x + ink.x_bearing * glyph.scale, glyph.y + ink.y_bearing * glyph.scale
            boxes.append((left, left + ink.width * glyph.scale, top + ink.height * glyph.scale, top))
    if not boxes:
        return 0.0, 0.0, 0.0, 0.0
    lefts, rights, bottoms, tops = zip(*boxes, strict=True)
    return min(lefts), max(rights), min(bottoms), max(tops)
