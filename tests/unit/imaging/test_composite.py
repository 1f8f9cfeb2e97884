"""Patches into the page: exact arithmetic, wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.imaging.composite import blend
from worker.job import Box, Image, Patch


def _picture(height: int, width: int, seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def _expected(rgb: Image, patch: Patch, left: int, top: int) -> Image:
    """Pixel by pixel, in exact arithmetic."""
    expected = rgb.copy()
    for y, x in np.ndindex(patch.alpha.shape):
        row, column = patch.box.top - top + y, patch.box.left - left + x
        if 0 <= row < rgb.shape[0] and 0 <= column < rgb.shape[1]:
            share = int(patch.alpha[y, x])
            for channel in range(3):
                mixed = int(patch.rgb[y, x, channel]) * share + int(rgb[row, column, channel]) * (255 - share)
                expected[row, column, channel] = (2 * mixed + 255) // 510
    return expected


@given(
    st.integers(-9, 20),
    st.integers(-9, 20),
    st.integers(1, 12),
    st.integers(1, 12),
    st.booleans(),
    st.integers(0, 1000),
)
def test_a_patch_is_blended_as_far_as_the_image_reaches(
    x: int, y: int, width: int, height: int, feathered: bool, seed: int
) -> None:
    rgb, left, top = _picture(15, 17, seed), 100, 200
    rng = np.random.default_rng(seed)
    alpha = rng.integers(0, 256, (height, width)) if feathered else rng.choice([0, 255], (height, width))
    box = Box(left + x, top + y, left + x + width, top + y + height)
    patch = Patch(0, box, _picture(height, width, seed + 1), alpha.astype(np.uint8))
    expected = _expected(rgb, patch, left, top)

    blend(rgb, patch, left, top)

    np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize("alpha", range(0, 256, 15))
def test_every_pair_of_levels_is_rounded_to_the_nearest(alpha: int) -> None:
    over, under = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    rgb = np.repeat(under[..., None], 3, axis=2)
    shares = np.full((256, 256), alpha, np.uint8)

    blend(rgb, Patch(0, Box(0, 0, 256, 256), np.repeat(over[..., None], 3, axis=2), shares))

    exact = (over.astype(float) * alpha + under.astype(float) * (255 - alpha)) / 255
    assert np.abs(rgb - exact[..., None]).max() <= 0.5
