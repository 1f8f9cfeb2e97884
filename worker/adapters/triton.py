"""Tiles to Triton over gRPC. Which sizes there are, the server says; no model's name is written here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from tritonclient.grpc import InferInput, InferRequestedOutput, service_pb2
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from worker.errors import InpainterUnavailable, ModelError
from worker.job import Image, Mask

_log = structlog.get_logger(__name__)

#: gRPC status codes after which the same tile may succeed: the server is away, full or stopping.
_TRANSIENT = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED", "ABORTED"})
_INT32_MAX = 2**31 - 1
#: The tensor contract (model_repository/README.md).
_IMAGE, _MASK, _INPAINTED = "image", "mask", "inpainted"


@dataclass(frozen=True, slots=True)
class TritonOptions:
    """How to reach the server."""

    #: host:port, or several separated by commas for round robin.
    url: str
    max_inflight: int = 32
    #: Deadline of one tile, waiting in the server's queue included.
    timeout_seconds: float = 60.0


class TritonInpainter:
    """`Inpainter` on a Triton server. Create it inside the running event loop; one for the process."""

    def __init__(self, options: TritonOptions) -> None:
        self._options = options
        self._inflight = asyncio.Semaphore(options.max_inflight)
        self._client = InferenceServerClient(_target(options.url), channel_args=_channel_arguments())
        self._models: dict[int, str] = {}

    async def tile_sizes(self) -> tuple[int, ...]:
        """The served tile sizes in px, ascending."""
        if not self._models:
            self._models = await self._discover()
        return tuple(sorted(self._models))

    async def inpaint(self, image: Image, mask: Mask) -> Image:
        """Fill the hole of one tile; see `ports.Inpainter`."""
        size = image.shape[0]
        await self.tile_sizes()
        if size not in self._models:
            raise ModelError(f"no served model has tiles of {size} px")
        inputs = [_tensor(_IMAGE, image), _tensor(_MASK, mask)]
        async with self._inflight:
            reply = await self._call(
                self._client.infer(
                    self._models[size],
                    inputs,
                    outputs=[InferRequestedOutput(_INPAINTED)],
                    client_timeout=self._options.timeout_seconds,
                )
            )
        inpainted = reply.as_numpy(_INPAINTED)
        # The server delivers a wrong shape as a success.
        if inpainted is None or inpainted.shape != (1, *image.shape) or inpainted.dtype != np.uint8:
            raise ModelError(f"{self._models[size]} answered with no uint8 tile of {size} px")
        tile: Image = inpainted[0]
        return tile

    async def check(self) -> str:
        """Triton answers, serves tile models, and a tiny tile goes through: a dead model can look ready."""
        self._models = {}
        sizes = await self.tile_sizes()
        image = np.full((sizes[0], sizes[0], 3), 128, np.uint8)
        mask = np.zeros((sizes[0], sizes[0], 1), np.uint8)
        mask[8:16, 8:16] = 255
        await self.inpaint(image, mask)
        served = ", ".join(f"{self._models[size]} ({size} px)" for size in sizes)
        return f"Triton serves {served}"

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()

    async def _discover(self) -> dict[int, str]:
        index = await self._call(
            self._client.get_model_repository_index(client_timeout=self._options.timeout_seconds)
        )
        models: dict[int, str] = {}
        for name in sorted(entry.name for entry in index.models if entry.state == "READY"):
            metadata = await self._call(
                self._client.get_model_metadata(name, client_timeout=self._options.timeout_seconds)
            )
            size = _tile_size(metadata)
            if size is not None:
                models.setdefault(size, name)
        if not models:
            raise InpainterUnavailable("Triton serves no model of the tile contract")
        _log.info("triton.models", models={str(size): name for size, name in models.items()})
        return models

    async def _call(self, request: Any) -> Any:
        try:
            return await request
        except InferenceServerException as error:
            status = str(error.status() or "").removeprefix("StatusCode.")
            if status in _TRANSIENT:
                self._models = {}
                raise InpainterUnavailable(f"Triton: {status}") from None
            raise ModelError(f"Triton: {status}: {error.message()}") from None


def _target(url: str) -> str:
    """One address as it is; several as gRPC's list of addresses."""
    return f"ipv4:{url}" if "," in url else url


def _channel_arguments() -> list[tuple[str, object]]:
    # These replace the client's defaults, so the message sizes must be said again.
    return [
        ("grpc.max_send_message_length", _INT32_MAX),
        ("grpc.max_receive_message_length", _INT32_MAX),
        ("grpc.lb_policy_name", "round_robin"),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]


def _tensor(name: str, array: Image) -> InferInput:
    tensor = InferInput(name, [1, *array.shape], "UINT8")
    tensor.set_data_from_numpy(array[np.newaxis])
    return tensor


def _tile_size(metadata: service_pb2.ModelMetadataResponse) -> int | None:
    """The tile size of a model that keeps the tensor contract, None for any other model."""
    inputs = {tensor.name: tensor for tensor in metadata.inputs}
    outputs = {tensor.name: tensor for tensor in metadata.outputs}
    if inputs.keys() != {_IMAGE, _MASK} or _INPAINTED not in outputs:
        return None
    size = int(inputs[_IMAGE].shape[1]) if len(inputs[_IMAGE].shape) == 4 else -1
    expected = (
        (inputs[_IMAGE], [-1, size, size, 3]),
        (inputs[_MASK], [-1, size, size, 1]),
        (outputs[_INPAINTED], [-1, size, size, 3]),
    )
    fits = all(list(tensor.shape) == shape and tensor.datatype == "UINT8" for tensor, shape in expected)
    return size if fits and size > 0 else None
