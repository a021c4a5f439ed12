"""Ragged cracks for judging: as wide as they should be, and the same every time."""

from types import ModuleType

import numpy as np
import pytest
from paths import benchmark


@pytest.fixture(scope="module")
def ragged() -> ModuleType:
    return benchmark("ragged")


@pytest.mark.parametrize("kind", ["fractal", "chips", "sand", "plaster"])
def test_the_same_seed_gives_the_same_picture(ragged: ModuleType, kind: str) -> None:
    one, two = (ragged.picture(np.random.default_rng(4), kind, 5.0) for _ in range(2))
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])
    assert one[0].shape == (448, 448, 3)


@pytest.mark.parametrize("width_px", [2.0, 6.5, 12.0])
def test_cracks_are_about_as_wide_as_asked_for_and_dark(ragged: ModuleType, width_px: float) -> None:
    image, centre = ragged.picture(np.random.default_rng(4), "sand", width_px)
    grey = image[..., 0].astype(float)
    dark = grey < 150 - 40
    beside = ragged.near(centre)
    length_px = centre.sum()  # a little more than the length, where the way is slanting
    assert 0.5 * width_px < dark.sum() / length_px < 1.6 * width_px
    assert grey[centre].mean() < grey[~beside].mean() - 40


def test_near_is_three_pixels(ragged: ModuleType) -> None:
    line = np.zeros((20, 20), bool)
    line[:, 10] = True
    assert ragged.near(line).any(axis=0).tolist() == [7 <= column <= 13 for column in range(20)]
    assert not ragged.near(np.zeros((5, 5), bool)).any()
