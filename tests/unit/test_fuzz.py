"""Every parser of outside bytes: whatever comes, it is read or refused by the one error that was declared.

Good messages are damaged in their structure (a value anywhere replaced by any other) and in their bytes.
"""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from tests.damage import VALUES, damaged, places, replaced
from tests.unit.test_ocr_shapes import SHAPES
from worker import schemas
from worker.errors import BadImage, BadLayout, BadMessage, BadOcr, TooLarge
from worker.imaging import codec
from worker.job import Failure
from worker.ocr_shapes import parse_ocr
from worker.rendering.sheet_file import parse_layout
from worker.translation.reply import MalformedReply, parse_reply

LAYOUT_BLOCK = {
    "id": 0,
    "source": "新品",
    "translation": "신제품",
    "polygon": [[0, 0], [9, 0], [9, 9], [0, 9]],
}
GOOD: dict[str, tuple[Any, Callable[[bytes], object], type[Exception] | tuple[type[Exception], ...]]] = {
    "job": (
        {
            "request_id": "r",
            "image_id": 7,
            "image_url": "http://x/a.jpg",
            "ocr_result": SHAPES["keyed box"],
            "target_language": "ko",
            "source_language": "zh",
            "glossary": {"新": "새"},
            "traceparent": "00-1-2-03",
        },
        lambda raw: schemas.parse_job(raw, "ko"),
        (BadMessage, BadOcr),
    ),
    "reply": (
        {"translations": [{"id": 0, "text": "a"}, {"id": 1, "text": "b"}]},
        lambda raw: parse_reply(raw.decode("utf-8", "replace"), {0, 1}),
        MalformedReply,
    ),
    "layout": (
        {"version": 1, "width": 10, "height": 10, "language": "ko", "blocks": [LAYOUT_BLOCK]},
        parse_layout,
        BadLayout,
    ),
    "dead letter": (
        {
            "id": "1-2",
            "time": 1.5,
            "request_id": "r",
            "image_id": "i",
            "target_language": "ko",
            "reason": "bad_ocr",
            "error": {"code": "bad_ocr", "message": "m"},
            "attempts": 1,
            "crashes": 0,
            "failures": {"auth": 1},
            "payload": "eA==",
        },
        schemas.parse_dead_letter,
        BadMessage,
    ),
    **{name: (shape, lambda raw: parse_ocr(json.loads(raw)), BadOcr) for name, shape in SHAPES.items()},
}


@pytest.mark.parametrize("name", GOOD)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_message_damaged_anywhere_is_read_or_refused(name: str, data: st.DataObject) -> None:
    message, parse, declared = GOOD[name]
    try:
        parse(json.dumps(data.draw(damaged(message))).encode())
    except declared:
        return


@pytest.mark.parametrize("name", [name for name in GOOD if name not in SHAPES])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_bytes_damaged_anywhere_are_read_or_refused(name: str, data: st.DataObject) -> None:
    message, parse, declared = GOOD[name]
    raw = bytearray(json.dumps(message, ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for broken in (bytes(raw), bytes(raw[:cut])):
        try:
            parse(broken)
        except declared:
            continue


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_refused_job_still_has_a_key_and_a_result(data: st.DataObject) -> None:
    message = GOOD["job"][0]
    path = data.draw(st.sampled_from([path for path in places(message) if len(path) < 2]))
    raw = json.dumps(replaced(message, path, data.draw(VALUES))).encode()
    assert len(schemas.job_key(raw, "ko")) == 64
    failure = Failure("bad_message", "m")
    json.loads(schemas.dump_result(schemas.failed(raw, "ko", failure, 1)))


FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def picture(name: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, format=name)
    return buffer.getvalue()


PICTURES = {name: picture(name) for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_header_damaged_anywhere_is_read_or_refused(name: str, data: st.DataObject) -> None:
    good = PICTURES[name]
    raw = bytearray(good)
    head = min(len(raw), 200)
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, head - 1))] = data.draw(st.sampled_from([0, 1, 127, 128, 254, 255]))
    raw = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    with warnings.catch_warnings():
        # Pillow warns of much; a worker does not stop for it.
        warnings.simplefilter("ignore")
        try:
            assert codec.count_pixels(bytes(raw), max_pixels=10_000) <= 10_000
            page = codec.decode(bytes(raw), max_pixels=10_000)
        except (BadImage, TooLarge):
            return
    assert page.width * page.height <= 10_000


@pytest.mark.parametrize("side", [20_000, 60_000, 2**31 - 1])
@pytest.mark.parametrize("name", ["PNG", "GIF", "BMP"])
def test_a_picture_bomb_is_known_by_its_header(name: str, side: int) -> None:
    raw = bytearray(PICTURES[name])
    if name == "PNG":
        raw[16:24] = side.to_bytes(4) * 2
    elif name == "BMP":
        raw[18:26] = side.to_bytes(4, "little") * 2
    else:
        raw[6:10] = min(side, 65_535).to_bytes(2, "little") * 2
    with pytest.raises((TooLarge, BadImage)):
        codec.count_pixels(bytes(raw), max_pixels=100_000_000)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_bomb_in_a_pictures_margin_is_not_unpacked(kind: bytes) -> None:
    bomb = chunk(kind, b"name\0\0" + zlib.compress(bytes(60_000_000), 9))
    after_header = 33
    png = PICTURES["PNG"][:after_header] + bomb + PICTURES["PNG"][after_header:]
    tracemalloc.start()
    try:
        with pytest.raises(BadImage):
            codec.decode(png, max_pixels=10_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_frame_larger_than_its_screen_is_measured() -> None:
    gif = bytearray(PICTURES["GIF"])
    palette = 3 * 2 ** ((gif[10] & 7) + 1)
    frame = gif.index(b",", 13 + palette)
    gif[frame + 5 : frame + 9] = struct.pack("<HH", 60_000, 60_000)
    with pytest.raises(TooLarge):
        codec.decode(bytes(gif), max_pixels=100_000_000)
