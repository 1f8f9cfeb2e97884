"""What erasing does to transparent pictures."""

from __future__ import annotations

import numpy as np

from tests.unit.imaging.pages import block_of, find_region, flat, inked
from worker.imaging.composite import composite, erased_page
from worker.imaging.preprocess import prepare
from worker.job import Page, SourceFormat


def erased(page: Page) -> Page:
    """A page without the text that `inked` draws at (30, 40)."""
    _, text = inked(flat(page.width, page.height), 30, 40)
    block = block_of(text)
    prepared = prepare(page.rgb, [block], [find_region(page.rgb, block)], (256, 512))
    return erased_page(page, composite(page.rgb, prepared.fills), prepared.fills)


def test_ink_on_a_transparent_ground_leaves_it_transparent() -> None:
    rgb, _ = inked(flat(300, 120), 30, 40)
    alpha = np.where((rgb < 250).any(axis=2), 255, 0).astype(np.uint8)
    alpha[:, 200:] = 255  # another part of the page is opaque
    plate = erased(Page(rgb, SourceFormat("PNG"), alpha))
    assert plate.alpha is not None
    assert not plate.alpha[:, :190].any()
    assert (plate.alpha[:, 200:] == 255).all()
    assert plate.rgb.min() >= 250


def test_ink_on_an_opaque_or_half_transparent_ground_leaves_it_so() -> None:
    rgb, _ = inked(flat(300, 120), 30, 40)
    for level in (255, 128):
        ground = np.full(rgb.shape[:2], level, np.uint8)
        ground[:20] = 0
        alpha = np.where((rgb < 250).any(axis=2), 255, ground).astype(np.uint8)
        plate = erased(Page(rgb, SourceFormat("PNG"), alpha))
        assert plate.alpha is not None
        assert np.abs(plate.alpha.astype(int) - ground).max() <= 1
    assert erased(Page(rgb, SourceFormat("PNG"))).alpha is None
