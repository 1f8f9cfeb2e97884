"""Kinds of files of which test_codec.py tries only one format."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from tests.unit.imaging.test_codec import LIMIT, drawing, reopened, saved
from worker.errors import BadImage
from worker.imaging.codec import decode, encode
from worker.job import Page

TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}


@pytest.mark.parametrize(
    ("name", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})]
)
@pytest.mark.parametrize("orientation", TURNS)
def test_colours_and_alpha_of_every_format_are_turned_upright_once(
    name: str, options: dict[str, object], orientation: int
) -> None:
    picture = drawing()
    picture.putalpha(Pillow.fromarray(np.tile(np.arange(1, 49, dtype=np.uint8) * 5, (32, 1))))
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    page = decode(saved(picture, name, exif=exif.tobytes(), **options), max_pixels=LIMIT)
    upright = np.asarray(picture.transpose(TURNS[orientation]))
    assert np.array_equal(page.rgb, upright[..., :3])
    assert page.alpha is not None
    assert np.array_equal(page.alpha, upright[..., 3])


def test_grey_and_palette_with_alpha_keep_it() -> None:
    grey = drawing(mode="LA")
    grey.putalpha(77)
    page = decode(saved(grey, "PNG"), max_pixels=LIMIT)
    assert page.alpha is not None
    assert (page.alpha == 77).all()
    palette = saved(drawing(mode="P"), "PNG", transparency=bytes(range(256)))
    page = decode(palette, max_pixels=LIMIT)
    assert page.alpha is not None
    assert np.array_equal(page.alpha, np.asarray(drawing(mode="P")))


def test_a_transparent_level_of_sixteen_bits_becomes_alpha() -> None:
    def chunk(tag: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))

    rows = b"".join(b"\0" + struct.pack(">2H", 0, 40_000) for _ in range(2))
    payload = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 0, 0, 0, 0))
        + chunk(b"tRNS", struct.pack(">H", 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    page = decode(payload, max_pixels=LIMIT)
    assert page.alpha is not None
    assert page.alpha.tolist() == [[0, 255], [0, 255]]


def test_a_multi_picture_jpeg_is_its_first_picture() -> None:
    frames = [drawing(), Pillow.new("RGB", (48, 32), "red")]
    payload = saved(frames[0], "MPO", save_all=True, append_images=frames[1:], quality=95)
    page = decode(payload, max_pixels=LIMIT)
    assert np.abs(page.rgb.astype(int) - np.asarray(frames[0])).mean() < 12
    assert encode(page, page.rgb).content_type == "image/jpeg"


def test_an_animated_avif_is_refused() -> None:
    frames = [drawing(), Pillow.new("RGB", (48, 32), "red")]
    with pytest.raises(BadImage, match="several frames"):
        decode(saved(frames[0], "AVIF", save_all=True, append_images=frames[1:]), max_pixels=LIMIT)


def test_whole_numbers_of_32_bits_are_refused() -> None:
    with pytest.raises(BadImage, match="32-bit"):
        decode(saved(Pillow.new("I", (8, 8), 70_000), "TIFF"), max_pixels=LIMIT)


def test_lab_leaves_as_srgb() -> None:
    page = decode(saved(Pillow.new("LAB", (8, 8), (136, 208, 195)), "TIFF"), max_pixels=LIMIT)
    red, green, blue = page.rgb[4, 4].tolist()
    assert red > 230
    assert max(green, blue) < 40


def test_cmyk_with_a_broken_profile_is_still_read() -> None:
    picture = Pillow.new("CMYK", (16, 16), (0, 255, 255, 0))
    page = decode(saved(picture, "JPEG", quality=95, icc_profile=b"none" * 50), max_pixels=LIMIT)
    assert page.rgb[8, 8].tolist()[0] > 200
    assert page.icc_profile is None


def test_a_page_beyond_avifs_limit_leaves_as_png() -> None:
    page = decode(saved(drawing(8, 8), "AVIF"), max_pixels=LIMIT)
    long = np.zeros((65_537, 1, 3), np.uint8)
    encoded = encode(Page(long, page.source), long)
    assert (encoded.extension, reopened(encoded.payload).size) == ("png", (1, 65_537))
    assert io.BytesIO(encoded.payload).read(4) == b"\x89PNG"


@pytest.mark.parametrize(("mode", "name"), [("L", "PNG"), ("1", "PNG"), ("L", "TIFF"), ("L", "JPEG")])
def test_a_grey_picture_leaves_grey(mode: str, name: str) -> None:
    page = decode(saved(drawing(mode=mode), name), max_pixels=LIMIT)
    again = reopened(encode(page, page.rgb).payload)
    assert again.mode == "L"
    most = 4 if name == "JPEG" else 0
    assert np.abs(np.asarray(again).astype(int) - page.rgb[..., 0]).max() <= most


def test_a_grey_picture_with_something_coloured_on_it_leaves_in_colour() -> None:
    page = decode(saved(drawing(mode="L"), "PNG"), max_pixels=LIMIT)
    drawn = page.rgb.copy()
    drawn[3, 4] = (200, 30, 40)
    again = reopened(encode(page, drawn).payload)
    assert again.mode == "RGB"
    assert np.array_equal(np.asarray(again), drawn)


def test_a_grey_picture_that_claims_an_rgb_profile_leaves_as_the_profile_says() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    buffer = io.BytesIO()
    drawing(mode="L").save(buffer, "TIFF", icc_profile=profile)
    page = decode(buffer.getvalue(), max_pixels=LIMIT)
    assert reopened(encode(page, page.rgb).payload).mode == "RGB"


def test_colour_that_happens_to_be_grey_stays_rgb() -> None:
    page = decode(saved(drawing(mode="L").convert("RGB"), "PNG"), max_pixels=LIMIT)
    assert reopened(encode(page, page.rgb).payload).mode == "RGB"
