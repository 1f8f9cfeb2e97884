"""Woven grounds are copied, and only what is woven."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.posters import Ground, posters
from examples.textures import stripes
from tests.unit.imaging.pages import block_of, find_region, inked
from worker.imaging.composite import composite
from worker.imaging.mask import find_regions
from worker.imaging.plan import Route
from worker.imaging.preprocess import prepare
from worker.imaging.regions import group_lines
from worker.imaging.site import Site, shrunk
from worker.imaging.texture import Cloth, TextureOptions
from worker.job import Box, Image, Mask, TextLine


def knit(width: int, height: int) -> Image:
    """Rows of stitches with some irregularity, over smooth shading."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    stitches = 28 * np.sin(2 * np.pi * (y + 5 * np.abs((x / 8) % 2 - 1)) / 11) * np.cos(np.pi * x / 8)
    noise = np.random.default_rng(4).normal(0, 3, (height, width))
    shade = 140 + 30 * x / width - 20 * y / height
    grey = shade + stitches + noise
    page: Image = np.clip(np.rint(np.stack([grey + 20, grey, grey - 25], axis=2)), 0, 255).astype(np.uint8)
    return page


def psnr(one: Image, two: Image) -> float:
    return float(10 * np.log10(255**2 / max(((one.astype(float) - two) ** 2).mean(), 1e-9)))


def woven(page: Image, text: TextLine) -> tuple[Image, Mask]:
    """The page without a line on cloth, and where it was."""
    block = block_of(text)
    region = find_region(page, block)
    prepared = prepare(page, [block], [region], (256,))
    assert prepared.routes[0] == (Route.TEXTURE,)
    mask = np.zeros(page.shape[:2], np.uint8)
    mask[region.box.slices] = region.mask
    return composite(page, prepared.fills), mask


def test_knitwear_is_continued_far_better_than_by_diffusion() -> None:
    ground = knit(500, 320)
    page, text = inked(ground, 60, 130, "AMWHQRS", colour=(255, 255, 250), scale=1.8, thickness=5)
    plate, mask = woven(page, text)
    telea = np.asarray(cv2.inpaint(page, mask, 5, cv2.INPAINT_TELEA), np.uint8)
    ours, theirs = psnr(plate[mask > 0], ground[mask > 0]), psnr(telea[mask > 0], ground[mask > 0])
    assert ours > theirs + 3
    assert np.array_equal(plate[mask == 0], page[mask == 0])


def test_stripes_that_drift_and_end_at_another_cloth_go_on_under_the_text() -> None:
    y, x = np.mgrid[0:320, 0:560].astype(np.float32)
    random = np.random.default_rng(2)
    edges = np.cumsum(random.integers(16, 40, 24))  # of no period
    stripe = np.searchsorted(edges, y + 1.5 * np.sin(x / 90 + y / 60)) % 2
    grey = 60 + 175 * stripe + random.normal(0, 2, stripe.shape)
    soft = cv2.GaussianBlur(np.stack([grey - 30, grey, grey + 15], axis=2).astype(np.float32), (0, 0), 0.8)
    ground = np.clip(np.rint(soft), 0, 255).astype(np.uint8)
    ground[:, :60] = knit(60, 320) // np.array([1, 2, 4], np.uint8)
    mask = np.zeros((320, 560), np.uint8)
    mask[135:185, 110:450] = 255
    free = mask == 0
    page = np.where(free[..., None], ground, 200).astype(np.uint8)
    cloth = Cloth.at(Site(Box(0, 0, 560, 320), page, mask, free, free, 40.0), TextureOptions())
    assert cloth.wrong < TextureOptions().most_wrong
    wrong = np.abs(cloth.continued(TextureOptions()).astype(int) - ground)[~free].mean(axis=1)
    assert wrong.mean() < 8  # of stripes 175 levels apart
    assert np.count_nonzero(wrong > 60) < 0.05 * len(wrong)


def test_stripes_of_which_one_colour_shows_between_the_letters_are_cloth() -> None:
    jersey = Ground(lambda: iter((stripes(512, 512, 30, "#f6f1e6", "#446a2e", 12),)))
    (poster,) = posters({"jersey": jersey})
    blocks = group_lines(poster.page, poster.lines)
    prepared = prepare(poster.page, blocks, find_regions(poster.page, blocks), (256,))
    assert {route for routes in prepared.routes.values() for route in routes} == {Route.TEXTURE}


def test_what_lies_on_the_cloth_is_not_copied_with_it() -> None:
    page, _ = inked(knit(500, 320), 60, 60, "LOGO", colour=(200, 0, 0), scale=1.4, thickness=4)
    cv2.rectangle(page, (330, 40), (470, 110), (250, 250, 250), -1)
    page, text = inked(page, 60, 180, "AMWHQRS", colour=(255, 255, 250), scale=1.4, thickness=4)
    block = block_of(text)
    region = find_region(page, block)
    prepared = prepare(page, [block], [region], (256,))
    plate = composite(page, prepared.fills)[region.box.slices][region.mask > 0].astype(int)
    if prepared.fills:
        assert not ((plate[:, 0] - plate[:, 1]) > 60).any()  # no red of the logo
        assert not (plate.min(axis=1) > 235).any()  # no white of the label


def test_an_edge_under_the_text_is_no_fine_texture() -> None:
    ground = knit(500, 320)
    ground[:, 250:] = knit(250, 320)[..., ::-1] // 2
    page, text = inked(ground, 60, 130, "AMWHQRS", colour=(255, 255, 250), scale=1.8, thickness=5)
    block = block_of(text)
    region = find_region(page, block)
    prepared = prepare(page, [block], [region], (256,))
    assert prepared.routes[0][0] is not Route.TEXTURE
    if prepared.fills:  # both sides repeat along the edge, so it can be carried on
        under = region.mask > 0
        plate = composite(page, prepared.fills)[region.box.slices][under]
        telea = cv2.inpaint(page[region.box.slices], region.mask, 5, cv2.INPAINT_TELEA)[under]
        truth = ground[region.box.slices][under]
        assert psnr(plate, truth) > psnr(telea.astype(np.uint8), truth) + 3


def linen(width: int, height: int) -> Image:
    """Threads of 5 px, over and under each other, too fine for a look at 60 px of text."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    across, down = np.abs(np.sin(np.pi * x / 5.3)), np.abs(np.sin(np.pi * y / 5.3))
    over = np.sin(np.pi * x / 5.3) * np.sin(np.pi * y / 5.3) > 0
    random = np.random.default_rng(8)
    slubs = random.normal(0, 9, (1, width)) * over + random.normal(0, 9, (height, 1)) * ~over
    grey = 150 + 60 * np.where(over, across, down) + slubs
    page: Image = np.clip(np.rint(np.stack([grey, grey - 12, grey - 35], axis=2)), 0, 255).astype(np.uint8)
    return page


def test_a_headline_near_the_end_of_a_fine_cloth_is_continued() -> None:
    ground = linen(620, 300)
    ground[:40] = (250, 246, 239)
    shade = np.linspace(0.7, 1, 12)[:, None, None]
    ground[40:52] = np.rint(ground[40:52] * shade).astype(np.uint8)
    page, text = inked(ground, 60, 165, "AMWHQRS", colour=(60, 40, 30), scale=2.4, thickness=7)
    plate, mask = woven(page, text)
    under = plate[mask > 0].astype(float)
    truth = ground[mask > 0].astype(float)
    assert np.abs(under.mean(axis=0) - truth.mean(axis=0)).max() < 6
    assert under.std() > 0.6 * truth.std()  # its texture too


def test_a_picture_with_grain_is_no_cloth() -> None:
    random = np.random.default_rng(3)
    coarse = random.uniform(40, 220, (12, 24, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (600, 300), interpolation=cv2.INTER_CUBIC)
    ground = np.clip(np.rint(smooth + random.normal(0, 4, (300, 600, 1))), 0, 255).astype(np.uint8)
    page, text = inked(ground, 60, 165, "AMWHQRS", colour=(255, 255, 255), scale=2.4, thickness=7)
    block = block_of(text)
    prepared = prepare(page, [block], [find_region(page, block)], (256,))
    assert prepared.routes[0] == (Route.NETWORK,)


@pytest.mark.parametrize("height", [23.0, 31.0, 44.0, 47.0])
def test_a_cloth_is_continued_up_to_edges_that_no_look_divides(height: float) -> None:
    ground = knit(397, 211)
    mask = np.zeros((211, 397), np.uint8)
    mask[160:, 210:] = 255
    free = mask == 0
    page = np.where(free[..., None], ground, 250).astype(np.uint8)
    cloth = Cloth.at(Site(Box(0, 0, 397, 211), page, mask, free, free, height), TextureOptions())
    plate = cloth.continued(TextureOptions())
    assert plate.shape == page.shape
    assert plate[~free].max() < 235  # nothing of the white is left, at the very edge neither
    smooth = [cv2.blur(each, (31, 31))[~free].astype(int) for each in (plate, ground)]
    assert np.abs(smooth[0] - smooth[1]).mean() < 10  # of ground that ends at two of its sides


def test_letters_far_larger_than_any_look_are_no_cloth() -> None:
    mask = np.zeros((400, 500), np.uint8)
    mask[100:300, 100:400] = 255
    free = mask == 0
    cloth = Cloth.at(Site(Box(0, 0, 500, 400), knit(500, 400), mask, free, free, 6000.0), TextureOptions())
    assert cloth.wrong == float("inf")


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 6, 10])
def test_a_picture_is_shrunk_to_the_means_of_its_squares(factor: int) -> None:
    picture = knit(83, 61)
    small = shrunk(picture, factor)
    height, width = 61 // factor, 83 // factor
    squares = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    assert small.shape == (height, width, 3)
    assert np.abs(small - squares.mean(axis=(1, 3))).max() <= 1.01  # rounded twice


def test_sites_grow_to_multiples_without_ground() -> None:
    pixels = knit(50, 31)
    mask = np.zeros((31, 50), np.uint8)
    mask[-1, -1] = 255
    free = mask == 0
    site = Site(Box(7, 9, 57, 40), pixels, mask, free, free, 30.0)
    assert site.multiple(1) is site
    grown = site.multiple(4)
    assert grown.mask.shape == (32, 52)
    assert np.array_equal(grown.pixels[:31, :50], pixels)
    assert np.array_equal(grown.free[:31, :50], free)
    assert not grown.free[31:].any()
    assert not grown.blank[:, 50:].any()
    assert np.count_nonzero(grown.mask) == 1
