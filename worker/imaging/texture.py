"""Erasing text from cloth and wood: what rows and columns foretell, and over it the texture seen near by.

Threads, bands and planks are continued by `weave.py`. What they leave over (stitches, twill, grain) is
copied piece by piece from where it continues what is seen around the ink, on ground that the rows and
columns say is alike: first sought at reduced size, then placed to the pixel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.boxes import padded
from worker.imaging.ground import Floats
from worker.imaging.site import Site, alike, grown
from worker.imaging.weave import WeaveOptions, fitted, straightened, woven, wrongness
from worker.job import Box, Image, Mask


@dataclass(frozen=True, slots=True)
class TextureOptions:
    """How a texture is sought. Shares are of the text's height."""

    weave: WeaveOptions = field(default_factory=WeaveOptions)
    #: How far around the ink a ground is looked at, and at most so many px; nearer by if it is not woven so
    #: far (a swatch ends soon).
    reaches: tuple[float, ...] = (2.0, 1.4, 1.0)
    most_reach: int = 200
    #: Share of diffusion's squared error that rows and columns may leave, and when looked at nearer by.
    most_wrong: float = 0.85
    sure: float = 0.5
    #: Px that text is high in the look at reduced size.
    look_height: int = 16
    #: The ground this near to the ink says which colours it has.
    near: float = 0.6
    #: Size of a piece there, how much around it is compared, and how far away its like is sought, in px.
    piece: int = 8
    margin: int = 4
    search: int = 80
    #: Px around a piece over which it fades into its neighbours and is placed by.
    fade: int = 6
    #: How much what was already copied counts beside what is seen, and what rows and columns say.
    copied_weight: float = 0.6
    woven_weight: float = 0.1
    #: What has less to say than this about rows and columns is something else, and is not copied.
    least_usual: float = 0.1
    #: Deviation in levels below which what rows and columns leave over is not worth copying.
    least_texture: float = 1.5
    #: Times what a tenth of it exceeds beside the ink, beyond which what is left over is no texture.
    most_loud: float = 2.0
    #: The change of light a copy may be corrected by, in levels.
    most_light: float = 14.0

    def looks(self, text_height: float) -> Iterator[tuple[int, float]]:
        """How far a ground is looked at, in px, and how wrong rows and columns may be there."""
        for reach in self.reaches:
            most_wrong = self.most_wrong if reach == self.reaches[0] else self.sure
            yield min(round(reach * text_height), self.most_reach), most_wrong


@dataclass(frozen=True, slots=True, eq=False)
class Cloth:
    """The ground around some ink, looked at as something woven."""

    site: Site
    look: _Look
    #: Share of diffusion's squared error that rows and columns leave.
    wrong: float

    @classmethod
    def at(cls, site: Site, options: TextureOptions) -> Cloth:
        """Looks at ink and as much around it as the site holds."""
        site = site.unlettered(site.mask)
        look = _Look.at(site, options)
        grey = look.grey(look.pixels)
        return cls(site, look, wrongness(grey, look.known, look.hole, look.text_height, options.weave))

    def continued(self, options: TextureOptions) -> Image:
        """The ground under the ink, (H, W, 3) of the site, meaningful under the mask only."""
        site, look = self.site, self.look
        reach = options.weave.reach * look.text_height
        _, seen = woven(look.grey(look.pixels), look.known, reach)
        foretold = fitted(look.pixels, seen, reach)
        plain = self._threads(foretold, seen, reach)
        texture = _seen_over(site, plain)
        beside = site.ring(options.fade)
        if texture[beside].std() >= options.least_texture:
            loud = options.most_loud * ground.quantile(ground.largest(texture[beside].T), 0.9)
            np.clip(texture, -loud, loud, out=texture)
            level = _level(look.grey(plain), loud / 2)[..., None]
            texture *= level
            usual = look.known & (seen > options.least_usual)
            places = _sought(look, foretold, usual, options)
            copied, known = _placed(site, look, texture, places, options)
            light = _light(texture - copied, beside & known, look, options)
            plain += level * copied + light
        return cv2.convertScaleAbs(np.maximum(plain, 0)).astype(np.uint8, copy=False)

    def _threads(self, foretold: Floats, seen: Floats, reach: float) -> Floats:
        """What is foretold at reduced size, in full: with the threads' own edges, where they drift to."""
        site, look = self.site, self.look
        shape = (site.box.width, site.box.height)
        plain = np.asarray(cv2.resize(foretold, shape, interpolation=cv2.INTER_LINEAR), np.float32)
        told = np.asarray(cv2.resize(seen, shape, interpolation=cv2.INTER_LINEAR) * site.free, np.float32)
        plain += fitted(_seen_over(site, plain), told, reach / look.scale, rounds=1)
        wrong = look.grey(_seen_over(site, plain))
        return straightened(plain, look.grey(plain), wrong, told, round(site.text_height))


def _level(grey: Floats, most: float) -> Floats:
    """Down to 0 where a px more or less makes more of a difference than texture does: at threads' edges."""
    down = np.asarray(cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8), np.float32)
    across = np.asarray(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8), np.float32)
    slope = (down * down + across * across) / np.float32(max(most, 1.0) ** 2)
    return np.asarray(1 / (1 + slope), np.float32)


def _seen_over(site: Site, plain: Floats) -> Floats:
    """What is seen beyond what is foretold, 0 where it is not seen."""
    over = cv2.subtract(site.pixels, plain, dtype=cv2.CV_32F)
    return np.asarray(cv2.copyTo(over, site.free.view(np.uint8)), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A site at reduced size."""

    scale: float
    text_height: int
    #: (H, W, 3) float32, 0 where not known.
    pixels: Floats
    known: NDArray[np.bool_]
    hole: Mask
    #: The direction in which the colours differ most, (1, 3).
    direction: Floats

    @classmethod
    def at(cls, site: Site, options: TextureOptions) -> _Look:
        scale = min(1.0, options.look_height / site.text_height)
        free = np.where(site.free, 255, 0).astype(np.uint8)
        share = _shrunk(free, scale) / 255
        hole = np.where(_shrunk(site.mask, scale) > 25, 255, 0).astype(np.uint8)
        known = (share > 0.9) & (hole == 0)
        near = grown(hole, round(options.near * options.look_height))
        known &= alike(_shrunk(site.pixels, scale), known & near)
        pixels = _shrunk(cv2.copyTo(site.pixels, free).astype(np.uint8, copy=False), scale)
        pixels = np.asarray(pixels * (known / np.maximum(share, 0.9))[..., None], np.float32)
        seen = pixels[known]
        seen = seen[ground.thinned(len(seen))]
        _, vectors = np.linalg.eigh(np.cov(seen.T) if len(seen) > 3 else np.eye(3))
        direction = vectors[:, -1].astype(np.float32)[None]
        return cls(scale, round(scale * site.text_height), pixels, known, hole, direction)

    def grey(self, pixels: Floats) -> Floats:
        """The channel that tells most, (H, W, 3) → (H, W)."""
        return np.asarray(cv2.transform(pixels, self.direction), np.float32)


def _shrunk(pixels: NDArray[np.uint8], scale: float) -> Floats:
    shape = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Place:
    """A piece of the hole, and how far away (down, across) its like was found."""

    piece: Box
    shift: tuple[int, int]


def _sought(look: _Look, foretold: Floats, usual: NDArray[np.bool_], options: TextureOptions) -> list[_Place]:
    """For each piece of the hole, surest first, the place that continues what is seen around it."""
    grey = np.where(look.known, look.grey(look.pixels), look.grey(foretold)).astype(np.float32)
    weight = np.where(look.known, np.float32(1), np.float32(options.woven_weight))
    sheet = cv2.merge([grey * grey, grey])
    there = _Donors(usual)
    pieces = _pieces(look.hole, options.piece)
    pieces.sort(key=lambda piece: -weight[padded(piece, options.margin, weight).slices].mean())
    places = []
    for piece in pieces:
        around = padded(piece, options.margin, weight)
        inner, area = around.slices, padded(around, options.search, weight)
        sought = cv2.merge([weight[inner], -2 * grey[inner] * weight[inner]])
        cost = cv2.matchTemplate(sheet[area.slices], sought, cv2.TM_CCORR)
        whole = there.whole(around.height, around.width)[area.slices][: cost.shape[0], : cost.shape[1]]
        if not whole.any():
            continue
        _, _, (left, top), _ = cv2.minMaxLoc(cost, whole)
        left, top = left + area.left, top + area.top
        source = Box(left, top, left + around.width, top + around.height).slices
        missing = weight[inner] == options.woven_weight
        grey[inner][missing] = grey[source][missing]
        weight[inner][missing] = options.copied_weight
        places.append(_Place(piece, (top - around.top, left - around.left)))
    return places


class _Donors:
    """Where there is ground to copy."""

    def __init__(self, known: NDArray[np.bool_]) -> None:
        self._known = known.astype(np.uint8)
        self._whole: dict[tuple[int, int], Mask] = {}

    def whole(self, height: int, width: int) -> Mask:
        """The top left corners of windows of that size that hold nothing else."""
        if (height, width) not in self._whole:
            window = np.ones((height, width), np.uint8)
            whole = cv2.erode(self._known, window, anchor=(0, 0), borderValue=0)
            self._whole[height, width] = whole.astype(np.uint8)
        return self._whole[height, width]


def _pieces(hole: Mask, side: int) -> list[Box]:
    """Boxes of about so many px that cover a hole."""
    left, top, width, height = cv2.boundingRect(hole)
    columns = np.linspace(left, left + width, max(1, round(width / side)) + 1).astype(int).tolist()
    rows = np.linspace(top, top + height, max(1, round(height / side)) + 1).astype(int).tolist()
    return [
        Box(x0, y0, x1, y1)
        for y0, y1 in pairwise(rows)
        for x0, x1 in pairwise(columns)
        if hole[y0:y1, x0:x1].any()
    ]


def _placed(
    site: Site, look: _Look, texture: Floats, places: Sequence[_Place], options: TextureOptions
) -> tuple[Floats, NDArray[np.bool_]]:
    """The pieces' texture at full size, each placed to the pixel, and where there is any."""
    total = np.zeros_like(texture)
    weight = np.full(site.mask.shape, 1e-6, np.float32)
    grey, seen = look.grey(texture), site.free.astype(np.float32)
    sheet = cv2.merge([grey * grey, grey])
    slack = int(np.ceil(1 / look.scale))
    for place in places:
        around = padded(_grown(place.piece, 1 / look.scale), options.fade, seen)
        inner = around.slices
        area = _reached(around, place.shift, look.scale, slack, seen)
        goal = cv2.merge([seen[inner], -2 * grey[inner] * seen[inner]])
        _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(sheet[area.slices], goal, cv2.TM_CCORR))
        left, top = left + area.left, top + area.top
        source = Box(left, top, left + around.width, top + around.height).slices
        fade = _tent(around.height, around.width, options.fade)
        total[inner] += texture[source] * fade[..., None]
        weight[inner] += fade
        missing = seen[inner] == 0
        grey[inner][missing] = grey[source][missing]
        seen[inner][missing] = options.copied_weight
    return total / weight[..., None], weight > 1e-3


def _grown(box: Box, factor: float) -> Box:
    return Box(*(round(factor * edge) for edge in (box.left, box.top, box.right, box.bottom)))


def _reached(around: Box, shift: tuple[int, int], scale: float, slack: int, picture: Floats) -> Box:
    """Where a box lies after a shift at reduced size, and some px around it; at least as large as the box."""
    height, width = picture.shape
    top = min(max(around.top + round(shift[0] / scale), 0), height - around.height)
    left = min(max(around.left + round(shift[1] / scale), 0), width - around.width)
    return padded(Box(left, top, left + around.width, top + around.height), slack, picture)


def _tent(height: int, width: int, fade: int) -> Floats:
    """Weights that fall off over the margin, so that neighbouring pieces fade into each other."""
    down = np.minimum(np.arange(1, height + 1), np.arange(height, 0, -1)) / (fade + 1)
    across = np.minimum(np.arange(1, width + 1), np.arange(width, 0, -1)) / (fade + 1)
    tent = np.minimum(down[:, None], 1) * np.minimum(across[None, :], 1)
    return np.asarray(tent * tent, np.float32)


def _light(wrong: Floats, beside: NDArray[np.bool_], look: _Look, options: TextureOptions) -> Floats:
    """The change of light between the copies and the ground beside the ink, over about a text's height."""
    height, width = look.known.shape
    share = cv2.resize(beside.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    total = cv2.resize(
        cv2.copyTo(wrong, beside.view(np.uint8)), (width, height), interpolation=cv2.INTER_AREA
    )
    side = (look.text_height | 1, look.text_height | 1)
    light = cv2.blur(total, side) / np.maximum(cv2.blur(share, side), np.float32(1e-3))[..., None]
    light = np.clip(light, -options.most_light, options.most_light)
    return np.asarray(cv2.resize(light, beside.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
