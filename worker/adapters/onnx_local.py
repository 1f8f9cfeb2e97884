"""The same models in process, by ONNX Runtime: for machines without Triton (INPAINTER=onnx)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from worker.errors import ModelError, SettingsError
from worker.job import Image, Mask
from worker.threads import usable_cores

_log = structlog.get_logger(__name__)


class OnnxInpainter:
    """`Inpainter` on the ONNX models of a model repository, one thread a tile, as many tiles as cores.

    Args:
        directory: A model repository: NAME/VERSION/model.onnx.

    Raises:
        SettingsError: ONNX Runtime is not installed, or no model keeps the tensor contract.
    """

    def __init__(self, directory: Path) -> None:
        self._sessions = _load(directory)
        # Two sessions with several threads each collapse on few cores, so each tile gets exactly one.
        self._threads = ThreadPoolExecutor(usable_cores(), thread_name_prefix="onnx")

    async def tile_sizes(self) -> tuple[int, ...]:
        """The sizes of the models found, ascending."""
        return tuple(sorted(self._sessions))

    async def inpaint(self, image: Image, mask: Mask) -> Image:
        """Fill the hole of one tile; see `ports.Inpainter`."""
        session = self._sessions.get(image.shape[0])
        if session is None:
            raise ModelError(f"no model has tiles of {image.shape[0]} px")
        feed = {"image": image[np.newaxis], "mask": mask[np.newaxis]}
        loop = asyncio.get_running_loop()
        (inpainted,) = await loop.run_in_executor(self._threads, session.run, ["inpainted"], feed)
        tile: Image = inpainted[0]
        return tile

    async def check(self) -> str:
        """A tiny tile goes through."""
        size = min(self._sessions)
        mask = np.zeros((size, size, 1), np.uint8)
        mask[8:16, 8:16] = 255
        await self.inpaint(np.full((size, size, 3), 128, np.uint8), mask)
        return f"ONNX Runtime has tiles of {', '.join(str(size) for size in sorted(self._sessions))} px"

    async def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _load(directory: Path) -> dict[int, Any]:
    try:
        import onnxruntime
    except ImportError:
        raise SettingsError("INPAINTER=onnx needs ONNX Runtime: pip install 'operate-worker[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    sessions: dict[int, Any] = {}
    for path in sorted(directory.glob("*/*/model.onnx")):
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        if (size := _tile_size(session)) is not None:
            sessions.setdefault(size, session)
    if not sessions:
        raise SettingsError(f"ONNX_MODEL_DIR: {directory} has no model.onnx of the tensor contract")
    _log.info("onnx.models", sizes=sorted(sessions))
    return sessions


def _tile_size(session: Any) -> int | None:
    """The tile size of a model that keeps the tensor contract, None for any other."""
    shapes = {tensor.name: list(tensor.shape) for tensor in (*session.get_inputs(), *session.get_outputs())}
    if shapes.keys() != {"image", "mask", "inpainted"}:
        return None
    size = shapes["image"][1]
    fits = isinstance(size, int) and all(
        shapes[name][1:] == [size, size, channels]
        for name, channels in (("image", 3), ("mask", 1), ("inpainted", 3))
    )
    return size if fits else None
