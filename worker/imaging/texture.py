"""Erasing text from cloth and wood: what rows and columns foretell, and over it the texture seen near by.

Threads, bands and planks are continued by `weave.py`. What they leave over (stitches, twill, grain) is
copied piece by piece from where it continues what is seen around the ink (`pieces.py`), on ground that the
rows and columns say is alike. Both are found at reduced size; at full size threads get their own edges and
pieces are placed to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import ink_box, inside, padded, union
from worker.imaging.ground import Floats
from worker.imaging.pieces import Levels, PieceOptions, Places, Texture, covered, reached, sought
from worker.imaging.site import Site, alike, grown, shrunk
from worker.imaging.twill import Dyed, Twill, TwillOptions
from worker.imaging.weave import Loom, WeaveOptions, drifted, resized, threads_down, tried
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
    twill: TwillOptions = field(default_factory=TwillOptions)
    #: How far around the ink a ground is looked at, and at most so many px.
    reach: float = 2.0
    most_reach: int = 200
    #: Share of diffusion's squared error that rows and columns may leave: cloth and wood leave up to 0.9 (few
    #: a little over 1), pictures 1.1 and more.
    most_wrong: float = 1.0
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
        site, look, pieces = self.site, self.look, options.pieces
        loom = Loom.of(self.told.shape, options.weave.reach * look.text_height)
        mean, rows, columns = loom.threads(np.stack(cv2.split(look.pixels)), self.told)
        usual = look.known & (self.told > options.least_usual)
        twill = Twill.of(site.pixels, look.direction, mean, rows, columns, usual, options.twill)
        foretold = np.asarray(cv2.merge([*(rows + columns + mean[:, None, None])]))
        seen = look.grey(cv2.copyTo(look.pixels, look.known.view(np.uint8), foretold.copy()))
        places = sought(seen, look.known, usual, look.hole, pieces)
        low = self._needed(places, pieces)
        down, across = self._threads(foretold, usual, loom, low)
        plain = np.asarray(cv2.add(down, across, dtype=cv2.CV_8U), np.uint8)
        dyed = None if twill is None else twill.dyed(down, across, low)
        places[:, 0] -= (low.top, low.left)
        whole = site.pixels.copy()
        whole[_times(low, look.factor).slices] = self._part(low)._filled(plain, dyed, places, options)
        return whole[: site.box.height, : site.box.width]

    def _inner(self, options: PieceOptions) -> Box:
        """What holds the ink, all pieces and their fading margins."""
        box = _times(covered(self.look.hole, options.side), self.look.factor)
        return padded(union(ink_box(self.site.mask), box), options.fade, self.site.mask)

    def _needed(self, places: Places, options: PieceOptions) -> Box:
        """What holds all that is looked at in full and copied, in the look's px."""
        factor, told = self.look.factor, self.told
        inner = padded(_divided(self._inner(options), factor), self.look.text_height // 2 + 1, told)
        if not len(places):
            return inner
        # a px each for what is rounded, for placing and for slopes at the end
        return union(inner, padded(reached(places, options), options.fade // factor + 3, told))

    def _part(self, low: Box) -> Cloth:
        """What lies in a box of it, given in the look's px."""
        site = self.site.part(_times(low, self.look.factor))
        return replace(self, site=site, look=self.look.part(low), told=self.told[low.slices])

    def _filled(self, plain: Image, dyed: Dyed | None, places: Places, options: TextureOptions) -> Image:
        """The site with what threads and pieces say of it under the ink.

        Args:
            plain: What threads foretell, (H, W, 3). Changed: in the end they drift.
            dyed: How threads down and across differ, where they do.
            places: Where pieces come from.
            options: How.
        """
        site, look, pieces = self.site, self.look, options.pieces
        inner = self._inner(pieces)
        plain[inner.slices] = self._drifted(plain, inner)
        seen = cv2.copyTo(site.pixels, site.free.view(np.uint8), plain.copy())
        over = np.asarray(cv2.subtract(seen, plain, dtype=cv2.CV_16S), np.int16)
        beside = grown(site.mask[inner.slices], pieces.fade) & site.free[inner.slices]
        rest = over[inner.slices][::2, ::2][beside[::2, ::2]].astype(np.float32)
        filled = plain[inner.slices].astype(np.float32)
        if rest.size and rest.std() >= options.least_texture:
            loud = max(round(options.most_loud * ground.quantile(ground.largest(rest.T), 0.9)), 1)
            np.clip(over, -loud, loud, out=over)
            level = cv2.merge([_level(plain, loud / 2)] * 3)
            soft = np.asarray(cv2.multiply(over, level, dtype=cv2.CV_32F), np.float32)
            plainly = Texture(soft, look.grey(soft), site.free)
            texture = plainly if dyed is None else dyed.bare(plainly, look.direction)
            copied, known = texture.placed(places, inner, look.factor, pieces)
            copied = copied if dyed is None else dyed.coloured(copied, inner)
            low = (slice(look.factor // 2, None, look.factor),) * 2
            wrong = soft[inner.slices][low] - copied[low]
            light = _light(wrong, (beside & known)[low], look.text_height, options.most_light)
            filled += resized(light, beside.shape)
            cv2.accumulateProduct(copied, level[inner.slices], filled)
        whole = site.pixels.copy()
        whole[inner.slices] = cv2.convertScaleAbs(np.maximum(filled, 0, out=filled))
        return whole

    def _threads(
        self, foretold: Floats, usual: NDArray[np.bool_], loom: Loom, low: Box
    ) -> tuple[Levels, Levels]:
        """What is foretold at reduced size, in full, with threads that have edges, down and across.

        A part of it: all but the edges of threads across, and those, which add up.
        """
        site, part = self.site, _times(low, self.look.factor)
        told = resized(usual.view(np.uint8), site.mask.shape, cv2.INTER_NEAREST)
        seen = np.asarray(cv2.bitwise_and(told, site.free.view(np.uint8)), np.uint8)
        (rows, columns), (tall, wide) = low.slices, part.slices
        plain, down = threads_down(foretold[:, columns], site.pixels[:, wide], seen[:, wide], loom.rows)
        _, across = threads_down(
            _turned(foretold[rows]), _turned(site.pixels[tall]), _turned(seen[tall]), loom.columns.T
        )
        plain += down
        shape = (part.height, part.width)
        return resized(_levels(plain[rows]), shape), resized(_levels(_turned(across[columns])), shape)

    def _drifted(self, plain: Image, inner: Box) -> Image:
        """The threads of a box where they drift to, as some rows and columns of it and around it tell."""
        factor, side = self.look.factor, self.look.text_height
        low = padded(_divided(inner, factor), side // 2, self.told)
        part, shape = _times(low, factor), (low.height, low.width)
        free, pixels, plain = self.site.free[part.slices], self.site.pixels[part.slices], plain[part.slices]
        told = self.told[low.slices]
        at = np.indices(free.shape, np.float32)
        for axis in (0, 1):
            some = slice(factor // 2, None, 2 * factor)
            cut = (some, slice(None)) if axis else (slice(None), some)
            foretold, seen = (self.look.grey(each[cut]) for each in (plain, pixels))
            seen -= foretold
            drift = drifted(foretold, seen, resized(told, seen.shape) * free[cut], axis, shape, side)
            at[axis] += resized(drift, free.shape)
        down, across = at[:, *inside(inner, part).slices]
        return np.asarray(
            cv2.remap(plain, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )


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


def _level(plain: Image, most: float) -> Floats:
    """Down to 0 where a px more or less makes more of a difference than texture does: at threads' edges."""
    grey = cv2.cvtColor(plain, cv2.COLOR_RGB2GRAY)
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

    def part(self, box: Box) -> _Look:
        """What lies in a box of it."""
        pixels, known, hole = self.pixels[box.slices], self.known[box.slices], self.hole[box.slices]
        return replace(self, pixels=pixels, known=known, hole=hole)

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
