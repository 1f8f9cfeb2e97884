"""Where strokes show their pure colour: in their middle; of hairlines what is farthest from the ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.job import Box, Image, Mask
from worker.rendering.colour import RGB, Pixels, as_rgb, dominant, inked, quantile, some, squares, taken

#: Fewest stroke pixels a measure is taken from.
FEWEST = 24
#: Fills whose channels deviate by less (levels) are one colour.
FLAT = 5.0
#: Pixels that tell a percentile.
_SAMPLES = 1000
#: Pixels 2 px inside the strokes show their colour alone, if this share of all lies there.
_DEEP, _INSIDE = 0.05, np.ones((5, 5), np.uint8)


@dataclass(frozen=True, eq=False)
class Colours:
    """Pixels and the ground under them, (h, w, 3) each: how far they are from it and from other colours."""

    page: Image
    ground: Image
    #: Where they lie on the page.
    window: Box

    @cached_property
    def squares_from_ground(self) -> Pixels:
        """Squared distance (RGB) of each pixel to its ground."""
        return squares(np.asarray(cv2.absdiff(self.page, self.ground), np.uint8))

    def squares_from(self, colour: RGB) -> Pixels:
        """Squared distance (RGB) of each pixel to one colour."""
        return squares(np.asarray(cv2.absdiff(self.page, np.array([*colour, 0.0])), np.uint8))

    def near(self, colour: RGB, distance: float) -> Mask:
        """255 where the pixels are at most so far (RGB) from one colour."""
        return at_most(self.squares_from(colour), distance)


def at_most(squares: Pixels, distance: float) -> Mask:
    """255 where a squared distance is that of so much, or less."""
    return np.asarray(cv2.inRange(squares, -1.0, distance**2), np.uint8)


@dataclass(frozen=True, eq=False)
class Cores:
    """Pixels that show the pure fill, in reading order: as many as tell a colour."""

    #: (N, 3)
    colours: Image
    #: Where they lie in a window of the page.
    places: NDArray[np.intp]
    window: Box
    #: Whether no stroke is so thick that its middle shows its colour alone.
    hairlines: bool = False

    @cached_property
    def deviation(self) -> float:
        """Of the channel that deviates most, levels."""
        _, deviations = cv2.meanStdDev(self.colours.reshape(-1, 1, 3))
        return float(deviations.max())

    @cached_property
    def fill(self) -> RGB:
        """The colour that most of them share."""
        return as_rgb(quantile(self.colours, 0.5)) if self.deviation < FLAT else dominant(self.colours)

    @property
    def points(self) -> NDArray[np.float64]:
        """Their centres on the page, (N, 2)."""
        rows, columns = np.divmod(self.places, self.window.width)
        return np.stack([columns + (self.window.left + 0.5), rows + (self.window.top + 0.5)], axis=1)


def cores_of(colours: Colours, strokes: Mask) -> Cores:
    """Pixels from the middle of strokes, or of hairlines those farthest from the ground.

    Args:
        colours: The pixels and their ground.
        strokes: The glyph bodies, same shape.
    """
    left, top, width, height = cv2.boundingRect(strokes)
    around = np.s_[top : top + height, left : left + width]
    body = strokes[around]
    deep = cv2.erode(body, _INSIDE, borderType=cv2.BORDER_CONSTANT, borderValue=(0,))
    hairlines = cv2.countNonZero(deep) < max(_DEEP * cv2.countNonZero(body), FEWEST)
    if not hairlines:
        places = some(inked(np.asarray(deep, np.uint8)))
    else:
        places = inked(body)
        off_ground = colours.squares_from_ground[around].take(places)
        least = quantile(off_ground[:: len(off_ground) // _SAMPLES + 1], 0.75)
        places = some(places[off_ground >= least])
    rows, columns = np.divmod(places, width)
    places = np.asarray((rows + top) * strokes.shape[1] + columns + left, np.intp)
    return Cores(taken(colours.page, places), places, colours.window, hairlines)
