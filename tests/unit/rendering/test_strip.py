from __future__ import annotations

import numpy as np

from worker.rendering.strip import Strip


def _strip(pixels: np.ndarray, low: float = 40, high: float = 60) -> Strip:
    return Strip.of(np.ascontiguousarray(pixels, np.uint8), low, high)


def test_even_ground_is_free_throughout() -> None:
    assert _strip(np.full((30, 100, 3), 180)).free(0, 30, palette=False).all()


def test_ground_ends_at_an_edge() -> None:
    pixels = np.full((30, 100, 3), 180)
    pixels[:, 80:] = 90

    free = _strip(pixels).free(0, 30, palette=False)

    assert free[:78].all()
    assert not free[82:].any()


def test_what_stands_in_other_rows_is_no_obstacle() -> None:
    pixels = np.full((60, 100, 3), 180)
    pixels[:20, 80:] = 90
    strip = _strip(pixels)

    assert not strip.free(0, 60, palette=False)[82:].any()
    assert strip.free(25, 60, palette=False).all()


def test_stripes_across_are_free_each_row_for_itself() -> None:
    pixels = np.full((40, 100, 3), 250)
    pixels[::8] = pixels[1::8] = (40, 60, 100)

    assert _strip(pixels).free(0, 40, palette=False).all()


def test_by_palette_a_plaid_goes_on() -> None:
    pixels = np.full((40, 120, 3), 250)
    pixels[:, ::6] = pixels[:, 1::6] = pixels[:, 2::6] = (40, 60, 100)
    strip = _strip(pixels)

    assert strip.free(0, 40, palette=True).all()


def test_a_high_strip_is_looked_at_by_fewer_rows() -> None:
    pixels = np.full((600, 100, 3), 180)
    pixels[:300, 80:] = 90
    strip = _strip(pixels)

    assert len(strip.smooth) <= 120
    assert strip.free(320, 600, palette=False).all()
    assert not strip.free(0, 600, palette=False)[82:].any()
