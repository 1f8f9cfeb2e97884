"""Text that stands half on a thing and half beside it: all of the text goes, the thing stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.unit.imaging.pages import inked
from tests.unit.imaging.test_lights import grown, jpeg, mask_of
from worker.job import Image

_TABLE, _CUP, _INKS = (92, 62, 44), (226, 220, 208), [(44, 28, 22), (30, 20, 16)]
#: Levels by which ink shows, and px beyond it that a mask may take under JPEG.
_SHOWS, _REACH = 20, 7


def table_with_cup() -> Image:
    """A table, and a cup on it that reaches down behind a line of text."""
    disc = np.zeros((150, 460), np.float32)
    cv2.circle(disc, (250, 20), 78, 1, -1)
    cup = cv2.GaussianBlur(disc, (0, 0), 0.8)[..., None]
    page = np.array(_TABLE) + cup * (np.array(_CUP) - _TABLE)
    page += np.random.default_rng(3).normal(0, 2.0, page.shape)
    return np.asarray(np.rint(page).clip(0, 255), np.uint8)


@pytest.mark.parametrize("quality", [95, 85, 75, 60])
@pytest.mark.parametrize("colour", _INKS)
@pytest.mark.parametrize("negative", [False, True])
def test_the_text_goes_and_the_thing_stays(
    quality: int, colour: tuple[int, int, int], *, negative: bool
) -> None:
    ground = table_with_cup()
    page, text = inked(ground, 30, 60, "ABMWHQEKSABMWH", colour=colour, scale=1.1, thickness=3)
    if negative:
        ground, page = 255 - ground, 255 - page
    ink = np.asarray(np.abs(page.astype(np.int16) - ground).max(axis=2) > _SHOWS, np.uint8)
    mask = mask_of(jpeg(page, quality), text)
    assert not np.count_nonzero(ink[mask == 0])
    assert np.count_nonzero(mask[grown(ink, _REACH) == 0]) < 0.02 * np.count_nonzero(mask)
