"""Erasing text from knitwear, linen, wood grain: texture over smooth shading is copied.

The shading is a surface, as in `fill.py`; the texture is what the local mean leaves over. The ink is covered
by small pieces, and for each the place near by is sought whose texture agrees best with what is seen between
and around the strokes. Patterns coarser than that (stripes, plaid, pictures) depart from the surface:
`pattern.py` or the network gets the ink.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.fill import FillOptions, is_crossed
from worker.imaging.ground import Floats
from worker.imaging.site import Site, roughness
from worker.job import Image

Piece = tuple[slice, slice]

#: Fewer pixels of seen ground than this tell nothing about its texture.
_FEWEST = 200


@dataclass(frozen=True, slots=True)
class TextureOptions:
    """How a texture is sought and when it is believed. Shares are of the text's height."""

    #: Size of a piece, and how much seen ground around it is compared, each at least so many px.
    piece: float = 0.6
    least_piece: int = 16
    margin: float = 0.15
    least_margin: int = 8
    #: How far away texture may be taken from.
    reach: float = 3.0
    most_reach: int = 200
    #: Text higher than this many px is sought at reduced resolution first: three times as fast.
    search_height: int = 14
    #: Steps between neighbouring pixels, in levels, below which the ground is no texture.
    least_roughness: float = 2.5
    #: Means over squares of this side, and at least so many px, are shading: it must lie on the surface with
    #: at most this deviation in levels; beyond so many deviations and levels something else begins, ...
    coarse: float = 0.6
    least_coarse: int = 15
    most_shading: float = 7.0
    most_deviation: float = 60.0
    object_sigmas: float = 3.5
    object_levels: float = 12.0
    #: ... as it does where the texture's energy leaves this range around the usual, or the shading goes so
    #: far from the ring's. The ring may hold so much of it.
    least_energy: float = 0.25
    most_energy: float = 3.5
    most_shift: float = 24.0
    most_objects: float = 0.06
    #: The copy must foretell the shading next to the ink this closely, in levels, and no line that leaves the
    #: ink may depart from it by so many deviations.
    most_wrong: float = 6.0
    crossing_sigmas: float = 2.5

    def px_margin(self, text_height: float) -> int:
        """How much seen ground around a piece is compared, in px."""
        return max(self.least_margin, round(self.margin * text_height))

    def px_coarse(self, text_height: float) -> int:
        """Side of the squares whose mean is shading, in px; odd."""
        return max(self.least_coarse, round(self.coarse * text_height)) | 1

    def px_reach(self, text_height: float) -> int:
        """How far away texture is sought, in px."""
        return min(round(self.reach * text_height), self.most_reach)


def is_textured(site: Site, options: TextureOptions) -> bool:
    """Whether a look at the ground next to the ink makes a copy worth trying."""
    site = site.unlettered(site.mask)
    margin = options.px_margin(site.text_height)
    if roughness(site.pixels, site.ring(2 * options.least_margin)) < options.least_roughness:
        return False
    return _split(site, site.ring(2 * margin), options) is not None


def copy_texture(site: Site, options: TextureOptions, limits: FillOptions) -> Image | None:
    """The ground under a mask, its texture copied from its surroundings; None where that cannot be trusted.

    Args:
        site: The ink; its box must leave room for the reach.
        options: How to seek.
        limits: What counts as a line that must not be interrupted.

    Returns:
        (H, W, 3) of the site, meaningful under the mask only.
    """
    site = site.unlettered(site.mask)
    margin = options.px_margin(site.text_height)
    split = _split(site, site.ring(2 * margin), options)
    if split is None:
        return None
    surface, texture, donors = split
    pieces = _pieces(site, margin, options)
    inner = _bounds(pieces)
    copied, covered = _copied(texture, donors, pieces, margin, site.text_height, options)
    if copied is None:
        return None
    tall, wide = covered[inner].shape
    filled = copied[inner] + surface.over(wide, tall, left=inner[1].start, top=inner[0].start)
    wrong = np.asarray(site.pixels[inner] - filled, np.float32) * covered[inner][..., None]
    covered &= site.ring(margin) & donors
    if not _is_right(
        site, wrong, covered, inner, replace(limits, outlier_sigmas=options.crossing_sigmas), options
    ):
        return None
    plate = site.pixels.copy()
    plate[inner] = cv2.convertScaleAbs(np.maximum(filled, 0))
    return plate


def _is_right(
    site: Site,
    wrong: Floats,
    seen: NDArray[np.bool_],
    inner: Piece,
    limits: FillOptions,
    options: TextureOptions,
) -> bool:
    """Whether a copy foretells the ground that is seen, in its shading and wherever something runs in."""
    known = seen[inner]
    if not known.any():
        return False
    side = options.px_coarse(site.text_height)
    if float(ground.local_mean(wrong, known, side)[known].std()) > options.most_wrong:
        return False
    noise = ground.quantile(np.abs(wrong[known]).ravel(), 0.5) * ground.MAD_TO_SIGMA
    departure = np.zeros(seen.shape, np.float32)
    departure[inner] = ground.departure(wrong)
    return not is_crossed(site, departure, noise, limits)


def _split(
    site: Site, ring: NDArray[np.bool_], options: TextureOptions
) -> tuple[ground.Surface, Floats, NDArray[np.bool_]] | None:
    """The surface under a site, the texture over its shading, and where that is the usual one.

    None where the ring's shading is uneven or it holds something else.
    """
    rows, columns = np.nonzero(ring)
    if len(rows) < _FEWEST:
        return None
    few = ground.thinned(len(rows))
    rows, columns = rows[few], columns[few]
    points = ground.Points.of(columns, rows, site.pixels[rows, columns].astype(np.float32), 2)
    surface = ground.fit(points, 2)
    if surface.sigma > options.most_deviation:
        return None
    plain = surface.over(site.box.width, site.box.height)
    side = options.px_coarse(site.text_height)
    shading = ground.local_mean(site.pixels, site.free, side)
    texture = np.asarray(cv2.subtract(site.pixels, shading, dtype=cv2.CV_32F), np.float32)
    donors = _donors(shading, plain, texture, site.free, ring, side, options)
    return None if donors is None else (surface, texture, donors)


def _donors(
    shading: Floats,
    plain: Floats,
    texture: Floats,
    free: NDArray[np.bool_],
    ring: NDArray[np.bool_],
    side: int,
    options: TextureOptions,
) -> NDArray[np.bool_] | None:
    """Pixels with the usual texture; None where the ring's shading is uneven or it holds something else."""
    uneven = ground.departure(shading, plain)[ring]
    sigma = ground.MAD_TO_SIGMA * float(np.median(uneven))
    if sigma > options.most_shading:
        return None
    energy = ground.local_mean(ground.grey(texture) ** 2, free, side)
    usual = float(np.median(energy[ring]))
    alike = (energy > options.least_energy * usual) & (energy < options.most_energy * usual)
    strange = (uneven > max(options.object_sigmas * sigma, options.object_levels)) | ~alike[ring]
    if strange.mean() > options.most_objects:
        return None
    low, high = shading[ring].min(axis=0) - options.most_shift, shading[ring].max(axis=0) + options.most_shift
    within = cv2.inRange(shading, tuple(map(float, low)), tuple(map(float, high))) > 0
    return np.asarray(free & alike & within, bool)


def _copied(
    texture: Floats,
    donors: NDArray[np.bool_],
    pieces: list[Piece],
    margin: int,
    text_height: float,
    options: TextureOptions,
) -> tuple[Floats | None, NDArray[np.bool_]]:
    """Texture for the mask and its margin, and where it is known."""
    total = np.zeros(texture.shape, np.float32)
    weight = np.zeros(donors.shape, np.float32)
    grey = ground.grey(texture)
    for piece in pieces:
        place = _found(grey, donors, piece, text_height, options)
        if place is None:
            return None, weight > 0
        rows, columns = piece
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        tent = _tent(tall, wide, margin)
        total[piece] += texture[place[0] : place[0] + tall, place[1] : place[1] + wide] * tent[..., None]
        weight[piece] += tent
    inner = _bounds(pieces)
    total[inner] /= np.maximum(weight[inner], 1e-6)[..., None]
    return total, weight > 0


def _bounds(pieces: list[Piece]) -> Piece:
    """The rows and columns that pieces take."""
    rows, columns = zip(*pieces, strict=True)
    return (
        slice(min(each.start for each in rows), max(each.stop for each in rows)),
        slice(min(each.start for each in columns), max(each.stop for each in columns)),
    )


def _pieces(site: Site, margin: int, options: TextureOptions) -> list[Piece]:
    """Windows over the mask, each with its margin, overlapping by it."""
    height, width = site.mask.shape
    side = max(options.least_piece, round(options.piece * site.text_height))
    left, top, across, down = cv2.boundingRect(site.mask)
    pieces = []
    for y in range(top, top + down, side):
        for x in range(left, left + across, side):
            if site.mask[y : y + side, x : x + side].any():
                rows = slice(max(y - margin, 0), min(y + side + margin, height))
                pieces.append((rows, slice(max(x - margin, 0), min(x + side + margin, width))))
    return pieces


def _found(
    grey: Floats, donors: NDArray[np.bool_], piece: Piece, text_height: float, options: TextureOptions
) -> tuple[int, int] | None:
    """Top and left of the place whose texture continues a piece's best: coarsely first, then to the pixel."""
    rows, columns = piece
    reach = options.px_reach(text_height)
    area = _around(rows.start, columns.start, piece, reach, grey.shape)
    scale = min(1.0, options.search_height / text_height)
    place = _best_match(grey, donors, piece, area, scale)
    if place is None or scale == 1.0:
        return place
    area = _around(*place, piece, int(np.ceil(2 / scale)), grey.shape)
    return _best_match(grey, donors, piece, area, 1.0)


def _around(top: int, left: int, piece: Piece, slack: int, shape: tuple[int, ...]) -> Piece:
    """A window as large as the piece at a place, grown by some px inside the picture."""
    tall, wide = piece[0].stop - piece[0].start, piece[1].stop - piece[1].start
    return (
        slice(max(top - slack, 0), min(top + tall + slack, shape[0])),
        slice(max(left - slack, 0), min(left + wide + slack, shape[1])),
    )


def _best_match(
    grey: Floats, donors: NDArray[np.bool_], piece: Piece, area: Piece, scale: float
) -> tuple[int, int] | None:
    """Where in an area the seen texture of a piece is found again, with texture where the piece has none."""
    goal, seen = _shrunk(grey[piece], scale), _shrunk(donors[piece].astype(np.float32), scale)
    texture, usable = _shrunk(grey[area], scale), _shrunk(donors[area].astype(np.float32), scale)
    seen, unusable = (seen > 0.6).astype(np.float32), (usable < 0.95).astype(np.float32)
    if goal.shape[0] > texture.shape[0] or goal.shape[1] > texture.shape[1] or not seen.any():
        return None
    energy = cv2.matchTemplate(texture * texture, seen, cv2.TM_CCORR)
    misfit = energy - 2 * cv2.matchTemplate(texture, goal * seen, cv2.TM_CCORR)
    missing = cv2.matchTemplate(unusable, 1 - seen, cv2.TM_CCORR)
    misfit = np.where(missing < 0.5, misfit, np.inf)
    row, column = np.unravel_index(int(misfit.argmin()), misfit.shape)
    if not np.isfinite(misfit[row, column]):
        return None
    top = min(area[0].start + round(int(row) / scale), grey.shape[0] - (piece[0].stop - piece[0].start))
    left = min(area[1].start + round(int(column) / scale), grey.shape[1] - (piece[1].stop - piece[1].start))
    return top, left


def _shrunk(pixels: Floats, scale: float) -> Floats:
    if scale == 1.0:
        return pixels
    shape = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA), np.float32)


def _tent(height: int, width: int, margin: int) -> Floats:
    """Weights that fall off over the margin, so that neighbouring pieces fade into each other."""
    down = np.minimum(np.arange(1, height + 1), np.arange(height, 0, -1)) / (margin + 1)
    across = np.minimum(np.arange(1, width + 1), np.arange(width, 0, -1)) / (margin + 1)
    return np.asarray(np.minimum(down[:, None], 1) * np.minimum(across[None, :], 1), np.float32)
