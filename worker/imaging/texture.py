"""Erasing text from cloth and wood: what rows and columns foretell, and over it the texture seen near by.

Threads, bands and planks are continued by `weave.py`. What they leave over (stitches, twill, grain) is
copied piece by piece from where it continues what is seen around the ink (`pieces.py`), on ground that the
rows and columns say is alike. Both are found at reduced size; at full size threads get their own edges and
pieces are placed to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import ink_box, inside, padded
from worker.imaging.ground import Floats
from worker.imaging.pieces import Levels, PieceOptions, Texture, sought
from worker.imaging.site import Site, alike, grown, shrunk
from worker.imaging.weave import Loom, WeaveOptions, drifted, nearness, resized, steadied, tried
from worker.job import Box, Image, Mask

#: Of any number of channels.
Pixels = TypeVar("Pixels", Image, Floats, Levels)
#: How many times smaller a look may be: so many levels are summed in 16 bits.
_MOST_SHRUNK = 255
#: Px beyond which nothing counts as fine.
_FINEST = 6
#: Mean departure to standard deviation, for a normal distribution.
_MEAN_TO_SIGMA = 1.2533


@dataclass(frozen=True, slots=True)
class TextureOptions:
    """How a texture is sought. Shares are of the text's height."""

    weave: WeaveOptions = field(default_factory=WeaveOptions)
    pieces: PieceOptions = field(default_factory=PieceOptions)
    #: How far around the ink a ground is looked at, and at most so many px.
    reach: float = 2.0
    most_reach: int = 200
    #: Share of diffusion's squared error that rows and columns may leave: cloth and wood leave up to 1.10,
    #: pictures 1.46 and more.
    most_wrong: float = 1.15
    #: Px that text is high in the look at reduced size, about: that is a whole number of times smaller.
    look_height: int = 16
    #: The ground this near to the ink says which colours it has, and what is finer than the look shows.
    near: float = 0.6
    #: What has less to say than this about rows and columns is something else, and is not copied.
    least_usual: float = 0.1
    #: Deviation in levels below which what rows and columns leave over is not worth copying.
    least_texture: float = 1.5
    #: Times what a tenth of it exceeds beside the ink, beyond which what is left over is no texture.
    most_loud: float = 2.0
    #: The change of light a copy may be corrected by, in levels.
    most_light: float = 14.0

    def factor(self, text_height: float) -> int:
        """How many times smaller the look is."""
        return min(max(1, round(text_height / self.look_height)), _MOST_SHRUNK)

    def px_reach(self, text_height: float) -> int:
        """How far a ground is looked at, in px."""
        return min(round(self.reach * text_height), self.most_reach)


@dataclass(frozen=True, slots=True, eq=False)
class Cloth:
    """The ground around some ink, looked at as something woven."""

    site: Site
    look: _Look
    #: Share of diffusion's squared error that rows and columns leave; infinity where nothing can be told.
    wrong: float
    #: How much each pixel of the look has to say about rows and columns.
    told: Floats

    @classmethod
    def at(cls, site: Site, options: TextureOptions) -> Cloth:
        """Looks at ink and as much around it as the site holds."""
        site = site.unlettered(site.mask).multiple(options.factor(site.text_height))
        look = _Look.at(site, options)
        fine = look.fine(site, round(options.near * site.text_height))
        wrong, told = tried(
            look.grey(look.pixels), look.known, look.hole, look.text_height, fine, options.weave
        )
        if site.text_height > options.most_reach:
            wrong = float("inf")  # of so much too little is seen
        return cls(site, look, wrong, told)

    def continued(self, options: TextureOptions) -> Image:
        """The ground under the ink, (H, W, 3) of the site, meaningful under the mask only."""
        site, look = self.site, self.look
        reach = options.weave.reach * look.text_height
        loom = Loom.of(self.told.shape, reach)
        foretold = np.dstack([loom.fitted(look.pixels[..., channel], self.told) for channel in range(3)])
        # no piece and none of its fading margin lies further out
        pieces = options.pieces
        spare = pieces.fade + (pieces.side + 1) * look.factor
        inner = padded(ink_box(site.mask), spare, site.mask)
        usual = look.known & (self.told > options.least_usual)
        plain, over = self._threads(foretold, usual, reach, inner)
        beside = grown(site.mask[inner.slices], options.pieces.fade) & site.free[inner.slices]
        rest = over[inner.slices][::2, ::2][beside[::2, ::2]].astype(np.float32)
        filled = plain[inner.slices].astype(np.float32)
        if rest.size and rest.std() >= options.least_texture:
            loud = max(round(options.most_loud * ground.quantile(ground.largest(rest.T), 0.9)), 1)
            np.clip(over, -loud, loud, out=over)
            level = cv2.merge([_level(plain, loud / 2)] * 3)
            soft = np.asarray(cv2.multiply(over, level, dtype=cv2.CV_32F), np.float32)
            texture = Texture(soft, look.grey(soft), site.free)
            seen = look.grey(np.where(look.known[..., None], look.pixels, foretold))
            places = sought(seen, look.known, usual, look.hole, pieces)
            copied, known = texture.placed(places, inner, look.factor, pieces)
            low = (slice(look.factor // 2, None, look.factor),) * 2
            wrong = soft[inner.slices][low] - copied[low]
            light = _light(wrong, (beside & known)[low], look.text_height, options.most_light)
            filled += resized(light, beside.shape)
            cv2.accumulateProduct(copied, level[inner.slices], filled)
        whole = site.pixels.copy()
        whole[inner.slices] = cv2.convertScaleAbs(np.maximum(filled, 0, out=filled))
        return whole[: site.box.height, : site.box.width]

    def _threads(
        self, foretold: Floats, usual: NDArray[np.bool_], reach: float, inner: Box
    ) -> tuple[Levels, Levels]:
        """What is foretold at reduced size, in full: with threads that have edges and in a box drift.

        Returns:
            That, and what is seen beyond it, 0 where nothing is; both (H, W, 3).
        """
        site, shape = self.site, self.site.mask.shape
        free, pixels = site.free.view(np.uint8), site.pixels.astype(np.int16)
        plain = resized(_levels(foretold), shape)
        told = resized(usual.view(np.uint8), shape, cv2.INTER_NEAREST)
        seen = np.asarray(cv2.bitwise_and(told, free), np.uint8)
        rest = np.asarray(cv2.copyTo(cv2.subtract(pixels, plain), seen), np.int16)
        down = _threads_down(rest, seen, self.look.factor, reach)
        across = _turned(_threads_down(_turned(rest), _turned(seen), self.look.factor, reach))
        for threads in (down, across):
            cv2.add(plain, resized(_levels(threads), shape), plain)
        over = np.asarray(cv2.copyTo(cv2.subtract(pixels, plain), free), np.int16)
        straight = self._drifted(plain, over, inner)
        plain[inner.slices] = straight
        over[inner.slices] = cv2.copyTo(cv2.subtract(pixels[inner.slices], straight), free[inner.slices])
        return plain, over

    def _drifted(self, plain: Levels, over: Levels, inner: Box) -> Levels:
        """The threads of a box where they drift to, as some rows and columns of it and around it tell."""
        factor, side = self.look.factor, self.look.text_height
        low = padded(_divided(inner, factor), side // 2, self.told)
        part, shape = _times(low, factor), (low.height, low.width)
        free, told = self.site.free[part.slices], self.told[low.slices]
        at = np.indices(free.shape, np.float32)
        for axis in (0, 1):
            some = slice(factor // 2, None, 2 * factor)
            cut = (some, slice(None)) if axis else (slice(None), some)
            grey, wrong = (self.look.grey(each[part.slices][cut]) for each in (plain, over))
            drift = drifted(grey, wrong, resized(told, grey.shape) * free[cut], axis, shape, side)
            at[axis] += resized(drift, free.shape)
        down, across = at[:, *inside(inner, part).slices]
        return np.asarray(
            cv2.remap(plain[part.slices], across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            np.int16,
        )


def _threads_down(rest: Levels, seen: Mask, factor: int, reach: float) -> Floats:
    """Threads that run down in what is seen beyond what is foretold at reduced size, (groups, W, 3)."""
    height, width = len(seen) // factor, seen.shape[1]
    sums = rest.reshape(height, factor, width * 3).sum(axis=1, dtype=np.float32)
    count = seen.reshape(height, factor, width).sum(axis=1, dtype=np.float32)
    near = nearness(height, reach)
    means = (near @ sums).reshape(len(near), width, 3)
    means /= steadied(near @ count)[..., None]
    return np.asarray(means, np.float32)


def _divided(box: Box, factor: int) -> Box:
    """What holds a box at reduced size."""
    return Box(box.left // factor, box.top // factor, -(-box.right // factor), -(-box.bottom // factor))


def _times(box: Box, factor: int) -> Box:
    return Box(factor * box.left, factor * box.top, factor * box.right, factor * box.bottom)


def _turned(picture: Pixels) -> Pixels:
    """Rows as columns."""
    return np.asarray(cv2.transpose(picture), picture.dtype)


def _levels(picture: Floats) -> Levels:
    return np.rint(picture).astype(np.int16)


def _level(plain: Levels, most: float) -> Floats:
    """Down to 0 where a px more or less makes more of a difference than texture does: at threads' edges."""
    grey = cv2.cvtColor(cv2.convertScaleAbs(plain), cv2.COLOR_RGB2GRAY)
    scale = 1 / 8 / max(most, 1.0)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=scale)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=scale)
    steep = np.asarray(cv2.accumulateSquare(across, cv2.multiply(down, down, down)), np.float32)
    steep += 1
    return np.reciprocal(steep, out=steep)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A site at reduced size."""

    #: How many times smaller.
    factor: int
    #: In px of the look.
    text_height: int
    #: (H, W, 3) float32, 0 where not known.
    pixels: Floats
    known: NDArray[np.bool_]
    hole: Mask
    #: The direction in which the colours differ most, (1, 3).
    direction: Floats

    @classmethod
    def at(cls, site: Site, options: TextureOptions) -> _Look:
        factor = options.factor(site.text_height)
        free = site.free.view(np.uint8)
        share = shrunk(free * np.uint8(255), factor) * np.float32(1 / 255)
        hole = np.where(shrunk(site.mask, factor) > 25, 255, 0).astype(np.uint8)
        known = (share > 0.9) & (hole == 0)
        near = grown(hole, round(options.near * options.look_height))
        levels = shrunk(np.asarray(cv2.copyTo(site.pixels, free), np.uint8), factor)
        known = alike(levels, known, known & near)
        weight = known / np.maximum(share, np.float32(0.9))
        pixels = np.asarray(cv2.multiply(levels, cv2.merge([weight] * 3), dtype=cv2.CV_32F), np.float32)
        seen = np.flatnonzero(known)
        colours = pixels.reshape(-1, 3)[seen[ground.thinned(len(seen))]]
        colours = colours - colours.mean(axis=0) if len(colours) > 3 else np.eye(3, dtype=np.float32)
        _, _, vectors = cv2.eigen(colours.T @ colours)
        direction = np.asarray(vectors[:1], np.float32)
        return cls(factor, round(site.text_height / factor), pixels, known, hole, direction)

    def grey(self, pixels: NDArray[np.generic]) -> Floats:
        """The channel that tells most, (H, W, 3) → (H, W)."""
        return np.asarray(cv2.transform(np.asarray(pixels, np.float32), self.direction), np.float32)

    def fine(self, site: Site, margin: int) -> float:
        """Variance of what is too fine for the look, as some rows and columns near the ink tell it."""
        side = min(self.factor, _FINEST)
        inner = padded(ink_box(site.mask), margin, site.mask)
        pixels, free = site.pixels[inner.slices], site.free[inner.slices]
        most = 0.0
        every, some = slice(None), slice(None, None, side)
        for cut, window in (((some, every), (side | 1, 1)), ((every, some), (1, side | 1))):
            grey = self.grey(pixels[cut])
            apart = cv2.absdiff(grey, cv2.blur(grey, window))
            most = max(most, cv2.mean(apart, np.ascontiguousarray(free[cut]).view(np.uint8))[0])
        return (_MEAN_TO_SIGMA * most) ** 2


def _light(wrong: Floats, beside: NDArray[np.bool_], side: int, most: float) -> Floats:
    """The change of light between the copies and the ground beside the ink, as means over squares tell it."""
    share = beside.astype(np.float32)
    total = cv2.blur(wrong * share[..., None], (side | 1, side | 1))
    share = np.maximum(cv2.blur(share, (side | 1, side | 1)), np.float32(1e-3))
    return np.asarray(np.clip(total / share[..., None], -most, most), np.float32)
