"""Training tiles and the held-out set: a ground, a hole, both reproducible from one integer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.training import patterns
from export.training.holes import HoleBank, Mask
from export.training.posters import poster
from export.training.sources import Bank, fonts

#: What a training tile shows, and how often.
MIX = {"photo": 0.36, "texture": 0.2, "pattern": 0.24, "poster": 0.2}
#: Seeds: sheets of text and tiles of the two sides never meet.
TRAIN_SEED, HELD_OUT_SEED = 11, 10_007
SHEETS, HELD_OUT_SHEETS = 600, 60


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture (S, S, 3) uint8, its hole (S, S) {0, 1}, and what it shows."""

    image: NDArray[np.uint8]
    hole: Mask
    kind: str


class TileSource:
    """Draws tiles from one side of the split."""

    def __init__(self, cache: Path, *, held_out: bool) -> None:
        self.held_out = held_out
        self._seed = HELD_OUT_SEED if held_out else TRAIN_SEED
        self._bank = Bank(cache, held_out=held_out)
        self._holes = HoleBank(self._seed, fonts(cache), HELD_OUT_SHEETS if held_out else SHEETS)

    def tile(self, number: int, size: int, kind: str | None = None) -> Tile:
        """Tile `number` of this side; the same number gives the same tile."""
        rng = np.random.default_rng([self._seed, number])
        name = str(rng.choice(list(MIX), p=list(MIX.values()))) if kind is None else kind
        image = self._ground(rng, size, name)
        if not self.held_out:
            image = _augmented(rng, image)
        return Tile(np.ascontiguousarray(image), self._holes.hole(rng, size), name)

    def _ground(self, rng: np.random.Generator, size: int, kind: str) -> NDArray[np.uint8]:
        if kind in ("photo", "texture"):
            return self._bank.crop(rng, kind, size)
        if kind == "poster":
            picture = poster(rng, size, self._picture)
        else:
            picture = patterns.pattern(rng, size, None if kind == "pattern" else kind)
        image = np.round(picture * 255).astype(np.uint8)
        return _jpeg(rng, image) if rng.random() < 0.3 else image

    def _picture(self, rng: np.random.Generator, size: int) -> patterns.Picture:
        return self._bank.crop(rng, "photo", size).astype(np.float32) / np.float32(255)


def _jpeg(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))])
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert decoded is not None, "what was just encoded"
    return decoded.astype(np.uint8)


def _augmented(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn, mirror, permute the channels, invert or stretch the tones."""
    image = np.rot90(image, int(rng.integers(4)))
    if rng.random() < 0.5:
        image = image[:, ::-1]
    if rng.random() < 0.3:
        image = image[..., rng.permutation(3)]
    if rng.random() < 0.15:
        image = 255 - image
    if rng.random() < 0.4:
        table = np.clip(np.arange(256) * rng.uniform(0.7, 1.4) + rng.uniform(-40, 40), 0, 255).astype(
            np.uint8
        )
        image = table[image]
    return image
