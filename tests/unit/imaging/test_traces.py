"""The ways of thin lines: their middles, their bends and the circles through two ends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.imaging.curves import continued_curves
from worker.imaging.ground import Floats
from worker.imaging.line_ends import CurveOptions, find_ends
from worker.imaging.traces import bend, beside, circle, middles
from worker.job import Image, Mask

#: Parts of a px in OpenCV's drawing coordinates, as a power of two.
_SHIFT = 4


def letters(height: int = 160, width: int = 300) -> Mask:
    """Strokes with slits between them."""
    mask = np.zeros((height, width), np.uint8)
    for left in range(74, 220, 38):
        cv2.rectangle(mask, (left, 64), (left + 26, 96), 255, -1)
    return mask


def arc(
    centre: tuple[float, float], radius: float, width: int, shape: tuple[int, int] = (160, 300)
) -> Floats:
    """A ring's share of each pixel, (H, W)."""
    drawn = np.zeros(shape, np.uint8)
    at = (round(centre[0] * 2**_SHIFT), round(centre[1] * 2**_SHIFT))
    cv2.circle(drawn, at, round(radius * 2**_SHIFT), 255, width, cv2.LINE_AA, _SHIFT)
    return np.asarray(drawn / 255, np.float32)


def continued(line: Floats, mask: Mask, levels: float = 40.0) -> tuple[Floats, Floats]:
    """What is added under the ink and what the line is there, in shares of its contrast."""
    whole = (line * np.float32(levels))[..., None].repeat(3, axis=2)
    seen = whole * (mask == 0)[..., None]
    added = continued_curves(seen, mask, mask == 0, 7.0, 30.0, CurveOptions())
    assert added is not None
    return np.where(mask > 0, added[..., 0] / np.float32(levels), 0), np.where(mask > 0, line, 0)


@pytest.mark.parametrize("radius", [140.0, 333.0, 600.0])
@pytest.mark.parametrize("width", [1, 3])
def test_a_ring_under_letters_goes_on_within_a_px_and_is_nowhere_doubled(radius: float, width: int) -> None:
    mask = letters()
    added, true = continued(arc((150.0, 72.0 + radius), radius, width), mask)
    rows, columns = np.indices(mask.shape)
    off = np.hypot(columns - 150.0, rows - (72.0 + radius)) - radius
    hidden = true.sum(axis=0) > 0.8 * width  # where the ink hides the whole of the line
    assert np.count_nonzero(hidden) > 40
    found = added[:, hidden]
    middle = (found * off[:, hidden]).sum(axis=0) / found.sum(axis=0)
    assert np.abs(middle).max() < 0.8
    assert (found.sum(axis=0) < 1.4 * true[:, hidden].sum(axis=0) + 0.2).all()
    assert not added[np.abs(off) > width / 2 + 5].any()


def test_an_edge_of_the_ink_along_a_line_turns_nothing() -> None:
    """The ink hides one side of the line: what is left of it points elsewhere."""
    mask = np.zeros((120, 240), np.uint8)
    mask[62:100, 60:180] = 255  # its upper edge cuts the line off at a small angle
    mask[20:62, 60:110] = 255
    slope = 0.4
    drawn = np.zeros(mask.shape, np.uint8)
    ends = [(round(x * 2**_SHIFT), round((66 - slope * (x - 110)) * 2**_SHIFT)) for x in (0, 239)]
    cv2.line(drawn, ends[0], ends[1], 255, 3, cv2.LINE_AA, _SHIFT)
    added, true = continued(np.asarray(drawn / 255, np.float32), mask)
    assert np.abs(added - true).sum() < 0.25 * true.sum()


@settings(max_examples=50, deadline=None)
@given(st.floats(60, 2000), st.floats(20, 100))
def test_a_circle_through_two_ends_is_found(radius: float, length: float) -> None:
    half = min(length / 2, 0.8 * radius)
    rise = np.sqrt(radius**2 - half**2)
    angles = -np.arcsin(half / radius) - np.linspace(0, 0.1, 12)
    seen = np.stack([half + radius * np.sin(angles), rise - radius * np.cos(angles)], axis=1)
    seen = np.concatenate([seen, seen * (-1, 1) + (2 * half, 0)]).astype(np.float32)
    found = circle(seen, 2 * half)
    assert found is not None
    along = np.linspace(0, 2 * half, 9).astype(np.float32)
    aside = beside(found, along)
    assert aside is not None
    true = rise - np.sqrt(radius**2 - (along - half) ** 2)
    assert np.abs(aside - true).max() < 0.1


def test_no_circle_runs_through_ends_that_wind() -> None:
    x = np.linspace(0, 15, 12)
    one, two = np.stack([-x, 0 * x], axis=1), np.stack([60 + x, 0 * x - 10], axis=1)
    assert circle(np.concatenate([one, two]).astype(np.float32), 60.0) is None


def test_a_circle_is_found_although_cross_sections_at_its_ends_are_astray() -> None:
    x = np.concatenate([np.linspace(-15, 0, 12), np.linspace(60, 75, 12)])
    seen = np.stack([x, 200 - np.sqrt(200**2 - (x - 30) ** 2)], axis=1)
    seen[[0, -1], 1] += (2.5, -2.0)
    a, b, c = circle(seen.astype(np.float32), 60.0) or (np.nan, np.nan, np.nan)
    middle = beside((a, b, c), np.array([30.0], np.float32))
    assert middle is not None
    assert abs(float(middle[0])) < 0.3


def test_a_bend_is_one_only_where_it_is_clear() -> None:
    along = np.arange(24, dtype=np.float32)
    straight = np.stack([along, 0.1 * np.sin(7 * along)], axis=1).astype(np.float32)
    bent = np.stack([along, along**2 / 600], axis=1).astype(np.float32)
    assert bend(straight) == (0.0, 0.0, 0.0)
    assert bend(bent)[2] == pytest.approx(1 / 600, rel=0.01)


def test_cross_sections_that_the_ink_cuts_tell_nothing() -> None:
    line = np.zeros((20, 40), bool)
    line[8:12, 5:35] = True
    ink = np.arange(20)[:, None] > 30 - np.arange(40)  # cuts the line off at half a right angle
    place, hidden = (np.argwhere(each)[:, ::-1].astype(np.float32) for each in (line & ~ink, ink))
    centre, axis = np.array((12, 9.5), np.float32), np.array((1, 0), np.float32)
    middle, weights = middles(place, np.ones(len(place), np.float32), hidden, centre, axis, 4.0)
    assert len(middle) == len(weights) > 8
    assert np.abs(middle[:, 1]).max() < 1e-5


def comb(page: Image) -> Image:
    """Strokes that hang from a frame and end under the ink."""
    cv2.line(page, (0, 6), (199, 6), (20, 20, 20), 4)
    for left in (50, 74, 98, 122):
        cv2.line(page, (left, 6), (left + 20, 70), (20, 20, 20), 4, cv2.LINE_AA)
    return page


def test_strokes_that_meet_in_a_frame_are_lines_each() -> None:
    mask = np.zeros((120, 200), np.uint8)
    mask[40:100, 30:180] = 255
    page = comb(np.full((120, 200, 3), 255, np.uint8))
    residual = (page.astype(np.float32) - 255) * (mask == 0)[..., None]
    ends = find_ends(residual, mask, mask == 0, 7.0, 60.0, CurveOptions())
    assert ends is not None
    assert len(ends) == 4
    assert all(end.direction @ np.array((20, 64)) / np.hypot(20, 64) > 0.98 for end in ends)


def test_ends_that_would_wind_are_not_joined() -> None:
    mask = np.zeros((120, 240), np.uint8)
    mask[30:90, 80:160] = 255
    page = np.zeros((120, 240, 3), np.uint8)
    cv2.line(page, (50, 10), (80, 34), (60, 60, 60), 3, cv2.LINE_AA)  # both go down to the right,
    cv2.line(page, (160, 40), (190, 64), (60, 60, 60), 3, cv2.LINE_AA)  # one beside the other
    seen = page.astype(np.float32) * (mask == 0)[..., None]
    added = continued_curves(seen, mask, mask == 0, 7.0, 40.0, CurveOptions())
    assert added is None or not added[:, 110:130].any()


def test_pieces_of_a_ring_between_letters_lie_on_one_circle() -> None:
    """In a notch only part of the line's width is seen: alone it would turn the way on both sides of it."""
    mask = np.zeros((160, 320), np.uint8)
    mask[60:112, 60:236] = 255
    mask[60:84, 150:182] = 0
    radius, x, y = 200.0, 230.0, 66.0
    added, true = continued(arc((x, y + radius), radius, 3, mask.shape), mask, levels=25.0)
    rows, columns = np.indices(mask.shape)
    off = np.hypot(columns - x, rows - y - radius) - radius
    hidden = (true.sum(axis=0) > 3) & (columns[0] > 120)  # further left it leaves the ink
    middle = (added * off).sum(axis=0)[hidden] / added.sum(axis=0)[hidden]
    assert np.count_nonzero(hidden) > 80
    assert np.abs(middle).max() < 0.6
