"""How far a pooled figure would move with other photographs: bootstrap over photographs.

Photographs are drawn with replacement, all crops of one together, because crops of one photograph are not
independent. The interval holds the middle 95 % of the figures of 1,000 draws (percentile bootstrap, Efron and
Tibshirani 1993, section 13.3). With fewer than about ten photographs it is too narrow.
"""

from collections.abc import Sequence
from dataclasses import astuple, fields

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.evaluate.metrics import Counts, scores

DRAWS = 1_000
LEVEL = 0.95


def intervals(
    counts: Sequence[Counts], photographs: Sequence[str], figures: Sequence[str], seed: int = 0
) -> dict[str, tuple[float, float]]:
    """(low, high) of each of `figures`, which are names of `metrics.Scores`, pooled over photographs.

    `counts` are those of every picture, `photographs` the name of each picture's photograph. A draw that
    leaves a figure undefined is left out; if all are, the interval is NaN. The same input gives the same
    interval.
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
    """(low, high) of the figures of `counts` minus those of `others`, for the same pictures in the same
    order.

    The same photographs are drawn for both, so what makes a photograph hard for both cancels out.
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
    """Each figure in every draw, (draws,). The seed and the number of photographs P decide what is drawn."""
    sums = np.array([astuple(one) for one in counts], np.int64)  # (P, fields)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(
        len(sums), np.full(len(sums), 1 / len(sums)), DRAWS
    )  # (draws, P): how often each is drawn
    names = [field.name for field in fields(Counts)]
    pooled = [scores(Counts(**dict(zip(names, map(int, row), strict=True)))) for row in drawn @ sums]
    return {figure: np.array([getattr(one, figure) for one in pooled]) for figure in figures}


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    outside = (1 - LEVEL) / 2
    low, high = np.quantile(values, [outside, 1 - outside])
    return float(low), float(high)
