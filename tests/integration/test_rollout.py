"""A new version of the model beside the old one: nothing fails for good while the servers change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from benchmarks.copy_model import write_copy_models
from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.embedded import EmbeddedTriton, free_port, has_triton
from worker.errors import InpainterUnavailable, ModelError, SettingsError, WorkerError
from worker.job import Image, Mask

SIZE = 64


async def fill(inpainter: TritonInpainter, image: Image, mask: Mask) -> Image:
    """Again after a while, as the queue does with the whole job."""
    while True:
        try:
            return await inpainter.inpaint(image, mask)
        except InpainterUnavailable:
            await asyncio.sleep(0.5)


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
async def test_tiles_go_on_while_one_of_two_servers_leaves(tmp_path: Path) -> None:
    """As in a roll-out: both answer, the old one is told to stop, the new one does the rest.

    A server that stops says so, or that it knows no model any more; either may be tried again, uncounted.
    """
    for version in ("1", "2"):
        write_copy_models(tmp_path / version, (SIZE,))
    image = np.full((SIZE, SIZE, 3), 7, np.uint8)
    mask = np.zeros((SIZE, SIZE, 1), np.uint8)
    with EmbeddedTriton(tmp_path / "1") as old, EmbeddedTriton(tmp_path / "2") as new:
        inpainter = TritonInpainter(TritonOptions(f"{old.url},{new.url}", max_inflight=8))
        for stage in ("both", "one"):
            tiles = [asyncio.create_task(fill(inpainter, image, mask)) for _ in range(60)]
            if stage == "both":
                await asyncio.sleep(0.05)
                await asyncio.to_thread(old.stop)
            for filled in await asyncio.gather(*tiles):
                assert (filled == image).all()
        await inpainter.close()


@pytest.mark.skipif(not has_triton(), reason="no tritonserver")
async def test_several_servers_may_be_named_and_one_may_be_dead(tmp_path: Path) -> None:
    write_copy_models(tmp_path, (SIZE,))
    with EmbeddedTriton(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        inpainter = TritonInpainter(TritonOptions(f"localhost:{free_port()},localhost:{port}"))
        assert (await inpainter.check()).endswith("by gRPC")
        await inpainter.close()


@pytest.mark.parametrize("url", ["localhost:1,no-such-name.invalid:1", "[::1]:1,127.0.0.1:1", "a..b:1,a:1"])
async def test_several_names_are_refused_at_the_start_where_they_cannot_be_used(url: str) -> None:
    with pytest.raises(SettingsError, match="TRITON_URL"):
        TritonInpainter(TritonOptions(url))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Received RST_STREAM with error code 2", InpainterUnavailable),
        ("Stream removed", InpainterUnavailable),
        ("CUDA out of memory", ModelError),
    ],
)
async def test_a_proxy_that_lost_the_server_costs_no_attempts(said: str, error: type[WorkerError]) -> None:
    """It answers with an internal error, which from the server itself may be the tile's fault."""

    async def abort(_: bytes, context: Any) -> None:
        await context.abort(grpc.StatusCode.INTERNAL, said)

    method = {"RepositoryIndex": grpc.unary_unary_rpc_method_handler(abort)}
    service = "inference.GRPCInferenceService"
    server = grpc.aio.server(handlers=[grpc.method_handlers_generic_handler(service, method)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    inpainter = TritonInpainter(TritonOptions(f"127.0.0.1:{port}"))
    with pytest.raises(error):
        await inpainter.tile_sizes()
    await inpainter.close()
    await server.stop(None)
