"""Text that stays and is printed across an erased line keeps its strokes; the line goes all the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.unit.imaging.pages import flat, line
from tests.unit.imaging.test_ownership import lost, mask_of, written
from worker.imaging.inks import axis_between
from worker.job import Image, Mask, TextLine

_GROUND = (150, 145, 155)
_BLANK = flat(420, 160, _GROUND)
_MARK = "SAMPLE.com"


def strength(picture: Image, blank: Image = _BLANK) -> Mask:
    """How far pixels depart from the bare page, (H, W)."""
    return np.asarray(np.abs(picture.astype(int) - blank).max(axis=2), np.uint8)


def bodies(picture: Image, blank: Image = _BLANK) -> Mask:
    """Where ink has its own colour, without its soft edge."""
    levels = strength(picture, blank)
    return np.where(levels > 0.9 * levels.max(), 255, 0).astype(np.uint8)


def visible(own: Image, mark: Image, blank: Image = _BLANK) -> Mask:
    """The bodies of a line where no mark lies over them."""
    return np.where((bodies(own, blank) > 0) & (strength(mark, blank) == 0), 255, 0).astype(np.uint8)


def padded(box: tuple[float, ...], text: str = "文字") -> TextLine:
    return line(box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2, text)


@pytest.mark.parametrize("colour", ["#ffffff", "#c83c28", "#2850d0", "#585560"])
@pytest.mark.parametrize(("size", "down"), [(34, 14), (48, -6), (62, -20)])
def test_a_mark_that_was_read_keeps_its_strokes_and_the_line_under_it_goes(
    colour: str, size: int, down: int
) -> None:
    own, box = written(_BLANK, "纯棉单面背心套", 120, 52, 34, "#101010")
    mark, marked = written(_BLANK, _MARK, 60, 52 + down, size, colour)
    page, _ = written(own, _MARK, 60, 52 + down, size, colour)
    mask = mask_of(page, padded(box), padded(marked, _MARK))
    far = cv2.dilate(visible(own, mark), np.ones((5, 5), np.uint8)) == 0
    assert lost(mask, np.where(far, bodies(mark), 0).astype(np.uint8)) < 0.03
    assert lost(mask, visible(own, mark)) > 0.98


@pytest.mark.parametrize("colour", ["#8c1420", "#101060"])
def test_a_bolder_mark_that_was_not_read_is_not_taken_for_the_line_that_it_crosses(colour: str) -> None:
    blank = flat(520, 160, (60, 100, 60))
    own, box = written(blank, "名成产合行零标", 60, 52, 30, "#d8d890")
    mark, _ = written(blank, "hop68233taob", 2, 56, 66, colour)
    page, _ = written(own, "hop68233taob", 2, 56, 66, colour)
    mask = mask_of(page, padded(box))
    far = cv2.dilate(bodies(own, blank), np.ones((9, 9), np.uint8)) == 0
    assert lost(mask, np.where(far, bodies(mark, blank), 0).astype(np.uint8)) < 0.03
    assert lost(mask, visible(own, mark, blank)) > 0.98


def test_a_faint_mark_in_a_jpeg_is_not_eaten_beside_the_ink() -> None:
    blank = flat(420, 160, (218, 208, 222))
    own, box = written(blank, "纯棉单面背心套", 120, 52, 20, "#302028")
    mark, _ = written(blank, "shop.taobao.com", 20, 66, 24, "#ffffff")
    page, _ = written(own, "shop.taobao.com", 20, 66, 24, "#ffffff")
    coded = cv2.imdecode(cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)
    mask = mask_of(np.asarray(coded, np.uint8), padded(box))
    assert lost(mask, bodies(mark, blank)) < 0.02
    assert lost(mask, visible(own, mark, blank)) > 0.98


def test_two_inks_are_told_by_their_directions_and_one_by_none() -> None:
    random = np.random.default_rng(1)
    one, two = np.array([-90, -90, -90.0]), np.array([40, -60, -60.0])
    strengths = random.uniform(0.3, 1, (100, 1))
    dark, red = ((ink * strengths + random.normal(0, 3, (100, 3))).astype(np.float32) for ink in (one, two))
    axis = axis_between(np.concatenate([dark, red[:30]]))
    assert axis is not None
    assert len(set(np.sign(dark @ axis))) == len(set(np.sign(red @ axis))) == 1
    assert np.sign(dark[0] @ axis) != np.sign(red[0] @ axis)
    assert axis_between(dark) is None
    assert axis_between(red[:5]) is None
