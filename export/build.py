"""`python -m export build`: weights in, a verified model repository out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.checkpoints import load_model
from export.compact import CompactLama
from export.downloads import PUBLISHED, fetch
from export.errors import ExportError
from export.graph import Precision, TileSpec, check_lengths, export_tile, store_half
from export.lama import Lama
from export.repository import Target, model_name, onnx_path, staged, write_config, write_plan_script
from export.verify import HALF_MAX, Row, compare, largest_activation, onnx_engine, torch_engine

#: The weights that ship with the project.
COMPACT = Path(__file__).with_name("weights") / "compact.safetensors"
#: Batch sizes every build is verified with: alone, and more than one.
_BATCHES = (1, 3)


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What to build.

    Attributes:
        weights: A file, or a name: `compact` (ships), `big-lama`, `anime-manga` (downloaded).
        target: What serves the models.
        tiles: Tile sizes in pixels.
        precision: See `export.graph.Precision`.
        out: The model repository; other models in it are left alone.
        cache: Where downloads are kept.
    """

    weights: str
    target: Target
    tiles: tuple[int, ...]
    precision: Precision
    out: Path
    cache: Path


def weights_path(weights: str, cache: Path) -> Path:
    """The file behind a name, downloaded when need be."""
    if weights == "compact":
        return COMPACT
    if weights in PUBLISHED:
        return fetch(PUBLISHED[weights], cache)
    return Path(weights)


def build(options: BuildOptions) -> list[Row]:
    """Write the repository, verify every model in it, and only then put it in place.

    Raises:
        ExportError: Anything wrong with weights, sizes, the output or the result; the old repository is
        untouched.
    """
    if not options.tiles or len(set(options.tiles)) != len(options.tiles):
        raise ExportError("--tiles: name each tile size once, for example 256,512")
    model = load_model(weights_path(options.weights, options.cache))
    check_lengths(model, *options.tiles)
    reference = torch_engine(model)
    if options.precision == "fp16" and options.target != "cpu":
        largest = largest_activation(model, options.tiles[0])
        if largest > HALF_MAX / 4:
            raise ExportError(
                f"activations reach {largest:,.0f}, fp16 ends at {HALF_MAX:,.0f}: use --precision fp16-fft32"
            )
    rows = []
    with staged(options.out) as folder:
        for size in options.tiles:
            path = onnx_path(folder, size, options.target)
            (folder / model_name(size) / "1").mkdir(parents=True)
            _write_graph(model, options, size, path)
            write_config(folder, size, options.target, options.precision)
            row = compare(model_name(size), onnx_engine(path), reference, size, path, _BATCHES)
            row.check(options.precision)
            rows.append(row)
        if options.target == "tensorrt":
            write_plan_script(folder, list(options.tiles))
    return rows


def _write_graph(model: Lama | CompactLama, options: BuildOptions, size: int, path: Path) -> None:
    """On a CPU half precision is a matter of storage; elsewhere the graph computes in it."""
    on_cpu = options.target == "cpu"
    export_tile(model, TileSpec(size, size, "fp32" if on_cpu else options.precision), path)
    if on_cpu and options.precision != "fp32":
        store_half(path)
