"""Medians over part of each row, and the line through the background on both sides."""

import numpy as np
import pytest

from crackpipe.pipeline.width.fit.medians import masked_median, median_line, weighted_quantile

OFFSET = np.array([[-5.0, -4.0, -3.0, -1.0, 1.0, 3.0, 4.0, 5.0]])
OUTER = np.abs(OFFSET) > 2.0
SLOPING = 100.0 + 2.0 * OFFSET


def test_a_median_looks_only_at_what_the_mask_shows() -> None:
    values = np.array([[1.0, 9.0, 3.0, 2.0], [4.0, 7.0, 5.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    mask = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
    assert masked_median(values, mask).tolist() == [2.0, 5.5, 0.0]
    assert np.isnan(masked_median(values, mask, empty=np.nan)[2])


def test_a_line_goes_through_the_median_of_either_side() -> None:
    grey = SLOPING.copy()
    grey[0, 3:5] = 20.0  # a crack in the middle
    grey[0, 0] = 250.0  # paint at the rim moves the median by one sample: from 92 to 94
    level, slope, left, right = (float(part[0]) for part in median_line(OFFSET, grey, OUTER))
    assert (left, right) == (94.0, 108.0)
    assert slope == (108.0 - 94.0) / 8.0
    assert level == 94.0 + 4.0 * slope


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_side_without_samples_is_taken_to_be_like_the_other(sign: int) -> None:
    one_side = OUTER & (sign * OFFSET > 0)
    level, slope, left, right = (float(part[0]) for part in median_line(OFFSET, SLOPING, one_side))
    assert slope == 0.0
    assert level == left == right == 100.0 + sign * 8.0


def test_no_samples_give_no_line() -> None:
    level, slope, left, right = (float(part[0]) for part in median_line(OFFSET, SLOPING, OUTER & False))
    assert slope == 0.0
    assert np.isnan([level, left, right]).all()


def test_single_precision_stays_single() -> None:
    parts = median_line(OFFSET.astype(np.float32), SLOPING.astype(np.float32), OUTER)
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}


def test_a_quantile_counts_weights() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.1, 0.6, 0.3])
    assert [weighted_quantile(values, weights, share) for share in (0.5, 0.6, 0.61, 0.9, 1.0)] == [
        1,
        1,
        2,
        2,
        3,
    ]
