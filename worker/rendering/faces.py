"""Font files → faces and families; a face is never changed once it is built."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import uharfbuzz as hb

from worker.errors import SettingsError

#: Weights are rounded to this step, so that a page needs few font instances.
_WEIGHT_STEP = 25
#: Where OS/2 has its PANOSE: of kind 2 (text) the serif styles 2 to 10 have serifs, 11 to 15 have none.
_PANOSE, _TEXT, _SERIF_STYLES, _SANS_STYLES = 32, 2, range(2, 11), range(11, 16)
#: What faces with serifs are called where PANOSE is empty.
_SERIF_NAME = re.compile(
    r"(?<!sans )serif|myeongjo|batang|gungsuh|mincho|song|ming\b|명조|바탕|궁서|明朝|宋|明體", re.I
)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of one font file."""

    family: str
    #: Lowest and highest weight it can take; equal for a static face.
    weights: tuple[int, int]
    #: Whether it has serifs (Korean 명조, Chinese 宋).
    serif: bool
    #: Whether it is upright and of normal width: lean is drawn, and no source asks for a width.
    plain: bool
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

    @property
    def serif(self) -> bool:
        """Whether it has serifs."""
        return self.faces[0].serif

    def font(self, weight: int) -> hb.Font:
        """The plain face that comes nearest to `weight`, at that weight."""
        return min(self.faces, key=lambda face: (not face.plain, _distance(weight, face.weights))).font(
            weight
        )


def _distance(weight: int, weights: tuple[int, int]) -> int:
    return max(weights[0] - weight, weight - weights[1], 0)


def open_faces(path: Path) -> tuple[Face, ...]:
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
    names, font = hb.OTNameIdPredefined, hb.Font(face)
    family = face.get_name(names.TYPOGRAPHIC_FAMILY) or face.get_name(names.FONT_FAMILY) or "unnamed"
    axis = next((axis for axis in face.axis_infos if axis.tag == "wght"), None)
    weight = int(font.get_style_value(hb.StyleTag.WEIGHT))
    weights = (int(axis.min_value), int(axis.max_value)) if axis is not None else (weight, weight)
    italic, width = font.get_style_value(hb.StyleTag.ITALIC), font.get_style_value(hb.StyleTag.WIDTH)
    return Face(family, weights, _has_serifs(face, family), not italic and width == 100, face)


def _has_serifs(face: hb.Face, family: str) -> bool:
    """Told by PANOSE, or by the name where that says nothing."""
    panose = bytes(face.reference_table("OS/2").data or b"")[_PANOSE : _PANOSE + 2]
    if len(panose) == 2 and panose[0] == _TEXT and panose[1] in (*_SERIF_STYLES, *_SANS_STYLES):
        return panose[1] in _SERIF_STYLES
    return _SERIF_NAME.search(family) is not None
