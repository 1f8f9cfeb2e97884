"""One test for each shape an OCR engine returns, and for each way to get it wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import BadOcr
from worker.ocr_shapes import parse_ocr

BOX = [[10, 20], [110, 20], [110, 50], [10, 50]]
LINE = ("洗涤说明", 0.98)

SHAPES: dict[str, Any] = {
    "keyed box": [{"box": BOX, "text": LINE[0], "score": LINE[1]}],
    "keyed polygon": [{"polygon": BOX, "text": LINE[0], "confidence": LINE[1]}],
    "keyed points": [{"points": BOX, "text": LINE[0], "score": LINE[1], "extra": {"ignored": True}}],
    "keyed bbox": [{"bbox": [10, 20, 110, 50], "text": LINE[0], "score": LINE[1]}],
    "PaddleOCR 2": [[BOX, [LINE[0], LINE[1]]]],
    "PaddleOCR 2, one page": [[[BOX, [LINE[0], LINE[1]]]]],
    "PaddleOCR 3 polys": {"rec_polys": [BOX], "rec_texts": [LINE[0]], "rec_scores": [LINE[1]]},
    "PaddleOCR 3 boxes": {"rec_boxes": [[10, 20, 110, 50]], "rec_texts": [LINE[0]], "rec_scores": [LINE[1]]},
    "PaddleOCR 3, list of one": [{"rec_polys": [BOX], "rec_texts": [LINE[0]], "rec_scores": [LINE[1]]}],
    "PaddleOCR 3, saved": {"res": {"rec_polys": [BOX], "rec_texts": [LINE[0]], "rec_scores": [LINE[1]]}},
    "PaddleOCR 3, saved, list of one": [
        {"res": {"rec_polys": [BOX], "rec_texts": [LINE[0]], "rec_scores": [LINE[1]]}}
    ],
    "PPOCRLabel": [{"points": BOX, "transcription": LINE[0], "score": LINE[1], "difficult": False}],
    "RapidOCR, JSON": [{"box": BOX, "txt": LINE[0], "score": LINE[1]}],
    "keyed, with a res of its own": [{"box": BOX, "text": LINE[0], "score": LINE[1], "res": {}}],
    "RapidOCR": [[BOX, LINE[0], LINE[1]]],
    "more points": [{"box": [*BOX[:2], [110, 35], *BOX[2:]], "text": LINE[0], "score": LINE[1]}],
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_gives_the_same_line(shape: Any) -> None:
    (line,) = parse_ocr(shape)
    assert line.text == LINE[0]
    assert line.score == pytest.approx(LINE[1])
    np.testing.assert_allclose(line.polygon, BOX, atol=0.01)
    assert line.polygon.dtype == np.float32


@pytest.mark.parametrize("nothing", [None, [], [None], [[]], {"rec_polys": [], "rec_texts": []}])
def test_a_page_without_text(nothing: Any) -> None:
    assert parse_ocr(nothing) == ()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("text", "ocr_result: must be a list or an object, not a string"),
        ([{"text": "x"}], "ocr_result[0]: has none of box"),
        ([{"box": BOX}], "ocr_result[0].text: is missing"),
        ([{"box": BOX, "txt": 5}], "ocr_result[0].txt: must be a string, not a number"),
        ({"res": {"rec_texts": ["x"]}}, "ocr_result.res: an object needs rec_texts and"),
        ({"res": []}, "ocr_result: an object needs rec_texts and"),
        ([{"box": BOX, "text": 5}], "ocr_result[0].text: must be a string, not a number"),
        ([{"box": BOX, "text": "x", "score": "high"}], "ocr_result[0].score: must be a finite number"),
        ([[BOX, "ok", 1.0], [BOX]], "ocr_result[1]: must be [box, [text, score]]"),
        ([{"box": [1, 2], "text": "x"}], "ocr_result[0].box: needs four points"),
        ([{"box": [[1, 2], [3, 4], [5], [6, 7]], "text": "x"}], "ocr_result[0].box[2]: must be a point"),
        ([{"box": [[1, 2], [3, float("nan")], [5, 5], [6, 7]], "text": "x"}], "not a finite number"),
        ([{"box": [5, 5, 5, 40], "text": "x"}], "ocr_result[0].box: has no area"),
        ([{"box": [[3, 3]] * 4, "text": "x"}], "ocr_result[0].box: has no area"),
        ({"rec_texts": ["x"]}, "needs rec_texts and rec_polys or rec_boxes"),
        ({"rec_polys": [BOX], "rec_texts": []}, "differ in length: 1, 0 and 0"),
        ([SHAPES["RapidOCR"][0]] * 5001, "ocr_result: has 5001 lines, more than 5000"),
        ({"rec_polys": "x", "rec_texts": []}, "ocr_result.rec_polys: must be a list, not a string"),
    ],
)
def test_what_cannot_be_read_is_named(value: Any, named: str) -> None:
    with pytest.raises(BadOcr) as caught:
        parse_ocr(value)
    assert named in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(BOX),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["box", "text", "score", "rec_polys", "rec_texts", "rec_scores"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_value_raises_anything_else(value: Any) -> None:
    try:
        lines = parse_ocr(value)
    except BadOcr:
        return
    assert all(line.polygon.shape == (4, 2) for line in lines)


def test_a_lone_surrogate_cannot_get_in() -> None:
    (line,) = parse_ocr([{"box": BOX, "text": "a\ud800b"}])
    line.text.encode()
