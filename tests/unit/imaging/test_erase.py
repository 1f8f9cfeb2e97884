"""Planning, tiles, patches and plate: exact where it can be, untouched where it must be."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.imaging.pages import block_of, find_region, flat, gradient, inked, line
from worker.errors import ModelError
from worker.imaging.composite import composite, feathered
from worker.imaging.plan import Route
from worker.imaging.postprocess import restore
from worker.imaging.preprocess import Prepared, prepare
from worker.imaging.regions import group_lines
from worker.imaging.tiles import Tile
from worker.job import Box, Image, Patch, Region, TextBlock, TextLine

SIZES = (256, 512)


def scene(width: int, height: int) -> Image:
    """A ground that no surface fits and that does not repeat."""
    coarse = (
        np.random.default_rng(5).integers(0, 256, (height // 12 + 2, width // 12 + 2, 3)).astype(np.uint8)
    )
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def region_of(box: Box, number: int = 0) -> Region:
    mask = np.full((box.height, box.width), 255, np.uint8)
    return Region(number, box, mask, np.zeros_like(mask))


def block_at(box: Box, number: int = 0) -> TextBlock:
    return block_of(line(box.left, box.top, box.right, box.bottom), number=number)


def planned(page: Image, *boxes: Box, sizes: tuple[int, ...] = SIZES) -> Prepared:
    blocks = [block_at(box, number) for number, box in enumerate(boxes)]
    return prepare(page, blocks, [region_of(box, number) for number, box in enumerate(boxes)], sizes)


def plate_of(page: Image, prepared: Prepared, model: Callable[[Tile], Image]) -> Image:
    patches = [patch for tile in prepared.tiles for patch in restore(tile, model(tile))]
    return composite(page, [*prepared.fills, *patches])


def psnr(one: Image, two: Image) -> float:
    error = float(((one.astype(float) - two) ** 2).mean())
    return 99.0 if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("ground", [flat(400, 200, (250, 248, 240)), gradient(400, 200)])
def test_flat_and_gradient_grounds_come_back_without_the_network(ground: Image) -> None:
    page, text = inked(ground, 30, 60, "ABMWHQRS", scale=1.4, thickness=3)
    block = block_of(text)
    region = find_region(page, block)
    prepared = prepare(page, [block], [region], SIZES)
    assert not prepared.tiles
    assert prepared.routes == {0: (Route.FILL,)}
    plate = composite(page, prepared.fills)
    under = region.mask > 0
    assert psnr(plate[region.box.slices][under], ground[region.box.slices][under]) >= 45
    assert np.abs(plate.astype(int) - ground).max() <= 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-40, 40), min_size=15, max_size=15), st.integers(20, 200), st.integers(20, 100))
def test_polynomials_are_reproduced(weights: list[float], left: int, top: int) -> None:
    y, x = np.mgrid[0:160, 0:320].astype(float)
    u, v = x / 160 - 1, y / 80 - 1
    terms = np.stack([u, v, u * u, u * v, v * v], axis=2)
    ground = np.rint(np.clip(128 + terms @ np.array(weights).reshape(5, 3) / 2, 0, 255)).astype(np.uint8)
    box = Box(left, top, left + 80, top + 30)
    page = ground.copy()
    page[box.slices] = 255 - page[box.slices]
    prepared = planned(page, box)
    assert prepared.routes[0] == (Route.FILL,)
    assert np.abs(composite(page, prepared.fills).astype(int) - ground).max() <= 1


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_grain_matches_the_noise_around(sigma: float) -> None:
    clean = gradient(500, 240).astype(float)
    noisy = np.clip(np.rint(clean + np.random.default_rng(2).normal(0, sigma, clean.shape)), 0, 255)
    page, text = inked(noisy.astype(np.uint8), 30, 80, "ABMWHQRS", scale=1.6, thickness=4)
    block = block_of(text)
    region = find_region(page, block)
    prepared = prepare(page, [block], [region], SIZES)
    assert prepared.routes[0] == (Route.FILL,)
    plate = composite(page, prepared.fills)
    under = region.mask > 0
    grain = (plate.astype(float) - clean)[region.box.slices][under]
    assert grain.std() == pytest.approx(sigma, rel=0.15)
    assert abs(grain.mean()) < 0.15 * sigma


def test_pictures_go_to_the_network() -> None:
    prepared = planned(scene(500, 300), Box(150, 120, 270, 160))
    assert prepared.routes[0] == (Route.NETWORK,)
    assert prepared.fills == ()
    assert len(prepared.tiles) == 1


@pytest.mark.parametrize("sigma", [0.0, 3.0])
def test_the_network_answers_in_the_grain_of_the_page(sigma: float) -> None:
    y, x = np.mgrid[0:300, 0:500]
    steps = 60 + 0.28 * x + 40.0 * (y + 0.4 * x > 240)  # aslant, so that no row or column foretells it
    clean = np.repeat(steps[..., None], 3, axis=2)
    noise = np.random.default_rng(3).normal(0, sigma, clean.shape)
    page = np.rint(clean + noise).clip(0, 255).astype(np.uint8)
    prepared = planned(page, Box(150, 130, 300, 170))
    assert prepared.routes[0] == (Route.NETWORK,)
    plate = plate_of(page, prepared, lambda tile: np.full_like(tile.image, 120))
    deviation = float(plate[134:166, 154:296].std())
    assert deviation == pytest.approx(sigma, rel=0.25, abs=0.01)


def test_a_line_that_passes_under_the_text_is_not_interrupted() -> None:
    page = flat(400, 200)
    cv2.line(page, (0, 20), (399, 180), (180, 60, 60), 9, cv2.LINE_AA)
    assert planned(page, Box(150, 80, 250, 120)).routes[0] != (Route.FILL,)  # a thin one: test_curves.py
    cv2.circle(page, (60, 160), 10, (0, 0, 0), -1)
    assert planned(page, Box(300, 20, 380, 50)).routes[0] == (Route.FILL,)


def test_crop_and_paste_are_the_identity() -> None:
    page = scene(700, 500)
    prepared = planned(page, Box(10, 10, 90, 40), Box(300, 200, 420, 240), Box(600, 460, 700, 500))
    assert prepared.tiles
    for tile in prepared.tiles:
        patches = restore(tile, np.ascontiguousarray(tile.image))
        for patch in patches:
            assert np.abs(patch.rgb.astype(int) - page[patch.box.slices]).max() <= 8  # the denoised context


def test_tiles_keep_the_contract_and_64_px_of_context() -> None:
    page = scene(900, 900)
    boxes = [Box(400, 400 + 30 * i, 520, 424 + 30 * i) for i in range(3)] + [Box(0, 0, 60, 30)]
    prepared = planned(page, *boxes)
    for tile in prepared.tiles:
        size = tile.size
        assert size in SIZES
        assert (tile.image.shape, tile.mask.shape) == ((size, size, 3), (size, size, 1))
        assert tile.image.dtype == tile.mask.dtype == np.dtype(np.uint8)
        assert set(np.unique(tile.mask)) == {0, 255}
        window = tile.window.box
        for hole in tile.window.holes:
            assert hole.box.left - window.left >= min(64, hole.box.left)
            assert hole.box.top - window.top >= min(64, hole.box.top)
            assert window.right - hole.box.right >= min(64, 900 - hole.box.right)
            assert window.bottom - hole.box.bottom >= min(64, 900 - hole.box.bottom)
    assert len(prepared.tiles) == 2  # neighbours share one


def test_every_hole_in_a_tile_is_masked_even_if_another_tile_writes_it() -> None:
    page = scene(1200, 300)
    prepared = planned(page, *(Box(100 + 110 * i, 120, 200 + 110 * i, 150) for i in range(9)))
    holes = np.zeros(page.shape[:2], np.uint8)
    for i in range(9):
        holes[120:150, 100 + 110 * i : 200 + 110 * i] = 255
    for tile in prepared.tiles:
        box = tile.window.box
        assert np.array_equal(tile.mask[: box.height, : box.width, 0], holes[box.slices])


def test_a_long_thin_hole_is_cut_and_a_thick_one_shrunk() -> None:
    page = scene(2000, 900)
    long = planned(page, Box(100, 100, 1900, 130))
    assert long.routes[0] == (Route.NETWORK,)
    assert all(tile.window.scale == 1 for tile in long.tiles)
    thick = planned(page, Box(100, 100, 1100, 700))
    assert thick.routes[0] == (Route.SHRUNK,)
    assert [tile.window.scale < 1 for tile in thick.tiles] == [True]
    for prepared, box in ((long, Box(100, 100, 1900, 130)), (thick, Box(100, 100, 1100, 700))):
        plate = plate_of(page, prepared, lambda tile: np.full_like(tile.image, 7))
        inner = plate[box.top + 3 : box.bottom - 3, box.left + 3 : box.right - 3]
        assert np.abs(inner.astype(int) - 7).max() < 40  # the page's grain
        assert abs(float(inner.mean()) - 7) < 3


def test_pages_smaller_than_a_tile_are_mirrored_up_to_it() -> None:
    page = scene(100, 50)
    prepared = planned(page, Box(30, 10, 70, 30))
    (tile,) = prepared.tiles
    assert np.abs(tile.image[:50, :100].astype(int) - page).max() <= 8
    assert np.array_equal(tile.image[50:100, :100], tile.image[:50, :100][::-1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_only_pixels_under_the_masks_change(seed: int) -> None:
    random = np.random.default_rng(seed)
    page = random.integers(0, 256, (240, 400, 3)).astype(np.uint8)
    page[:120] = gradient(400, 120)
    boxes = []
    for _ in range(random.integers(1, 6)):
        left, top = int(random.integers(0, 380)), int(random.integers(0, 230))
        boxes.append(
            Box(
                left,
                top,
                min(400, left + int(random.integers(4, 120))),
                min(240, top + int(random.integers(4, 50))),
            )
        )
    before = page.copy()
    prepared = planned(page, *boxes)
    plate = plate_of(page, prepared, lambda tile: 255 - tile.image)
    assert np.array_equal(page, before)
    outside = np.ones(page.shape[:2], bool)
    for box in boxes:
        outside[box.slices] = False
    assert np.array_equal(plate[outside], page[outside])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_blending_rounds_to_the_nearest_level(under: int, over: int, alpha: int) -> None:
    page = np.full((1, 1, 3), under, np.uint8)
    patch = Patch(0, Box(0, 0, 1, 1), np.full((1, 1, 3), over, np.uint8), np.full((1, 1), alpha, np.uint8))
    exact = (over * alpha + under * (255 - alpha)) / 255
    assert abs(float(composite(page, [patch])[0, 0, 0]) - exact) <= 0.5


def test_alpha_fades_inwards_and_not_at_the_pages_edge() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[5:, 5:] = 255
    alpha = feathered(mask, 2)
    assert not alpha[mask == 0].any()
    assert alpha[12, 5:9].tolist() == sorted(alpha[12, 5:9].tolist())
    assert 0 < alpha[12, 5] < 255
    assert alpha[19, 19] == 255
    assert (feathered(np.full((4, 4), 255, np.uint8), 2) == 255).all()


def test_a_wrong_answer_of_the_model_is_a_model_error() -> None:
    (tile,) = planned(scene(300, 300), Box(100, 100, 160, 130)).tiles
    with pytest.raises(ModelError):
        restore(tile, tile.image[:-8])
    with pytest.raises(ModelError):
        restore(tile, tile.image.astype(np.float32))


def test_regions_must_match_their_blocks() -> None:
    box = Box(10, 10, 40, 30)
    with pytest.raises(ValueError, match="own region"):
        prepare(flat(60, 60), [block_at(box)], [], SIZES)
    with pytest.raises(ValueError, match="tile size"):
        prepare(flat(60, 60), [block_at(box)], [region_of(box)], ())
    nothing = prepare(flat(60, 60), [], [], SIZES)
    assert (nothing.fills, len(nothing.tiles), nothing.routes) == ((), 0, {})


def test_bad_boxes_are_erased_as_far_as_they_hold_text() -> None:
    page = flat(300, 200)
    page, text = inked(page, 30, 40)
    corners = text.polygon
    crossing = TextLine(corners[[0, 2, 1, 3]], text.text, 0.8)
    lines = (
        text,
        crossing,
        TextLine(corners + 0.5, text.text, 0.7),
        line(290, 150, 900, 180),
        line(60, 190, 120, 260),
        line(50, 120, 50, 120),
        line(-40, -30, -5, -2),
        *(line(20 + n % 9, 120 + n % 7, 23 + n % 9, 122 + n % 7) for n in range(1500)),
    )
    blocks = group_lines(page, lines)
    assert sum(text.text in block.text for block in blocks) == 1  # the duplicates are gone
    regions = [find_region(page, block) for block in blocks]
    plate = composite(page, prepare(page, blocks, regions, SIZES).fills)
    assert plate.shape == page.shape
    assert plate[40:70, 30:200].min() >= 250


@pytest.mark.parametrize(("width", "height"), [(467, 2), (3, 400), (500, 1)])
def test_text_higher_than_its_page_is_erased(width: int, height: int) -> None:
    random = np.random.default_rng(width)
    page = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    mask = (random.random((height, width)) < 0.05).astype(np.uint8) * 255
    block = block_of(line(0, 0, width, 90))
    prepared = prepare(page, (block,), (Region(0, Box(0, 0, width, height), mask, mask),), (256,))
    assert len(prepared.fills) + len(prepared.tiles) > 0
