"""Tiles to Triton over gRPC. Which sizes there are, the server says; no model's name is written here.

Where server and worker share a host the pixels go through shared memory (`tile_slots.py`) and gRPC carries
only names; a server elsewhere, or one that allows no client's memory, gets them in the message.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import structlog
from tritonclient.grpc import InferInput, InferRequestedOutput, service_pb2
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from worker import metrics
from worker.adapters import tile_slots
from worker.adapters.tile_slots import Slot, TileSlots
from worker.errors import InpainterUnavailable, ModelError, SettingsError
from worker.job import Image, Mask

_log = structlog.get_logger(__name__)

#: gRPC status codes after which the same tile may succeed: the server is away, full or stopping.
_TRANSIENT = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED", "ABORTED"})
_INT32_MAX = 2**31 - 1
#: The tensor contract (model_repository/README.md).
_IMAGE, _MASK, _INPAINTED = "image", "mask", "inpainted"
#: What a server that was restarted says about a region it no longer knows.
_UNKNOWN_REGION = "Unable to find shared memory region"
#: What a server that is stopping says, its models put away already; what gRPC says of one that a proxy lost.
_GOING = ("Request for unknown model", "RST_STREAM", "Stream removed")
#: A tile that came back so recently proves as much as a tile of our own.
_PROOF_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TritonOptions:
    """How to reach the server."""

    #: host:port, or several separated by commas for round robin.
    url: str
    max_inflight: int = 32
    #: Deadline of one tile, waiting in the server's queue included.
    timeout_seconds: float = 60.0
    shared_memory: Literal["auto", "on", "off"] = "auto"
    #: Tiles are idempotent: one that finds the server away is sent again.
    attempts: int = 3
    retry_seconds: float = 0.25


class TritonInpainter:
    """`Inpainter` on a Triton server. Create it inside the running event loop; one for the process."""

    def __init__(self, options: TritonOptions) -> None:
        self._options = options
        self._inflight = asyncio.Semaphore(options.max_inflight)
        self._client = InferenceServerClient(_target(options.url), channel_args=_channel_arguments())
        self._models: dict[int, str] = {}
        self._slots: dict[int, TileSlots] = {}
        self._opening = asyncio.Lock()
        self._discovering = asyncio.Lock()
        self._answered_at = float("-inf")
        # A region is known to the one server it was registered with.
        self._shared = options.shared_memory != "off" and "," not in options.url
        if options.shared_memory == "on" and not self._shared:
            raise SettingsError("TRITON_SHARED_MEMORY: on needs exactly one address in TRITON_URL")
        tile_slots.sweep()

    async def tile_sizes(self) -> tuple[int, ...]:
        """The served tile sizes in px, ascending."""
        while not self._models:
            async with self._discovering:
                self._models = self._models or await self._discover()
        return tuple(sorted(self._models))

    async def inpaint(self, image: Image, mask: Mask) -> Image:
        """Fill the hole of one tile; see `ports.Inpainter`."""
        async with self._inflight:
            for attempt in range(1, self._options.attempts + 1):
                try:
                    return await self._send(image, mask)
                except InpainterUnavailable:
                    if attempt == self._options.attempts:
                        raise
                await asyncio.sleep(random.uniform(0.5, 1.0) * self._options.retry_seconds * 2**attempt)
        raise AssertionError("attempts must be at least 1")

    async def check(self) -> str:
        """Triton answers, serves tile models, and a tile goes through: a dead model can look ready."""
        self._models = await self._discover()
        sizes = await self.tile_sizes()
        if time.monotonic() - self._answered_at > _PROOF_SECONDS:
            image = np.full((sizes[0], sizes[0], 3), 128, np.uint8)
            mask = np.zeros((sizes[0], sizes[0], 1), np.uint8)
            mask[8:16, 8:16] = 255
            await self.inpaint(image, mask)
        served = ", ".join(f"{self._models[size]} ({size} px)" for size in sizes)
        return f"Triton serves {served}, by {'shared memory' if self._shared else 'gRPC'}"

    async def close(self) -> None:
        """Give the server's regions and the memory back, close the channel."""
        for slots in self._slots.values():
            try:
                # Never without a name: that would drop every client's regions.
                await self._client.unregister_system_shared_memory(slots.name, client_timeout=5.0)
            except InferenceServerException as error:
                _log.info("triton.unregister_failed", region=slots.name, status=str(error.status()))
            slots.close()
        self._slots = {}
        await self._client.close()

    async def _send(self, image: Image, mask: Mask) -> Image:
        await self.tile_sizes()
        if image.shape[0] not in self._models:
            raise ModelError(f"no served model has tiles of {image.shape[0]} px")
        slots = await self._open_slots(image.shape[0])
        slot = slots.take() if slots else None
        if slots is None or slot is None:
            return await self._send_in_message(image, mask)
        return await self._send_in_memory(slots, slot, image, mask)

    async def _send_in_message(self, image: Image, mask: Mask) -> Image:
        inputs = [_tensor(_IMAGE, image), _tensor(_MASK, mask)]
        reply = await self._infer(image.shape[0], inputs, InferRequestedOutput(_INPAINTED))
        self._check_answer(reply, image.shape)
        try:
            tile: Image = reply.as_numpy(_INPAINTED)[0]
        except ValueError:
            raise ModelError("Triton sent fewer pixels than it promised") from None
        return tile

    async def _send_in_memory(self, slots: TileSlots, slot: Slot, image: Image, mask: Mask) -> Image:
        slots.write(slot, image, mask)
        inputs = [
            InferInput(_IMAGE, [1, *image.shape], "UINT8"),
            InferInput(_MASK, [1, *mask.shape], "UINT8"),
        ]
        inputs[0].set_shared_memory(slots.name, image.nbytes, slot.image)
        inputs[1].set_shared_memory(slots.name, mask.nbytes, slot.mask)
        output = InferRequestedOutput(_INPAINTED)
        output.set_shared_memory(slots.name, image.nbytes, slot.inpainted)
        answered = False
        try:
            reply = await self._infer(slots.size, inputs, output)
            answered = True
            self._check_answer(reply, image.shape)
            return slots.read(slot)
        except ModelError as error:
            answered = True
            if _UNKNOWN_REGION in error.message and await self._register(slots):
                raise InpainterUnavailable("Triton was restarted") from None
            raise
        finally:
            (slots.give_back if answered else slots.abandon)(slot)

    def _check_answer(self, reply: Any, shape: tuple[int, ...]) -> None:
        """Note that a tile went through; the server delivers a wrong shape as a success."""
        output = reply.get_output(_INPAINTED)
        if output is None or list(output.shape) != [1, *shape] or output.datatype != "UINT8":
            raise ModelError(f"{self._models.get(shape[0])} answered with no uint8 tile of {shape[0]} px")
        self._answered_at = time.monotonic()

    async def _infer(self, size: int, inputs: list[InferInput], output: InferRequestedOutput) -> Any:
        model = self._models.get(size)
        if model is None:
            raise InpainterUnavailable("Triton went away")
        with metrics.TRITON_SECONDS.time():
            return await self._call(
                self._client.infer(
                    model, inputs, outputs=[output], client_timeout=self._options.timeout_seconds
                )
            )

    async def _open_slots(self, size: int) -> TileSlots | None:
        """The slots for a size, made and registered at its first tile; None where memory is not shared."""
        if not self._shared or size in self._slots:
            return self._slots.get(size)
        async with self._opening:
            if self._shared and size not in self._slots:
                try:
                    slots = TileSlots(size, self._options.max_inflight, 2 * self._options.timeout_seconds)
                except OSError as error:
                    self._give_up_sharing(f"/dev/shm: {error.strerror}")
                    return None
                try:
                    if await self._register(slots):
                        self._slots[size] = slots
                finally:
                    if size not in self._slots:
                        slots.close()
                await self._drop_regions_of_the_dead()
            return self._slots.get(size)

    async def _register(self, slots: TileSlots) -> bool:
        try:
            await self._client.register_system_shared_memory(
                slots.name, slots.key, slots.byte_size, client_timeout=self._options.timeout_seconds
            )
        except InferenceServerException as error:
            if str(error.status()).removeprefix("StatusCode.") in _TRANSIENT:
                raise InpainterUnavailable("Triton is away") from None
            self._give_up_sharing(error.message())
            return False
        return True

    async def _drop_regions_of_the_dead(self) -> None:
        """A worker that was killed never unregistered: the server would keep its memory for good."""
        try:
            status = await self._client.get_system_shared_memory_status(client_timeout=5.0)
            for name in filter(tile_slots.is_gone, status.regions):
                await self._client.unregister_system_shared_memory(name, client_timeout=5.0)
                _log.info("triton.region_dropped", region=name)
        except InferenceServerException as error:
            _log.info("triton.unregister_failed", status=str(error.status()))

    def _give_up_sharing(self, reason: str) -> None:
        if self._options.shared_memory == "on":
            raise ModelError(f"TRITON_SHARED_MEMORY: on, but {reason}")
        self._shared = False
        _log.info("triton.no_shared_memory", reason=reason)

    async def _discover(self) -> dict[int, str]:
        timeout = self._options.timeout_seconds
        index = await self._call(self._client.get_model_repository_index(client_timeout=timeout))
        models: dict[int, str] = {}
        for name in sorted(entry.name for entry in index.models if entry.state == "READY"):
            metadata = await self._call(self._client.get_model_metadata(name, client_timeout=timeout))
            if (size := _tile_size(metadata)) is not None:
                models.setdefault(size, name)
        if not models:
            raise InpainterUnavailable("Triton serves no model of the tile contract")
        if models != self._models:
            _log.info("triton.models", models={str(size): name for size, name in models.items()})
        return models

    async def _call(self, request: Any) -> Any:
        try:
            return await request
        except InferenceServerException as error:
            status = str(error.status() or "").removeprefix("StatusCode.")
            if status in _TRANSIENT or any(words in error.message() for words in _GOING):
                self._models = {}
                raise InpainterUnavailable(f"TRITON_URL {self._options.url}: {status}") from None
            raise ModelError(f"Triton: {status}: {error.message()}") from None


def _target(url: str) -> str:
    """One address as it is; several as gRPC's list, which takes numbers only, all of one kind."""
    if "," not in url:
        return url
    places = [address.rpartition(":") for address in url.split(",")]
    for scheme, family, written in (
        ("ipv4", socket.AF_INET, "{}:{}"),
        ("ipv6", socket.AF_INET6, "[{}]:{}"),
    ):
        with suppress(OSError, UnicodeError):
            found = [socket.getaddrinfo(host.strip("[]"), port, family) for host, _, port in places]
            return f"{scheme}:" + ",".join(written.format(*entries[0][4][:2]) for entries in found)
    raise SettingsError(f"TRITON_URL: of {url} not every name can be resolved")


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
