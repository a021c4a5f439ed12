"""Reliability of probabilities, by hand."""

import math

import numpy as np
import pytest

from crackpipe.model.evaluate.predictions import Prediction
from crackpipe.model.evaluate.reliability import reliability


def prediction(levels: list[int], label: list[int]) -> Prediction:
    return Prediction("a", np.array([label], np.uint8), np.array([levels], np.uint8))


def test_error_by_hand() -> None:
    # Bins: 0/254 twice, sound; 127/254 = 0.5 four times, one of them crack; 254/254 once, crack.
    found = reliability([prediction([0, 0, 127, 127], [0, 0, 1, 0]), prediction([127, 127, 254], [0, 0, 1])])
    assert found.pixels.tolist() == [2, 0, 0, 0, 0, 4, 0, 0, 0, 1]
    assert found.probability[[0, 5, 9]].tolist() == [0, 0.5, 1]
    assert found.labelled[[0, 5, 9]].tolist() == [0, 0.25, 1]
    assert math.isnan(found.labelled[1])
    assert found.error == pytest.approx(4 * 0.25 / 7)
    assert found.error_where_seen == pytest.approx(4 * 0.25 / 5)


def test_pixels_not_inspected_do_not_count() -> None:
    found = reliability([prediction([254, 254], [1, 255])])
    assert found.pixels.sum() == 1
    assert found.error == 0


def test_probabilities_that_hold_have_no_error() -> None:
    rng = np.random.default_rng(1)
    levels = rng.integers(0, 255, 200_000).astype(np.uint8)
    label = (rng.random(levels.size) < levels / 254).astype(np.uint8)
    found = reliability([Prediction("a", label[None], levels[None])])
    assert found.error < 0.01
    assert reliability([Prediction("a", 1 - label[None], levels[None])]).error > 0.3
