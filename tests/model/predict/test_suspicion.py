"""Levels of log-odds tell apart what levels of probability do not."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from crackpipe.model.predict.predictor import Predictor
from crackpipe.model.predict.suspicion import level_from, levels_of, log_odds_of


def levels(*probability: float) -> list[int]:
    return levels_of(torch.tensor(probability)).tolist()


def test_small_probabilities_are_told_apart() -> None:
    assert levels(0.5) == [160]
    low, high = levels(0.008, 0.012)
    assert high - low > 5
    assert round(254 * 0.008) + 1 >= round(254 * 0.012)


def test_the_ends_and_what_is_no_number() -> None:
    assert levels(0.0, 1.0, float("nan")) == [0, 254, 255]


def test_a_limit_is_the_least_level_that_reaches_it() -> None:
    assert [level_from(log_odds_of(level)) for level in (0, 97, 254)] == [0, 97, 254]
    assert level_from(-3.99) == level_from(-4.0) + 1
    assert (level_from(-99.0), level_from(99.0)) == (0, 254)


def test_suspicion_is_that_of_the_probability() -> None:
    rng = np.random.default_rng(1)
    tiles: NDArray[np.uint8] = rng.integers(60, 200, (2, 448, 448, 3)).astype(np.uint8)
    predictor = Predictor("lite", device="cpu", precision="fp32")
    both, probability = predictor.suspect(tiles), predictor.predict(tiles)[:, 0]
    assert (both.dtype, both.shape) == (np.uint8, (2, 2, 448, 448))
    np.testing.assert_array_equal(both[:, 0], probability)
    found = both[:, 1]
    p = 1 / (1 + np.exp(-(found / 16 - 10.0)))
    assert np.abs(254 * p - probability).max() < 254 / 4 / 16 + 0.51  # half a step of either, and p's slope
    np.testing.assert_array_equal(both[1:], predictor.suspect(tiles[1:]))


def test_what_is_no_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="needed"):
        Predictor("lite", device="cpu").suspect(np.zeros((1, 10, 10, 3), np.uint8))
