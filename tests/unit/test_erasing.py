"""The inpainting path of one job."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import cv2
import numpy as np

from worker.adapters.disk_spool import DiskSpool
from worker.erasing import Eraser
from worker.imaging.tiles import Tile
from worker.job import Image, Mask, TextLine
from worker.report import Stopwatch
from worker.stages import open_page
from worker.threads import PixelThread
from worker.waiting import WaitingPatches

PLACES = 2


class CountingInpainter:
    """Answers with what it got, and counts the tiles that are alive meanwhile."""

    def __init__(self) -> None:
        self.calls, self.most = 0, 0

    async def tile_sizes(self) -> tuple[int, ...]:
        return (256,)

    async def inpaint(self, image: Image, _: Mask) -> Image:
        self.calls += 1
        await asyncio.sleep(0.01)
        self.most = max(self.most, sum(isinstance(found, Tile) for found in gc.get_objects()))
        return image


def textured_strip(lines: int) -> tuple[bytes, tuple[TextLine, ...]]:
    """Text on a ground that only the network can go on with."""
    coarse = np.random.default_rng(5).integers(0, 256, (25 * lines, 36, 3)).astype(np.uint8)
    page = cv2.resize(coarse, (432, 300 * lines), interpolation=cv2.INTER_CUBIC)
    boxes = [(100, 300 * number + 130, 300, 300 * number + 160) for number in range(lines)]
    for left, _, _, bottom in boxes:
        cv2.putText(page, "NEW ITEM", (left, bottom - 4), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 4)
    polygons = [np.array([(a, b), (c, b), (c, d), (a, d)], np.float32) for a, b, c, d in boxes]
    payload = cv2.imencode(".png", page)[1].tobytes()
    return payload, tuple(TextLine(polygon, "新品", 0.9) for polygon in polygons)


async def test_no_more_tiles_are_cut_than_have_a_place(tmp_path: Path) -> None:
    payload, lines = textured_strip(8)
    opened = open_page(payload, lines, 10**7, 0.5)
    inpainter, spool = CountingInpainter(), DiskSpool(tmp_path)
    with PixelThread() as thread:
        eraser = Eraser(inpainter, PLACES, thread, WaitingPatches(spool, 10**7))
        translating = asyncio.create_task(asyncio.sleep(0))
        erased = await eraser.erase(opened, Stopwatch(), translating)
    spool.close()
    assert inpainter.calls >= len(lines)
    assert 1 <= inpainter.most <= PLACES
    assert {patch.block_id for patch in erased.patches} == {block.id for block in opened.chosen}
