"""Patches that wait for their translation: in memory up to a budget, beyond it in the spool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from worker.job import Patch
from worker.ports import Spool

#: Gives the patches back, from wherever they were kept; to be called once.
Fetch = Callable[[], Awaitable[tuple[Patch, ...]]]


class WaitingPatches:
    """Keeps the patches of all jobs of the process whose translation is still under way.

    Args:
        spool: Where patches beyond the budget go.
        pixels: Patch pixels that may wait in memory.
    """

    def __init__(self, spool: Spool, pixels: int) -> None:
        self._spool = spool
        self._pixels = pixels
        self._used = 0

    @asynccontextmanager
    async def keep(self, patches: Sequence[Patch]) -> AsyncIterator[Fetch]:
        """Keep patches while the block runs; whatever happens in it, nothing stays behind."""
        pixels = sum(patch.alpha.size for patch in patches)
        if self._used + pixels <= self._pixels:
            kept = tuple(patches)
            self._used += pixels
            try:
                yield lambda: _immediately(kept)
            finally:
                self._used -= pixels
            return
        ticket = await self._spool.put(patches)
        del patches
        try:
            yield lambda: self._spool.take(ticket)
        finally:
            await self._spool.drop(ticket)


async def _immediately(patches: tuple[Patch, ...]) -> tuple[Patch, ...]:
    return patches
