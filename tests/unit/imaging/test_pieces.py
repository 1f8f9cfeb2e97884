"""Texture is copied from where it continues what is seen, to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.imaging.ground import Floats
from worker.imaging.pieces import PieceOptions, Texture, covered, reached, sought
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
    surest = places[0, 1]
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
    assert not len(sought(seen, mask == 0, np.zeros(mask.shape, np.bool_), mask, PieceOptions()))
    assert not len(sought(seen, mask > 0, mask == 0, np.zeros_like(mask), PieceOptions()))
    tiny = np.full((3, 5), 255, np.uint8)
    assert not len(sought(seen[:3, :5].copy(), tiny == 0, tiny == 0, tiny, PieceOptions()))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 52), st.integers(0, 72), st.integers(1, 30), st.integers(1, 40), st.integers(0, 1000))
def test_pieces_cover_the_hole_and_come_from_usual_ground(
    left: int, top: int, width: int, height: int, seed: int
) -> None:
    options = PieceOptions()
    box = Box(left, top, min(left + width, 60), min(top + height, 80))
    mask = hole(80, 60, box)
    mask[box.slices][np.random.default_rng(seed).random((box.height, box.width)) < 0.5] = 0
    mask[box.top, box.left] = 255
    usual = mask == 0
    usual[:, :20] = False
    places = sought(np.zeros(mask.shape, np.float32), mask == 0, usual, mask, options)
    within, all_of_them = covered(mask, options.side), reached(places, options) if len(places) else None
    assert within.width % options.side == within.height % options.side == 0
    bare = mask.copy()
    for (top_, left_), (down, across) in places.tolist():
        piece = Box(left_, top_, left_ + options.side, top_ + options.side)
        bare[piece.slices] = 0
        like = Box(piece.left + across, piece.top + down, piece.right + across, piece.bottom + down)
        assert all_of_them is not None
        for one in (piece, like):
            assert all_of_them.left <= one.left <= one.right <= all_of_them.right
            assert all_of_them.top <= one.top <= one.bottom <= all_of_them.bottom
        if piece.left >= 3 and piece.right <= 57 and piece.top >= 3 and piece.bottom <= 77:
            assert usual[like.slices].all()
    assert not len(places) or not bare.any()
