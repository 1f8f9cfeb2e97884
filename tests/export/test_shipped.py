"""The weights and the model repository that are in the project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.build import COMPACT
from export.checkpoints import load_model
from export.training.patterns import pattern
from export.verify import compare, onnx_engine, torch_engine, triton_engine

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"
MODELS = sorted(path for path in REPOSITORY.glob("lama_*") if path.is_dir())


def _tile(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A regular ground with a line of strokes across it."""
    image = np.round(pattern(np.random.default_rng([90_001, seed]), 256, kind) * 255).astype(np.uint8)
    mask = np.zeros((256, 256), np.uint8)
    for number, text in enumerate(("HEAT 38%", "SALE 12+")):
        cv2.putText(mask, text, (10, 90 + 90 * number), cv2.FONT_HERSHEY_DUPLEX, 1.5, 255, 9)
    return image, mask


def _error(answer: np.ndarray, image: np.ndarray, mask: np.ndarray) -> float:
    return float(np.square(answer[mask > 0].astype(float) - image[mask > 0]).sum())


def test_size_of_the_weights() -> None:
    assert COMPACT.stat().st_size <= 12e6
    assert sum(path.stat().st_size for path in REPOSITORY.rglob("lama_*/1/model.onnx")) <= 12e6


@pytest.mark.parametrize("kind", ["stripes", "checks", "weave", "bricks", "plaid", "dots"])
def test_regular_grounds_are_continued_better_than_by_opencv(kind: str) -> None:
    model = torch_engine(load_model(COMPACT))
    ours = telea = navier_stokes = 0.0
    for seed in range(6):
        image, mask = _tile(kind, seed)
        ours += _error(model(image[None], mask[None, ..., None])[0], image, mask)
        telea += _error(cv2.inpaint(image, mask, 4, cv2.INPAINT_TELEA), image, mask)
        navier_stokes += _error(cv2.inpaint(image, mask, 4, cv2.INPAINT_NS), image, mask)
    gain = 10 * np.log10(min(telea, navier_stokes) / ours)
    assert gain >= 2, f"{kind}: {gain:.1f} dB above OpenCV"


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_ground_stays_flat(level: int) -> None:
    _, mask = _tile("stripes", 0)
    image = np.full((256, 256, 3), level, np.uint8)
    answer = torch_engine(load_model(COMPACT))(image[None], mask[None, ..., None])[0]
    assert np.abs(answer.astype(int) - level).max() <= 2


@pytest.mark.parametrize("folder", MODELS, ids=[path.name for path in MODELS])
def test_the_repository_holds_these_weights(folder: Path) -> None:
    size = int(folder.name.removeprefix("lama_"))
    path = folder / "1" / "model.onnx"
    row = compare(
        folder.name,
        onnx_engine(path),
        torch_engine(load_model(COMPACT)),
        size,
        path,
        (1,) if size > 256 else (1, 2),
    )
    assert row.max_levels <= 1


def test_both_sizes_are_served() -> None:
    assert [path.name for path in MODELS] == ["lama_256", "lama_512"]
    for path in MODELS:
        assert {entry.name for entry in path.rglob("*.*") if entry.suffix != ".pyc"} == {
            "config.pbtxt",
            "model.onnx",
            "model.py",
        }


@pytest.fixture(scope="module")
def url(serve: Callable[[Path], str]) -> str:
    return serve(REPOSITORY)


@pytest.mark.parametrize("size", [256, 512])
def test_the_server_answers_as_torch(url: str, size: int) -> None:
    """Alone, and in a batch that mixes grounds, holes of every kind and none at all."""
    served, reference = triton_engine(url, f"lama_{size}"), torch_engine(load_model(COMPACT))
    row = compare("served", served, reference, size, None, (1,) if size > 256 else (1, 4))
    assert row.max_levels <= 1
