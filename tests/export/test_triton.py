"""The uint8 tile model through the real tritonserver, its Python backend and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from export.__main__ import main
from export.build import BuildOptions, build
from export.checkpoints import load_model
from export.verify import compare, sample_tiles, torch_engine, triton_engine
from tests.export.weights import save_safetensors, tiny_compact, tiny_lama

grpc = pytest.importorskip("tritonclient.grpc", reason="pip install 'tritonclient[grpc]'")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One repository with an official generator at 64 and 96 px."""
    folder = tmp_path_factory.mktemp("triton")
    weights = save_safetensors(tiny_lama(), folder / "weights.safetensors")
    build(BuildOptions(str(weights), "cpu", (64, 96), "fp32", folder / "repository", folder))
    return folder / "repository"


@pytest.fixture(scope="module")
def url(repository: Path, serve: Callable[[Path], str]) -> str:
    return serve(repository)


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("size", [64, 96])
def test_the_server_answers_as_torch(repository: Path, url: str, size: int, batch: int) -> None:
    reference = torch_engine(load_model(repository.parent / "weights.safetensors"))
    row = compare("served", triton_engine(url, f"lama_{size}"), reference, size, None, (batch,))
    assert row.max_levels <= 1


def test_verify_through_the_server(repository: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    weights = str(repository.parent / "weights.safetensors")
    assert main(["verify", "--weights", weights, "--repository", str(repository), "--triton", url]) == 0
    other = str(save_safetensors(tiny_compact(), repository.parent / "other.safetensors"))
    assert main(["verify", "--weights", other, "--repository", str(repository), "--triton", url]) == 1
    assert capsys.readouterr().err.startswith("error: lama_64")


def test_verify_says_when_nobody_listens(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = str(repository.parent / "weights.safetensors")
    arguments = ["verify", "--weights", weights, "--repository", str(repository), "--triton", "127.0.0.1:9"]
    assert main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


def _tensor(name: str, value: np.ndarray, kind: str = "UINT8") -> object:
    tensor = grpc.InferInput(name, value.shape, kind)
    tensor.set_data_from_numpy(value)
    return tensor


def test_requests_in_flight_together_keep_their_own_answers(url: str) -> None:
    images, masks = sample_tiles(64, 8)
    alone = triton_engine(url, "lama_64")(images, masks)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: triton_engine(url, "lama_64")(images[[i]], masks[[i]]), range(8)))
    assert np.array_equal(np.concatenate(answers), alone)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        (np.zeros((1, 64, 64, 4), np.uint8), np.zeros((1, 64, 64, 1), np.uint8)),
        (np.zeros((1, 32, 64, 3), np.uint8), np.zeros((1, 32, 64, 1), np.uint8)),
        (np.zeros((17, 64, 64, 3), np.uint8), np.zeros((17, 64, 64, 1), np.uint8)),
    ],
    ids=["channels", "size", "batch"],
)
def test_a_wrong_request_is_refused_and_the_next_one_served(
    url: str, image: np.ndarray, mask: np.ndarray
) -> None:
    with grpc.InferenceServerClient(url) as client:
        with pytest.raises(grpc.InferenceServerException):
            client.infer("lama_64", [_tensor("image", image), _tensor("mask", mask)])
        images, masks = sample_tiles(64, 1)
        reply = client.infer("lama_64", [_tensor("image", images), _tensor("mask", masks)])
        assert reply.as_numpy("inpainted").shape == (1, 64, 64, 3)


def test_a_wrong_request_among_others_fails_alone(url: str) -> None:
    images, masks = sample_tiles(64, 8)
    alone = triton_engine(url, "lama_64")(images, masks)

    def answer(i: int) -> np.ndarray | str:
        mask = masks[[i]] if i != 3 else masks[[i]].repeat(2, axis=3)
        with grpc.InferenceServerClient(url) as client:
            try:
                reply = client.infer("lama_64", [_tensor("image", images[[i]]), _tensor("mask", mask)])
            except grpc.InferenceServerException as error:
                return str(error.message())
            tile: np.ndarray = reply.as_numpy("inpainted")[0]
            return tile

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, range(8)))
    assert [i for i, found in enumerate(answers) if isinstance(found, str)] == [3]
    assert all(np.array_equal(answers[i], alone[i]) for i in range(8) if i != 3)
