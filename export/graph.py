"""The served graph: uint8 NHWC in, uint8 NHWC out, everything between inside (model_repository/README.md)."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxscript
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript import optimizer
from torch import Tensor, nn

from export.compact import CompactLama
from export.dft import with_matrices
from export.errors import ExportError
from export.fold import folded
from export.head import with_squares
from export.lama import Lama
from export.prefill import Fills

#: fp32; fp16 throughout; fp16 with the Fourier units in float32, for weights whose spectra overflow.
Precision = Literal["fp32", "fp16", "fp16-fft32"]
OPSET = 20
#: Constants at least this long are stored in half precision when a CPU file is asked for in fp16.
_STORED_HALF = 256
#: Constants up to this long are computed at export.
_FOLDED = 256


@dataclass(frozen=True, slots=True)
class TileSpec:
    """One exported tile model.

    Attributes:
        height: Tile height in pixels.
        width: Tile width in pixels; equal to the height in a model repository.
        precision: Arithmetic of the network; for the CPU only that of the stored constants.
    """

    height: int
    width: int
    precision: Precision = "fp32"


class FloatGraph(nn.Module):
    """The folded network between float tensors: (image, mask) → predicted, all NCHW in 0..1."""

    def __init__(self, model: Lama | CompactLama, spec: TileSpec) -> None:
        super().__init__()
        check_lengths(model, spec.height, spec.width)
        scale = 4 if isinstance(model, CompactLama) else model.size.stride
        self.in_half = spec.precision != "fp32"
        float32 = spec.precision == "fp16-fft32"
        tile = (spec.height, spec.width)
        network = with_squares(folded(model))
        if self.in_half:
            network = network.half()
        network = with_matrices(network, tile, (tile[0] // scale, tile[1] // scale), float32=float32)
        if self.in_half and not float32:
            network = network.half()
        for module in network.modules():
            if isinstance(module, Fills):
                # Sums over a whole tile, compared with thresholds: float32, whatever the network runs in.
                module.float()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, H, W) and (B, 1, H, W) float32 → (B, 3, H, W) float32."""
        if not self.in_half:
            out: Tensor = self.network(image, mask)
        elif isinstance(self.network, CompactLama):
            out = self.network.refined(self.network.fills(image, mask))
        else:
            out = self.network(image.half(), mask.half()).float()
        return out


def check_lengths(model: Lama | CompactLama, *lengths: int) -> None:
    """Raise ExportError for heights and widths that the network cannot take."""
    stride = model.size.stride
    for length in lengths:
        if length <= 0 or length % stride:
            raise ExportError(f"tile size {length}: must be a positive multiple of {stride}")


class TileGraph(nn.Module):
    """The tensor contract around the network: cast, scale, transpose, mask, composite, round."""

    def __init__(self, network: FloatGraph) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """(B, S, S, 3) and (B, S, S, 1) uint8, hole where the mask is above 127 → (B, S, S, 3) uint8."""
        hole = mask > 127
        picture = image.permute(0, 3, 1, 2).float() * (1 / 255)
        predicted = self.network(picture, hole.permute(0, 3, 1, 2).float())
        # Round, do not truncate: truncation comes out half a grey level darker.
        levels = torch.round(predicted.clamp(0, 1) * 255).permute(0, 2, 3, 1).to(torch.uint8)
        return torch.where(hole, levels, image)


def export_tile(model: Lama | CompactLama, spec: TileSpec, path: Path) -> None:
    """Write the uint8 tile model with a dynamic batch dimension."""
    graph = TileGraph(FloatGraph(model, spec))
    inputs = (
        torch.zeros(2, spec.height, spec.width, 3, dtype=torch.uint8),
        torch.zeros(2, spec.height, spec.width, 1, dtype=torch.uint8),
    )
    _export(graph, inputs, "inpainted", path)


def export_float(model: Lama | CompactLama, spec: TileSpec, path: Path) -> None:
    """Write the network alone, float NCHW: what `verify` compares to the last digit."""
    graph = FloatGraph(model, spec)
    inputs = (torch.zeros(2, 3, spec.height, spec.width), torch.zeros(2, 1, spec.height, spec.width))
    _export(graph, inputs, "predicted", path)


def export_native(model: Lama | CompactLama, spec: TileSpec, path: Path) -> None:
    """Write the module as it is, with DFT operators and BatchNorm: what `make bench-model` compares with."""
    inputs = (torch.zeros(2, 3, spec.height, spec.width), torch.zeros(2, 1, spec.height, spec.width))
    _export(model, inputs, "predicted", path)


def _export(module: nn.Module, inputs: tuple[Tensor, Tensor], output: str, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=64)
    # The exporter narrates; only its errors are of interest.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            inputs,
            dynamo=True,
            input_names=["image", "mask"],
            output_names=[output],
            dynamic_shapes=({0: batch}, {0: batch}),
            opset_version=OPSET,
            external_data=False,
            optimize=False,
            verbose=False,
        )
        if program is None:
            raise ExportError(f"{path}: torch's exporter returned nothing")
        # Engines fold constants when they load; here it would only repeat the waves once for every use.
        # They also have better rewrite rules than the exporter, whose matching would take most of a minute.
        optimizer.inline(program.model)
        optimizer.fold_constants(program.model, input_size_limit=_FOLDED, output_size_limit=_FOLDED)
        optimizer.remove_unused_nodes(program.model)
        proto = onnxscript.ir.to_proto(program.model)
    _strip(proto)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def _strip(proto: onnx.ModelProto) -> None:
    """Leave out what only describes the exporter: stack traces, names of this machine's files."""
    for node in proto.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    for value in [*proto.graph.value_info, *proto.graph.input, *proto.graph.output]:
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.metadata_props[:]
    proto.doc_string = proto.graph.doc_string = ""
    proto.graph.name = "lama"


def store_half(path: Path) -> None:
    """Halve a file for the CPU: constants as float16 with a cast behind each, arithmetic stays float32.

    Engines fold the casts once when they load the file.
    """
    proto = onnx.load(path)
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _STORED_HALF:
            continue
        values = numpy_helper.to_array(tensor)
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        proto.graph.node.insert(0, cast)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)
