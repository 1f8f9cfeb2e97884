"""Freely licensed pictures, textures and fonts from Debian packages, as one flat bank on disk.

`python -m export.training.sources` downloads the packages with `apt-get download`, unpacks them without root
and writes `bank.npy` (all pixels, uint8) and `bank.json` (one entry a picture). Licences: docs/model-card.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

DEFAULT_CACHE = Path(".cache/export-training")
PHOTO_PACKAGES = (
    "gnome-backgrounds",
    "lomiri-wallpapers",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "mate-backgrounds",
    "plasma-workspace-wallpapers",
    "ukui-wallpapers",
)
TEXTURE_PACKAGES = ("ufoai-textures", "supertuxkart-data")
FONT_PACKAGES = ("fonts-noto-cjk", "fonts-arphic-ukai", "fonts-wqy-zenhei")

#: Short sides, in pixels, at which a photograph enters the bank: a product page shows it near and far.
PHOTO_SIDES = (420, 720, 1100)
#: Textures smaller than this hold no tile.
MIN_SIDE = 256
#: One group in so many is held out for validation.
HOLDOUT = 8

#: Normal, specular, glow and light maps of the games: not pictures.
_MAPS = re.compile(
    r"_(nm|sm|gm|lm|normal|gloss|spec|alpha|mask|colou?rmask)\.|screenshot|/gui/|/icons/", re.IGNORECASE
)
_VARIANTS = re.compile(r"[-_ ]?(dark|light|d|l|\d+x\d+|no-logo|\d+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture of the bank: `height × width × 3` bytes from `offset`."""

    offset: int
    height: int
    width: int
    kind: str
    held_out: bool
    name: str


def fetch(cache: Path) -> None:
    """Download and unpack every package that is not there yet."""
    (cache / "debs").mkdir(parents=True, exist_ok=True)
    for package in PHOTO_PACKAGES + TEXTURE_PACKAGES + FONT_PACKAGES:
        target = cache / "unpacked" / package
        if target.exists():
            continue
        subprocess.run(["apt-get", "download", package], cwd=cache / "debs", check=True)
        archive = next((cache / "debs").glob(f"{package}_*.deb"))
        target.mkdir(parents=True)
        subprocess.run(["dpkg-deb", "-x", str(archive), str(target)], check=True)
        for pack in target.rglob("*.pk3"):
            with zipfile.ZipFile(pack) as files:
                files.extractall(pack.with_suffix(""))


def fonts(cache: Path) -> list[Path]:
    """The CJK fonts, in a fixed order."""
    roots = [cache / "unpacked" / package for package in FONT_PACKAGES]
    return sorted(path for root in roots for path in root.rglob("*.ttc"))


def group_name(path: Path, package: str) -> str:
    """What stays together on one side of the split: size, day and night variants of one picture are one."""
    parts = path.parts
    if "wallpapers" in parts and "contents" in parts:
        return f"{package}/{parts[parts.index('contents') - 1]}".lower()
    stem, before = path.stem, ""
    while stem != before:
        before, stem = stem, _VARIANTS.sub("", stem)
    return f"{package}/{stem or path.stem}".lower()


def is_held_out(group: str) -> bool:
    """A fixed eighth of the groups, by hash: new pictures never move old ones across."""
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % HOLDOUT == 0


def _pictures(cache: Path) -> Iterator[tuple[str, str, str, NDArray[np.uint8]]]:
    """(kind, group, name, RGB picture), each picture at each of its scales."""
    for package in PHOTO_PACKAGES + TEXTURE_PACKAGES:
        kind = "photo" if package in PHOTO_PACKAGES else "texture"
        root = cache / "unpacked" / package
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if path.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp"} or _MAPS.search(name):
                continue
            if package == "supertuxkart-data" and "/data/textures/" not in name:
                continue
            picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if picture is None or picture.dtype != np.uint8 or picture.ndim != 3:
                continue
            if picture.shape[2] == 4 and (picture[..., 3] < 250).mean() > 0.02:
                continue
            rgb = cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2RGB).astype(np.uint8)
            for side in _sides(kind, min(rgb.shape[:2])):
                scaled = _scaled(rgb, side)
                if scaled.std(axis=(0, 1)).max() > 4:
                    yield kind, group_name(path, package), f"{name}@{side}", scaled


def _sides(kind: str, short: int) -> list[int]:
    if kind == "photo":
        return [side for side in PHOTO_SIDES if side <= short]
    return [side for side in (min(short, 768), short // 2 if short >= 640 else 0) if side >= MIN_SIDE]


def _scaled(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    factor = side / min(picture.shape[:2])
    if factor == 1:
        return picture
    height, width = (max(side, round(length * factor)) for length in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def build_bank(cache: Path) -> list[Entry]:
    """Write the bank and return its entries."""
    entries: list[Entry] = []
    offset = 0
    with (cache / "bank.part").open("wb") as out:
        for kind, group, name, picture in _pictures(cache):
            out.write(np.ascontiguousarray(picture).tobytes())
            height, width = picture.shape[:2]
            entries.append(Entry(offset, height, width, kind, is_held_out(group), name))
            offset += picture.size
    (cache / "bank.part").rename(cache / "bank.bin")
    (cache / "bank.json").write_text(json.dumps([asdict(entry) for entry in entries], indent=0))
    return entries


class Bank:
    """The pictures of one side of the split, read through a memory map."""

    def __init__(self, cache: Path, *, held_out: bool) -> None:
        rows = [Entry(**row) for row in json.loads((cache / "bank.json").read_text())]
        self._pixels = np.memmap(cache / "bank.bin", np.uint8, mode="r")
        self.entries = {
            kind: [row for row in rows if row.kind == kind and row.held_out == held_out]
            for kind in ("photo", "texture")
        }

    def crop(self, rng: np.random.Generator, kind: str, size: int) -> NDArray[np.uint8]:
        """A random `size × size` crop (size, size, 3) of a random picture of the kind."""
        rows = self.entries[kind]
        row = rows[int(rng.integers(len(rows)))]
        picture = self._pixels[row.offset : row.offset + row.height * row.width * 3].reshape(
            row.height, row.width, 3
        )
        side = min(size, row.height, row.width)
        top, left = (int(rng.integers(0, length - side + 1)) for length in (row.height, row.width))
        crop = np.array(picture[top : top + side, left : left + side])
        return crop if side == size else cv2.resize(crop, (size, size)).astype(np.uint8)


def main() -> None:
    """Fetch the packages and build the bank."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    cache = parser.parse_args().cache
    fetch(cache)
    entries = build_bank(cache)
    for kind in ("photo", "texture"):
        held = sum(entry.held_out for entry in entries if entry.kind == kind)
        print(f"{kind}: {sum(entry.kind == kind for entry in entries)} pictures, {held} of them held out")


if __name__ == "__main__":
    main()
