"""Every kind of decoded picture as upright 8-bit RGB."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms

from worker.errors import BadImage
from worker.job import Image


def to_rgb(opened: Pillow.Image) -> Pillow.Image:
    """Any of Pillow's modes as RGB or RGBA of eight bits; CMYK and LAB as sRGB.

    Raises:
        BadImage: The samples have a range that nobody knows.
    """
    mode = opened.mode
    if mode in ("RGB", "RGBA") and "transparency" not in opened.info:
        opened.load()
        return opened
    if mode.startswith("I;16"):
        grey = np.asarray(opened).astype(np.uint32)
        picture = Pillow.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
        if isinstance(hidden := opened.info.get("transparency"), int):
            picture.putalpha(Pillow.fromarray(np.where(grey == hidden, 0, 255).astype(np.uint8)))
        return picture
    if mode in ("CMYK", "LAB"):
        return _to_srgb(opened)
    if mode in ("I", "F"):
        raise BadImage(f"the picture has 32-bit samples (mode {mode}), whose range is unknown")
    transparent = mode in ("LA", "PA", "La", "RGBa") or "transparency" in opened.info
    return opened.convert("RGBA" if transparent else "RGB")


def _to_srgb(opened: Pillow.Image) -> Pillow.Image:
    profile = opened.info.get("icc_profile")
    srgb = ImageCms.createProfile("sRGB")
    try:
        if opened.mode == "LAB":
            return _converted(opened, ImageCms.createProfile("LAB"), srgb)
        if profile:
            return _converted(opened, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb)
    except (ImageCms.PyCMSError, OSError):
        pass  # a broken profile: the plain formula below still gives a picture
    return opened.convert("RGB")


def _converted(opened: Pillow.Image, source: object, target: object) -> Pillow.Image:
    # Pillow's types leave out profiles that were made, not read
    converted = ImageCms.profileToProfile(opened, source, target, outputMode="RGB")  # type: ignore[arg-type]
    if converted is None:
        raise ImageCms.PyCMSError("no conversion")
    return converted


def split_alpha(picture: Pillow.Image) -> tuple[Image, NDArray[np.uint8] | None]:
    """Straight RGB, and alpha where anything is transparent.

    What is not seen at all becomes white: dark text on a transparent ground often lies over black.
    """
    pixels = np.asarray(picture)
    if pixels.shape[2] == 3:
        return pixels, None
    alpha, rgb = np.ascontiguousarray(pixels[..., 3]), np.ascontiguousarray(pixels[..., :3])
    rgb[alpha == 0] = 255
    return rgb, None if alpha.min() == 255 else alpha


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Applies an EXIF orientation (1 to 8; anything else counts as 1)."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    pixels = np.ascontiguousarray(pixels)
    pixels.flags.writeable = False  # a page is frozen: the erased one is a new array
    return pixels
