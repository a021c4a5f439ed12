"""The change of a width, and how sure it is.

A width's deviation has a part that is drawn anew with every photograph (texture, noise), and one that two
photographs of one crack share: its own darkness, which the contrast prior does not know, and its shape.
Of one camera the shared part cancels in a difference. Of two cameras it does not, and counts twice.

Rows do not say how much of their deviation is the contrast's. What of it cancels is told by the comparison
itself: most cracks of a road do not change within a year, and their spread gives the scale.

    sigma_change^2 = own_1^2 + own_2^2 (+ shared_1^2 + shared_2^2 with two cameras)
                     + (repeat x width)^2 + the cut's part, times scale^2

Legend: M matched stretches. Widths in mm.
"""

from dataclasses import dataclass

import numpy as np

from crackpipe.pipeline.geometry.arrays import Bools, Floats

SURE = 1.96
"""Standard deviations: of unchanged cracks 95 % change by less, 2.5 % seem wider and 2.5 % narrower."""
_REPEAT = 0.03
"""Relative deviation of the width of one crack, traced twice. Measured by benchmarks/results/compare.py."""
_MOST_SHIFT = 0.15
"""What another light may do to all widths of a year: the spread of a camera's contrast."""
_ENOUGH = 30
"""Stretches from which a common shift and the scale of the deviations are estimated."""
_MANY, _LEAST_SCALE = 100, 0.8
"""From so many stretches of one camera deviations are lowered too, but no further: the tails are long."""
_QUARTILE = 0.6745
_P95 = 1.645


@dataclass(frozen=True)
class Sided:
    """The widths of one year along M stretches."""

    width_mm: Floats
    """(M,) NaN where unknown."""
    own_mm: Floats
    """(M,) standard deviation drawn anew with every photograph."""
    shared_mm: Floats
    """(M,) standard deviation that photographs of one crack by one camera share."""
    cut_mm: Floats
    """(M,) standard deviation because the width is the mean of a row, and the stretch is not all of it."""
    doubtful: Bools
    """(M,) the width failed its cross-check."""


@dataclass(frozen=True)
class Changes:
    """How M widths changed."""

    change_mm: Floats
    """(M,) newer less older; NaN where one is unknown."""
    sigma_mm: Floats
    """(M,) standard deviation of `change_mm`."""
    sure: Floats
    """(M,) change beyond the common shift, in standard deviations; NaN where nothing can be said."""
    shift: float
    """ln(newer / older) of most stretches: how much wider all cracks read; NaN with too few stretches."""
    shift_used: float
    """What of it counts as light or temperature and not as growth."""
    scale: float
    """The factor on the deviations, so that they hold the spread that is seen."""


def shorth(values: Floats) -> tuple[float, float]:
    """Place and standard deviation of most of `values` (M,): of the shortest half of them.

    It hardly minds that a third of the cracks did grow, all to one side, where a median moves with them.
    Rousseeuw and Leroy, "Robust regression and outlier detection", Wiley 1987, chapter 4.
    """
    ordered = np.sort(values)
    half = len(ordered) // 2
    length = ordered[half:] - ordered[: len(ordered) - half]
    first = int(length.argmin())
    place = float(ordered[first : first + half + 1].mean())
    return place, float(length[first]) / (2 * _QUARTILE)


def of_rows(width: Floats, sigma: Floats, noise: Floats, p95: Floats, shape_sd: float) -> tuple[Floats, ...]:
    """Own and shared deviation and the spread of the width along each row (N,), all in mm.

    Where a row does not say its noise (NaN), only the part of the shape counts as shared. So `own` is too
    large, which hides changes and invents none.
    """
    shared = np.where(np.isnan(noise), np.minimum(shape_sd * width, sigma), _rest(sigma, noise))
    own = np.where(np.isnan(noise), _rest(sigma, shared), noise)
    spread = np.where(np.isnan(p95), 0.25 * width, np.maximum(p95 - width, 0.0) / _P95)
    return own, shared, spread


def _rest(sigma: Floats, part: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(sigma**2 - part**2, 0.0)))


def changes(older: Sided, newer: Sided, *, one_camera: bool) -> Changes:
    """The change of M widths, and how sure it is."""
    change = newer.width_mm - older.width_mm
    variance = sum(
        side.own_mm**2 + side.cut_mm**2 + (0.0 if one_camera else side.shared_mm**2)
        for side in (older, newer)
    )
    sigma = np.sqrt(variance + (_REPEAT * (older.width_mm + newer.width_mm) / 2) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(newer.width_mm / older.width_mm)
    usable = np.isfinite(change) & np.isfinite(sigma) & (sigma > 0) & np.isfinite(ratio)
    usable &= ~(older.doubtful | newer.doubtful)
    shift, scale = float("nan"), 1.0
    if usable.sum() >= _ENOUGH:
        shift, _ = shorth(ratio[usable])
    used = 0.0 if np.isnan(shift) else float(np.clip(shift, -_MOST_SHIFT, _MOST_SHIFT))
    beyond = newer.width_mm * np.exp(-used) - older.width_mm
    if usable.sum() >= _ENOUGH:
        _, scale = shorth(beyond[usable] / sigma[usable])
        scale = max(_LEAST_SCALE if one_camera and usable.sum() >= _MANY else 1.0, scale)
    sure = np.where(usable, beyond / np.where(usable, sigma * scale, 1.0), np.nan)
    return Changes(change, sigma * scale, sure, shift, used, scale)
