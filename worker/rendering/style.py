"""How the source text looks: fill, outline, shadow, weight, slant, serifs, measured on its own pixels.

Every measure compares the page with its ground, which is the plate where there is one: along the line from
ground to fill lies a glyph's anti-aliasing, off that line lie outline and shadow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from worker.job import Image, TextBlock
from worker.rendering.chroma import undiluted
from worker.rendering.colour import RGB, Pixels, as_rgb, difference, legible, quantile, taken
from worker.rendering.effects import Outline, Shadow, find_outline
from worker.rendering.fonts import FontSet
from worker.rendering.gradient import find_gradient
from worker.rendering.ink import Ink
from worker.rendering.look import look_at
from worker.rendering.plain import find_plain
from worker.rendering.segment import clean
from worker.rendering.shadow import find_shadow
from worker.rendering.strokes import Bodies, near_line
from worker.rendering.weight import coverage_of, measure_weight

#: A fill that would have to move farther (ΔE) to be legible stays, and gets a shade behind it, blurred by so
#: many em; this share of it is left at the glyphs' edges.
_FARTHEST_MOVE, _SHADE_BLUR, _AT_EDGES = 40.0, 0.08, 0.4


@dataclass(frozen=True, slots=True)
class Fill:
    """The colour of the glyphs: one, or two with a straight transition along one axis of each line."""

    start: RGB
    end: RGB
    #: "flat", "vertical" (start at a line's top) or "horizontal" (start at the block's left).
    axis: str = "flat"


@dataclass(frozen=True, slots=True)
class Style:
    """How a block's text looks."""

    fill: Fill
    ground: RGB
    #: 100..900
    weight: int
    #: Tangent of the lean to the right, 0 for upright text.
    slant: float = 0.0
    outline: Outline | None = None
    shadow: Shadow | None = None
    #: Whether it is set in a face with serifs, where the fonts have one.
    serif: bool = False

    def scaled(self, factor: float) -> Style:
        """The same for text so many times as large: outline and shadow keep their proportion to it."""
        if self.outline is None and self.shadow is None:
            return self
        return replace(
            self,
            outline=self.outline and self.outline.scaled(factor),
            shadow=self.shadow and self.shadow.scaled(factor),
        )

    def lettered(self, weight: int, slant: float, serif: bool) -> Style:
        """The same in other letters."""
        if (weight, slant, serif) == (self.weight, self.slant, self.serif):
            return self  # as most texts are upright and sans
        return replace(self, weight=weight, slant=slant, serif=serif)

    @property
    def border(self) -> float:
        """Width (px) of the outline, 0 without one."""
        return self.outline.width if self.outline else 0.0

    @property
    def margin(self) -> float:
        """How far (px) outline and shadow reach beyond the glyphs."""
        if self.shadow is None:
            return self.border
        return self.border + max(abs(self.shadow.dx), abs(self.shadow.dy)) + 2 * self.shadow.blur


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """How a block looks, but for lean and serifs, and what these are told by."""

    style: Style
    #: See weight.coverage_of; of its longest line.
    coverage: Pixels | None
    #: Font size in the coverage's px.
    size: float


def measure_appearance(
    rgb: Image, plate: Image | None, block: TextBlock, bodies: Bodies, ink: Ink, fonts: FontSet
) -> Appearance:
    """Measure how a block looks on its page.

    Args:
        rgb: The original page, (H, W, 3).
        plate: The page with this text erased, same shape; None to take one ground colour around the text.
        block: The source text.
        bodies: Its glyphs.
        ink: Its geometry (see ink.measure_ink).
        fonts: To compare the weight with.
    """
    look = look_at(rgb, plate, near_line(block, ink.longest, bodies.region), ink.size)
    if bodies.cores is None:
        ground = _ground_colour(look.ground)
        return Appearance(
            Style(_flat(legible(ground, ground, least=7.0)), ground, weight=400), None, look.size
        )
    fill = bodies.cores.fill
    gradient = find_gradient(bodies.cores, ink)
    plain = find_plain(look, fill)
    coverage = plain.coverage if plain else coverage_of(look, fill)
    weight = measure_weight(look, coverage, clean(block.lines[ink.longest].text), fonts)
    outline = find_outline(look, fill) if plain is None else None
    shadow = find_shadow(look, outline) if plain is None else None
    painted = Fill(*gradient) if gradient else _flat(fill)
    if bodies.cores.hairlines and not (gradient or outline or shadow):
        painted = _flat(undiluted(look, fill))
    if plain is not None:
        return Appearance(_readable(Style(painted, plain.ground, weight), ink.size), coverage, look.size)
    style = Style(
        painted,
        _ground_colour(look.ground),
        weight,
        outline=outline and outline.scaled(look.reduction),
        shadow=shadow and shadow.scaled(look.reduction),
    )
    return Appearance(_readable(style, ink.size), coverage, look.size)


def _ground_colour(ground: Image) -> RGB:
    samples = np.arange(0, ground.size // 3, max(1, ground.size // 6000))
    return as_rgb(quantile(taken(ground, samples), 0.5))


def _readable(style: Style, size: float) -> Style:
    """The style with its fill moved to where it reads; with a soft shade behind it where that is too far.

    White on a pale photograph is meant to be white: there the ground right behind it moves instead, and the
    least that makes the text's edges legible.
    """
    fill, backdrop = style.fill, style.outline.colour if style.outline else style.ground
    moved = legible(fill.start, backdrop)
    if fill.axis != "flat" or moved == fill.start or (style.shadow and not style.outline):
        return style
    if style.outline is not None or difference(fill.start, moved) <= _FARTHEST_MOVE:
        return replace(style, fill=_flat(moved))
    ground = np.array(style.ground, np.float32)
    change = np.array(legible(style.ground, fill.start), np.float32) - ground
    shade = as_rgb(ground + change / _AT_EDGES)
    return replace(style, shadow=Shadow(shade, 0.0, 0.0, _SHADE_BLUR * size, 1.0))


def _flat(colour: RGB) -> Fill:
    return Fill(colour, colour)
