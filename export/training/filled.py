"""Training tiles with their fills, computed once: the fills cost as much as a step of training.

    python -m export.training.filled --tiles 4000 --tiles-512 200

Shards hold a hundred tiles each and are written one by one; training reads whatever is there. A tile comes
back turned, mirrored and with its channels permuted, differently each time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from export.errors import ExportError
from export.prefill import CERTAIN, Fills
from export.training.dataset import TileSource
from export.training.sources import DEFAULT_CACHE

#: Planes of a stored tile, uint8: picture, local fill, global waves, smooth fill, trust, hole.
PLANES = 14
#: Tiles in a shard.
SHARD = 100


def shards(cache: Path, size: int) -> list[Path]:
    """The shards of one tile size, each (`SHARD`, `PLANES`, size, size) uint8."""
    return sorted((cache / "filled").glob(f"{size}-*.npy"))


@torch.no_grad()
def write_shard(source: TileSource, size: int, number: int, folder: Path) -> None:
    """Draw the tiles, fill them, store them."""
    fills = Fills()
    stored = np.empty((SHARD, PLANES, size, size), np.uint8)
    for i in range(SHARD):
        tile = source.tile(number * SHARD + i, size)
        image = torch.from_numpy(tile.image).permute(2, 0, 1)[None].float() / 255
        hole = torch.from_numpy(tile.hole)[None, None].float()
        planes = fills(image, hole)[0]
        planes[9] = planes[9] / (2 * CERTAIN) + 0.5
        stored[i] = (torch.cat([image[0], planes]) * 255).round().to(torch.uint8).numpy()
    np.save(folder / "part.npy", stored)
    (folder / "part.npy").rename(folder / f"{size}-{number:05}.npy")


def _unpacked(stored: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    planes = torch.from_numpy(np.ascontiguousarray(stored)).float() / 255
    image, fills = planes[:, :3], planes[:, 3:]
    fills[:, 9] = (fills[:, 9] - 0.5) * (2 * CERTAIN)
    return image, fills


def _turned(rng: np.random.Generator, stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One tile (`PLANES`, S, S), turned, mirrored, its channels permuted alike in every fill."""
    stored = np.rot90(stored, int(rng.integers(4)), axes=(1, 2))
    if rng.random() < 0.5:
        stored = stored[:, :, ::-1]
    order = rng.permutation(3)
    colours = [3 * part + channel for part in range(4) for channel in order]
    return stored[[*colours, 12, 13]]


class FilledTiles(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches from a given step on, endlessly: image (B, 3, S, S), fills (B, 11, S, S), float32."""

    def __init__(self, cache: Path, batch: int, sizes: tuple[int, ...], start: int) -> None:
        self._cache, self._batch, self._sizes, self._start = cache, batch, sizes, start

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of one size each, their count such that every batch costs about the same."""
        step = self._start
        while True:
            rng = np.random.default_rng(step)
            size = self._sizes[step % len(self._sizes)]
            paths = shards(self._cache, size)
            if not paths:
                raise ExportError(f"no filled tiles of {size} px: run python -m export.training.filled")
            tiles = []
            for _ in range(max(1, round(self._batch * (self._sizes[0] / size) ** 2))):
                shard = np.load(paths[int(rng.integers(len(paths)))], mmap_mode="r")
                tiles.append(_turned(rng, shard[int(rng.integers(SHARD))]))
            yield _unpacked(np.stack(tiles))
            step += 1


def main() -> None:
    """Write the shards that are missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--tiles", type=int, default=4000, help="tiles of 256 px")
    parser.add_argument("--tiles-512", type=int, default=200, help="tiles of 512 px")
    options = parser.parse_args()
    cv2.setNumThreads(0)
    source = TileSource(options.cache, held_out=False)
    folder = options.cache / "filled"
    folder.mkdir(exist_ok=True)
    for size, tiles in ((256, options.tiles), (512, options.tiles_512)):
        for number in range(tiles // SHARD):
            if not (folder / f"{size}-{number:05}.npy").exists():
                write_shard(source, size, number, folder)


if __name__ == "__main__":
    main()
