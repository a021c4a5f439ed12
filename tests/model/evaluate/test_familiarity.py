"""Pictures that a network was trained on become statistics in its file, and others are held against them."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import plain_weights
from PIL import Image

from crackpipe.cli import cli
from crackpipe.model.data.pairs import is_validation
from crackpipe.model.evaluate.familiarity import (
    STRANGE_SHARE,
    TILES,
    add_statistics,
    fitted,
    redelivered,
    sureness_of,
    tiles_of,
)
from crackpipe.model.predict.encoder import Encoder
from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.weights.read import load
from crackpipe.pipeline.errors import UsageError


def road(seed: int, grain_px: int) -> np.ndarray:
    """Stones of a size, (240, 260, 3)."""
    rng = np.random.default_rng(seed)
    stones = np.kron(rng.normal(120, 25, (240 // grain_px, 260 // grain_px)), np.ones((grain_px, grain_px)))
    grey = np.pad(stones, ((0, 240 - len(stones)), (0, 260 - len(stones[0]))), mode="edge")
    return np.repeat(np.clip(grey + rng.normal(0, 6, grey.shape), 0, 255).astype(np.uint8)[..., None], 3, -1)


def draw(folder: Path, count: int) -> Path:
    """Two sets of so many pictures each, of fine and of coarse stones."""
    for name, grain_px in (("fine", 2), ("coarse", 8)):
        for part in ("images", "masks"):
            (folder / name / part).mkdir(parents=True)
        for seed in range(count):
            Image.fromarray(road(seed, grain_px)).save(folder / name / "images" / f"{seed}.png")
            Image.fromarray(np.zeros((240, 260), np.uint8)).save(folder / name / "masks" / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_weights(tmp_path_factory.mktemp("weights") / "plain.safetensors")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("data"), 10)


def test_statistics_are_added_and_the_network_stays_as_it_is(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    command = ["weights", "familiarity", str(data), "--weights", str(weights), "--out", str(out)]
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert result.output == f"Weights: {out} (familiarity by coarse, fine)\n"
    made, before = load(out), load(weights)
    assert made.network_sha256 == before.network_sha256
    assert made.sha256 != before.sha256 and made.statistics is not None and before.statistics is None
    info = CliRunner().invoke(cli, ["weights", "info", str(out)], catch_exceptions=False).output
    assert "familiarity: by coarse, fine" in info

    again = tmp_path / "again.safetensors"
    assert add_statistics(str(out), [data], again) is not None
    assert again.read_bytes() == out.read_bytes()  # the same pictures, the same statistics, the same file

    encoder = Encoder(made)
    whole = (slice(0, 240), slice(0, 260))
    known, strange = np.zeros((448, 448, 3), np.uint8), np.zeros((448, 448, 3), np.uint8)
    known[100:340, 100:360] = road(77, 8)[whole]
    strange[100:340, 100:360] = np.arange(260, dtype=np.uint8)[:, None]
    assert encoder.familiarity(known) > 0.5 > encoder.familiarity(strange)


def test_sureness_is_asked_of_photographs_that_were_not_trained_on(weights: Path, tmp_path: Path) -> None:
    """Roads with a clear crack, and without one where they were trained on."""
    names = [f"{number}" for number in range(150)]
    kept = [name for name in names if is_validation("cfd", name)][:16]
    trained = [name for name in names if not is_validation("cfd", name)][:4]
    for name in (*kept, *trained):
        grey = np.random.default_rng(int(name)).normal(150, 8, (240, 260))
        for px in range(4 if name in kept else 0):
            grey[np.arange(240), px + (120 + 10 * np.sin(np.arange(240) / 17)).astype(int)] -= 70
        image = np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, -1)
        for part, content in (("images", image), ("masks", image[..., 0] * 0)):
            (tmp_path / "cfd" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(tmp_path / "cfd" / part / f"{name}.png")
    predictor = Predictor(load(weights), precision="fp32")
    span = sureness_of(predictor, [tmp_path])
    assert span is not None and 0 < span[1] < span[0] <= 1
    for name in trained:
        (tmp_path / "cfd" / "images" / f"{name}.png").unlink()
        (tmp_path / "cfd" / "masks" / f"{name}.png").unlink()
    assert sureness_of(predictor, [tmp_path]) == span


def test_few_photographs_tell_nothing(weights: Path, tmp_path: Path) -> None:
    data, out = draw(tmp_path / "data", 3), tmp_path / "out.safetensors"
    command = ["weights", "familiarity", str(data), "--weights", str(weights), "--out", str(out)]
    with pytest.raises(UsageError, match="fewer than 16 photographs"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert not out.exists()


def test_what_a_training_kept_is_not_looked_at(weights: Path, data: Path, tmp_path: Path) -> None:
    """Of these 20 photographs, a training with that share saw about ten."""
    out = tmp_path / "out.safetensors"
    command = ["weights", "familiarity", str(data), "--weights", str(weights), "--out", str(out)]
    with pytest.raises(UsageError, match="fewer than 16 photographs"):
        CliRunner().invoke(cli, [*command, "--validation-share", "0.5"], catch_exceptions=False)


def test_a_damaged_photograph_is_named(weights: Path, tmp_path: Path) -> None:
    data, out = draw(tmp_path / "data", 1), tmp_path / "out.safetensors"
    (data / "coarse/images/0.png").write_bytes(b"")
    command = ["weights", "familiarity", str(data), "--weights", str(weights), "--out", str(out)]
    with pytest.raises(UsageError, match=r"coarse/images/0\.png cannot be read as an image"):
        CliRunner().invoke(cli, command, catch_exceptions=False)


def test_a_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"")
    command = [
        "weights",
        "familiarity",
        str(data),
        "--weights",
        str(tmp_path / "w.pth"),
        "--out",
        "x.safetensors",
    ]
    with pytest.raises(UsageError, match=r"w\.pth: statistics are kept in \.safetensors .* weights import"):
        CliRunner().invoke(cli, command, catch_exceptions=False)


def test_as_few_pictures_are_strange_as_should_be() -> None:
    """Features drawn twice, once to learn from: two sets of 500 pictures each, whose tiles differ little."""
    rng = np.random.default_rng(0)
    names = np.repeat(["a", "b"], 500 * TILES)

    def drawn() -> np.ndarray:
        of_picture = rng.normal(size=(1000, 12)) * np.linspace(0.1, 9, 12)
        tiles = np.repeat(of_picture, TILES, axis=0) + rng.normal(0, 0.01, (1000 * TILES, 12))
        tiles[names == "b"] += 50
        return tiles

    found = fitted(names, np.repeat(np.arange(1000) % 2, TILES), drawn())
    told = np.array([found.familiarity(found.distance(tile.astype(np.float32))) for tile in drawn()])
    assert np.mean(told < 0.5) == pytest.approx(STRANGE_SHARE, abs=0.015)
    assert np.mean(told == 1.0) == pytest.approx(0.5, abs=0.05)
    assert found.familiarity(found.distance(np.full(12, 25, np.float32))) < 0.1  # between both sets


def test_a_picture_is_looked_at_as_it_is_and_as_another_camera_might_show_it() -> None:
    image = road(1, 4)
    tiles = list(tiles_of(image, np.random.default_rng(3)))
    assert [tile.shape for tile in tiles] == [(448, 448, 3)] * 2 * TILES
    again = list(tiles_of(image, np.random.default_rng(3)))
    assert all(np.array_equal(one, other) for one, other in zip(tiles, again, strict=True))
    assert redelivered(image, 0.5, 80).shape == (120, 130, 3)
