"""From the network's answer back to the page."""

from __future__ import annotations

import cv2
import numpy as np

from worker.errors import ModelError
from worker.imaging.tiles import Tile
from worker.job import Image, Patch


def restore(tile: Tile, inpainted: Image) -> tuple[Patch, ...]:
    """Patches of a tile's holes: without padding, at the page's resolution, with its grain and soft edges.

    Args:
        tile: What was sent.
        inpainted: The answer, (S, S, 3) RGB uint8.

    Raises:
        ModelError: The answer is no such tile.
    """
    if inpainted.shape != tile.image.shape or inpainted.dtype != np.uint8:
        raise ModelError(
            f"the model answered {inpainted.dtype} {inpainted.shape}, not uint8 {tile.image.shape}"
        )
    window = tile.window
    box = window.box
    width, height = max(1, round(box.width * window.scale)), max(1, round(box.height * window.scale))
    content = inpainted[:height, :width]
    if window.scale < 1:
        # cv2 rounds and saturates in its 8-bit cubic
        content = cv2.resize(content, (box.width, box.height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    if tile.grain is not None:
        content = (
            (content[: box.height, : box.width] + tile.grain.astype(np.int16)).clip(0, 255).astype(np.uint8)
        )
    patches = []
    for hole in window.holes:
        rows = slice(hole.box.top - box.top, hole.box.bottom - box.top)
        columns = slice(hole.box.left - box.left, hole.box.right - box.left)
        patches.append(Patch(hole.block_id, hole.box, content[rows, columns].copy(), hole.alpha))
    return tuple(patches)
