"""Cloth of coloured threads across each other: each pixel shows the one that runs down or that across.

What rows and columns foretell of such a cloth (plaid, gingham, twill) is the mean of both. Which of them lies
on top is the same weave all over the cloth, but it shows the more, the more the two differ, and turned round
where they change places. So the weave is told apart from the threads' colours, copied, and coloured anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging.ground import Floats
from worker.imaging.pieces import Levels, Texture
from worker.imaging.weave import resized
from worker.job import Box, Image

#: Of any number of channels.
Pixels = TypeVar("Pixels", Image, Floats)

#: Px that a cell at least holds across, in which a weave shows as variance.
_CELL = 3
#: Fewer cells tell nothing.
_FEWEST = 30
#: Px of a cloth that are looked at for its weave, about.
_MOST_LOOKED_AT = 60_000
#: Channels added up.
_SUM = np.ones((1, 3), np.float32)


@dataclass(frozen=True, slots=True)
class TwillOptions:
    """When a cloth counts as one of coloured threads."""

    #: Variance within cells follows the squared difference of both threads: at least so closely, and by so
    #: much of it (1 where each pixel shows one thread alone). Twilled plaid has 0.7 to 0.96 and 0.5 to 0.75;
    #: knits, linen and stripes follow less closely, wood by at most 0.26.
    least_correlation: float = 0.5
    least_share: float = 0.35
    most_share: float = 1.5
    #: Share of the mean squared difference below which a weave drowns in what else is seen.
    least_faint: float = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Twill:
    """What tells a cloth's weave from its colours."""

    #: What threads down do not have, at the size of the look, (h, w, 3): less this and less the threads
    #: across, they are half of the difference of both.
    common: Floats
    #: Squared half difference, in levels, of threads whose weave is no more than what else is seen.
    faint: float

    @classmethod
    def of(
        cls,
        pixels: Image,
        direction: Floats,
        mean: Floats,
        rows: Floats,
        columns: Floats,
        usual: NDArray[np.bool_],
        options: TwillOptions,
    ) -> Twill | None:
        """That of a cloth; None where it is none of coloured threads.

        Args:
            pixels: The cloth at full size, a whole number of times as high and wide as `usual`.
            direction: In which its colours differ most, (1, 3).
            mean: Of its colours, (3,).
            rows: What rows show beside that at reduced size, (3, h, w).
            columns: What columns do.
            usual: Where the cloth is seen at reduced size, (h, w).
            options: What counts.
        """
        factor = len(pixels) // len(usual)
        side = -(-_CELL // factor)
        if min(usual.shape) < side:
            return None
        # a few rows of cells tell enough
        every = max(1, pixels.shape[0] * pixels.shape[1] // _MOST_LOOKED_AT)
        seen = _means(_some(usual.astype(np.float32), side, every), side) == 1
        if np.count_nonzero(seen) < _FEWEST:
            return None
        apart = np.asarray(np.tensordot(direction[0], columns - rows, 1), np.float32)
        half = _means(_some(apart, side, every), side)[seen]
        cell = side * factor
        levels = _some(pixels, cell, every).astype(np.float32)
        grey = np.asarray(cv2.transform(levels, direction), np.float32)
        varied = (_means(grey * grey, cell) - _means(grey, cell) ** 2)[seen]
        usually = max(float(np.sqrt((half * half).mean())), 1.0)
        half /= usually
        terms = np.stack([half * half, half, np.ones_like(half)])
        follows, changes = terms[0] - terms[0].mean(), varied - varied.mean()
        if follows @ changes <= options.least_correlation * np.sqrt(
            (follows @ follows) * (changes @ changes)
        ):
            return None
        fitted, *_ = np.linalg.lstsq(
            terms @ terms.T, terms @ varied, rcond=1e-3
        )  # of two colours half is known
        share, slope, least = (fitted / (usually**2, usually, 1)).tolist()
        if not options.least_share < share < options.most_share:
            return None
        # the thread on top is also nearer to the light, whatever its colour
        relief = slope / (2 * share)
        faint = max(least / share - relief**2, options.least_faint * usually**2)
        common = cv2.merge([*(2 * rows + mean[:, None, None])]) - np.float32(relief) * direction[None]
        return cls(np.asarray(common, np.float32), faint)

    def dyed(self, down: Levels, across: Levels, low: Box) -> Dyed:
        """The same at full size.

        Args:
            down: All that is foretold but the edges of threads across, (H, W, 3).
            across: Those edges.
            low: Their part of the look.
        """
        half = np.asarray(cv2.subtract(down, across, dtype=cv2.CV_32F), np.float32)
        half -= resized(np.ascontiguousarray(self.common[low.slices]), half.shape)
        return Dyed(half, self.faint)


@dataclass(frozen=True, slots=True, eq=False)
class Dyed:
    """How the colours of threads down and across differ at each pixel."""

    #: Half of the difference, (H, W, 3).
    half: Floats
    #: As for `Twill`.
    faint: float

    def bare(self, seen: Texture, direction: Floats) -> Texture:
        """What is seen beyond the mean of both threads as a texture that their colours do not change.

        Its four channels are what else is seen, and how far the thread down lies on top, from -1 to 1.
        """
        squared = cv2.transform(cv2.multiply(self.half, self.half), _SUM) + np.float32(self.faint)
        on_top = cv2.divide(cv2.transform(cv2.multiply(seen.over, self.half), _SUM), squared)
        rest = cv2.subtract(seen.over, cv2.multiply(self.half, cv2.merge([on_top] * 3)))
        grey = cv2.scaleAdd(on_top, self.faint**0.5, cv2.transform(rest, direction))
        over = np.asarray(cv2.merge([rest, on_top]), np.float32)
        return Texture(over, np.asarray(grey, np.float32), seen.free)

    def coloured(self, bare: Floats, inner: Box) -> Floats:
        """Copies of that texture in the colours of the threads in a box, (h, w, 4) → (h, w, 3)."""
        on_top = cv2.merge([bare[..., 3]] * 3)
        levels = cv2.multiply(self.half[inner.slices], on_top)
        return np.asarray(cv2.add(bare[..., :3], levels), np.float32)


def _some(picture: Pixels, side: int, every: int) -> Pixels:
    """Each so-manieth row of whole squares of so many px."""
    height, width = (length // side for length in picture.shape[:2])
    rows = picture[: height * side, : width * side].reshape(height, side, width * side, *picture.shape[2:])
    return np.ascontiguousarray(rows[::every]).reshape(-1, width * side, *picture.shape[2:])


def _means(picture: Floats, side: int) -> Floats:
    """Means over squares of so many px."""
    shape = (picture.shape[1] // side, picture.shape[0] // side)
    return np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), np.float32)
