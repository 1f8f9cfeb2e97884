"""Every format in, the same format out; every bad file one clear error."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from worker.errors import BadImage, TooLarge
from worker.imaging.codec import as_it_came, decode, encode
from worker.job import Page

LIMIT = 1_000_000
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def drawing(width: int = 48, height: int = 32, mode: str = "RGB") -> Pillow.Image:
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 5 % 256, y * 7 % 256, (x + y) * 3 % 256], axis=2).astype(np.uint8)
    return Pillow.fromarray(rgb).convert(mode)


def saved(picture: Pillow.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=name, **options)
    return buffer.getvalue()


def reopened(payload: bytes) -> Pillow.Image:
    picture = Pillow.open(io.BytesIO(payload))
    picture.load()
    return picture


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_come_back_bit_identical(name: str) -> None:
    payload = saved(drawing(), name)
    page = decode(payload, max_pixels=LIMIT)
    encoded = encode(page, page.rgb)
    again = reopened(encoded.payload)
    assert again.format == name
    assert np.array_equal(np.asarray(again.convert("RGB")), page.rgb)


def test_lossless_webp_stays_lossless_and_lossy_webp_stays_webp() -> None:
    page = decode(saved(drawing(), "WEBP", lossless=True), max_pixels=LIMIT)
    assert page.source.lossless
    assert np.array_equal(np.asarray(reopened(encode(page, page.rgb).payload)), page.rgb)
    lossy = decode(saved(drawing(), "WEBP", quality=80), max_pixels=LIMIT)
    assert not lossy.source.lossless
    assert encode(lossy, lossy.rgb).content_type == "image/webp"


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_keeps_tables_subsampling_and_progression(subsampling: int, progressive: bool) -> None:
    payload = saved(
        drawing(), "JPEG", quality=71, subsampling=subsampling, progressive=progressive, dpi=(300, 300)
    )
    page = decode(payload, max_pixels=LIMIT)
    encoded = encode(page, page.rgb)
    source, again = reopened(payload), reopened(encoded.payload)
    # only the JPEG class has them
    assert again.quantization == source.quantization  # type: ignore[attr-defined]
    assert again.info.get("progressive") == source.info.get("progressive")
    assert again.info["dpi"] == (300, 300)
    assert decode(encoded.payload, max_pixels=LIMIT).source == page.source


def test_the_profile_of_rgb_is_kept_and_that_of_grey_is_not() -> None:
    page = decode(saved(drawing(), "JPEG", icc_profile=SRGB), max_pixels=LIMIT)
    assert reopened(encode(page, page.rgb).payload).info["icc_profile"] == SRGB
    grey_profile = SRGB[:16] + b"GRAY" + SRGB[20:]
    grey = decode(saved(drawing(mode="L"), "JPEG", icc_profile=grey_profile), max_pixels=LIMIT)
    assert grey.icc_profile is None


def test_grey_and_palette_and_bilevel_become_rgb() -> None:
    for mode, name in (("L", "JPEG"), ("L", "PNG"), ("P", "PNG"), ("1", "PNG"), ("P", "GIF")):
        page = decode(saved(drawing(mode=mode), name), max_pixels=LIMIT)
        assert page.rgb.shape == (32, 48, 3)
        assert page.rgb.dtype == np.uint8


def test_a_still_gif_leaves_as_png() -> None:
    payload = saved(drawing(mode="P"), "GIF")
    page = decode(payload, max_pixels=LIMIT)
    assert encode(page, page.rgb).extension == "png"
    unchanged = as_it_came(page, payload)
    assert (unchanged.payload, unchanged.content_type) == (payload, "image/gif")


def test_cmyk_leaves_as_srgb_jpeg() -> None:
    picture = Pillow.new("CMYK", (16, 16), (0, 255, 255, 0))
    page = decode(saved(picture, "JPEG", quality=95), max_pixels=LIMIT)
    red, green, blue = page.rgb[8, 8].tolist()
    assert red > 200
    assert max(green, blue) < 60
    again = reopened(encode(page, page.rgb).payload)
    assert (again.format, again.mode) == ("JPEG", "RGB")


def test_sixteen_bits_become_eight() -> None:
    levels = np.linspace(0, 65_535, 48 * 32).reshape(32, 48).astype(np.uint16)
    page = decode(saved(Pillow.fromarray(levels), "PNG"), max_pixels=LIMIT)
    assert np.abs(page.rgb[..., 0] - levels / 257).max() <= 0.5
    with pytest.raises(BadImage, match="32-bit"):
        decode(saved(Pillow.new("F", (8, 8), 0.5), "TIFF"), max_pixels=LIMIT)


def test_alpha_is_kept_and_opaque_alpha_dropped() -> None:
    picture = drawing(mode="RGBA")
    assert decode(saved(picture, "PNG"), max_pixels=LIMIT).alpha is None
    alpha = np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))
    picture.putalpha(Pillow.fromarray(alpha))
    for name, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        page = decode(saved(picture, name, **options), max_pixels=LIMIT)
        assert page.alpha is not None
        assert np.array_equal(page.alpha, alpha)
        again = decode(encode(page, page.rgb).payload, max_pixels=LIMIT)
        assert again.alpha is not None
        assert np.array_equal(again.alpha, alpha)
        assert np.array_equal(again.rgb, page.rgb)


def test_text_over_a_transparent_ground_can_be_seen() -> None:
    picture = Pillow.new("RGBA", (40, 20), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (5, 5, 15, 15))
    page = decode(saved(picture, "PNG"), max_pixels=LIMIT)
    assert page.rgb[0, 0].tolist() == [255, 255, 255]
    drawn = page.rgb.copy()
    drawn[5:15, 20:30] = (200, 0, 0)
    again = decode(encode(page, drawn).payload, max_pixels=LIMIT)
    assert again.alpha is not None
    assert (again.alpha[5:15, 20:30] == 255).all()
    assert again.alpha[0, 0] == 0


def test_a_transparent_colour_becomes_alpha() -> None:
    payload = saved(Pillow.new("RGB", (8, 8), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    page = decode(payload, max_pixels=LIMIT)
    assert page.alpha is not None
    assert page.alpha.max() == 0


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_upright(name: str, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    payload = saved(drawing(), name, exif=exif.tobytes())
    page = decode(payload, max_pixels=LIMIT)
    expected = np.asarray(ImageOps.exif_transpose(reopened(payload)).convert("RGB"))
    assert np.array_equal(page.rgb, expected)
    assert page.rgb.flags.c_contiguous
    assert 0x0112 not in reopened(encode(page, page.rgb).payload).getexif()


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animated_and_many_paged_files_are_refused(name: str) -> None:
    frames = [drawing(), Pillow.new("RGB", (48, 32), "red")]
    payload = saved(frames[0], name, save_all=True, append_images=frames[1:])
    with pytest.raises(BadImage, match="several frames"):
        decode(payload, max_pixels=LIMIT)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated_files_are_bad_images(name: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    payload = saved(Pillow.fromarray(noise), name)
    with pytest.raises(BadImage):
        decode(payload[: int(len(payload) * share)], max_pixels=LIMIT)


def test_bytes_after_a_jpeg_are_ignored() -> None:
    payload = saved(drawing(), "JPEG")
    whole, trailed = (decode(data, max_pixels=LIMIT) for data in (payload, payload + b"\0" * 99))
    assert np.array_equal(whole.rgb, trailed.rgb)


@pytest.mark.parametrize(
    "payload", [b"", b"\xff\xd8\xff", b"<html>404</html>", b"\x89PNG\r\n\x1a\n", b"RIFF"]
)
def test_what_is_no_picture_is_a_bad_image(payload: bytes) -> None:
    with pytest.raises(BadImage):
        decode(payload, max_pixels=LIMIT)


def test_a_bomb_is_refused_from_its_header() -> None:
    def chunk(tag: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    payload = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(TooLarge, match="60000×60000"):
        decode(payload, max_pixels=LIMIT)
    with pytest.raises(TooLarge):
        decode(saved(drawing(100, 100), "JPEG"), max_pixels=9_999)
    assert decode(saved(drawing(100, 100), "JPEG"), max_pixels=10_000).width == 100


def test_one_pixel_and_thirty_thousand_rows() -> None:
    for size in ((1, 1), (2, 30_000)):
        page = decode(saved(drawing(*size), "JPEG", quality=95), max_pixels=LIMIT)
        assert (page.width, page.height) == size
        assert reopened(encode(page, page.rgb).payload).size == size


@pytest.mark.parametrize(("name", "side"), [("WEBP", 16_384), ("JPEG", 65_536)])
def test_a_page_beyond_its_formats_limit_leaves_as_png(name: str, side: int) -> None:
    page = decode(saved(drawing(8, 8), name), max_pixels=LIMIT)
    long = np.zeros((side, 1, 3), np.uint8)
    encoded = encode(Page(long, page.source), long)
    assert (encoded.extension, reopened(encoded.payload).size) == ("png", (1, side))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about the damage
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_damage_to_a_file_raises_anything_but_our_errors(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]))
    payload = bytearray(saved(drawing(), name))
    for _ in range(data.draw(st.integers(1, 8))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        page = decode(bytes(payload), max_pixels=LIMIT)
    except (BadImage, TooLarge):
        return
    assert page.rgb.ndim == 3
    assert page.rgb.dtype == np.uint8
