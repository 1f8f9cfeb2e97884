"""Backpressure on memory: how many decoded pixels may be in flight at once, over all jobs of the process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class PixelBudget:
    """First come, first served: a large page is not overtaken for ever by small ones.

    Args:
        pixels: Pixels in flight. A page larger than that waits until it is alone.
    """

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used(self) -> int:
        """Pixels in flight now."""
        return self._used

    @asynccontextmanager
    async def hold(self, pixels: int) -> AsyncIterator[None]:
        """Wait for room, hold it inside the block."""
        share = min(pixels, self._pixels)
        await self._take(share)
        try:
            yield
        finally:
            self._used -= share
            self._admit()

    async def _take(self, share: int) -> None:
        if not self._waiting and self._used + share <= self._pixels:
            self._used += share
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((share, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._used -= share
            self._admit()
            raise

    def _admit(self) -> None:
        """Let in who waits first, as far as there is room; who was cancelled meanwhile just leaves."""
        while self._waiting:
            share, turn = self._waiting[0]
            if not turn.done():
                if self._used + share > self._pixels:
                    return
                self._used += share
                turn.set_result(None)
            self._waiting.popleft()
