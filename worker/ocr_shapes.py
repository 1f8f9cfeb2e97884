"""The shapes in which OCR engines really return their lines, read into `TextLine`.

Accepted (docs/architecture.md shows one of each):
    a list of {"box" | "polygon" | "points" | "bbox": …, "text" | "transcription" | "txt": …,
    "score" | "confidence": …}, as PPOCRLabel and RapidOCR's JSON have it too
    PaddleOCR 2: [[box, [text, score]], …], also nested once more for its single page
    PaddleOCR 3: {"rec_polys" | "rec_boxes": […], "rec_texts": […], "rec_scores": […]}, also in a list of one,
    also under "res" as its JSON files have it
    RapidOCR:    [[box, text, score], …]

A box is four points, more points, or [x1, y1, x2, y2]. Unknown keys are ignored. No lines at all, or null as
PaddleOCR 2 and RapidOCR say it, is a page without text.
"""

from __future__ import annotations

from typing import Any, NoReturn

import cv2
import numpy as np

from worker.errors import BadOcr
from worker.job import Polygon, TextLine

_BOX_KEYS = ("box", "polygon", "points", "bbox")
_TEXT_KEYS = ("text", "transcription", "txt")
_SCORE_KEYS = ("score", "confidence")
#: A page holds hundreds of lines; more than this is not OCR of a picture.
MAX_LINES = 5_000
#: One line of text; longer ones are not OCR of a line.
_MAX_TEXT = 10_000
#: Coordinates beyond this are outside any picture that can be decoded.
_MAX_COORDINATE = 1e6
#: Engines score up to 1 or up to 100.
_MAX_SCORE = 1e6
#: Curved text is outlined with some tens of points.
_MAX_POINTS = 1000


def parse_ocr(value: Any, field: str = "ocr_result") -> tuple[TextLine, ...]:
    """Read an `ocr_result` of any known shape.

    Args:
        value: The parsed JSON value.
        field: Its name, for error messages.

    Raises:
        BadOcr: Names the element that cannot be read.
    """
    if value is None:
        return ()
    if isinstance(value, dict):
        return _parallel_lists(*_unwrapped(value, field))
    if not isinstance(value, list):
        _fail(field, f"must be a list or an object, not {_kind(value)}")
    if len(value) == 1 and isinstance(value[0], dict):
        page, page_field = _unwrapped(value[0], f"{field}[0]")
        if "rec_texts" in page:
            return _parallel_lists(page, page_field)
    if len(value) == 1 and (value[0] is None or _is_page(value[0])):
        return parse_ocr(value[0], f"{field}[0]")
    if len(value) > MAX_LINES:
        _fail(field, f"has {len(value)} lines, more than {MAX_LINES}")
    return tuple(_line(entry, f"{field}[{index}]") for index, entry in enumerate(value))


def _unwrapped(page: dict[str, Any], field: str) -> tuple[dict[str, Any], str]:
    """PaddleOCR 3's result and its name; where it was saved, it lies under `res`."""
    inner = page.get("res")
    return (inner, f"{field}.res") if isinstance(inner, dict) else (page, field)


def _is_page(value: Any) -> bool:
    """PaddleOCR 2 wraps the lines of each page: a list whose first element is itself a line."""
    return isinstance(value, list) and (not value or isinstance(value[0], dict) or _is_pair(value[0]))


def _is_pair(value: Any) -> bool:
    if not isinstance(value, list) or len(value) not in (2, 3):
        return False
    return isinstance(value[0], list) and not _is_number(value[1])


def _parallel_lists(value: dict[str, Any], field: str) -> tuple[TextLine, ...]:
    boxes_key = next((key for key in ("rec_polys", "rec_boxes") if value.get(key) is not None), None)
    if boxes_key is None or "rec_texts" not in value:
        _fail(field, "an object needs rec_texts and rec_polys or rec_boxes")
    boxes, texts = value[boxes_key], value["rec_texts"]
    scores: Any = value.get("rec_scores")
    if scores is None and isinstance(texts, list):
        scores = [1.0] * len(texts)
    for key, column in ((boxes_key, boxes), ("rec_texts", texts), ("rec_scores", scores)):
        if not isinstance(column, list):
            _fail(f"{field}.{key}", f"must be a list, not {_kind(column)}")
    if not len(boxes) == len(texts) == len(scores):
        lengths = f"{len(boxes)}, {len(texts)} and {len(scores)}"
        _fail(field, f"{boxes_key}, rec_texts and rec_scores differ in length: {lengths}")
    if len(texts) > MAX_LINES:
        _fail(field, f"has {len(texts)} lines, more than {MAX_LINES}")
    return tuple(
        TextLine(
            _polygon(box, f"{field}.{boxes_key}[{index}]"),
            _text(text, f"{field}.rec_texts[{index}]"),
            _score(score, f"{field}.rec_scores[{index}]"),
        )
        for index, (box, text, score) in enumerate(zip(boxes, texts, scores, strict=True))
    )


def _line(entry: Any, field: str) -> TextLine:
    if isinstance(entry, dict):
        return _keyed_line(entry, field)
    if not isinstance(entry, list):
        _fail(field, f"must be an object or a list, not {_kind(entry)}")
    if len(entry) == 2 and isinstance(entry[1], list) and len(entry[1]) == 2:
        text, score, text_field, score_field = *entry[1], f"{field}[1][0]", f"{field}[1][1]"
    elif len(entry) == 3:
        text, score, text_field, score_field = entry[1], entry[2], f"{field}[1]", f"{field}[2]"
    else:
        _fail(field, "must be [box, [text, score]] or [box, text, score]")
    return TextLine(_polygon(entry[0], f"{field}[0]"), _text(text, text_field), _score(score, score_field))


def _keyed_line(entry: dict[str, Any], field: str) -> TextLine:
    box_key = next((key for key in _BOX_KEYS if key in entry), None)
    if box_key is None:
        _fail(field, f"has none of {', '.join(_BOX_KEYS)}")
    text_key = next((key for key in _TEXT_KEYS if key in entry), None)
    if text_key is None:
        _fail(f"{field}.text", "is missing")
    score_key = next((key for key in _SCORE_KEYS if key in entry), None)
    return TextLine(
        _polygon(entry[box_key], f"{field}.{box_key}"),
        _text(entry[text_key], f"{field}.{text_key}"),
        1.0 if score_key is None else _score(entry[score_key], f"{field}.{score_key}"),
    )


def _polygon(value: Any, field: str) -> Polygon:
    if not isinstance(value, list):
        _fail(field, f"must be a list, not {_kind(value)}")
    if len(value) == 4 and all(_is_number(number) for number in value):
        left, top, right, bottom = (_coordinate(number, field) for number in value)
        polygon = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    elif len(value) < 4:
        _fail(field, f"needs four points or [x1, y1, x2, y2], has {len(value)} elements")
    elif len(value) > _MAX_POINTS:
        _fail(field, f"has {len(value)} points, more than {_MAX_POINTS}")
    else:
        points = [_point(point, f"{field}[{index}]") for index, point in enumerate(value)]
        polygon = np.array(points, np.float32)
    (_, size, _) = cv2.minAreaRect(polygon)
    if min(size) < 1:
        _fail(field, f"has no area ({size[0]:.1f} x {size[1]:.1f} px)")
    return polygon if len(polygon) == 4 else _quad(polygon)


def _quad(points: Polygon) -> Polygon:
    """The smallest rotated rectangle around many points, clockwise from the corner nearest the first."""
    corners = cv2.boxPoints(cv2.minAreaRect(points))
    if cv2.contourArea(corners, oriented=True) < 0:
        corners = corners[::-1]
    start = int(np.argmin(np.linalg.norm(corners - points[0], axis=1)))
    return np.ascontiguousarray(np.roll(corners, -start, axis=0), np.float32)


def _point(value: Any, field: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        _fail(field, "must be a point [x, y]")
    return _coordinate(value[0], field), _coordinate(value[1], field)


def _coordinate(value: Any, field: str) -> float:
    # NaN fails the comparison too; an integer of 400 digits fits no float, so nothing else may touch it.
    if not _is_number(value) or not abs(value) <= _MAX_COORDINATE:
        _fail(field, "has a coordinate that is not a finite number")
    return float(value)


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        _fail(field, f"must be a string, not {_kind(value)}")
    if len(value) > _MAX_TEXT:
        _fail(field, f"has {len(value)} characters, more than {_MAX_TEXT}")
    # A lone surrogate survives json.loads but can be neither drawn nor encoded.
    return value.encode("utf-8", "replace").decode()


def _score(value: Any, field: str) -> float:
    if not _is_number(value) or not abs(value) <= _MAX_SCORE:
        _fail(field, f"must be a finite number, not {_kind(value)}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _fail(field: str, message: str) -> NoReturn:
    raise BadOcr(f"{field}: {message}")
