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
from worker.imaging.sections import Axes, Pixels, attached, bends, profiles, sections, straightened
from worker.imaging.traces import FINE, Complex, beside, circle
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
    seen = np.concatenate([seen, seen * (-1, 1) + (2 * half, 0)])
    found = circle(seen @ (1, 1j), 2 * half)
    assert found is not None
    along = np.linspace(0, 2 * half, 9)
    aside = beside(found, along)
    assert aside is not None
    true = rise - np.sqrt(radius**2 - (along - half) ** 2)
    assert np.abs(aside - true).max() < 0.1


def test_no_circle_runs_through_ends_that_wind() -> None:
    x = np.linspace(0, 15, 12)
    one, two = np.stack([-x, 0 * x], axis=1), np.stack([60 + x, 0 * x - 10], axis=1)
    assert circle(np.concatenate([one, two]) @ (1, 1j), 60.0) is None


def test_a_circle_is_found_although_cross_sections_at_its_ends_are_astray() -> None:
    x = np.concatenate([np.linspace(-15, 0, 12), np.linspace(60, 75, 12)])
    seen = np.stack([x, 200 - np.sqrt(200**2 - (x - 30) ** 2)], axis=1)
    seen[[0, -1], 1] += (2.5, -2.0)
    a, b, c = circle(seen @ (1, 1j), 60.0) or (np.nan, np.nan, np.nan)
    middle = beside((a, b, c), np.array([30.0]))
    assert middle is not None
    assert abs(float(middle[0])) < 0.3


def test_a_bend_is_one_only_where_it_is_clear() -> None:
    along = np.arange(24, dtype=np.float64)
    straight, bent = along + 0.1j * np.sin(7 * along), along + 1j * along**2 / 600
    both = bends(np.concatenate([straight, bent]), np.repeat([0, 1], 24))
    assert both[:, 0].tolist() == [0.0, 0.0, 0.0]
    assert both[2, 1] == pytest.approx(1 / 600, rel=0.01)


def places_of(shown: Mask) -> Complex:
    """Where something is shown."""
    rows, columns = shown.nonzero()
    return np.asarray(columns + 1j * rows, np.complex128)


def test_cross_sections_that_the_ink_cuts_tell_nothing() -> None:
    line = np.zeros((20, 40), np.uint8)
    line[8:12, 5:35] = 1
    ink = (np.arange(20)[:, None] > 30 - np.arange(40)).astype(np.uint8)  # cuts it off at half a right angle
    place = places_of(line & ~ink)
    pixels = Pixels.of(place, np.ones(len(place)), np.zeros(len(place), np.intp))
    axes = Axes(np.array([12 + 9.5j]), np.array([1 + 0j]), np.array([26.0]), np.array([4.0]))
    middles = sections(axes, pixels, 1 - ink)
    assert len(middles.place) == len(middles.weights) > 8
    assert np.abs(middles.place.imag).max() < 1e-5


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, np.pi), min_size=1, max_size=5), st.integers(1, 4))
def test_lines_looked_at_together_are_what_each_is_alone(angles: list[float], wide: int) -> None:
    drawn = []
    for angle in angles:
        picture = np.zeros((80, 80), np.uint8)
        way = (round(30 * np.cos(angle)), round(30 * np.sin(angle)))
        cv2.line(picture, (40 - way[0], 40 - way[1]), (40 + way[0], 40 + way[1]), 1, wide)
        drawn.append(places_of(picture))
    line = np.repeat(np.arange(len(drawn)), [len(each) for each in drawn])
    pixels = Pixels.of(np.concatenate(drawn), np.ones(len(line)), line)
    axes = Axes.of(pixels)
    seen = np.ones((80, 80), np.uint8)
    _, straight = straightened(axes, pixels, seen)
    for number, (angle, place) in enumerate(zip(angles, drawn, strict=True)):
        one = Pixels.of(place, np.ones(len(place)), np.zeros(len(place), np.intp))
        alone = Axes.of(one)
        assert abs((alone.axis[0].conjugate() * np.exp(1j * angle)).imag) < 0.05
        assert axes.axis[number] == pytest.approx(alone.axis[0])
        assert axes.thick[number] == pytest.approx(alone.thick[0])
        assert straight.centre[number] == pytest.approx(straightened(alone, one, seen)[1].centre[0])


def test_what_hangs_together_with_the_nearest_pixel_is_a_line() -> None:
    place = np.array([0, 1, 2 + 1j, 5, 6, 10, 11 + 1j, 20], np.complex128)
    line = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    away = np.array([3.0, 2.0, 1.0, 4.0, 5.0, 7.0, 8.0, 9.0])
    assert attached(place, away, line).tolist() == [True, True, True, False, False, True, True, False]


@given(st.integers(0, 7), st.floats(-1, 1))
def test_the_pixels_beside_lines_are_those_of_a_strip(turn: int, off: float) -> None:
    axis = np.exp(1j * np.pi * (turn / 8 + 0.03))
    axes = Axes(np.array([20 + off + 30j]), np.array([axis]), np.array([30.0]), np.array([2.0]))
    found, line = axes.strip(np.array([-15.0]), np.array([12.0]), np.array([4.0]), (60, 40))
    assert not line.any()
    assert len(set(found.tolist())) == len(found)
    every = places_of(np.ones((60, 40), np.uint8))
    local = (every - axes.centre) * axis.conjugate()
    inner = every[(np.abs(local.imag) < 3.99) & (local.real > -15) & (local.real < 12)]
    assert set(inner.tolist()) <= set(found.tolist())
    assert np.abs(((found - axes.centre) * axis.conjugate()).imag).max() <= 4


def test_a_profile_is_the_mean_of_its_cross_sections() -> None:
    across = np.tile(np.linspace(-2.9, 2.9, 59), 2)
    line = np.repeat([0, 1], 59)
    colours = np.where(line == 0, 30.0, -12.0) * np.maximum(1 - np.abs(across), 0)
    found = profiles(across, np.stack([colours] * 3, axis=1).astype(np.float32), line, np.array([3, 3]))
    for profile, peak in zip(found, (30, -12), strict=True):
        assert profile.shape == (2 * 3 * FINE + 1, 3)
        assert profile[3 * FINE] == pytest.approx(peak, rel=0.25)
        assert np.abs(profile[[0, 1, -2, -1]]).max() < 1e-3


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
    assert all((end.direction.conjugate() * (20 + 64j)).real / np.hypot(20, 64) > 0.98 for end in ends)


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
