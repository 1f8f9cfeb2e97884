"""Bytes to pixels and back, in the format they came in.

What happens to which picture (each rule is held by a test):

    JPEG, MPO, PNG, WebP, AVIF, TIFF, BMP   leave as they came (MPO as JPEG)
    GIF                           one frame leaves as PNG: 256 colours cannot hold drawn text
    animated, several pages       BadImage: a still would silently lose the rest
    palette                       RGB
    grey, 1 bit                   RGB inside; leaves grey, at half the work, if nothing drawn has colour
    16 bits a channel             8 bits; CMYK, YCbCr, LAB: sRGB (through the ICC profile where there is one)
    RGB with an ICC profile       pixels and profile are kept as they are
    alpha, transparent colour     straight RGB and `Page.alpha`, dropped where everything is opaque; fully
                                  transparent pixels count as white, drawn ones leave opaque, erased
                                  ones as transparent as what is around them
    EXIF orientation              applied
    truncated, unreadable         BadImage
    more than `max_pixels`        TooLarge, from the header alone
    wider or higher than the format can write (JPEG 65,535 px, WebP 16,383 px, AVIF 65,536 px)   leaves as PNG

Eight-bit JPEG goes through OpenCV, everything else through Pillow: both give the same pixels (same
libjpeg-turbo), but OpenCV writes them straight into the array that is kept (790×20000: 78 against 129 ms and
a third of the memory). Pillow writes, because only it takes the source's own quantisation tables.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import JpegImagePlugin, UnidentifiedImageError

from worker.errors import BadImage, TooLarge
from worker.imaging.modes import split_alpha, to_rgb, upright
from worker.job import Image, Page, SourceFormat

T = TypeVar("T")

Pillow.MAX_IMAGE_PIXELS = None  # `decode` holds its own limit, before any pixel is decoded

#: Formats that are read, by Pillow's names (MPO is found as JPEG); nothing else is even tried.
READABLE = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

_TYPES = {
    "JPEG": ("jpg", "image/jpeg"),
    "PNG": ("png", "image/png"),
    "WEBP": ("webp", "image/webp"),
    "AVIF": ("avif", "image/avif"),
    "BMP": ("bmp", "image/bmp"),
    "TIFF": ("tif", "image/tiff"),
    "GIF": ("gif", "image/gif"),
}
#: Formats that are read but not written.
_READ_ONLY = ("GIF",)
#: Formats with a grey kind.
_HOLD_GREY = ("JPEG", "PNG", "TIFF")
#: Longest side each format can write (libjpeg, libwebp, libavif); PNG, BMP and TIFF go beyond any page.
_LONGEST_SIDE = {"JPEG": 65_535, "WEBP": 16_383, "AVIF": 65_536}
#: JPEG, WebP and AVIF qualities where the source does not tell its own.
_JPEG_QUALITY, _WEBP_QUALITY, _AVIF_QUALITY = 92, 92, 85
#: zlib level for PNG: 6 takes three times as long for 4 % less (790×20000 photograph: 3.6 s against 1.3 s).
_PNG_LEVEL = 3
#: Everything Pillow's readers raise on broken files.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    RuntimeError,  # libavif's errors
)
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as bytes, with the name and type it is served under."""

    payload: bytes
    #: Without the dot.
    extension: str
    content_type: str


def count_pixels(payload: bytes, *, max_pixels: int) -> int:
    """How many pixels a picture will have, from its header alone; raises as `decode` does."""
    return _opened(payload, lambda opened: _checked_size(opened, max_pixels))


def decode(payload: bytes, *, max_pixels: int) -> Page:
    """Reads a picture: upright, RGB, eight bits.

    Args:
        payload: The file as it was fetched.
        max_pixels: Most pixels allowed, known from the header before anything is decoded.

    Raises:
        BadImage: The bytes are no still picture of a known format, or are damaged.
        TooLarge: The picture has more than `max_pixels` pixels.
    """
    return _opened(payload, lambda opened: _decode_opened(opened, payload, max_pixels))


def encode(page: Page, rgb: Image) -> Encoded:
    """Writes pixels the way the page came: format, ICC profile, alpha, resolution, JPEG tables.

    Args:
        page: The page as decoded.
        rgb: Its new pixels, of the same size.

    Raises:
        BadImage: The format's encoder refused the picture.
    """
    name = _written_format(page)
    picture = Pillow.fromarray(_grey(rgb) if page.source.grey and name in _HOLD_GREY else rgb)
    if page.alpha is not None:
        # text set over a transparent ground must be seen
        same = cv2.inRange(cv2.absdiff(rgb, page.rgb), (0, 0, 0), (0, 0, 0))
        picture.putalpha(Pillow.fromarray(cv2.bitwise_or(page.alpha, cv2.bitwise_not(same))))
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format=name, **_save_options(name, page))
    except (OSError, ValueError) as error:
        raise BadImage(f"cannot write the picture as {name}: {error}") from error
    extension, content_type = _TYPES[name]
    return Encoded(buffer.getvalue(), extension, content_type)


def as_it_came(page: Page, payload: bytes) -> Encoded:
    """The file itself, under the name and type of its format: what an unchanged page leaves as."""
    return Encoded(payload, *_TYPES[page.source.name])


def _opened(payload: bytes, use: Callable[[Pillow.Image], T]) -> T:
    """Open a picture, and turn whatever Pillow's readers raise into errors of ours."""
    try:
        with Pillow.open(io.BytesIO(payload), formats=READABLE) as opened:
            return use(opened)
    except UnidentifiedImageError:
        raise BadImage(f"not a picture in a known format ({', '.join(READABLE)})") from None
    except _BROKEN as error:
        raise BadImage(f"the picture is damaged or truncated: {error}") from error
    except MemoryError:
        raise TooLarge("the picture does not fit into memory") from None


def _checked_size(opened: Pillow.Image, max_pixels: int) -> int:
    width, height = opened.size
    if width * height > max_pixels:
        raise TooLarge(f"the picture has {width}×{height} pixels, more than the {max_pixels} allowed")
    if width == 0 or height == 0:
        raise BadImage("the picture has no pixels")
    return int(width * height)


def _decode_opened(opened: Pillow.Image, payload: bytes, max_pixels: int) -> Page:
    _checked_size(opened, max_pixels)
    width, height = opened.size
    if opened.format != "MPO" and getattr(opened, "n_frames", 1) > 1:
        raise BadImage(f"the {opened.format} has several frames or pages; only still pictures are translated")
    source = _source_format(opened, payload)
    # Pillow turns a TIFF itself, as it loads it.
    orientation = 1 if source.name == "TIFF" else opened.getexif().get(_ORIENTATION, 1)
    icc_profile, dpi = opened.info.get("icc_profile"), _dpi(opened)
    if not (icc_profile and icc_profile[16:20] == b"RGB " and opened.mode != "LAB"):
        icc_profile = None  # a grey or CMYK profile says nothing about the RGB pixels that leave
    source = replace(source, grey=opened.mode in ("L", "1") and icc_profile is None)
    if source.name == "JPEG" and opened.mode in ("RGB", "L") and _ends(payload):
        rgb, alpha = _decode_jpeg(payload), None
        if rgb.shape[:2] != (height, width):
            raise BadImage("the picture is damaged: its header and its data disagree about the size")
    else:
        rgb, alpha = split_alpha(to_rgb(opened))
    rgb = upright(rgb, orientation)
    alpha = None if alpha is None else upright(alpha, orientation)
    return Page(rgb=rgb, source=source, alpha=alpha, icc_profile=icc_profile, dpi=dpi)


def _source_format(opened: Pillow.Image, payload: bytes) -> SourceFormat:
    if opened.format == "WEBP":
        return SourceFormat("WEBP", lossless=_is_lossless_webp(payload))
    if not isinstance(opened, JpegImagePlugin.JpegImageFile):
        return SourceFormat(str(opened.format))
    tables = {index: tuple(table) for index, table in opened.quantization.items()}
    subsampling = JpegImagePlugin.get_sampling(opened) if opened.mode == "RGB" else 0
    return SourceFormat(
        "JPEG",
        qtables=tables or None,
        subsampling=None if subsampling < 0 else subsampling,
        progressive=bool(opened.info.get("progressive")),
    )


def _grey(rgb: Image) -> NDArray[np.uint8]:
    """The one channel of a grey picture; the picture itself where it has colour."""
    red, green, blue = (np.asarray(channel, np.uint8) for channel in cv2.split(rgb))
    differs = cv2.countNonZero(cv2.absdiff(red, green)) or cv2.countNonZero(cv2.absdiff(red, blue))
    return rgb if differs else red


def _is_lossless_webp(payload: bytes) -> bool:
    """Whether the first picture chunk after the RIFF header is VP8L."""
    position = 12
    while position + 8 <= len(payload):
        tag, size = struct.unpack_from("<4sI", payload, position)
        if tag in (b"VP8 ", b"VP8L"):
            return bool(tag == b"VP8L")
        position += 8 + size + size % 2
    return False


def _dpi(opened: Pillow.Image) -> tuple[float, float] | None:
    dpi = opened.info.get("dpi")
    if dpi is None or not all(0 < float(value) < 65_536 for value in dpi):
        return None
    return float(dpi[0]), float(dpi[1])


def _ends(payload: bytes) -> bool:
    """Whether a JPEG's scan data is closed; where not, Pillow decides whether anything is missing."""
    end = payload.rfind(b"\xff\xd9")
    return end >= 0 and payload.find(b"\xff\xda", end) < 0


def _decode_jpeg(payload: bytes) -> Image:
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        rgb = cv2.imdecode(np.frombuffer(payload, np.uint8), flags)
    except cv2.error as error:
        raise BadImage(f"the picture is damaged: {error.err}") from error
    if rgb is None:
        raise BadImage("the picture is damaged: its JPEG data cannot be decoded")
    return rgb.astype(np.uint8, copy=False)


def _written_format(page: Page) -> str:
    name = page.source.name
    too_long = max(page.width, page.height) > _LONGEST_SIDE.get(name, 1 << 31)
    return "PNG" if too_long or name in _READ_ONLY else name


def _save_options(name: str, page: Page) -> dict[str, object]:
    source = page.source
    options: dict[str, object] = {}
    if page.icc_profile and name != "BMP":
        options["icc_profile"] = page.icc_profile
    if page.dpi and name in ("JPEG", "PNG", "TIFF", "BMP"):
        options["dpi"] = page.dpi
    if name == "JPEG":
        subsampling = 2 if source.subsampling is None else source.subsampling
        options |= {"subsampling": subsampling, "progressive": source.progressive}
        if source.qtables:
            options["qtables"] = {index: list(table) for index, table in source.qtables.items()}
        else:
            options["quality"] = _JPEG_QUALITY
    elif name == "WEBP":
        # `exact` keeps the colours under transparent pixels, method 2 halves the time of the default 4.
        options |= {"lossless": source.lossless, "exact": True, "method": 2}
        options["quality"] = 50 if source.lossless else _WEBP_QUALITY
    elif name == "AVIF":
        options["quality"] = _AVIF_QUALITY
    elif name == "PNG":
        options["compress_level"] = _PNG_LEVEL
    elif name == "TIFF":
        options["compression"] = "tiff_lzw"
    return options
