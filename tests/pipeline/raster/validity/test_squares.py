"""Runs and squares are those that a slow search finds."""

import numpy as np
import pytest
from scipy import ndimage

from crackpipe.pipeline.raster.validity.squares import all_ahead, any_behind, grown, opened

NOISE = np.random.default_rng(0).random((40, 50)) < 0.8


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_runs_ahead_and_behind(count: int) -> None:
    for axis, pixels in ((0, NOISE), (1, NOISE), (1, ~NOISE)):
        rows = np.moveaxis(pixels, axis, 0)
        ahead = [[rows[i : i + count, j].all() and i + count <= len(rows) for j in range(rows.shape[1])]
                 for i in range(len(rows))]  # fmt: skip
        behind = [rows[max(0, i - count + 1) : i + 1].any(axis=0) for i in range(len(rows))]
        assert np.array_equal(np.moveaxis(all_ahead(pixels, count, axis), axis, 0), ahead)
        assert np.array_equal(np.moveaxis(any_behind(pixels, count, axis), axis, 0), behind)


@pytest.mark.parametrize("side_px", [1, 2, 3, 4])
def test_opening_and_growing_are_those_of_scipy(side_px: int) -> None:
    square = np.ones((side_px, side_px), bool)
    assert np.array_equal(opened(NOISE, side_px), ndimage.binary_opening(NOISE, square))
    whole = np.ones((2 * side_px + 1, 2 * side_px + 1), bool)
    assert np.array_equal(grown(~NOISE, side_px), ndimage.binary_dilation(~NOISE, whole))
