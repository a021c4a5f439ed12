"""How far a pooled figure would move with other photographs: bootstrap over photographs.

Photographs are drawn with replacement, all crops of one together, because crops of one photograph are not
independent. The interval holds the middle 95 % of the figures of 1,000 draws (percentile bootstrap, Efron and
Tibshirani 1993, section 13.3). With fewer than about ten photographs it is too narrow.
"""

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.evaluate.metrics import Counts, scores

DRAWS = 1_000
LEVEL = 0.95


def intervals(
    counts: Sequence[Counts], photographs: Sequence[str], figures: Sequence[str], seed: int = 0
) -> dict[str, tuple[float, float]]:
    """(low, high) of each figure of `metrics.Scores`, of the counts pooled over photographs.

    `counts`: of every picture. `photographs`: the photograph that each belongs to. A draw without anything to
    judge is left out; NaN where all are. The same input gives the same interval.
    """
    drawn = _draws(by_photograph(counts, photographs), figures, seed)
    return {figure: _middle(drawn[figure]) for figure in figures}


def difference_intervals(
    counts: Sequence[Counts],
    others: Sequence[Counts],
    photographs: Sequence[str],
    figures: Sequence[str],
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """(low, high) of figure of `counts` - figure of `others`, of the same pictures in the same order.

    Both are drawn together, so what makes a photograph hard for either cancels out.
    """
    ours = _draws(by_photograph(counts, photographs), figures, seed)
    theirs = _draws(by_photograph(others, photographs), figures, seed)
    return {figure: _middle(ours[figure] - theirs[figure]) for figure in figures}


def by_photograph(counts: Sequence[Counts], photographs: Sequence[str]) -> list[Counts]:
    """Counts added up over the pictures of each photograph, photographs in order of name."""
    sums = {name: Counts() for name in sorted(set(photographs))}
    for one, name in zip(counts, photographs, strict=True):
        sums[name] += one
    return list(sums.values())


def _draws(counts: Sequence[Counts], figures: Sequence[str], seed: int) -> dict[str, NDArray[np.float64]]:
    """(draws,) of each figure; the same seed and number of photographs draw the same photographs."""
    sums = np.array([astuple(one) for one in counts], np.int64)  # (P, fields)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), DRAWS)  # (draws, P): how often
    pooled = [scores(Counts(*map(int, row))) for row in drawn @ sums]
    return {figure: np.array([getattr(one, figure) for one in pooled]) for figure in figures}


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    outside = (1 - LEVEL) / 2
    low, high = np.quantile(values, [outside, 1 - outside])
    return float(low), float(high)
