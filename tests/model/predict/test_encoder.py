"""The encoder that tells how familiar a tile is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import WEIGHTS_METADATA, plain_weights, statistics_around, with_statistics

from crackpipe.model.networks.context_cracknet import ContextCrackNet
from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.predict.encoder import Encoder, can_encode
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.model.weights.read import load, save


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_weights(tmp_path_factory.mktemp("weights") / "plain.safetensors")


@pytest.fixture(scope="module")
def encoder(weights: Path) -> Encoder:
    return Encoder(load(weights))


def tile(seed: int) -> np.ndarray:
    """Road-like noise."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.normal(120, 20, (56, 56)), np.ones((8, 8)))
    return np.repeat(
        np.clip(coarse + rng.normal(0, 8, (448, 448)), 0, 255).astype(np.uint8)[..., None], 3, -1
    )


def test_features_are_those_of_the_network_that_was_trained(encoder: Encoder, weights: Path) -> None:
    net = load(weights).build()
    square = torch.from_numpy(tile(0)[112:336, 112:336]).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        maps = net.encoder((square - 127) / 128)
    expected = [m for x in maps[2:3] for m in (x.mean((2, 3))[0], x.std((2, 3))[0])]
    np.testing.assert_allclose(encoder.features(tile(0)), torch.cat(expected), rtol=1e-3, atol=1e-4)


def test_a_tile_has_the_same_features_whatever_was_encoded_before(encoder: Encoder, weights: Path) -> None:
    first = encoder.features(tile(1))
    encoder.features(tile(2))
    assert np.array_equal(encoder.features(tile(1)), first)
    assert np.array_equal(Encoder(load(weights)).features(tile(1)), first)


def test_the_middle_of_a_tile_is_looked_at(encoder: Encoder) -> None:
    changed = tile(3)
    changed[:112] = changed[336:] = 0
    changed[:, :112] = changed[:, 336:] = 255
    assert np.array_equal(encoder.features(changed), encoder.features(tile(3)))
    changed[200, 200] = 0
    assert not np.array_equal(encoder.features(changed), encoder.features(tile(3)))


def test_a_known_tile_is_more_familiar_than_another(weights: Path, tmp_path: Path) -> None:
    known = statistics_around(weights, tile(4))
    encoder = Encoder(load(with_statistics(weights, known, tmp_path / "w.safetensors")))
    black = np.zeros((448, 448, 3), np.uint8)
    assert 1.0 == encoder.familiarity(tile(4)) >= encoder.familiarity(tile(5)) > encoder.familiarity(black)


def test_building_an_encoder_leaves_the_weights_as_they_are(weights: Path) -> None:
    loaded = load(weights)
    before = {name: tensor.clone() for name, tensor in loaded.tensors.items()}
    Encoder(loaded).features(tile(0))
    assert all(torch.equal(before[name], tensor) for name, tensor in loaded.tensors.items())


def test_the_full_network_has_one_and_a_single_convolution_has_none(tmp_path: Path) -> None:
    save(tmp_path / "full.safetensors", ContextCrackNet(), WEIGHTS_METADATA)
    features = Encoder(load(tmp_path / "full.safetensors")).features(tile(0))
    assert features.dtype == np.float32 and np.isfinite(features).all()
    save(tmp_path / "one.safetensors", OneConvolution(), WEIGHTS_METADATA)
    assert not can_encode("one-convolution")
    with pytest.raises(WeightsError, match="one-convolution has no encoder"):
        Encoder(load(tmp_path / "one.safetensors"))


def test_without_statistics_nothing_is_told(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="no statistics"):
        encoder.familiarity(tile(0))
