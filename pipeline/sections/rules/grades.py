"""Percentages become grades."""

from collections.abc import Sequence

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats


def ap9k_grade(percent: Floats, limits: Sequence[float]) -> Floats:
    """Grades 1 to 5 of AP 9 K for percentages (N,), NaN where a percentage is NaN.

    `limits` are (a, b, c): the percentages of the grade 1.5, of the warning (3.5) and of the threshold (4.5).
    The grade is linear between them, from 1 at 0, and reaches 5 at o = 1.5 c - 0.5 b.
    """
    a, b, c = limits
    known = np.isfinite(percent)
    grade = np.interp(
        np.where(known, percent, 0.0), [0.0, a, b, c, 1.5 * c - 0.5 * b], [1.0, 1.5, 3.5, 4.5, 5.0]
    )
    return np.where(known, grade, np.nan)


def named(
    values: Floats, limits: Sequence[float], names: Sequence[str], upper_in: Sequence[bool]
) -> list[str | None]:
    """The name of each value (N,): names[i] up to limits[i], which belongs to it if upper_in[i]."""
    found = []
    for value in values.tolist():
        index = sum(
            value > limit or (value == limit and not within)
            for limit, within in zip(limits, upper_in, strict=True)
        )
        found.append(None if np.isnan(value) else names[index])
    return found
