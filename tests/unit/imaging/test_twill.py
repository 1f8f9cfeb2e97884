"""Cloth of coloured threads: the weave goes on in the colours of the threads that cross."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from worker.imaging.ground import Floats
from worker.imaging.pieces import Texture
from worker.imaging.site import Site
from worker.imaging.texture import Cloth, TextureOptions
from worker.imaging.twill import Dyed, Twill, TwillOptions
from worker.job import Box, Image

_HEIGHT, _WIDTH = 300, 480
_HOLE = Box(120, 130, 360, 172)


def threads(colours: list[tuple[int, int, int]], widths: tuple[int, ...], length: int) -> Floats:
    """The colour of each of so many threads side by side, (length, 3)."""
    bands = np.repeat(np.array(colours, np.float32), widths, axis=0)
    return np.asarray(np.tile(bands, (-(-length // len(bands)), 1))[:length], np.float32)


def twill(height: int, width: int) -> Floats:
    """How far the thread down lies on top, -1..1."""
    y, x = np.mgrid[0:height, 0:width]
    return np.asarray(np.tanh(2.2 * np.sin(2 * np.pi * (x + y) / 5.2)), np.float32)


def plaid(height: int, width: int) -> Image:
    """Twilled plaid with bands of no simple period."""
    colours = [(176, 138, 91), (39, 51, 46), (243, 227, 191), (61, 79, 69)]
    down = threads(colours, (52, 37, 7, 23), width)[None]
    across = threads(colours[::-1], (29, 11, 47, 41), height)[:, None]
    on_top = twill(height, width)[..., None]
    noise = np.random.default_rng(3).normal(0, 2, (height, width, 1))
    return np.clip(np.rint((down + across + on_top * (down - across)) / 2 + noise), 0, 255).astype(np.uint8)


def continued(ground: Image, hole: Box, text_height: float) -> tuple[Image, Image]:
    """What is put into a hole in a cloth, and what was there."""
    mask = np.zeros(ground.shape[:2], np.uint8)
    mask[hole.slices] = 255
    free = mask == 0
    page = np.where(free[..., None], ground, 255).astype(np.uint8)
    box = Box(0, 0, ground.shape[1], ground.shape[0])
    cloth = Cloth.at(Site(box, page, mask, free, free, text_height), TextureOptions())
    return cloth.continued(TextureOptions())[hole.slices], ground[hole.slices]


@pytest.mark.parametrize("text_height", [28.0, 48.0])
def test_twill_goes_on_in_the_colours_of_both_threads(text_height: float) -> None:
    ours, truth = (each.astype(np.float32) for each in continued(plaid(_HEIGHT, _WIDTH), _HOLE, text_height))
    wrong, seen = ours - truth, truth - cv2.blur(truth, (11, 11))
    assert (wrong**2).mean() < 0.22 * (seen**2).mean()
    # neither flat nor louder than the cloth anywhere
    loud, right = (
        cv2.blur((each - cv2.blur(each, (11, 11))) ** 2, (31, 31)).mean(axis=2) for each in (ours, truth)
    )
    assert np.quantile(loud / right, 0.05) > 0.3
    assert np.quantile(loud / right, 0.95) < 1.7


def profiles(down: Floats, across: Floats, on_top: Floats) -> tuple[Image, Floats, Floats, Floats]:
    """A cloth of grey threads, its mean, and what rows and columns show beside it, all at one size."""
    levels = (down[None] + across[:, None] + on_top * (down[None] - across[:, None])) / 2
    pixels = np.clip(np.rint(cv2.merge([levels] * 3)), 0, 255).astype(np.uint8)
    mean = np.full(3, (down.mean() + across.mean()) / 2, np.float32)
    rows = np.broadcast_to((across - across.mean())[:, None] / 2, on_top.shape)
    columns = np.broadcast_to((down - down.mean())[None] / 2, on_top.shape)
    return pixels, mean, np.stack([rows] * 3), np.stack([columns] * 3)


def told(down: Floats, across: Floats, on_top: Floats) -> Twill | None:
    pixels, mean, rows, columns = profiles(down, across, on_top)
    direction = np.full((1, 3), 3**-0.5, np.float32)
    usual = np.ones(on_top.shape, np.bool_)
    return Twill.of(pixels, direction, mean, rows, columns, usual, TwillOptions())


def test_a_weave_is_told_from_stripes_noise_and_one_colour() -> None:
    random = np.random.default_rng(5)
    wide = np.repeat(random.integers(30, 220, _WIDTH // 12), 12).astype(np.float32)
    tall = np.repeat(random.integers(30, 220, _HEIGHT // 12), 12).astype(np.float32)
    even, shape = np.full(_HEIGHT, 125, np.float32), (_HEIGHT, _WIDTH)
    noise = random.normal(0, 0.3, shape).astype(np.float32)
    assert told(wide, tall, twill(*shape)) is not None
    assert told(wide, tall, np.zeros(shape, np.float32)) is None
    assert told(wide, even, np.zeros(shape, np.float32)) is None
    assert told(np.full(_WIDTH, 125, np.float32), even, noise) is None
    two = np.where(np.arange(_WIDTH) // 24 % 2 > 0, np.float32(40), np.float32(200))
    assert told(two, np.full(_HEIGHT, 120, np.float32), twill(*shape)) is None  # denim stripes differ alike


def test_of_a_sliver_nothing_is_told() -> None:
    assert told(np.zeros(_WIDTH, np.float32), np.zeros(1, np.float32), twill(1, _WIDTH)) is None


def test_parted_and_coloured_again_a_texture_is_what_it_was() -> None:
    random = np.random.default_rng(6)
    half, over = (random.normal(0, 30, (40, 60, 3)).astype(np.float32) for _ in range(2))
    dyed, inner = Dyed(half, 25.0), Box(10, 5, 50, 35)
    direction = np.full((1, 3), 3**-0.5, np.float32)
    seen = Texture(over, over[..., 0].copy(), np.ones((40, 60), np.bool_))
    bare = dyed.bare(seen, direction)
    assert bare.over.shape == (40, 60, 4)
    again = dyed.coloured(np.ascontiguousarray(bare.over[inner.slices]), inner)
    assert np.allclose(again, over[inner.slices], atol=1e-3)


def test_threads_that_change_places_show_the_same_weave() -> None:
    on_top = twill(60, 80)
    half = np.full((60, 80, 3), 40, np.float32)
    half[:, 40:] *= -1
    seen = Texture(half * on_top[..., None], half[..., 0] * on_top, np.ones((60, 80), np.bool_))
    bare = Dyed(half, 1.0).bare(seen, np.full((1, 3), 3**-0.5, np.float32))
    assert np.allclose(bare.over[..., 3], on_top, atol=0.01)
    assert np.abs(bare.over[..., :3]).max() < 0.1
