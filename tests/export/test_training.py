from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.compact import CompactLama, CompactSize
from export.errors import ExportError
from export.prefill import CERTAIN
from export.training.filled import SHARD, FilledTiles
from export.training.holes import SHARE, HoleBank
from export.training.patterns import KINDS, pattern
from export.training.posters import poster
from export.training.sources import HOLDOUT, group_name, is_held_out
from export.training.train import Averaged, arguments, calibrate, learning_rate, loss_of

FONT = next(iter(sorted(Path(np.__file__).parents[1].glob("cv2/**/*.ttf"))), None)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from([*KINDS, "poster"]))
def test_grounds_are_pictures_and_reproducible(seed: int, kind: str) -> None:
    def draw() -> np.ndarray:
        rng = np.random.default_rng(seed)
        return poster(rng, 96) if kind == "poster" else pattern(rng, 96, kind)

    picture = draw()
    assert picture.shape == (96, 96, 3)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert 0 <= picture.min() <= picture.max() <= 1
    assert np.array_equal(picture, draw())


def test_grounds_differ_from_seed_to_seed() -> None:
    digests = {
        hashlib.sha256(pattern(np.random.default_rng(seed), 64).tobytes()).digest() for seed in range(40)
    }
    assert len(digests) == 40


def test_variants_of_a_picture_stay_on_one_side_of_the_split() -> None:
    night, day = Path("backgrounds/gnome/wood-d.webp"), Path("backgrounds/gnome/wood-l.webp")
    assert group_name(night, "gnome-backgrounds") == group_name(day, "gnome-backgrounds")
    sizes = [
        Path(f"wallpapers/Kay/contents/images{dark}/{size}.png")
        for dark in ("", "_dark")
        for size in ("1x1", "2x2")
    ]
    assert {group_name(path, "plasma") for path in sizes} == {"plasma/kay"}


def test_the_split_holds_out_about_one_in_eight() -> None:
    held = np.mean([is_held_out(f"package/picture{i}") for i in range(4000)])
    assert 0.8 / HOLDOUT < held < 1.2 / HOLDOUT


def test_loss_counts_only_the_hole_and_hard_tiles_less() -> None:
    image, hole = torch.rand(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    hole[..., 2:5, 3:6] = 1
    outside = image + (1 - hole) * torch.rand(2, 3, 8, 8)
    assert float(loss_of(outside, image, outside, hole)) == 0
    wrong = image + 0.1
    assert float(loss_of(wrong, image, image, hole)) > float(loss_of(wrong, image, image + 0.5, hole)) > 0


def test_training_fits_a_tile() -> None:
    torch.manual_seed(0)
    model = CompactLama(CompactSize(16, 8, 1, 0.5)).train()
    assert not model.head.weight.any(), "training must start at the fills"
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    image, hole = torch.rand(2, 3, 32, 32), (torch.rand(2, 1, 32, 32) > 0.7).float()
    fills = model.fills(image, hole)
    losses = []
    for _ in range(60):
        loss = loss_of(model.refined(fills), image, fills[:, :3], hole)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # untyped
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_filled_tiles_come_back_turned_but_whole(tmp_path: Path) -> None:
    """The picture and its fills are turned and permuted alike: stored equal, they stay equal."""
    (tmp_path / "filled").mkdir()
    tile = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    rest = np.stack([np.full((32, 32), 255, np.uint8), np.zeros((32, 32), np.uint8)])
    stored = np.concatenate([tile, tile, tile, tile, rest])
    np.save(tmp_path / "filled" / "32-00000.npy", np.stack([stored] * SHARD))
    batches = [next(iter(FilledTiles(tmp_path, 4, (32,), start))) for start in (0, 0, 1)]
    for image, fills in batches:
        assert image.shape == (4, 3, 32, 32)
        assert fills.shape == (4, 11, 32, 32)
        for fill in (fills[:, :3], fills[:, 3:6], fills[:, 6:9]):
            assert torch.equal(fill, image)
        assert torch.allclose(fills[:, 9], torch.tensor(CERTAIN))
        assert not fills[:, 10].any()
        assert sorted((image[0] * 255).round().int().flatten().tolist()) == sorted(tile.flatten().tolist())
    assert torch.equal(batches[0][0], batches[1][0])
    assert not torch.equal(batches[0][0], batches[2][0])


def test_training_without_filled_tiles_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"python -m export\.training\.filled"):
        next(iter(FilledTiles(tmp_path, 4, (256,), 0)))


def test_calibration_sets_the_statistics_and_keeps_them() -> None:
    model = CompactLama(CompactSize(16, 8, 1, 0.5))
    fills = torch.rand(2, 11, 32, 32)
    calibrate(model, [(fills[:, :3], fills)], torch.device("cpu"))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    assert any(name.endswith("running_mean") and value.any() for name, value in state.items())
    model.refined(torch.rand(2, 11, 32, 32))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_the_average_follows_the_weights() -> None:
    model = CompactLama(CompactSize(16, 8, 1, 0.5))
    averaged = Averaged(model, decay=0.9)
    torch.nn.init.ones_(model.head.weight)
    for step in range(100):
        averaged.update(model, step)
    assert torch.allclose(averaged.model.head.weight, model.head.weight, atol=1e-3)


@pytest.mark.parametrize(("step", "share"), [(0, 1 / 200), (199, 1), (500, 1), (950, 0.5), (1000, 0)])
def test_learning_rate_warms_up_holds_and_falls(step: int, share: float) -> None:
    options = argparse.Namespace(
        **vars(arguments().parse_args(["--out", "run", "--steps", "1000", "--decay", "100"]))
    )
    assert learning_rate(step, options) == pytest.approx(share * options.rate)


def test_holes_have_the_share_of_real_ones(tmp_path: Path) -> None:
    fonts = sorted(Path("/usr/share/fonts").rglob("*.ttf"))[:1] or ([FONT] if FONT else [])
    if not fonts:
        pytest.skip("no TrueType font on this machine")
    bank = HoleBank(1, fonts, count=3, size=384)
    for number in range(8):
        hole = bank.hole(np.random.default_rng(number), 192)
        assert hole.shape == (192, 192)
        assert set(np.unique(hole)) == {0, 1}
        assert SHARE[0] <= hole.mean() <= SHARE[1]
        assert np.array_equal(hole, bank.hole(np.random.default_rng(number), 192))
