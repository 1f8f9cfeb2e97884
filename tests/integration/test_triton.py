"""Tiles through a real tritonserver."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pytest
from structlog.testing import capture_logs
from tritonclient.grpc import InferenceServerClient

from worker.adapters.triton import TritonInpainter, TritonOptions
from worker.embedded import MODEL_REPOSITORY, EmbeddedTriton, free_port
from worker.errors import InpainterUnavailable, ModelError
from worker.job import Image, Mask


@pytest.fixture
async def inpainter(triton: EmbeddedTriton) -> AsyncIterator[TritonInpainter]:
    opened = TritonInpainter(TritonOptions(triton.url))
    yield opened
    await opened.close()


def tile(size: int, seed: int = 0) -> tuple[Image, Mask]:
    """A smooth ground with a hole of noise in it."""
    y, x = np.mgrid[:size, :size]
    image = np.stack([x * 200 // size, y * 200 // size, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    mask = np.zeros((size, size, 1), np.uint8)
    mask[100:120, 60:180] = 255
    noise = np.random.default_rng(seed).integers(0, 256, image.shape, dtype=np.uint8)
    return np.where(mask > 0, noise, image), mask


async def test_the_hole_is_filled_and_nothing_else(inpainter: TritonInpainter) -> None:
    size = (await inpainter.tile_sizes())[0]
    image, mask = tile(size)
    filled = await inpainter.inpaint(image, mask)
    hole = mask[..., 0] > 0
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    truth, _ = tile(size)
    y, x = np.mgrid[:size, :size]
    truth = np.stack([x * 200 // size, y * 200 // size, np.full_like(x, 90)], axis=-1).astype(np.int16)
    assert np.abs(filled[hole].astype(np.int16) - truth[hole]).mean() < 12


async def test_many_tiles_at_once_each_get_their_own(inpainter: TritonInpainter) -> None:
    size = (await inpainter.tile_sizes())[0]
    tiles = [tile(size, seed) for seed in range(8)]
    for number, (image, _) in enumerate(tiles):
        image[:40] = number
    filled = await asyncio.gather(*(inpainter.inpaint(image, mask) for image, mask in tiles))
    assert [int(result[0, 0, 0]) for result in filled] == list(range(8))


async def test_a_size_nobody_serves_is_an_error(inpainter: TritonInpainter) -> None:
    with pytest.raises(ModelError, match="no served model has tiles of 64 px"):
        await inpainter.inpaint(*tile(64))


async def test_check_sends_a_real_tile(triton: EmbeddedTriton, inpainter: TritonInpainter) -> None:
    before = executed(triton)
    with capture_logs() as logs:
        for _ in range(2):
            assert (await inpainter.check()).startswith("Triton serves ")
    assert executed(triton).tiles == before.tiles + 1, "the second leans on the first"
    told = [line["event"] for line in logs]
    assert told.count("triton.models") == 1, "each readiness check would say it again"


async def test_a_server_that_is_away_can_be_tried_again() -> None:
    inpainter = TritonInpainter(TritonOptions(f"127.0.0.1:{free_port()}", timeout_seconds=2.0))
    with pytest.raises(InpainterUnavailable):
        await inpainter.tile_sizes()
    await inpainter.close()


async def test_wrong_answers_and_dead_requests_are_told_apart(tmp_path: Path) -> None:
    """A model that answers with another shape, fails a request, or takes too long."""
    source = next(path for path in sorted(MODEL_REPOSITORY.iterdir()) if path.is_dir())
    broken = tmp_path / "broken_256"
    shutil.copytree(source, broken)
    size = 256
    config = (broken / "config.pbtxt").read_text().replace(source.name, broken.name)
    (broken / "config.pbtxt").write_text(config)
    (broken / "1" / "model.py").write_text(_BROKEN_MODEL)
    with EmbeddedTriton(tmp_path) as server:
        inpainter = TritonInpainter(TritonOptions(server.url, timeout_seconds=1.0))
        image, mask = np.zeros((size, size, 3), np.uint8), np.zeros((size, size, 1), np.uint8)
        for _ in range(2):  # a wrong answer proves nothing: the next check asks again
            with pytest.raises(ModelError):
                await inpainter.check()
        assert await inpainter.tile_sizes() == (size,)
        for first, error in ((1, ModelError), (2, ModelError), (3, InpainterUnavailable)):
            image[0, 0, 0] = first
            with pytest.raises(error):
                await inpainter.inpaint(image, mask)
        await inpainter.close()


_BROKEN_MODEL = """
import time
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            image = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()
            if image[0, 0, 0, 0] == 2:
                answers.append(pb_utils.InferenceResponse(error=pb_utils.TritonError("broken tile")))
                continue
            if image[0, 0, 0, 0] == 3:
                time.sleep(2)
            wrong = np.zeros((1, 8, 8, 3), np.uint8)
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("inpainted", wrong)]))
        return answers
"""


@pytest.mark.parametrize("shared_memory", ["on", "off"])
async def test_both_ways_give_the_same_pixels(
    triton: EmbeddedTriton, shared_memory: Literal["on", "off"]
) -> None:
    inpainter = TritonInpainter(TritonOptions(triton.url, shared_memory=shared_memory))
    size = (await inpainter.tile_sizes())[0]
    image, mask = tile(size)
    results = await asyncio.gather(*(inpainter.inpaint(image, mask) for _ in range(40)))
    assert all(np.array_equal(result, results[0]) for result in results)
    np.testing.assert_array_equal(results[0][:100], image[:100])
    assert len(regions()) == (1 if shared_memory == "on" else 0)
    await inpainter.close()
    assert regions() == []


async def test_a_restarted_server_is_found_again() -> None:
    with EmbeddedTriton() as server:
        inpainter = TritonInpainter(TritonOptions(server.url, attempts=8))
        size = (await inpainter.tile_sizes())[0]
        image, mask = tile(size)
        before = await inpainter.inpaint(image, mask)
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        waiting = asyncio.create_task(inpainter.inpaint(image, mask))
        await asyncio.to_thread(server.start)
        np.testing.assert_array_equal(await waiting, before)
        assert (await inpainter.check()).endswith("by shared memory")
        await inpainter.close()


def regions() -> list[str]:
    """What this process has mapped; others on this machine have theirs."""
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    return [path for path in mapped if "operate-tiles-" in path]


class Executed(NamedTuple):
    """What a server has done since its start."""

    tiles: int
    batches: int


def executed(server: EmbeddedTriton) -> Executed:
    """By the server's own count, over all its models."""
    client = InferenceServerClient(server.url)
    models = client.get_inference_statistics().model_stats
    client.close()
    return Executed(
        sum(model.inference_count for model in models), sum(model.execution_count for model in models)
    )
