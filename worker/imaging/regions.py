"""OCR lines become blocks: the paragraphs that are translated and typeset as one.

A line joins the one above it where both look alike (size within 20 %, ink and ground alike, same angle, no
rule between them) and the text runs on: in a column set flush left the upper line must reach the column's
right edge, for only a wrapped line does; centred lines (speech bubbles) and vertical columns join by nearness
alone. A row that opens with a label ("【key】", "key：value", a bullet), a cell of a table and an entry of a
list stand alone.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from statistics import median

import numpy as np

from worker.imaging.column import ALIGNED, WRAP_SLACK, Column
from worker.imaging.overlaps import boxes_of, near, without_duplicates
from worker.imaging.quads import clean_quad, upended
from worker.imaging.rows import Row, Vector, colours, measure, offset
from worker.job import Image, Polygon, TextBlock, TextLine

#: Two lines of one paragraph differ in size by no more than this factor (1 / 0.8).
_SIZE_RATIO = 1.25
#: Largest gap inside a paragraph as a share of the line's size: flush-left, centred, between columns.
_GAP, _CENTRED_GAP, _COLUMN_GAP = 1.0, 0.6, 0.9
#: Boxes of tight lines overlap by up to half their height (RapidOCR on dense labels).
_GAP_OVERLAP = -0.5
#: Angle two lines may differ by; boxes of short lines are read with a few degrees of error.
_ANGLE = math.radians(12.0)
#: Largest distance of two ink or ground colours (RGB, Euclidean) that count as one.
_COLOUR = 72.0
#: A line shorter than this many em is a label or a list entry, not the first line of a paragraph.
_SHORTEST_WRAPPED = 7.5
#: Longest key of a table in em, and the farthest it stands from its value, in line sizes.
_LONGEST_KEY, _KEY_DISTANCE = 6.5, 6.0
#: A row's change of brightness between two lines that counts as a rule or an edge; and how many pixels on
#: either side of its middle one tell its brightness.
_RULE, _SAMPLES = 24.0, 16


def group_lines(rgb: Image, lines: tuple[TextLine, ...]) -> tuple[TextBlock, ...]:
    """Groups OCR lines into blocks, in reading order.

    Polygons are clipped to the page and put in order first; lines off the page or without area, and the
    lesser of two boxes around the same text, are dropped.

    Args:
        rgb: The page, (H, W, 3).
        lines: As the OCR engine gave them, in any order.
    """
    height, width = rgb.shape[:2]
    cleaned = [
        TextLine(upended(quad, line.text), line.text, line.score)
        for line in lines
        if line.text.strip() and (quad := clean_quad(line.polygon, width, height)) is not None
    ]
    rows = [measure(line) for line in without_duplicates(cleaned)]
    beside_key = _rows_beside_a_key(rows)
    groups = [group for stack in _stacks(rgb, rows) for group in _split(rows, stack, beside_key)]
    blocks = _in_reading_order([_block([rows[index] for index in group]) for group in groups])
    return tuple(replace(block, id=index) for index, block in enumerate(blocks))


def _stacks(rgb: Image, rows: list[Row]) -> list[list[int]]:
    """Chains of rows that look alike and follow each other closely."""
    boxes = boxes_of([row.line for row in rows])
    nearest: dict[int, tuple[float, int]] = {}
    looks = cache(lambda index: colours(rgb, rows[index]))  # of few rows: most have no other near them
    for index, row in enumerate(rows):
        followers = [
            (offset(row, rows[other]).gap, int(other))
            for other in near(boxes, index, 1.1 * row.size)
            if _may_follow(row, rows[other]) and _alike(looks(index), looks(int(other)))
        ]
        for gap, other in sorted(followers):
            if not _has_rule_between(rgb, row, rows[other]):
                if other not in nearest or gap < nearest[other][0]:
                    nearest[other] = (gap, index)
                break
    following: dict[int, int] = {}
    for other, (gap, index) in nearest.items():
        if index not in following or gap < nearest[following[index]][0]:
            following[index] = other
    heads = set(range(len(rows))) - set(following.values())
    return [_chain(head, following) for head in sorted(heads)]


def _chain(head: int, following: dict[int, int]) -> list[int]:
    chain = [head]
    while chain[-1] in following:
        chain.append(following[chain[-1]])
    return chain


def _may_follow(upper: Row, lower: Row) -> bool:
    """Whether `lower` could be the next line of a paragraph that holds `upper`, by size and place."""
    if upper.vertical != lower.vertical:
        return False
    if max(upper.size, lower.size) > _SIZE_RATIO * min(upper.size, lower.size):
        return False
    if math.acos(min(max(float(upper.along @ lower.along), -1.0), 1.0)) > _ANGLE:
        return False
    place, size = offset(upper, lower), min(upper.size, lower.size)
    limit = _COLUMN_GAP if upper.vertical else _GAP
    return _GAP_OVERLAP * size <= place.gap <= limit * size and place.overlap >= 0.3


def _alike(one: tuple[Vector, Vector], other: tuple[Vector, Vector]) -> bool:
    """Whether two rows have the same ink, and the same ground."""
    return all(math.dist(a, b) <= _COLOUR for a, b in zip(one, other, strict=True))


def _has_rule_between(rgb: Image, upper: Row, lower: Row) -> bool:
    """Whether a line or an edge of the ground runs between two rows, seen where both stand."""
    place = offset(upper, lower)
    if place.gap < 3:
        return False
    low = max(-upper.length / 2, place.start - upper.length / 2)
    high = min(upper.length / 2, place.end + upper.length / 2)
    height, width = rgb.shape[:2]
    u = np.linspace(low, high, 2 * _SAMPLES + 3, dtype=np.float32)[1:-1]
    v = upper.size / 2 + np.arange(1, int(place.gap), dtype=np.float32)
    points = upper.centre + u[None, :, None] * upper.along + v[:, None, None] * upper.across
    x = np.clip(points[..., 0].astype(np.intp), 0, width - 1)
    y = np.clip(points[..., 1].astype(np.intp), 0, height - 1)
    levels = np.partition(rgb[y, x], _SAMPLES, axis=1)[:, _SAMPLES].astype(np.float32)
    return bool(np.abs(levels - np.median(levels, axis=0)).max() > _RULE)


def _rows_beside_a_key(rows: list[Row]) -> set[int]:
    """Rows with a short cell to their left: values of a table, each of which stands alone."""
    boxes = boxes_of([row.line for row in rows])
    is_key = np.array([not row.vertical and row.units <= _LONGEST_KEY for row in rows], bool)
    found: set[int] = set()
    for index, row in enumerate(rows):
        if row.vertical:
            continue
        beside = near(boxes, index, _KEY_DISTANCE * row.size)
        for key in (rows[other] for other in beside[is_key[beside]]):
            moved = key.centre - row.centre
            level = abs(float(moved @ row.across)) < 0.4 * min(row.size, key.size)
            if level and float(moved @ row.along) < -(row.length + key.length) / 2:
                found.add(index)
                break
    return found


def _split(rows: list[Row], stack: list[int], beside_key: set[int]) -> list[list[int]]:
    """Cuts a stack wherever the text does not run on."""
    groups = [[stack[0]]]
    if len(stack) == 1:
        return groups
    column = Column.of([rows[index] for index in stack])
    block = [column.rows[0]]
    for index, row in zip(stack[1:], column.rows[1:], strict=True):
        alone = index in beside_key or (row.starts_block and not row.vertical)
        if not alone and _runs_on(block, row, column):
            groups[-1].append(index)
            block.append(row)
        else:
            groups.append([index])
            block = [row]
    return groups


def _runs_on(block: list[Row], lower: Row, column: Column) -> bool:
    """Whether `lower` continues the text of `block`, whose rows stand in `column`."""
    upper = block[-1]
    place, em = offset(upper, lower), max(upper.em, lower.em)
    size = min(upper.size, lower.size)
    if len(block) > 1 and place.gap > offset(block[-2], upper).gap + 0.4 * size:
        return False
    if upper.vertical:
        return abs(place.start) <= 1.5 * em or abs(place.centre) <= ALIGNED * em
    if not column.is_flush:
        one_script = upper.is_latin == lower.is_latin
        return one_script and abs(place.centre) <= em and place.gap <= _CENTRED_GAP * size
    if not _is_aligned(block, place.start, em):
        return False
    edge = column.beyond(upper)
    if edge > WRAP_SLACK * em or column.is_list:
        return False
    ragged = edge > 0.5 * em
    if upper.ends_sentence and (len(block) == 1 or ragged):
        return False
    return upper.is_open or upper.units >= _SHORTEST_WRAPPED


def _is_aligned(block: list[Row], start: float, em: float) -> bool:
    """Whether a row that starts `start` px after the one above is set like the next line of its paragraph."""
    if abs(start) <= ALIGNED * em:
        return True
    if len(block) > 1:
        return False
    indented = abs(start + 2 * em) <= ALIGNED * em
    hanging = block[0].label_units > 0 and abs(start - block[0].label_units * em) <= em
    return indented or hanging


def _block(rows: list[Row]) -> TextBlock:
    lines = tuple(row.line for row in rows)
    widest = max(rows, key=lambda row: row.length)
    angle = widest.frame.angle
    return TextBlock(
        id=0,
        lines=lines,
        text=join_texts([line.text for line in lines]),
        polygon=_enclosing(lines, angle),
        angle=angle,
        text_height=median(row.size for row in rows),
        vertical=rows[0].vertical,
    )


def _enclosing(lines: tuple[TextLine, ...], angle: float) -> Polygon:
    """Smallest rectangle at an angle around all lines, clockwise from the text's top left."""
    radians = np.radians(angle)
    turn = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]], np.float32)
    corners = np.concatenate([line.polygon for line in lines]) @ turn.T
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    rectangle = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    return (rectangle @ turn).astype(np.float32)


def join_texts(texts: list[str]) -> str:
    """Lines as one text: a space only where two narrow (Latin, digit) characters meet."""
    joined = ""
    for text in (text.strip() for text in texts):
        narrow = joined and ord(joined[-1]) < 0x2E80 and text and ord(text[0]) < 0x2E80
        joined += f" {text}" if narrow else text
    return joined


def _in_reading_order(blocks: list[TextBlock]) -> list[TextBlock]:
    """Rows of blocks from top to bottom; inside a row left to right, vertical text right to left."""
    ordered: list[TextBlock] = []
    row: list[TextBlock] = []
    for block in sorted(blocks, key=lambda block: float(block.polygon[:, 1].min())):
        if row and float(block.polygon[:, 1].mean()) > float(row[0].polygon[:, 1].max()):
            ordered += sorted(row, key=_place_in_row)
            row = []
        row.append(block)
    return ordered + sorted(row, key=_place_in_row)


def _place_in_row(block: TextBlock) -> float:
    return -float(block.polygon[:, 0].max()) if block.vertical else float(block.polygon[:, 0].min())
