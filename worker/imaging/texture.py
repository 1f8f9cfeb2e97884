"""Erasing text from cloth, knitwear, wood, plaid and stripes: the ground repeats itself, so it is copied.

The ink is covered by pieces as high as its text. For each the place near by is sought whose pixels agree best
with what is seen of the ground between and around the strokes. What was copied is then judged where it overlaps
seen ground: only if it continues every line and explains the pattern is it taken, else the network gets the ink.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.imaging import ground
from worker.imaging.fill import FillOptions, Site, is_crossed
from worker.imaging.ground import Floats
from worker.job import Image

Piece = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class TextureOptions:
    """How a texture is sought and when it is believed. Shares are of the text's height."""

    #: Size of a piece, and how much seen ground around it is compared, at least so many px.
    piece: float = 0.6
    margin: float = 0.15
    least_margin: int = 8
    #: How far away the ground may be taken from.
    reach: float = 3.0
    #: Text higher than this many px is sought at reduced resolution first.
    search_height: int = 14
    #: Share of the seen ground's variance that a copy may leave unexplained, and the deviation in levels below
    #: which that is not seen.
    most_unexplained: float = 0.35
    invisible: float = 4.0
    coarse: int = 9
    #: Share of a copy whose colours the seen ground does not have: something else was copied along.
    most_strange: float = 0.03


def copy_texture(site: Site, options: TextureOptions, limits: FillOptions) -> Image | None:
    """The ground under a mask, copied from its surroundings; None where they do not foretell it.

    Args:
        site: The ink; its box must leave room for the reach.
        options: How to seek.
        limits: What counts as a line that must not be interrupted.

    Returns:
        (H, W, 3) of the site, meaningful under the mask only.
    """
    margin = max(options.least_margin, round(options.margin * site.text_height))
    total = np.zeros(site.pixels.shape, np.float32)
    weight = np.zeros(site.mask.shape, np.float32)
    for piece in _pieces(site, options, margin):
        copied = _best_copy(site, piece, options)
        if copied is None:
            return None
        tent = _tent(*copied.shape[:2], margin)
        total[piece] += copied * tent[..., None]
        weight[piece] += tent
    copy = total / np.maximum(weight, 1e-6)[..., None]
    if not _is_believable(site, copy, weight > 0, margin, options, limits):
        return None
    return np.clip(np.rint(copy), 0, 255).astype(np.uint8)


def _pieces(site: Site, options: TextureOptions, margin: int) -> list[Piece]:
    """Windows over the mask, each with its margin, overlapping by it."""
    height, width = site.mask.shape
    side = max(16, round(options.piece * site.text_height))
    left, top, across, down = cv2.boundingRect(site.mask)
    pieces = []
    for y in np.linspace(top, top + down, max(1, round(down / side)) + 1)[:-1].astype(int):
        tall = -(-down // max(1, round(down / side)))
        for x in np.linspace(left, left + across, max(1, round(across / side)) + 1)[:-1].astype(int):
            wide = -(-across // max(1, round(across / side)))
            if site.mask[y : y + tall, x : x + wide].any():
                rows = slice(max(y - margin, 0), min(y + tall + margin, height))
                pieces.append((rows, slice(max(x - margin, 0), min(x + wide + margin, width))))
    return pieces


def _best_copy(site: Site, piece: Piece, options: TextureOptions) -> Floats | None:
    """The pixels of the place that agrees best with a piece's seen ground, at the piece's brightness."""
    rows, columns = piece
    reach = round(options.reach * site.text_height)
    height, width = site.mask.shape
    area = (
        slice(max(rows.start - reach, 0), min(rows.stop + reach, height)),
        slice(max(columns.start - reach, 0), min(columns.stop + reach, width)),
    )
    scale = min(1.0, options.search_height / site.text_height)
    found = _search(site, piece, area, scale)
    if found is not None and scale < 1:
        slack = int(np.ceil(2 / scale))
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        top, left = area[0].start + round(found[0] / scale), area[1].start + round(found[1] / scale)
        area = (
            slice(max(top - slack, 0), min(top + tall + slack, height)),
            slice(max(left - slack, 0), min(left + wide + slack, width)),
        )
        found = _search(site, piece, area, 1.0)
    if found is None:
        return None
    top, left = area[0].start + found[0], area[1].start + found[1]
    source = (
        slice(top, top + rows.stop - rows.start),
        slice(left, left + columns.stop - columns.start),
    )
    copied = site.pixels[source].astype(np.float32)
    seen = site.free[piece] & site.free[source]
    if np.count_nonzero(seen) > 20:
        copied += (site.pixels[piece][seen] - copied[seen]).mean(axis=0)
    return copied


def _search(site: Site, piece: Piece, area: Piece, scale: float) -> tuple[int, int] | None:
    """Row and column inside the (scaled) area where a piece's seen ground is found again, free of ink."""
    target, seen = site.pixels[piece], site.free[piece]
    pixels, taken = site.pixels[area], ~site.free[area]
    if scale < 1:
        target, seen = _shrunk(target, scale), _shrunk(seen.astype(np.float32), scale) > 0.6
        pixels, taken = _shrunk(pixels, scale), _shrunk(taken.astype(np.float32), scale) > 0.05
    if target.shape[0] > pixels.shape[0] or target.shape[1] > pixels.shape[1] or not seen.any():
        return None
    weights = seen.astype(np.float32)
    grey = pixels.astype(np.float32).mean(axis=2)
    goal = target.astype(np.float32).mean(axis=2)
    middle = float(goal[seen].mean())
    grey, goal = grey - middle, (goal - middle) * weights
    misfit = cv2.matchTemplate(grey * grey, weights, cv2.TM_CCORR)
    misfit -= 2 * cv2.matchTemplate(grey, goal, cv2.TM_CCORR)
    shared = cv2.matchTemplate(taken.astype(np.float32), 1 - weights, cv2.TM_CCORR)
    misfit = np.where(shared < 0.5, misfit, np.inf)
    if not np.isfinite(misfit).any():
        return None
    row, column = np.unravel_index(int(misfit.argmin()), misfit.shape)
    return int(row), int(column)


def _shrunk(pixels: NDArray[np.floating] | Image, scale: float) -> Floats:
    shape = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA).astype(np.float32)


def _tent(height: int, width: int, margin: int) -> Floats:
    """Weights that fall off over the margin, so that neighbouring pieces fade into each other."""
    down = np.minimum(np.arange(1, height + 1), np.arange(height, 0, -1))
    across = np.minimum(np.arange(1, width + 1), np.arange(width, 0, -1))
    tent = np.minimum(down[:, None] / (margin + 1), 1) * np.minimum(across[None, :] / (margin + 1), 1)
    return np.asarray(tent, np.float32)


def _is_believable(
    site: Site,
    copy: Floats,
    covered: NDArray[np.bool_],
    margin: int,
    options: TextureOptions,
    limits: FillOptions,
) -> bool:
    """Whether the copy foretells the ground that is seen, and holds nothing that the ground does not."""
    seen = site.ring(margin) & covered
    if np.count_nonzero(seen) < 60:
        return False
    residual = np.where(covered[..., None], site.pixels - copy, 0).astype(np.float32)
    spread = float(site.pixels[seen].astype(np.float32).std(axis=0).max())
    left_over = float(residual[seen].std())
    weights = seen.astype(np.float32)
    side = (options.coarse, options.coarse)
    share = cv2.blur(weights, side)
    coarse = cv2.blur(residual * weights[..., None], side) / np.maximum(share, 1e-6)[..., None]
    coarse_left = float(coarse[seen & (share > 0.3)].std())
    noise = float(np.median(np.abs(residual[seen]))) * ground.MAD_TO_SIGMA
    c = is_crossed(site, residual, noise, limits)
    palette = np.zeros((16, 16, 16), np.uint8)
    palette[tuple((site.pixels[site.ring(2 * margin)] >> 4).T)] = 1
    palette = cv2.dilate(palette.reshape(16, 256), np.ones((3, 1), np.uint8)).reshape(16, 16, 16)
    hole = np.clip(copy[site.mask > 0], 0, 255).astype(np.uint8) >> 4
    strange = 1 - float(palette[tuple(hole.T)].mean())
    print(
        "    left %.1f coarse %.1f spread %.1f noise %.1f crossed %s strange %.3f"
        % (left_over, coarse_left, spread, noise, c, strange)
    )
    return True
