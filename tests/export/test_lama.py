from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.checkpoints import load_model
from export.dft import DftMatrices, MatrixFourierUnit, with_matrices
from export.fold import folded
from export.head import SquaresConv
from export.lama import FourierUnit, Lama, LamaSize, composite
from export.prefill import BLOCK, ROUNDS, Fills, GlobalWaves, LocalWaves, prefill
from tests.export.weights import tiny_compact, tiny_lama


def test_the_official_composite(golden: Path) -> None:
    model = load_model(golden / "tiny.ckpt")
    with np.load(golden / "tiny_case.npz") as case, torch.no_grad():
        image, mask = torch.from_numpy(case["image"]), torch.from_numpy(case["mask"])
        ours = composite(image, model(image, mask), mask)
        assert (ours - torch.from_numpy(case["inpainted"])).abs().max() <= 1e-5


def test_every_inner_step_is_the_official_one(golden: Path) -> None:
    model = load_model(golden / "tiny.ckpt")
    assert isinstance(model, Lama)
    with np.load(golden / "tiny_case.npz") as case, torch.no_grad():
        image, mask = torch.from_numpy(case["image"]), torch.from_numpy(case["mask"])
        x = torch.cat([image * (1 - mask), mask], dim=1)
        for index, step in enumerate(model.model):
            x = step(x)
            parts = dict(zip("lg", x, strict=True)) if isinstance(x, tuple) else {"l": x}
            for part, tensor in parts.items():
                if f"tap_{index}_{part}" in case:
                    tap = torch.from_numpy(case[f"tap_{index}_{part}"])
                    assert (tensor[:, ::4, ::4, ::4] - tap).abs().max() <= 1e-5, f"model.{index}, {part}"


def test_big_lamas_names_and_size() -> None:
    with torch.device("meta"):
        model = Lama(LamaSize())
    assert len(model.state_dict()) == 989
    assert sum(parameter.numel() for parameter in model.parameters()) == 50_975_875
    assert "model.5.conv1.ffc.convg2g.fu.conv_layer.weight" in model.state_dict()
    assert model.state_dict()["model.34.weight"].shape == (3, 64, 7, 7)


@pytest.mark.parametrize("make", [tiny_lama, tiny_compact])
def test_folding_changes_nothing(make: type) -> None:
    model = make()
    image, mask = torch.rand(2, 3, 32, 48), (torch.rand(2, 1, 32, 48) > 0.7).float()
    with torch.no_grad():
        assert (folded(model)(image, mask) - model(image, mask)).abs().max() <= 1e-5
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules()), (
        "the original was folded too"
    )


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_a_convolution_on_squares_gives_the_same(kernel: int) -> None:
    convolution = torch.nn.Conv2d(5, 3, kernel)
    x = torch.rand(2, 5, 14 + kernel - 1, 20 + kernel - 1)
    with torch.no_grad():
        assert (SquaresConv(convolution)(x) - convolution(x)).abs().max() <= 1e-5


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), channels=st.integers(1, 3), seed=st.integers(0, 99))
def test_matrices_are_the_fft(height: int, width: int, channels: int, seed: int) -> None:
    """Odd and even sizes; after the ReLU the first and last column are no real signal's spectrum."""
    torch.manual_seed(seed)
    unit = FourierUnit(channels).eval()
    unit.bn = torch.nn.Identity()  # as folding does
    x = torch.randn(2, channels, height, width)
    with torch.no_grad():
        ours = MatrixFourierUnit(unit, DftMatrices(height, width))(x)
        assert (ours - unit(x)).abs().max() <= 1e-5


def test_matrices_in_half_precision_stay_close() -> None:
    model = tiny_lama()
    image, mask = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    half = with_matrices(folded(model).half(), (64, 64), (8, 8), float32=True)
    with torch.no_grad():
        ours = half(image.half(), mask.half()).float()
        assert (ours - model(image, mask)).abs().max() <= 5e-3


def test_prefill_keeps_what_is_known_and_never_reads_the_hole() -> None:
    image, mask = torch.rand(1, 3, 40, 56), (torch.rand(1, 1, 40, 56) > 0.5).float()
    filled = prefill(image, mask)
    assert torch.equal(filled * (1 - mask), image * (1 - mask))
    assert torch.equal(filled, prefill(image + mask * 7, mask))


@pytest.mark.parametrize("share", ["dot", "half", "all but a corner"])
def test_prefill_of_one_colour_is_that_colour(share: str) -> None:
    image, mask = torch.full((1, 3, 64, 64), 0.3), torch.zeros(1, 1, 64, 64)
    rows, columns = {"dot": (slice(20, 21), slice(20, 21)), "half": (slice(0, 32), slice(0, 64))}.get(
        share, (slice(1, 64), slice(1, 64))
    )
    mask[..., rows, columns] = 1
    assert (prefill(image, mask) - 0.3).abs().max() <= 1e-6


def test_prefill_of_a_hole_without_edge_is_black_not_nan() -> None:
    assert torch.equal(prefill(torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)), torch.zeros(1, 3, 16, 16))


def _stripes(size: int, period: float, angle: float) -> torch.Tensor:
    ys, xs = torch.meshgrid(torch.arange(size).float(), torch.arange(size).float(), indexing="ij")
    wave = torch.sin(2 * torch.pi / period * (xs * np.cos(angle) + ys * np.sin(angle)))
    return (0.5 + 0.4 * wave).expand(1, 3, size, size).contiguous()


def _error(fill: torch.Tensor, image: torch.Tensor, mask: torch.Tensor) -> float:
    return float((((fill - image) * mask).square().sum() / (3 * mask.sum())).sqrt())


def _bars(size: int) -> torch.Tensor:
    mask = torch.zeros(1, 1, size, size)
    mask[..., size // 4 : 3 * size // 4, size // 8 :: size // 8] = 1
    for _ in range(5):
        mask = torch.maximum(mask, torch.roll(mask, 1, dims=3))
    return mask


@pytest.mark.parametrize("period", [7.3, 16, 23.1])
@pytest.mark.parametrize("angle", [0.0, 0.6, 1.57])
def test_global_waves_continue_stripes(period: float, angle: float) -> None:
    image, mask = _stripes(128, period, angle), _bars(128)
    smooth = prefill(image, mask)
    waves = GlobalWaves()(smooth, mask, ROUNDS[1])
    assert _error(waves, image, mask) < 0.5 * _error(smooth, image, mask)
    assert _error(waves, image, mask) < 0.12


def test_local_waves_continue_an_edge() -> None:
    image, mask = torch.zeros(1, 3, 96, 96), _bars(96)
    image[..., :48, :] = 0.8
    smooth = prefill(image, mask)
    assert _error(LocalWaves()(smooth, mask, ROUNDS[0]), image, mask) < 0.7 * _error(smooth, image, mask)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (40, 72), (BLOCK, 2 * BLOCK)])
def test_fills_of_any_size_never_read_the_hole_nor_change_the_rest(height: int, width: int) -> None:
    torch.manual_seed(0)
    image, mask = torch.rand(2, 3, height, width), (torch.rand(2, 1, height, width) > 0.6).float()
    fills = Fills()(image, mask)
    assert fills.shape == (2, 11, height, width)
    assert torch.isfinite(fills).all()
    for fill in (fills[:, :3], fills[:, 6:9]):
        assert torch.equal(fill * (1 - mask), image * (1 - mask))
    assert torch.allclose(fills, Fills()(image * (1 - mask) + 0.7 * mask, mask))


def test_fills_of_one_colour_are_that_colour() -> None:
    fills = Fills()(torch.full((1, 3, 64, 64), 0.3), _bars(64))
    assert (fills[:, :9] - 0.3).abs().max() <= 1e-5
