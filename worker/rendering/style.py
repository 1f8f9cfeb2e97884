"""How the source text looks: fill, outline, shadow, weight, slant, serifs, measured on its own pixels.

Every measure compares the page with its ground, which is the plate where there is one: along the line from
ground to fill lies a glyph's anti-aliasing, off that line lie outline and shadow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Image, Region, TextBlock
from worker.rendering.colour import (
    RGB,
    Pixels,
    as_rgb,
    difference,
    legible,
    quantile,
    taken,
)
from worker.rendering.effects import Outline, Shadow, distance_from, find_outline
from worker.rendering.fonts import FontSet
from worker.rendering.ink import Ink
from worker.rendering.look import Look, look_at
from worker.rendering.segment import clean
from worker.rendering.serif import has_serifs
from worker.rendering.shadow import find_shadow
from worker.rendering.slant import measure_slant
from worker.rendering.strokes import FEWEST, Colours, cores_of, near_longest
from worker.rendering.weight import coverage_of, measure_weight

#: A gradient counts where its ends differ by this much (ΔE) and a straight line explains it this well.
_GRADIENT_DIFFERENCE, _GRADIENT_FIT = 12.0, 0.75
#: A fill that would have to move farther (ΔE) to be legible stays, and gets a shade behind it, blurred by so
#: many em; this share of it is left at the glyphs' edges.
_FARTHEST_MOVE, _SHADE_BLUR, _AT_EDGES = 40.0, 0.08, 0.4
#: Fills whose channels deviate by less (levels) are one colour.
_FLAT = 5.0
#: Text turned by more degrees has no rows and columns to tell serifs by.
_UPRIGHT = 3.0
#: The bands whose medians tell a gradient.
_BANDS = np.arange(9) / 8


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


def measure_style(
    rgb: Image, plate: Image | None, block: TextBlock, region: Region, ink: Ink, fonts: FontSet
) -> Style:
    """Measure how a block looks on its page.

    Args:
        rgb: The original page, (H, W, 3).
        plate: The page with this text erased, same shape; None to take one ground colour around the text.
        block: The source text.
        region: Its ink, with strokes as find_strokes gives them.
        ink: Its geometry (see ink.measure_ink).
        fonts: To compare the weight with.
    """
    longest = max(range(len(block.lines)), key=ink.length_of)
    region = near_longest(block, longest, region)
    look = look_at(rgb, plate, region, ink.size)
    page, ground = look.page, look.ground
    samples = np.arange(0, ground.size // 3, max(1, ground.size // 6000))
    ground_colour = as_rgb(quantile(taken(ground, samples), 0.5))
    if cv2.countNonZero(look.strokes) < FEWEST:
        black_or_white = legible(ground_colour, ground_colour, least=7.0)
        return Style(_flat(black_or_white), ground_colour, weight=400)
    colours = Colours(page, ground)
    cores = cores_of(colours, look.strokes)
    fill = colours.dominant_at(cores)
    away = distance_from(look.strokes)
    outline = find_outline(look, away, fill)
    shadow = find_shadow(look, away, outline)
    text = clean(block.lines[longest].text)
    coverage = coverage_of(look, fill)
    weight = measure_weight(look, coverage, text, fonts)
    upright = abs(ink.frame.angle) <= _UPRIGHT and ink.frame.warp is None
    serif = upright and outline is None and has_serifs(coverage, look.size, text, weight, fonts)
    if serif:
        weight = measure_weight(look, coverage, text, fonts, serif)
    gradient = _gradient(look, cores, ink, region)
    style = Style(
        gradient or _flat(fill),
        ground_colour,
        weight,
        measure_slant(region, ink),
        outline and outline.scaled(look.reduction),
        shadow and shadow.scaled(look.reduction),
        serif,
    )
    return _readable(style, ink.size)


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


def _gradient(look: Look, cores: NDArray[np.intp], ink: Ink, region: Region) -> Fill | None:
    """A fill that changes steadily down each line, or along the block; None where one colour is enough."""
    rows, columns = np.divmod(cores, look.page.shape[1])
    colours = taken(look.page, cores).astype(np.float32)
    _, deviations = cv2.meanStdDev(colours.reshape(-1, 1, 3))
    if float(deviations.max()) < _FLAT:
        return None
    scale = look.reduction
    points = np.stack(
        [(columns + 0.5) * scale + region.box.left, (rows + 0.5) * scale + region.box.top], axis=1
    )
    local = ink.frame.to_local(points)
    along = (local[:, 0] - ink.rect.left) / max(ink.rect.width, 1.0)
    down = np.full(len(local), np.nan)
    for line in ink.lines:
        inside = (local[:, 1] >= line.rect.top) & (local[:, 1] <= line.rect.bottom)
        down[inside] = (local[inside, 1] - line.rect.top) / max(line.rect.height, 1.0)
    for axis, place in (("vertical", down), ("horizontal", along)):
        ends = _ends(place, colours)
        if ends is not None:
            return Fill(*ends, axis)
    return None


def _ends(place: NDArray[np.float64], colours: Pixels) -> tuple[RGB, RGB] | None:
    """Colours at 0 and 1 of a straight transition, if the medians of eight bands follow one."""
    order = np.argsort(place)  # places outside the lines (NaN) come last
    ends = np.searchsorted(place[order], _BANDS)
    sizes = np.diff(ends)
    told = np.flatnonzero(sizes >= 6)
    if len(told) < 5:
        return None
    at = _BANDS[told] + 1 / 16
    colours = colours.take(order, axis=0)
    medians = np.array([quantile(colours[ends[band] : ends[band + 1]], 0.5) for band in told])
    offset = at - at.mean()
    slope = offset @ medians / (offset @ offset)
    start = medians.mean(axis=0) - slope * at.mean()
    spread = float(((medians - medians.mean(axis=0)) ** 2).sum())
    rest = float(((medians - (start + np.outer(at, slope))) ** 2).sum())
    first, last = as_rgb(start), as_rgb(start + slope)
    if difference(first, last) < _GRADIENT_DIFFERENCE or rest > (1 - _GRADIENT_FIT) * spread:
        return None
    return first, last
