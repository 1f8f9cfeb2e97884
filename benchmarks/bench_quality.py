"""How near the erased page comes to the truth, class by class, for the planner and for what others do.

    make bench-quality          (.venv/bin/python -m benchmarks.bench_quality [--models DIR] [--out DIR])

Pages are drawn with known clean plates (posters.py). Every way gets the same masks; what is compared is the
erased page with the plate, over every pixel that the text or the mask touches, so that ghosts count too.
Shares are of blocks; a block whose lines go different ways counts in parts. A whole page that is as large as
a served tile goes to that model, others go to torch with the same weights, where there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from benchmarks.machine import described
from benchmarks.pages_ways import Case
from benchmarks.posters import GROUNDS, Poster, posters, strip
from worker.adapters.onnx_local import OnnxInpainter
from worker.imaging.composite import composite
from worker.imaging.fill_options import FillOptions
from worker.imaging.ground import Floats
from worker.imaging.mask import find_regions
from worker.imaging.plan import PlanOptions, Route
from worker.imaging.postprocess import restore
from worker.imaging.preprocess import Prepared, prepare
from worker.imaging.regions import group_lines
from worker.job import Image, Mask, Region, TextBlock, TextLine
from worker.translation.han import is_chinese

#: (image (S, S, 3), mask (S, S, 1)) → (S, S, 3)
Network = Callable[[Image, Mask], Image]
#: A page erased as a whole, or nothing where it cannot be.
Whole = Callable[[Poster, Mask], Image | None]

_TELEA_RADIUS = 5
#: A line erased without the network counts as false where means over so many px, which are free of grain,
#: are off by more than so many levels; a copied texture, which is right in kind but not in place, only where
#: it is also so many dB below Telea.
_SEEN, _FALSE_LEVELS, _FALSE_DB = (5, 5), 3.0, 1.0
#: Levels by which drawn text changes a pixel.
_INKED = 2
_WAYS = ("planner", "telea", "whole")
_HEAD = (
    f"{'PSNR in dB under text':<20} {'ours':>6} {'Telea':>6} {'whole':>6}  {'plain':>6} {'grain':>5}  "
    + " ".join(f"{route:>6.6}" for route in Route)
    + " false"
)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Squared errors of one page at the pixels that text or mask touch."""

    kind: str
    #: For each way, against the page's own plate.
    errors: Mapping[str, Floats]
    #: Of the fills before their grain, against the noise-free ground.
    plain: Floats
    #: The grain's deviation as a share of the noise's.
    grain: float | None
    #: Blocks by route.
    routes: Mapping[Route, float]
    #: Lines that should not have been filled.
    false: tuple[str, ...]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("model_repository"), help="a model repository")
    parser.add_argument("--only", default="", help="classes whose name contains this")
    parser.add_argument("--out", type=Path, help="also write page, plates and truth of every page as PNG")
    parser.add_argument(
        "--torch", type=Path, default=Path(".venv-export/bin/python"), help="a Python with torch"
    )
    options = parser.parse_args()
    network: Network = _telea_tile
    sizes: tuple[int, ...] = (256, 512)
    whole: Whole = _nothing
    if has_model := any(options.models.glob("*/*/model.onnx")):
        inpainter = OnnxInpainter(options.models)
        sizes = asyncio.run(inpainter.tile_sizes())

        def network(image: Image, mask: Mask) -> Image:
            return asyncio.run(inpainter.inpaint(image, mask))

        def whole(poster: Poster, mask: Mask) -> Image | None:
            if max(poster.page.shape[:2]) in sizes:
                return network(poster.page, mask[..., None])
            return _by_torch(poster, options.torch)

    print(described())
    print(f"network of the planner: {f'{options.models}, tiles of {sizes}' if has_model else 'OpenCV Telea'}")
    print(_HEAD)
    grounds = {kind: ground for kind, ground in GROUNDS.items() if options.only in kind}
    pages = chain(posters(grounds), (strip() for _ in range("strip".startswith(options.only))))
    false: list[str] = []
    for _, group in groupby(pages, key=lambda page: page.kind):
        measured = []
        for number, page in enumerate(group):
            measured.append(measure(page, network, sizes, f"{number}", options.out, whole))
        print(_row(measured), flush=True)
        false += [name for one in measured for name in one.false]
    print(f"false fills: {len(false)}", *false, sep="\n  ")


def measure(
    poster: Poster, network: Network, sizes: tuple[int, ...], name: str, out: Path | None, whole: Whole
) -> Measured:
    """Erases one page every way."""
    blocks = group_lines(poster.page, poster.lines)
    chosen = tuple(block for block in blocks if is_chinese(block.text))
    staying = [line for block in blocks if block not in chosen for line in block.lines]
    regions = find_regions(poster.page, chosen, staying)
    mask = _union(regions, poster.page.shape[:2])
    kept = [line.polygon for line in staying]
    prepared = prepare(poster.page, chosen, regions, sizes, kept=kept)
    answers = [restore(tile, network(tile.image, tile.mask)) for tile in prepared.tiles]
    network_patches = [patch for patches in answers for patch in patches]
    plates = {
        "planner": composite(poster.page, [*prepared.fills, *network_patches]),
        "telea": cv2.inpaint(poster.page, mask, _TELEA_RADIUS, cv2.INPAINT_TELEA).astype(np.uint8),
    }
    if (plate := whole(poster, mask)) is not None:
        plates["whole"] = plate
    bare = prepare(poster.page, chosen, regions, sizes, PlanOptions(fill=FillOptions(grain=False)), kept=kept)
    plain = composite(poster.page, bare.fills)
    touched = _touched(poster, chosen, mask)
    filled = touched & _routed(chosen, prepared.routes, mask, {Route.FILL})
    if out is not None:
        _write(out, f"{poster.kind}-{name}", {"page": poster.page, "truth": poster.plate, **plates})
    return Measured(
        poster.kind,
        {way: _errors(plate, poster.plate)[touched] for way, plate in plates.items()},
        _errors(plain, poster.clean)[filled],
        _grain(plates["planner"], poster, filled & (cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0)),
        _shares(prepared.routes.values()),
        tuple(
            f"{poster.kind} {name}: {line}" for line in _false_fills(poster, chosen, prepared, plates, mask)
        ),
    )


def _shares(blocks: Iterable[Sequence[Route]]) -> dict[Route, float]:
    """How many blocks went each way; the lines of a block count as parts of it."""
    shares = dict.fromkeys(Route, 0.0)
    for routes in blocks:
        for route in routes:
            shares[route] += 1 / len(routes)
    return shares


def _nothing(poster: Poster, mask: Mask) -> Image | None:
    return None


def _by_torch(poster: Poster, python: Path) -> Image | None:
    """A whole page of any size, mirrored to a multiple of 8; None where no torch is installed."""
    if not python.exists():
        return None
    blocks = group_lines(poster.page, poster.lines)
    case = Case(poster.page, poster.lines, tuple(is_chinese(block.text) for block in blocks))
    with tempfile.TemporaryDirectory() as folder:
        path, plate = Path(folder) / "case.npz", Path(folder) / "plate.npy"
        case.save(path)
        command = [f"{python}", "-m", "benchmarks.pages_network", f"{path}", "whole page", f"--plate={plate}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return np.asarray(np.load(plate), np.uint8)


def _false_fills(
    poster: Poster, chosen: Sequence[TextBlock], prepared: Prepared, plates: dict[str, Image], mask: Mask
) -> Iterator[str]:
    """Lines that should have gone to the network."""
    ours, telea = (_errors(_without_grain(plates[way]), _without_grain(poster.plate)) for way in _WAYS[:2])
    for block in chosen:
        for line, route in zip(block.lines, prepared.routes[block.id], strict=True):
            under = _line_mask(line, mask) > 0
            if route in (Route.NETWORK, Route.SHRUNK) or not under.any():
                continue
            error, theirs = float(ours[under].mean()), float(telea[under].mean())
            if (
                _psnr(error) < _psnr(theirs) - _FALSE_DB
                and error**0.5 > poster.noise * 2**0.5 + _FALSE_LEVELS
            ):
                yield f"{line.text} ({route}): {_psnr(error):.1f} dB, Telea {_psnr(theirs):.1f} dB"


def _touched(poster: Poster, chosen: Sequence[TextBlock], mask: Mask) -> NDArray[np.bool_]:
    """Pixels under the masks, and those near the erased lines that text changed."""
    near = np.zeros_like(mask)
    for block in chosen:
        for line in block.lines:
            reach = round(0.35 * block.text_height)
            box = cv2.boundingRect(np.rint(line.polygon).astype(np.int32))
            left, top = max(box[0] - reach, 0), max(box[1] - reach, 0)
            near[top : box[1] + box[3] + reach, left : box[0] + box[2] + reach] = 1
    inked = np.abs(poster.drawn.astype(np.int16) - poster.plate).max(axis=2) > _INKED
    return np.asarray((mask > 0) | (inked & (near > 0)), bool)


def _routed(
    chosen: Sequence[TextBlock], routes: Mapping[int, tuple[Route, ...]], mask: Mask, wanted: set[Route]
) -> NDArray[np.bool_]:
    """Ink of the lines that went one of the wanted ways."""
    under = np.zeros(mask.shape, bool)
    for block in chosen:
        for line, route in zip(block.lines, routes[block.id], strict=True):
            if route in wanted:
                under |= _line_mask(line, mask) > 0
    return under


def _line_mask(line: TextLine, mask: Mask) -> Mask:
    """The mask inside a line's box."""
    box = np.zeros_like(mask)
    cv2.fillPoly(box, [np.rint(line.polygon).astype(np.int32)], 255)
    return cv2.bitwise_and(box, mask).astype(np.uint8)


def _union(regions: Sequence[Region], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, np.uint8)
    for region in regions:
        mask[region.box.slices] |= region.mask
    return mask


def _errors(plate: Image, truth: Image) -> Floats:
    """Mean squared error of each pixel, (H, W)."""
    return np.asarray(((plate.astype(np.float32) - truth) ** 2).mean(axis=2), np.float32)


def _grain(plate: Image, poster: Poster, under: NDArray[np.bool_]) -> float | None:
    """Deviation of the filled ground as a share of the noise's."""
    if poster.noise == 0 or not under.any():
        return None
    return float((plate.astype(np.float32) - poster.clean)[under].std()) / poster.noise


def _without_grain(picture: Image) -> Image:
    return np.asarray(cv2.blur(picture, _SEEN), np.uint8)


def _psnr(error: float) -> float:
    return 10 * float(np.log10(255**2 / max(error, 1e-3)))


def _row(pages: Sequence[Measured]) -> str:
    def decibels(arrays: Sequence[Floats]) -> str:
        errors = np.concatenate(arrays) if arrays else np.zeros(0, np.float32)
        return f"{_psnr(float(errors.mean())):6.1f}" if errors.size else "     –"

    ways = [decibels([page.errors[way] for page in pages if way in page.errors]) for way in _WAYS]
    blocks = max(sum(sum(page.routes.values()) for page in pages), 1)
    routes = {route: sum(page.routes.get(route, 0) for page in pages) for route in Route}
    shares = " ".join(f"{100 * routes[route] / blocks:4.0f} %" for route in Route)
    grains = [page.grain for page in pages if page.grain is not None]
    grain = f"{np.mean(grains):5.2f}" if grains else "    –"
    false = sum(len(page.false) for page in pages)
    plain = decibels([page.plain for page in pages])
    return f"{pages[0].kind:<20} {' '.join(ways)}  {plain} {grain}  {shares} {false:>5}"


def _write(out: Path, name: str, pictures: Mapping[str, Image]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for way, picture in pictures.items():
        Pillow.fromarray(picture).save(out / f"{name.replace(' ', '_').replace(',', '')}-{way}.png")


def _telea_tile(image: Image, mask: Mask) -> Image:
    return cv2.inpaint(image, mask[..., 0], _TELEA_RADIUS, cv2.INPAINT_TELEA).astype(np.uint8)


if __name__ == "__main__":
    main()
