from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.rendering.frame import Frame, Rect

_SIDE = st.floats(-500, 500)
_ROOM = st.floats(0.5, 300)
_RECTS = st.builds(lambda x, y, w, h: Rect(x, y, x + w, y + h), _SIDE, _SIDE, _ROOM, _ROOM)


@given(_RECTS, st.lists(_RECTS, max_size=8))
def test_many_rectangles_are_asked_as_one_by_one(rect: Rect, others: list[Rect]) -> None:
    extents = np.array([(o.left, o.top, o.right, o.bottom) for o in others]).reshape(-1, 4)

    assert rect.overlaps_any(extents).tolist() == [rect.overlaps(other) for other in others]


@given(st.sampled_from([0.0, 12.0, -40.0]), st.lists(_RECTS, max_size=6))
def test_extents_are_those_of_each_polygon(angle: float, rects: list[Rect]) -> None:
    frame = Frame(angle)
    polygons = [Frame(7.0).quad(rect) for rect in rects]

    extents = frame.extents_of(polygons)

    for found, polygon in zip(extents, polygons, strict=True):
        rect = frame.rect_around(polygon)
        assert found == pytest.approx((rect.left, rect.top, rect.right, rect.bottom))


@given(_RECTS)
def test_the_pages_own_frame_turns_nothing(rect: Rect) -> None:
    page, points = Frame(0.0), rect.corners

    np.testing.assert_array_equal(page.to_local(points), points)
    np.testing.assert_array_equal(page.to_page(points), points)
    np.testing.assert_array_equal(page.quad(rect), points.astype(np.float32))
