"""Which ways a line can be erased, and what the planner may do.

A line on smooth ground is filled from its surface (`fill.py`), one on a printed pattern from the pattern's
other periods (`pattern.py`), one on cloth or wood from what rows and columns foretell (`weave.py`) and copied
texture (`texture.py`).
Everything else goes to the network in square windows of the served sizes at the page's own resolution
(`windows.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from worker.imaging.fill_options import FillOptions
from worker.imaging.pattern import PatternOptions
from worker.imaging.texture import TextureOptions
from worker.job import Box, Mask


class Route(StrEnum):
    """How a line is erased."""

    FILL = "fill"
    NETWORK = "network"
    #: From what its rows and columns foretell, and a texture copied from beside it.
    TEXTURE = "texture"
    #: From the same pattern one or several periods away.
    PATTERN = "pattern"
    #: Network at less than the page's resolution.
    SHRUNK = "shrunk"


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What the planner may do."""

    fill: FillOptions = field(default_factory=FillOptions)
    texture: TextureOptions = field(default_factory=TextureOptions)
    pattern: PatternOptions = field(default_factory=PatternOptions)
    #: Beyond so many px of hole and surroundings no pattern or cloth is sought: each would take 275 bytes.
    most_sought: int = 1_500_000
    #: Px of page around the ink in a tile: LaMa's local receptive field at 1/8 resolution spans 8 cells.
    context: int = 64
    #: Holes of a larger inscribed radius than this share of the tile are shrunk rather than cut.
    thickest_hole: float = 0.12
    #: What a tile smaller than the largest costs beside its pixels where it cuts ink, in such tiles.
    price_of_cut: float = 1.0
    #: Px over which patches fade into each other where a hole is cut, and into the page.
    cut_overlap: int = 12
    feather: int = 1
    #: Bilateral filter of the context: diameter in px, sigma in levels and px; 0 levels switches it off.
    denoise_diameter: int = 5
    denoise_levels: float = 12.0
    denoise_px: float = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Hole:
    """Ink of one line (or a cut of it) that the network must replace."""

    block_id: int
    #: Which of the block's lines.
    line: int
    box: Box
    #: (box.height, box.width)
    mask: Mask
    #: How much of each pixel is replaced, 0..255, same shape.
    alpha: NDArray[np.uint8]
    #: Whether it was cut off in the middle of ink and fades into the piece before it.
    faded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A square of the page that becomes one tile."""

    #: Side of the tile in px.
    size: int
    #: The page's part of it; smaller than the tile on pages smaller than the tile.
    box: Box
    #: Tile px for each page px, at most 1.
    scale: float
    holes: tuple[Hole, ...]
