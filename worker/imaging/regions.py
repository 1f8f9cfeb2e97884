"""OCR lines become blocks: the paragraphs that are translated and typeset as one.

A line joins the one above it where both look alike (size within 20 %, ink and ground alike, same angle, no
rule between them) and the text runs on: in a column set flush left the upper line must reach the column's
right edge, for only a wrapped line does; centred lines (speech bubbles) and vertical columns join by nearness
alone, centred lines farther apart where the upper one is full. A row that opens with a label ("【key】",
"key：value", a bullet), a cell of a table and an entry of a list stand alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from statistics import median

import numpy as np

from worker.imaging.between import has_rule_between, has_strange_ground_between, is_alike
from worker.imaging.column import ALIGNED, WRAP_SLACK, Column
from worker.imaging.overlaps import boxes_of, near, without_duplicates
from worker.imaging.quads import Frame, clean_quad, upended
from worker.imaging.rows import Row, Vector, colours, measure, offset
from worker.imaging.unread import with_unread_signs
from worker.imaging.upright import upright_rows
from worker.job import Image, Polygon, TextBlock, TextLine

#: Two lines of one paragraph differ in size by no more than this factor (1 / 0.8).
_SIZE_RATIO = 1.25
#: Largest gap inside a paragraph as a share of the line's size: flush-left, centred, between columns.
_GAP, _CENTRED_GAP, _COLUMN_GAP = 1.0, 0.6, 0.9
#: Boxes of tight lines overlap by up to half their height (RapidOCR on dense labels).
_GAP_OVERLAP = -0.5
#: Angle two lines may differ by; boxes of short lines are read with a few degrees of error.
_ANGLE = math.radians(12.0)
#: A line shorter than this many em is a label or a list entry, not the first line of a paragraph.
_SHORTEST_WRAPPED = 7.5
#: So is a shorter one of a centred text whose lines stand apart.
_SHORTEST_CENTRED = 9.5
#: What never ends a text: the next line goes on, however far this one reaches.
_COMMAS = ("，", "、", ",")
#: A row is a heading above one so many times as long, a gap of this share of its size below.
_HEADED, _HEADING_GAP = 1.5, 0.35
#: Longest key of a table in em, and the farthest it stands from its value, in line sizes; and from each of
#: two values, one below the other.
_LONGEST_KEY, _KEY_DISTANCE, _FAR_KEY = 6.5, 6.0, 14.0

Looks = Callable[[int], tuple[Vector, Vector]]


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
    rows = upright_rows(rgb, [measure(line) for line in without_duplicates(cleaned)])
    rows = with_unread_signs(rgb, rows, lambda row: _look(rgb, row))
    looks = cache(lambda index: _look(rgb, rows[index]))  # of few rows: most have no other near them
    key_of = _keys_of(rgb, rows, looks)
    groups = [group for stack in _stacks(rgb, rows, looks) for group in _split(rows, stack, key_of)]
    blocks = _in_reading_order([_block([rows[index] for index in group]) for group in groups])
    return tuple(replace(block, id=index) for index, block in enumerate(blocks))


def _look(rgb: Image, row: Row) -> tuple[Vector, Vector]:
    """Ink and ground of a row; of a column the ground is beside it, since above it a balloon may end."""
    if not row.vertical:
        return colours(rgb, row)
    return colours(rgb, replace(row, frame=Frame(row.along, row.across, row.centre, row.length, row.size)))


def _stacks(rgb: Image, rows: list[Row], looks: Looks) -> list[list[int]]:
    """Chains of rows that look alike and follow each other closely."""
    boxes = boxes_of([row.line for row in rows])
    nearest: dict[int, tuple[float, int]] = {}
    for index, row in enumerate(rows):
        followers = [
            (offset(row, rows[other]).gap, int(other))
            for other in near(boxes, index, 1.1 * row.size)
            if _may_follow(row, rows[other]) and _alike(looks(index), looks(int(other)))
        ]
        for gap, other in sorted(followers):
            if not has_rule_between(rgb, row, rows[other]):
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
    if not (_near_in_size(upper.size, lower.size) or (upper.vertical and _near_in_size(upper.em, lower.em))):
        return False
    if math.acos(min(max(float(upper.along @ lower.along), -1.0), 1.0)) > _ANGLE:
        return False
    place, size = offset(upper, lower), min(upper.size, lower.size)
    limit = _COLUMN_GAP if upper.vertical else _GAP
    return _GAP_OVERLAP * size <= place.gap <= limit * size and place.overlap >= 0.3


def _near_in_size(one: float, other: float) -> bool:
    return max(one, other) <= _SIZE_RATIO * min(one, other)


def _alike(one: tuple[Vector, Vector], other: tuple[Vector, Vector]) -> bool:
    """Whether two rows have the same ink, and the same ground."""
    return all(is_alike(a, b) for a, b in zip(one, other, strict=True))


def _keys_of(rgb: Image, rows: list[Row], looks: Looks) -> Callable[[int], float]:
    """Tells how far (in sizes of its own) a row stands from a short cell to its left; infinity for none."""
    boxes = boxes_of([row.line for row in rows])
    is_key = np.array([not row.vertical and row.units <= _LONGEST_KEY for row in rows], bool)

    def nearest(index: int) -> float:
        row, found = rows[index], math.inf
        if row.vertical:
            return found
        beside = near(boxes, index, _FAR_KEY * row.size)
        for other in beside[is_key[beside]]:
            key = rows[other]
            (x, y), (u, v) = (key.centre - row.centre).tolist(), row.along.tolist()
            apart = -(x * u + y * v) - (row.length + key.length) / 2
            if not 0 < apart < found * row.size or abs(y * u - x * v) >= 0.4 * min(row.size, key.size):
                continue
            grounds, size = (looks(int(other))[1], looks(index)[1]), min(row.size, key.size)
            if not has_strange_ground_between(rgb, key, row, grounds, size):
                found = apart / row.size
        return found

    return cache(nearest)


def _split(rows: list[Row], stack: list[int], key_of: Callable[[int], float]) -> list[list[int]]:
    """Cuts a stack wherever the text does not run on."""
    groups = [[stack[0]]]
    if len(stack) == 1:
        return groups
    column = Column.of([rows[index] for index in stack])
    block = [column.rows[0]]
    for (before, index), row in zip(itertools.pairwise(stack), column.rows[1:], strict=True):
        alone = row.starts_block and not row.vertical
        if not alone and _runs_on(block, row, column) and not _is_value(key_of, before, index):
            groups[-1].append(index)
            block.append(row)
        else:
            groups.append([index])
            block = [row]
    return groups


def _is_value(key_of: Callable[[int], float], before: int, index: int) -> bool:
    """Whether a row is a value of a table: far from its key, only below another (one alone may be chance)."""
    return key_of(index) <= _KEY_DISTANCE or max(key_of(index), key_of(before)) <= _FAR_KEY


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
        if upper.is_latin != lower.is_latin or abs(place.centre) > em:
            return False
        near_by = place.gap <= _CENTRED_GAP * size and not _is_heading(block, lower, place.gap)
        return near_by or _wraps_centred(block, lower)
    if not _is_aligned(block, place.start, em):
        return False
    if upper.line.text.rstrip().endswith(_COMMAS):
        return True
    edge = column.beyond(upper)
    if edge > WRAP_SLACK * em or column.is_list:
        return False
    ragged = edge > 0.5 * em
    if upper.ends_sentence and (len(block) == 1 or ragged):
        return False
    return upper.is_open or upper.units >= _SHORTEST_WRAPPED


def _is_heading(block: list[Row], lower: Row, gap: float) -> bool:
    """Whether a centred row stands a little off above a far longer one, as no line of a balloon does."""
    upper = block[-1]
    longer = lower.units >= max(_SHORTEST_CENTRED, _HEADED * upper.units)
    return len(block) == 1 and longer and gap > _HEADING_GAP * upper.size


def _wraps_centred(block: list[Row], lower: Row) -> bool:
    """Whether the last row of centred ones is full and the next one begins with what found no room in it."""
    upper = block[-1]
    if upper.is_open or upper.line.text.rstrip().endswith(_COMMAS):
        return True
    longest, slack = max(row.length for row in block), WRAP_SLACK * upper.em
    full = upper.units >= _SHORTEST_CENTRED and upper.length >= longest - slack
    return full and lower.length <= longest + slack and not upper.ends_sentence


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
