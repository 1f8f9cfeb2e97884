"""Erasing text from cloth and wood: what rows and columns foretell, and over it the texture seen near by.

Threads, bands and planks are continued by `weave.py`. What they leave over (stitches, twill, grain) is
copied piece by piece from where it continues what is seen around the ink (`pieces.py`), on ground that the
rows and columns say is alike. Both are found at reduced size; at full size threads get their own edges and
pieces are placed to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import ink_box, padded
from worker.imaging.ground import Floats
from worker.imaging.pieces import Levels, PieceOptions, Texture, sought
from worker.imaging.site import Site, alike, grown
from worker.imaging.weave import Profiles, WeaveOptions, drifted, fitted, resized, tried
from worker.job import Box, Image, Mask

#: Of any number of channels.
Pixels = TypeVar("Pixels", Image, Floats)
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
        foretold = fitted(look.pixels, self.told, reach)
        # no piece and none of its fading margin lies further out
        spare = options.pieces.fade + (options.pieces.side + 1) * look.factor
        inner = padded(ink_box(site.mask), spare, site.mask)
        plain, over = self._threads(foretold, reach, inner)
        beside = site.ring(options.pieces.fade)[inner.slices]
        rest = over[inner.slices][beside].astype(np.float32)
        filled = plain[inner.slices].astype(np.float32)
        if rest.size and rest.std() >= options.least_texture:
            loud = max(round(options.most_loud * ground.quantile(ground.largest(rest.T), 0.9)), 1)
            np.clip(over, -loud, loud, out=over)
            level = cv2.merge([_level(cv2.transform(plain, look.direction), loud / 2)] * 3)
            soft = np.asarray(cv2.multiply(over, level, dtype=cv2.CV_32F), np.float32)
            texture = Texture(soft, look.grey(soft), site.free)
            usual = look.known & (self.told > options.least_usual)
            seen = look.grey(np.where(look.known[..., None], look.pixels, foretold))
            places = sought(seen, look.known, usual, look.hole, options.pieces)
            copied, known = texture.placed(places, inner, look.factor, options.pieces)
            filled += _light(soft[inner.slices] - copied, beside & known, look, options.most_light)
            cv2.accumulateProduct(copied, level[inner.slices], filled)
        whole = site.pixels.copy()
        whole[inner.slices] = cv2.convertScaleAbs(np.maximum(filled, 0, out=filled))
        return whole[: site.box.height, : site.box.width]

    def _threads(self, foretold: Floats, reach: float, inner: Box) -> tuple[Levels, Levels]:
        """What is foretold at reduced size, in full: with threads that have edges and in a box drift.

        Returns:
            That, and what is seen beyond it, 0 where nothing is; both (H, W, 3).
        """
        site = self.site
        free, pixels = site.free.view(np.uint8), site.pixels.astype(np.int16)
        down = _threads_down(site.pixels, free, foretold, self.told, reach)
        across = _turned(
            _threads_down(_turned(site.pixels), _turned(free), _turned(foretold), _turned(self.told), reach)
        )
        plain = resized(_levels(foretold), free.shape)
        for threads in (down, across):
            cv2.add(plain, resized(_levels(threads), free.shape), plain)
        over = np.asarray(cv2.copyTo(cv2.subtract(pixels, plain), free), np.int16)
        at = np.indices((inner.height, inner.width), np.float32)
        for axis, first in ((0, inner.top), (1, inner.left)):
            drift = self._drift(plain, over, axis)
            at[axis] += resized(drift, site.mask.shape)[inner.slices]
            at[axis] += first
        straight = cv2.remap(plain, at[1], at[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        plain[inner.slices] = straight
        rest = cv2.subtract(pixels[inner.slices], straight)
        over[inner.slices] = cv2.copyTo(rest, free[inner.slices])
        return plain, over

    def _drift(self, plain: Levels, over: Levels, axis: int) -> Floats:
        """Px by which threads drift down (across), of the look's shape; read off some columns (rows)."""
        step = 2 * self.look.factor
        some = slice(min(step, self.site.mask.shape[1 - axis]) // 2, None, step)
        cut = (some, slice(None)) if axis else (slice(None), some)
        grey, wrong = self.look.grey(plain[cut]), self.look.grey(over[cut])
        told = resized(self.told, grey.shape) * self.site.free[cut]
        return drifted(grey, wrong, told, axis, self.told.shape, self.look.text_height)


def _threads_down(pixels: Image, free: Mask, foretold: Floats, told: Floats, reach: float) -> Floats:
    """Threads that run down and are seen beyond what is foretold at reduced size, (groups, W, 3)."""
    sums, count = _squeezed(pixels, free, len(free) // len(told))
    say = resized(told, count.shape)
    seen = count * say
    rest = cv2.multiply(sums, cv2.merge([say] * 3), dtype=cv2.CV_32F)
    usual = cv2.multiply(resized(foretold, count.shape), cv2.merge([seen] * 3))
    return Profiles.along(seen, reach).of(np.asarray(cv2.subtract(rest, usual), np.float32))


def _turned(picture: Pixels) -> Pixels:
    """Rows as columns."""
    return np.asarray(cv2.transpose(picture), picture.dtype)


def _levels(picture: Floats) -> Levels:
    return np.rint(picture).astype(np.int16)


def _level(grey: NDArray[Any], most: float) -> Floats:
    """Down to 0 where a px more or less makes more of a difference than texture does: at threads' edges."""
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
        sums, count = _squeezed(site.pixels, site.free.view(np.uint8), factor)
        share = _shrunk(count, 1, factor) / factor
        hole = np.where(_shrunk(site.mask, factor, factor) > 25, 255, 0).astype(np.uint8)
        known = (share > 0.9) & (hole == 0)
        near = grown(hole, round(options.near * options.look_height))
        pixels = _shrunk(sums, 1, factor)
        pixels *= (1 / (factor * np.maximum(share, np.float32(0.9))))[..., None]
        known = alike(np.minimum(pixels, 255), known, known & near)
        pixels *= known[..., None]
        seen = np.flatnonzero(known)
        colours = pixels.reshape(-1, 3)[seen[ground.thinned(len(seen))]]
        colours = colours - colours.mean(axis=0) if len(colours) > 3 else np.eye(3, dtype=np.float32)
        _, vectors = np.linalg.eigh(colours.T @ colours)
        direction = vectors[:, -1].astype(np.float32)[None]
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
            apart = np.abs(grey - cv2.blur(grey, window))[free[cut]]
            most = max(most, _MEAN_TO_SIGMA * float(apart.mean()) if apart.size else 0.0)
        return most**2


def _shrunk(pixels: NDArray[np.uint8] | NDArray[np.uint16], down: int, across: int) -> Floats:
    """Means over so many rows and columns; the sides are multiples of that."""
    height, width = pixels.shape[0] // down, pixels.shape[1] // across
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def _squeezed(pixels: Image, free: Mask, factor: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Sums over so many rows of what is free (not 0), (H / factor, W, 3), and of free, (H / factor, W)."""
    height, width = free.shape
    seen = cv2.copyTo(pixels, free).reshape(height // factor, factor, width * 3)
    sums = seen.sum(axis=1, dtype=np.uint16).reshape(height // factor, width, 3)
    return sums, free.reshape(height // factor, factor, width).sum(axis=1, dtype=np.uint8)


def _light(wrong: Floats, beside: NDArray[np.bool_], look: _Look, most: float) -> Floats:
    """The change of light between the copies and the ground beside the ink, over about a text's height."""
    height, width = (max(1, side // look.factor) for side in beside.shape)
    share = np.asarray(cv2.resize(beside.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA))
    total = cv2.resize(
        cv2.copyTo(wrong, beside.view(np.uint8)), (width, height), interpolation=cv2.INTER_AREA
    )
    side = (look.text_height | 1, look.text_height | 1)
    light = cv2.blur(total, side) / np.maximum(cv2.blur(share, side), np.float32(1e-3))[..., None]
    return resized(np.clip(light, -most, most), beside.shape)
