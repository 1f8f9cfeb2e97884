from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from worker.rendering.frame import Frame, Rect
from worker.rendering.ground import Neighbourhood

_HOME = Rect(200.0, 40.0, 300.0, 64.0)


@given(st.integers(0, 180), st.integers(320, 480), st.floats(1, 190), st.floats(1, 190), st.booleans())
def test_what_was_seen_before_does_not_change_how_far_a_block_grows(
    left_bar: int, right_bar: int, left: float, right: float, wide_first: bool
) -> None:
    plate = np.full((100, 500, 3), 230, np.uint8)
    plate[:, left_bar : left_bar + 6] = plate[:, right_bar : right_bar + 6] = 40
    around = Neighbourhood(plate, Frame(0.0), _HOME, (), 20.0)
    fresh = Neighbourhood(plate, Frame(0.0), _HOME, (), 20.0)

    around.gaps(100.0 if wide_first else 10.0)
    around.grown(right, 0, left, 0)
    grown = around.grown(left, 0, right, 0)

    assert grown == fresh.grown(left, 0, right, 0)
    assert left_bar + 6 <= grown.left <= _HOME.left or left_bar + 6 > _HOME.left
    assert _HOME.right <= grown.right <= right_bar
