"""Command line: `python -m export build` and `python -m export verify`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from export.errors import ExportError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0, or 1 after one line on stderr (2: argparse's own complaints)."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"error: {error.name} is missing: pip install -r export/requirements.txt", file=sys.stderr)
        return 1
    return 0


def _tiles(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: sizes in pixels, for example 256,512") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export", description="LaMa to a Triton model repository."
    )
    commands = parser.add_subparsers(required=True, metavar="build | verify")

    build = commands.add_parser("build", help="weights → verified model repository")
    build.add_argument("--weights", default="compact", help="a file, or compact | big-lama | anime-manga")
    build.add_argument("--target", choices=["cpu", "onnxruntime", "tensorrt"], default="cpu")
    build.add_argument("--tiles", type=_tiles, default=(256, 512), help="tile sizes in pixels [256,512]")
    build.add_argument("--precision", choices=["fp32", "fp16", "fp16-fft32"], default="fp32")
    build.add_argument("--out", type=Path, default=Path("model_repository"))
    build.add_argument("--cache", type=Path, default=Path(".cache/weights"), help="where downloads are kept")
    build.set_defaults(run=_build)

    verify = commands.add_parser("verify", help="models against torch in float32")
    verify.add_argument("--weights", default="compact", help="what the models were built from")
    verify.add_argument("--repository", type=Path, default=Path("model_repository"))
    verify.add_argument(
        "--triton", metavar="URL", help="compare what this server (host:gRPC port) answers instead"
    )
    verify.add_argument(
        "--golden", nargs=2, type=Path, metavar=("CKPT", "NPZ"), help="a case of the official generator"
    )
    verify.add_argument("--precision", choices=["fp32", "fp16", "fp16-fft32"], default="fp32")
    verify.add_argument("--cache", type=Path, default=Path(".cache/weights"))
    verify.set_defaults(run=_verify)
    return parser


def _build(options: argparse.Namespace) -> None:
    from export.build import BuildOptions, build
    from export.verify import table

    fields = ("weights", "target", "tiles", "precision", "out", "cache")
    rows = build(BuildOptions(**{name: getattr(options, name) for name in fields}))
    print("\n".join(table(rows)))
    if options.target == "tensorrt":
        print(f"now run {options.out}/build_plans.sh inside the serving container (its head says how)")


def _verify(options: argparse.Namespace) -> None:
    from export.build import weights_path
    from export.checkpoints import load_model
    from export.verify import compare, onnx_engine, table, torch_engine, triton_engine, verify_golden

    if options.golden:
        with tempfile.TemporaryDirectory() as scratch:
            for name, difference in verify_golden(options.golden[0], options.golden[1], Path(scratch)):
                print(f"golden case, {name}: max |Δ| {difference:.1e}")
        return
    reference = torch_engine(load_model(weights_path(options.weights, options.cache)))
    rows = []
    for folder in sorted(options.repository.glob("lama_*")):
        size = int(folder.name.removeprefix("lama_"))
        path = next(iter(sorted(folder.glob("**/model.onnx"))), None)
        if options.triton:
            engine = triton_engine(options.triton, folder.name)
        elif path is not None:
            engine = onnx_engine(path)
        else:
            raise ExportError(f"{folder}: holds no model.onnx; verify it through --triton URL")
        rows.append(compare(folder.name, engine, reference, size, path, (1, 2, 3)))
    if not rows:
        raise ExportError(f"{options.repository}: no model named lama_SIZE in it")
    print("\n".join(table(rows)))
    for row in rows:
        row.check(options.precision)


if __name__ == "__main__":
    sys.exit(main())
