"""Vertical text that the OCR read in pieces: single characters, halves of a column, a column of one or two.

Such a piece is no taller than wide, so that nothing in its own shape says that it stands: its neighbours do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from worker.imaging.between import has_rule_between
from worker.imaging.overlaps import boxes_of, near
from worker.imaging.rows import Row, measure, offset
from worker.job import Image, TextLine

#: A box this many times as high as broad with two full-width characters in it holds one below the other.
_TALL = 1.1
#: Pieces of one column: their widths' ratio, how far (in widths) their middles lie apart, and the gap
#: between them, negative where they overlap.
_WIDTHS, _MIDDLES, _GAP, _OVERLAP = 1.4, 0.3, 0.45, -0.6
#: A short column beside another: its distance, and how far its start lies off the other's, in widths.
_BESIDE, _LEVEL = 0.9, 1.0
#: A short column: full-width characters, and its box's height in widths.
_FEW, _SQUARE = 2, (0.7, 2.0)


def upright_rows(rgb: Image, rows: list[Row]) -> list[Row]:
    """The rows with pieces of vertical columns put together, and short columns stood up.

    Args:
        rgb: The page, (H, W, 3).
        rows: Horizontal and vertical ones; most pages have none that change.
    """
    rows = [_stood(row) if _is_tall(row) else row for row in rows]
    if not any(row.vertical or _is_piece(row) for row in rows):
        return rows
    rows = _joined(rgb, rows)
    boxes = boxes_of([row.line for row in rows])
    standing = [row.vertical for row in rows]
    for index, row in enumerate(rows):
        if not row.vertical and _wide_characters(row) <= _FEW and _is_squarish(row):
            beside = near(boxes, index, _BESIDE * row.length)
            if any(_is_column_beside(rows[other], _stood(row)) for other in beside if standing[other]):
                rows[index] = _stood(row)
    return rows


def _joined(rgb: Image, rows: list[Row]) -> list[Row]:
    """The rows with pieces that stand one below the other as one column."""
    boxes = boxes_of([row.line for row in rows])
    following: dict[int, int] = {}
    for index, row in enumerate(rows):
        if _is_piece(row):
            below = [
                (_level_gap(row, rows[other]), int(other))
                for other in near(boxes, index, _GAP * row.frame.length)
                if _is_piece(rows[other]) and _goes_on(rgb, row, rows[other])
            ]
            if below and not _is_read_across(rows, boxes, index, min(below)[0]):
                following[index] = min(below)[1]
    joined = []
    for head in sorted(set(range(len(rows))) - set(following.values())):
        chain = [head]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        joined.append(_column([rows[index] for index in chain]) if len(chain) > 1 else rows[head])
    return joined


def _is_piece(row: Row) -> bool:
    """Whether a row may be a piece of a column: one that stands, or a single full-width character."""
    return (row.vertical or len(row.line.text.strip()) == 1) and _wide_characters(row) > 0


def _goes_on(rgb: Image, upper: Row, lower: Row) -> bool:
    """Whether a piece goes on in another below it."""
    one, two = _lying(upper), _lying(lower)
    narrow, wide = sorted((one.length, two.length))
    place = offset(one, two)
    return (
        wide <= _WIDTHS * narrow
        and abs(place.centre) <= _MIDDLES * narrow
        and _OVERLAP * narrow <= place.gap <= _GAP * narrow
        and float(np.dot(two.centre - one.centre, one.across)) > 0
        and not has_rule_between(rgb, one, two)
    )


def _is_read_across(rows: Sequence[Row], boxes: np.ndarray, index: int, below: float) -> bool:
    """Whether a single character has another nearer beside it than below it."""
    row = rows[index]
    if row.vertical:
        return False
    for other in near(boxes, index, max(below, 0.0)):
        place = offset(row, rows[other])
        beside = abs(place.centre) - (row.length + rows[other].length) / 2
        if not rows[other].vertical and abs(place.gap + row.size) < 0.4 * row.size and beside < below:
            return True
    return False


def _column(pieces: Sequence[Row]) -> Row:
    """Pieces as the one line they are."""
    corners = np.concatenate([piece.line.polygon for piece in pieces])
    frame = pieces[0].frame
    turn = np.stack([frame.along, frame.across])
    (left, top), (right, bottom) = (places := corners @ turn.T).min(axis=0), places.max(axis=0)
    quad = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32) @ turn
    text = "".join(piece.line.text.strip() for piece in pieces)
    score = min(piece.line.score for piece in pieces)
    return _stood(measure(TextLine(np.asarray(quad, np.float32), text, score)))


def _is_column_beside(column: Row, short: Row) -> bool:
    """Whether a short column, seen as standing, is set beside another as its neighbour would be."""
    narrow, wide = sorted((column.size, short.size))
    place = offset(column, short)
    gap = abs(float((short.centre - column.centre) @ column.across)) - (column.size + short.size) / 2
    return wide <= _WIDTHS * narrow and abs(place.start) <= _LEVEL * narrow and gap <= _BESIDE * narrow


def _is_tall(row: Row) -> bool:
    upright = abs(row.frame.angle) < 45 and not row.vertical
    return upright and row.frame.height > _TALL * row.frame.length and _wide_characters(row) >= 2


def _is_squarish(row: Row) -> bool:
    return _SQUARE[0] <= row.frame.height / max(row.frame.length, 1.0) <= _SQUARE[1]


def _wide_characters(row: Row) -> int:
    return sum(1 for char in row.line.text if ord(char) > 0x2E7F)


def _level_gap(upper: Row, lower: Row) -> float:
    return offset(_lying(upper), _lying(lower)).gap


def _lying(row: Row) -> Row:
    """A row by the axes of its box, as if it were horizontal."""
    frame = row.frame
    return replace(
        row, vertical=False, along=frame.along, across=frame.across, length=frame.length, size=frame.height
    )


def _stood(row: Row) -> Row:
    """A row as a vertical column."""
    frame = row.frame
    em = min(frame.length, frame.height / max(row.units, 1.0))
    return replace(
        row,
        vertical=True,
        along=frame.across,
        across=-frame.along,
        length=frame.height,
        size=frame.length,
        em=em,
    )
