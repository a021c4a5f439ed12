"""Medians that ignore outliers and gaps: what the width measurement needs beyond NumPy."""

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


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """Smallest of `values` (N,) at or below which at least `share` of the summed `weights` (N,) lies."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    place = min(int(np.searchsorted(total, share * total[-1] * (1.0 - 1e-12))), len(values) - 1)
    return float(values[order][place])
