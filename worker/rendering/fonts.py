"""Fonts: files → families → shaped text, with fallback per character.

HarfBuzz shapes and later rasterises (see draw.py). Its faces and fonts are never changed once built, so one
`FontSet` serves all threads. Lengths here are in em: multiply by the font size in px.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import uharfbuzz as hb
from numpy.typing import NDArray

from worker.errors import SettingsError
from worker.rendering.direction import levels_of, visual_order
from worker.rendering.faces import Face, Family, open_faces
from worker.rendering.runs import Run, split_runs

_SUFFIXES = (".otf", ".ttf", ".ttc", ".otc")
#: Debian's fonts-noto-cjk, tried where the Python package is absent.
_DEBIAN_SANS = ("/usr/share/fonts/opentype/noto", "NotoSansCJK-*.ttc")
#: Serif faces, used where they are installed: Debian's fonts-noto-cjk, else its fonts-nanum.
_DEBIAN_SERIFS = (
    ("/usr/share/fonts/opentype/noto", "NotoSerifCJK-*.ttc"),
    ("/usr/share/fonts/truetype/nanum", "NanumMyeongjo*.ttf"),
)
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


@dataclass(frozen=True, slots=True)
class FontOptions:
    """Where fonts come from."""

    #: Files or folders, the preferred first; the packaged Noto Sans CJK follows them.
    paths: tuple[Path, ...] = ()


class Glyph(NamedTuple):
    """One glyph of a shaped line; `x`, `y` in em from the line's start on the baseline, y upward."""

    font: hb.Font
    id: int
    x: float
    y: float
    #: em per font unit.
    scale: float


@dataclass(frozen=True, eq=False)
class Shaped:
    """A line of text as glyphs. All lengths in em, y upward from the baseline.

    The ink's extents are looked up when they are asked for: reading a glyph's costs more than shaping it.
    """

    glyphs: tuple[Glyph, ...]
    #: Width each character adds, one entry for each character of the text (0 inside a cluster).
    advances: NDArray[np.float64]
    #: Characters no font of the set has; they are left out.
    missing: str
    #: Names of the families used, most used first.
    families: tuple[str, ...]

    @property
    def advance(self) -> float:
        """Width of the whole line."""
        return float(self.advances.sum())

    @cached_property
    def _ink(self) -> tuple[float, float, float, float]:
        return _ink_box(self.glyphs)

    @property
    def left(self) -> float:
        """Where its ink begins."""
        return self._ink[0]

    @property
    def right(self) -> float:
        """Where its ink ends."""
        return self._ink[1]

    @property
    def bottom(self) -> float:
        """How far its ink reaches down, negative below the baseline."""
        return self._ink[2]

    @property
    def top(self) -> float:
        """How far its ink reaches up."""
        return self._ink[3]


class FontSet:
    """All fonts the typesetter may use, preferred first."""

    def __init__(self, files: Sequence[tuple[Face, ...]]) -> None:
        """Take the faces of each file, preferred files first."""
        self._files = tuple(files)
        # Bounded and thread-safe; the same labels come again and again on product pages.
        self._shaped = lru_cache(maxsize=4096)(self._shape)
        self._families = lru_cache(maxsize=64)(self._select_families)
        self._fonts = lru_cache(maxsize=1024)(self._select_fonts)

    @classmethod
    def load(cls, options: FontOptions | None = None) -> FontSet:
        """Open the fonts.

        Args:
            options: Where they are; None for the packaged ones alone.

        Raises:
            SettingsError: A path is missing or no font, or there is no font at all.
        """
        named = (options or FontOptions()).paths
        files = [open_faces(path) for path in _font_files(named)]
        if named and not files:
            raise SettingsError("FONT_PATHS: no font found there")
        files += [open_faces(path) for path in _default_files()]
        if not files:
            raise SettingsError("FONT_PATHS: no font found; install the extra `fonts` or name font files")
        return cls(files)

    def families(self, language: str, serif: bool = False) -> tuple[Family, ...]:
        """The families that suit a language (BCP-47), in the order in which they are asked for a glyph."""
        return self._families(language, serif)

    def shape(self, text: str, language: str, weight: int, serif: bool = False) -> Shaped:
        """Turn one line of text into glyphs.

        Args:
            text: One line, cleaned (see segment.clean).
            language: BCP-47; decides between regional glyph forms.
            weight: 100..900.
            serif: Whether families with serifs go before those without, or behind them.
        """
        return self._shaped(text, language, weight, serif)

    def _shape(self, text: str, language: str, weight: int, serif: bool) -> Shaped:
        fonts = self._fonts(language, weight, serif)
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
        return Shaped(tuple(glyphs), advances, missing, tuple(sorted(used, key=lambda name: -used[name])))

    def _select_fonts(self, language: str, weight: int, serif: bool) -> tuple[tuple[str, hb.Font], ...]:
        """Each family's name and its font of a weight, in the order in which they are asked for a glyph."""
        return tuple((family.name, family.font(weight)) for family in self._families(language, serif))

    def _select_families(self, language: str, serif: bool) -> tuple[Family, ...]:
        """One family of each name that suits the language: the wanted kind first, else as the files come."""
        region = next((name for tag, name in _REGION_OF_LANGUAGE if language.lower().startswith(tag)), "JP")
        chosen: dict[str, list[Face]] = {}
        others: dict[str, list[Face]] = {}
        for faces in self._files:
            named = [_REGION_NAME.search(face.family) for face in faces]
            has_region = any(match is not None and match[1] == region for match in named)
            for face, match in zip(faces, named, strict=True):
                suits = match is None or match[1] == region or not has_region
                (chosen if suits else others).setdefault(face.family, []).append(face)
        families = [Family(name, tuple(faces)) for name, faces in (chosen | others).items()]
        return tuple(sorted(families, key=lambda family: family.serif != serif))


def _default_files() -> list[Path]:
    """The packaged fonts, then a serif family where the system has one."""
    package = importlib.util.find_spec("manimgx_fonts_cjk")
    if package is not None and package.submodule_search_locations:
        sans = list(_font_files([Path(package.submodule_search_locations[0])]))
    else:
        sans = _matching(*_DEBIAN_SANS)
    return sans + next((found for place in _DEBIAN_SERIFS if (found := _matching(*place))), [])


def _matching(folder: str, pattern: str) -> list[Path]:
    return sorted(Path(folder).glob(pattern))


def _font_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
        else:
            yield path


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


@lru_cache(maxsize=1 << 14)  # page after page is written with the same few hundred characters
def _extents_of(font: hb.Font, glyph: int) -> tuple[int, int, int, int] | None:
    """A glyph's bearings from the left and from above, its width and (negative) height; None without ink."""
    ink = font.get_glyph_extents(glyph)
    if ink is None or not (ink.width and ink.height):
        return None
    return ink.x_bearing, ink.y_bearing, ink.width, ink.height


def _ink_box(glyphs: Iterable[Glyph]) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of all ink; zeros where there is none."""
    boxes = []
    for glyph in glyphs:
        ink = _extents_of(glyph.font, glyph.id)
        if ink is not None:
            x_bearing, y_bearing, width, height = ink
            left, top = glyph.x + x_bearing * glyph.scale, glyph.y + y_bearing * glyph.scale
            boxes.append((left, left + width * glyph.scale, top + height * glyph.scale, top))
    if not boxes:
        return 0.0, 0.0, 0.0, 0.0
    lefts, rights, bottoms, tops = zip(*boxes, strict=True)
    return min(lefts), max(rights), min(bottoms), max(tops)
