"""Texture is copied from where it continues what is seen, to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.imaging.ground import Floats
from worker.imaging.pieces import PieceOptions, Texture, sought
from worker.job import Box, Mask


def tiled(height: int, width: int, period: tuple[int, int], seed: int) -> Floats:
    """A random tile that repeats."""
    tile = np.random.default_rng(seed).normal(0, 30, period).astype(np.float32)
    tall, wide = -(-height // period[0]), -(-width // period[1])
    return np.ascontiguousarray(np.tile(tile, (tall, wide))[:height, :width])


def hole(height: int, width: int, box: Box) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    mask[box.slices] = 255
    return mask


@settings(max_examples=15, deadline=None)
@given(st.integers(7, 14), st.integers(7, 14), st.integers(0, 1000))
def test_what_repeats_is_found_a_period_away(down: int, across: int, seed: int) -> None:
    truth = tiled(70, 90, (down, across), seed)
    mask = hole(70, 90, Box(30, 30, 54, 44))
    known = mask == 0
    seen = np.where(known, truth, 0).astype(np.float32)
    places = sought(seen, known, known, mask, PieceOptions(margin=5, most_places=5000))
    assert places
    surest = places[0].shift
    assert (surest[0] % down, surest[1] % across) == (0, 0)
    assert np.array_equal(seen[known], truth[known])
    assert np.abs(seen - truth)[~known].mean() < 0.35 * np.abs(truth).mean()


def test_a_copy_is_placed_to_the_pixel() -> None:
    truth = cv2.GaussianBlur(tiled(160, 220, (23, 19), 3), (0, 0), 1.0).astype(np.float32)
    mask = hole(160, 220, Box(80, 70, 140, 90))
    free = mask == 0
    shape = (110, 80)
    small = cv2.resize(np.where(free, truth, 0).astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    low = np.asarray(cv2.resize(mask, shape, interpolation=cv2.INTER_AREA), np.uint8)
    places = sought(np.asarray(small, np.float32), low == 0, low == 0, low, PieceOptions(margin=5))
    grey = np.where(free, truth, 0).astype(np.float32)
    over = np.dstack([grey] * 3)
    inner = Box(50, 40, 170, 120)
    texture = Texture(over, grey, free)
    copied, known = texture.placed(places, inner, 2, PieceOptions())
    under = ~free[inner.slices]
    assert known[under].all()
    wrong = np.abs(copied[..., 0] - truth[inner.slices])[under]
    assert np.median(wrong) < 1
    assert wrong.mean() < 0.2 * np.abs(truth).mean()


def test_nothing_is_copied_where_nothing_may_be() -> None:
    mask = hole(40, 40, Box(10, 10, 30, 30))
    seen = np.zeros((40, 40), np.float32)
    assert sought(seen, mask == 0, np.zeros(mask.shape, np.bool_), mask, PieceOptions()) == []
    assert sought(seen, mask > 0, mask == 0, np.zeros_like(mask), PieceOptions()) == []
    tiny = np.full((3, 5), 255, np.uint8)
    assert sought(seen[:3, :5].copy(), tiny == 0, tiny == 0, tiny, PieceOptions()) == []
