"""How far a pooled figure would move with other photographs: bootstrap over photographs.

Photographs are drawn with replacement, all crops of one together, because crops of one photograph are not
independent. The interval holds the middle 95 % of the figures of 1,000 draws (percentile bootstrap, Efron and
Tibshirani 1993, section 13.3). With fewer than about ten photographs it is too narrow.
"""

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.metrics import Counts, scores

DRAWS = 1_000
LEVEL = 0.95


def intervals(
    counts: Sequence[Counts], photographs: Sequence[str], figures: Sequence[str], seed: int = 0
) -> dict[str, tuple[float, float]]:
    """(low, high) of each figure of `metrics.Scores`, of the counts pooled over photographs.

    `counts`: of every picture. `photographs`: the photograph that each belongs to. A draw without anything to
    judge is left out; NaN where all are. The same input gives the same interval.
    """
    sums = _by_photograph(counts, photographs)  # (P, fields)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), DRAWS)  # (draws, P): how often
    pooled = [scores(Counts(*map(int, row))) for row in drawn @ sums]
    found = {}
    for figure in figures:
        values = np.array([getattr(one, figure) for one in pooled])
        values = values[~np.isnan(values)]
        outside = (1 - LEVEL) / 2
        low, high = np.quantile(values, [outside, 1 - outside]) if len(values) else (np.nan, np.nan)
        found[figure] = float(low), float(high)
    return found


def _by_photograph(counts: Sequence[Counts], photographs: Sequence[str]) -> NDArray[np.int64]:
    """(P, fields) sums of counts, photographs in order of name."""
    names = sorted(set(photographs))
    sums = {name: Counts() for name in names}
    for one, name in zip(counts, photographs, strict=True):
        sums[name] += one
    return np.array([astuple(sums[name]) for name in names], np.int64)
