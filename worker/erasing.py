"""The inpainting path of one job: masks, tiles, the model server, patches that wait for the translation."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Any

from worker import metrics, stages
from worker.imaging.plan import Window
from worker.imaging.postprocess import restore
from worker.imaging.tiles import Tiles
from worker.job import Patch, Region
from worker.ports import Inpainter
from worker.report import Stopwatch
from worker.stages import OpenedPage
from worker.threads import in_thread
from worker.waiting import WaitingPatches


class Eraser:
    """Erases the chosen blocks of pages, any number at once."""

    def __init__(
        self, inpainter: Inpainter, most_tiles: int, pixel_thread: Executor, waiting: WaitingPatches
    ) -> None:
        self._inpainter = inpainter
        self._held = asyncio.Semaphore(most_tiles)
        self._pixel_thread = pixel_thread
        self._waiting = waiting

    async def erase(
        self, opened: OpenedPage, watch: Stopwatch, translating: asyncio.Task[Any]
    ) -> stages.Erased:
        """The patches, kept out of the way until the translation is there too.

        Raises:
            InpainterUnavailable, ModelError, SpoolUnavailable.
        """
        regions, patches = await self._patch(opened, watch) if opened.chosen else ((), ())
        async with self._waiting.keep(patches) as fetch:
            del patches
            await asyncio.wait({translating})
            return stages.Erased(regions, await fetch())

    async def _patch(
        self, opened: OpenedPage, watch: Stopwatch
    ) -> tuple[tuple[Region, ...], tuple[Patch, ...]]:
        """Mask and preprocess in the pixel thread, tiles to the model server, postprocess there again."""
        sizes = await self._inpainter.tile_sizes()
        with watch("mask"):
            regions, prepared = await in_thread(self._pixel_thread, stages.mask_page, opened, sizes)
        metrics.count_routes(prepared.routes.values())
        with watch("inpaint"):
            async with asyncio.TaskGroup() as tiles:
                filling = [
                    tiles.create_task(self._fill(prepared.tiles, window)) for window in prepared.tiles.windows
                ]
        return regions, (*prepared.fills, *(patch for task in filling for patch in task.result()))

    async def _fill(self, tiles: Tiles, window: Window) -> tuple[Patch, ...]:
        """Cut when it is the tile's turn: waiting, it would cost memory that no budget counts."""
        async with self._held:
            tile = await in_thread(self._pixel_thread, tiles.cut, window)
            inpainted = await self._inpainter.inpaint(tile.image, tile.mask)
            return await in_thread(self._pixel_thread, restore, tile, inpainted)
