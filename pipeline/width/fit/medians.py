"""Medians that ignore outliers and gaps, and the straight line through two of them."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats

F = TypeVar("F", bound=np.floating[Any])

MAD_TO_SD = 1.4826
"""Standard deviation of a normal distribution per median absolute deviation."""


def masked_median(values: NDArray[F], mask: NDArray[np.bool_], empty: float = 0.0) -> NDArray[F]:
    """Median of each row of `values` (N, K) over the places where `mask` is true; `empty` where none is."""
    ordered = np.sort(np.where(mask, values, np.inf), axis=1)
    count = mask.sum(axis=1)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None] // 2, axis=1)[:, 0]
    high = np.take_along_axis(ordered, count[:, None] // 2, axis=1)[:, 0]
    some = count > 0
    return np.where(some, (np.where(some, low, 0.0) + np.where(some, high, 0.0)) / 2.0, empty)


def median_line(
    offset: NDArray[F], grey: NDArray[F], background: NDArray[np.bool_]
) -> tuple[NDArray[F], NDArray[F], NDArray[F], NDArray[F]]:
    """The straight line through the median samples left and right of offset 0, for N profiles.

    `offset` (px) and `grey` are (N, K); `background` (N, K) says which samples count. Gives, each (N,), the
    line's grey value at offset 0, its slope in grey values per px, and the median grey values of the left and
    of the right side. A side without samples is taken to be like the other; without any samples the slope
    is 0 and the grey values are NaN.
    """
    halves = [background & (sign * offset > 0) for sign in (-1, 1)]
    level = [masked_median(grey, half, empty=np.nan) for half in halves]
    place = [masked_median(offset, half, empty=np.nan) for half in halves]
    left, right = (np.where(np.isnan(level[k]), level[1 - k], level[k]) for k in (0, 1))
    slope: NDArray[F] = np.nan_to_num(np.asarray((right - left) / (place[1] - place[0]), grey.dtype))
    return left - slope * np.nan_to_num(place[0]), slope, left, right


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """Smallest of `values` (N,) at or below which at least `share` of the summed `weights` (N,) lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    place = min(int(np.searchsorted(total, share * total[-1] * (1.0 - 1e-12))), len(values) - 1)
    return float(values[order][place])
