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
    for (top_, left_), *shifts in places.tolist():
        piece = Box(left_, top_, left_ + options.side, top_ + options.side)
        bare[piece.slices] = 0
        likes = [Box(left_ + x, top_ + y, piece.right + x, piece.bottom + y) for y, x in shifts]
        assert all_of_them is not None
        assert len(likes) == 2
        for one in (piece, *likes):
            assert all_of_them.left <= one.left <= one.right <= all_of_them.right
            assert all_of_them.top <= one.top <= one.bottom <= all_of_them.bottom
        if piece.left >= 3 and piece.right <= 57 and piece.top >= 3 and piece.bottom <= 77:
            assert all(usual[like.slices].all() for like in likes)
    assert not len(places) or not bare.any()


def test_two_likes_are_copied_so_that_what_is_only_theirs_fades() -> None:
    truth = tiled(160, 220, (7, 9), 7)
    noise = np.random.default_rng(8).normal(0, 12, truth.shape).astype(np.float32)
    mask = hole(160, 220, Box(80, 70, 140, 74))
    free = mask == 0
    seen = np.where(free, truth + noise, 0).astype(np.float32)
    places = sought(seen.copy(), free, free, mask, PieceOptions())
    assert places.shape[1:] == (3, 2)
    assert (np.abs(places[:, 1] - places[:, 2]).max(axis=1) > 0).all()
    inner = Box(70, 50, 150, 110)
    copied, _ = Texture(np.dstack([seen] * 3), seen.copy(), free).placed(
        places, inner, 1, PieceOptions(fade=1)
    )
    wrong = (copied[..., 0] - truth[inner.slices])[~free[inner.slices]]
    assert wrong.std() < 0.75 * noise.std()


def test_of_one_place_both_likes_are_that() -> None:
    mask = hole(40, 60, Box(40, 10, 56, 26))
    usual = np.zeros(mask.shape, np.bool_)
    usual[5:20, 5:20] = True  # room for one window or few, all in one field of the chessboard
    grey = tiled(40, 60, (9, 8), 1)
    places = sought(grey, mask == 0, usual, mask, PieceOptions(field=64))
    assert len(places)
    assert np.array_equal(places[:, 1], places[:, 2])
