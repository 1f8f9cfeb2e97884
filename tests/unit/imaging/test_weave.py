"""Rows and columns foretell what is woven, and are believed nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.imaging.pages import block_of, line
from worker.imaging.composite import composite
from worker.imaging.ground import Floats
from worker.imaging.plan import Route
from worker.imaging.preprocess import prepare
from worker.imaging.site import alike
from worker.imaging.weave import Loom, WeaveOptions, diffused, drifted, threads_down, tried, woven
from worker.job import Box, Image, Mask, Region


def plaid(width: int, height: int, drift: float = 0.0) -> Floats:
    """Two crossed bands of stripes; the rows wander by `drift` px."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    rows = 40 * np.sign(np.sin(2 * np.pi * (y + drift * np.sin(x / 70 + y / 50)) / 31))
    columns = 30 * np.sign(np.sin(2 * np.pi * x / 43))
    return np.asarray(cv2.GaussianBlur(128 + rows + columns, (0, 0), 1.0), np.float32)


def hole(width: int, height: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    mask[height // 2 - 10 : height // 2 + 10, width // 4 : -width // 4] = 255
    return mask


def blobs(width: int, height: int) -> Floats:
    coarse = np.random.default_rng(7).uniform(0, 255, (height // 20, width // 20)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(10, 80))
def test_any_sum_of_rows_and_columns_is_followed(seed: int, reach: float) -> None:
    random = np.random.default_rng(seed)
    ground = random.uniform(-40, 40, (60, 1)) + random.uniform(-40, 40, (1, 90)) + 128
    mask = hole(90, 60) > 0
    foretold, seen = woven(ground.astype(np.float32), ~mask, reach)
    assert foretold.shape == seen.shape == ground.shape
    assert not seen[mask].any()
    assert np.abs(foretold - ground)[mask].mean() < 12  # of ±80


def test_channels_are_fitted_as_each_alone() -> None:
    random = np.random.default_rng(3)
    values, seen = random.normal(100, 30, (3, 40, 70)).astype(np.float32), random.random((40, 70)) < 0.7
    loom, weights = Loom.of(seen.shape, 20), seen.astype(np.float32)
    alone = np.stack([loom.fitted(channel, weights) for channel in values])
    assert np.allclose(loom.fitted(values, weights), alone, atol=0.01)


def test_a_thread_finer_than_the_look_is_found_where_it_runs() -> None:
    factor, foretold = 4, np.full((30, 50, 3), 100, np.float32)
    pixels = np.full((120, 200, 3), 100, np.uint8)
    pixels[:, 81] = (160, 100, 40)
    seen = np.ones((120, 200), np.uint8)
    seen[40:70, 60:100] = 0
    pixels[seen == 0] = 255  # ink: has no say
    plain, threads = threads_down(foretold, pixels, seen, Loom.of((30, 50), 32).rows)
    assert plain.shape == threads.shape == (120 // factor, 200, 3)
    assert np.abs(plain - 100).max() < 0.01
    assert np.abs(threads[:, 81] - (60, 0, -60)).max() < 3
    assert np.abs(np.delete(threads, 81, axis=1)).max() < 0.01


def test_bands_may_drift() -> None:
    ground, mask = plaid(200, 120, drift=2.0), hole(200, 120)
    assert tried(ground, mask == 0, mask, 16, 0.0, WeaveOptions())[0] < 0.3
    foretold, _ = woven(ground, mask == 0, 32)
    assert np.abs(foretold - ground)[mask > 0].mean() < 12


@settings(max_examples=20, deadline=None)
@given(st.floats(-2, 2), st.floats(-2, 2))
def test_drift_is_read_off_what_is_seen_and_followed_under_the_ink(down: float, across: float) -> None:
    ground, mask = plaid(200, 120), hole(200, 120)
    moved = np.array([[1, 0, across], [0, 1, down]], np.float32)
    foretold = np.asarray(
        cv2.warpAffine(ground, moved, (200, 120), borderMode=cv2.BORDER_REFLECT), np.float32
    )
    seen = (mask == 0).astype(np.float32)
    wrong = (ground - foretold) * seen
    drift = [drifted(foretold, wrong, seen, axis, ground.shape, 31) for axis in (0, 1)]
    rows, columns = (np.indices(ground.shape, np.float32) + drift).astype(np.float32)
    straight = cv2.remap(foretold, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    before, after = (np.abs(one - ground)[mask > 0].mean() for one in (foretold, straight))
    assert after <= 0.6 * before + 1


@pytest.mark.parametrize("axis", [0, 1])
def test_where_nothing_is_seen_near_by_the_rest_of_a_thread_tells_its_drift(axis: int) -> None:
    at = np.indices((120, 320) if axis == 0 else (320, 120), np.float32)[axis]
    straight, moved = (60 * np.sin(2 * np.pi * (at + drift) / 20) for drift in (0.0, 1.5))
    told = np.ones_like(at)
    (told[:, 120:200] if axis == 0 else told[120:200])[:] = 0
    wrong = ((moved - straight) * told).astype(np.float32)
    drift = drifted(straight.astype(np.float32), wrong, told, axis, at.shape, 31)
    middle = drift[40:80, 150:170] if axis == 0 else drift[150:170, 40:80]
    assert np.allclose(middle, 1.5, atol=0.4)


def test_colours_that_are_not_seen_near_the_ink_are_other_ground() -> None:
    cloth = np.random.default_rng(5).normal((250, 128, 8), 3, (60, 90, 3)).clip(0, 255).astype(np.uint8)
    cloth[:, :30] = (128, 250, 250)
    near = np.zeros((60, 90), np.bool_)
    near[20:40, 50:70] = True
    known = np.ones_like(near)
    known[:, 60:64] = False
    same = alike(cloth, known, near)
    assert same[:, 34:60].all()
    assert same[:, 64:].all()
    assert not same[:, :26].any()
    assert not same[:, 60:64].any()
    assert not alike(cloth, known, np.zeros_like(near)).any()


def test_something_else_near_by_has_no_say() -> None:
    ground, mask = plaid(200, 120), hole(200, 120)
    ground[:20] = 10
    foretold, seen = woven(ground, mask == 0, 32)
    assert seen[:15].mean() < 0.2 * seen[25:45].mean()
    assert np.abs(foretold - ground)[mask > 0].mean() < 10


@pytest.mark.parametrize("ground", [blobs(200, 120), 128 + np.hypot(*np.mgrid[-60:60, -100:100])])
def test_a_picture_is_not_woven(ground: Floats) -> None:
    mask = hole(200, 120)
    assert tried(ground.astype(np.float32), mask == 0, mask, 16, 0.0, WeaveOptions())[0] > 1


def test_what_cannot_be_told_is_not_believed() -> None:
    mask = np.full((40, 60), 255, np.uint8)
    assert tried(np.zeros((40, 60), np.float32), mask == 0, mask, 16, 0.0, WeaveOptions())[0] == np.inf


def test_plaid_goes_on_under_a_whole_polygon() -> None:
    grey = plaid(500, 300, drift=5.0) + 12 * np.random.default_rng(1).normal(0, 1, (300, 500))
    ground: Image = (
        np.rint(np.stack([grey, 0.8 * grey, 0.5 * grey + 60], axis=2)).clip(0, 255).astype(np.uint8)
    )
    box = Box(150, 120, 350, 160)
    page = ground.copy()
    page[box.slices] = (250, 20, 20)
    mask = np.full((box.height, box.width), 255, np.uint8)
    block = block_of(line(box.left, box.top, box.right, box.bottom))
    prepared = prepare(page, [block], [Region(0, box, mask, np.zeros_like(mask))], (256, 512))
    assert prepared.routes[0] == (Route.TEXTURE,)
    plate = composite(page, prepared.fills)
    assert np.array_equal(np.delete(plate, np.s_[120:160], axis=0), np.delete(ground, np.s_[120:160], axis=0))
    inner = (slice(123, 157), slice(153, 347))
    telea = cv2.inpaint(
        page, cv2.copyMakeBorder(mask, 120, 140, 150, 150, cv2.BORDER_CONSTANT), 5, cv2.INPAINT_TELEA
    )
    ours, theirs = (np.abs(one[inner].astype(int) - ground[inner]).mean() for one in (plate, telea))
    assert ours < 0.5 * theirs  # grain of its own, where the truth has another


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.floats(20, 120), st.floats(5, 100))
def test_diffusion_reaches_into_what_nothing_near_tells(half: int, low: float, range_: float) -> None:
    values = np.full((80, 90), low, np.float32)
    values[:, 45:] += np.float32(range_)
    seen = np.ones((80, 90), np.bool_)
    seen[40 - half : 40 + half, 20:70] = False
    values[~seen] = 0
    foretold = diffused(values, seen)
    assert np.array_equal(foretold[seen], values[seen])
    assert foretold.min() > low - 0.1
    assert foretold.max() < low + range_ + 0.1
