"""Text from a picture by RapidOCR, for pictures that come without an OCR result; an extra."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from worker.errors import SettingsError
from worker.job import Image


class RapidOcr:
    """PP-OCR models in ONNX Runtime, loaded at the first picture.

    Args:
        decode: Makes the pixels that the worker will see, so that boxes and pixels agree (EXIF orientation).
    """

    def __init__(self, decode: Callable[[bytes], Image]) -> None:
        self._decode = decode
        self._engine: Any = None

    async def read_file(self, path: Path) -> list[dict[str, Any]]:
        """The lines of a picture, as the wire's `ocr_result`.

        Raises:
            SettingsError: The extra is not installed.
            BadImage: The file is no picture.
        """
        return await asyncio.to_thread(self._read, path)

    def _read(self, path: Path) -> list[dict[str, Any]]:
        if self._engine is None:
            self._engine = _load()
        rgb = self._decode(path.read_bytes())
        lines, _ = self._engine(np.ascontiguousarray(rgb[:, :, ::-1]))
        return [
            {"box": [[float(x), float(y)] for x, y in box], "text": text, "score": round(float(score), 4)}
            for box, text, score in lines or []
        ]


def _load() -> Any:
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError:
        raise SettingsError(
            "no OCR result given and RapidOCR is not installed: run `make setup-ocr`, or give --ocr"
        ) from None
    return RapidOCR()
