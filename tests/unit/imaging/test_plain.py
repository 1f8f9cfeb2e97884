"""Ground of one colour, known at a glance: what is so, and what is left to those who look closely."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from tests.unit.imaging.pages import flat, gradient, inked
from worker.imaging.fill_options import FillOptions
from worker.imaging.plain import one_colour
from worker.imaging.site import Site
from worker.job import Box, Image, Mask

PAPER = (236, 228, 214)


def site_of(page: Image, mask: Mask) -> Site:
    free = mask == 0
    return Site(Box(0, 0, page.shape[1], page.shape[0]), page, mask, free, free, 30.0)


def lettered(ground: Image) -> tuple[Image, Mask]:
    """Letters on a ground, and what is to be erased."""
    page, _ = inked(ground, 40, 40, "ABMWHQ", scale=1.2, thickness=3)
    ink = (np.abs(page.astype(int) - ground).max(axis=2) > 0).astype(np.uint8) * 255
    return page, cv2.dilate(ink, np.ones((7, 7), np.uint8)).astype(np.uint8)


@pytest.mark.parametrize("quality", [None, 90, 75])
def test_paper_has_one_colour_through_the_ripples_of_jpeg(quality: int | None) -> None:
    page, mask = lettered(flat(260, 110, PAPER))
    if quality is not None:
        coded = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        page = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    filled = one_colour(site_of(page, mask), FillOptions())
    assert filled is not None
    assert np.abs(filled.astype(int) - PAPER).max() <= 1
    assert (filled == filled[0, 0]).all()


def test_what_is_far_from_the_ink_does_not_matter() -> None:
    page, mask = lettered(flat(260, 110, PAPER))
    page[:8] = (20, 60, 120)
    filled = one_colour(site_of(page, mask), FillOptions())
    assert filled is not None
    assert (filled == PAPER).all()


def with_line(page: Image) -> Image:
    return cv2.line(page.copy(), (0, 70), (259, 30), (120, 60, 60), 2).astype(np.uint8)


def with_a_shade(page: Image) -> Image:
    """Two levels darker beside the last letters."""
    shaded = page.copy()
    shaded[:, 165:] -= 2
    return shaded


def with_an_edge(page: Image) -> Image:
    edged = page.copy()
    edged[:, 130:] = (210, 180, 140)
    return edged


@pytest.mark.parametrize("other", [with_line, with_a_shade, with_an_edge, lambda _: gradient(260, 110)])
def test_anything_else_is_looked_at_more_closely(other: Callable[[Image], Image]) -> None:
    page, mask = lettered(np.ascontiguousarray(other(flat(260, 110, PAPER))))
    assert one_colour(site_of(page, mask), FillOptions()) is None


def test_nothing_is_told_where_nothing_is_seen() -> None:
    page, mask = lettered(flat(260, 110, PAPER))
    assert one_colour(site_of(page, np.full_like(mask, 255)), FillOptions()) is None
