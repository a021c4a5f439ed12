"""Where the climb begins, and which samples are no background. Symbols as in `fit_windows`."""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Singles
from crackpipe.pipeline.width.fit.climb import LN_S, LN_W, MU
from crackpipe.pipeline.width.fit.medians import MAD_TO_SD, masked_median, median_line

_BIWEIGHT = 4.685  # 95 % efficient on normal residuals
_LEAST_SCALE = 0.5
_SIDES_DIFFER = 15.0
_INSIDE_PX = 2.0
# The outermost samples on each side are background: start values only.
_SIDE_PX = 4.0
_LEAST_WIDTH_PX = 2.5


def start_of(offset: Singles, grey: Singles, present: NDArray[np.bool_], ln_sigma: Floats) -> Floats:
    """Start values of theta (N, 6): the width at half depth, at least 2.5 px, with the depth seen.

    That is the wide and pale end of what can explain the profile.
    """
    reach = np.abs(offset).max(axis=1, keepdims=True)
    background, slope = _background(offset, grey, present, reach)
    dark = background[:, None] + slope[:, None] * offset - grey
    dark = np.where(present & (np.abs(offset) <= reach - _SIDE_PX), dark, 0.0)
    bin_px = np.ptp(offset, axis=1) / (offset.shape[1] - 1)
    depth = np.maximum(dark.max(axis=1), 1.0)
    width = np.maximum((dark > depth[:, None] / 2).sum(axis=1) * bin_px, _LEAST_WIDTH_PX)
    theta = [np.log(width), np.zeros_like(depth), background, slope, np.log(depth), ln_sigma]
    return np.stack(theta, axis=1).astype(np.float64)


def _background(
    offset: Singles, grey: Singles, present: NDArray[np.bool_], reach: Singles
) -> tuple[Singles, Singles]:
    """Median line through the outermost samples of both sides: B0 (N,), B1 (N,).

    Medians, since another crack or paint may fill part of a side. Where the sides differ by more than
    texture does, one of them is no background: the one less like the samples just inside of both.
    """
    rim = np.abs(offset) > reach - _SIDE_PX
    level, slope, left, right = median_line(offset, grey, present & rim)
    inside = present & ~rim & (np.abs(offset) > reach - _SIDE_PX - _INSIDE_PX)
    near = masked_median(grey, inside)
    liker = np.where(np.abs(left - near) <= np.abs(right - near), left, right)
    differ = np.abs(right - left) > _SIDES_DIFFER
    return np.nan_to_num(np.where(differ, liker, level)), np.where(differ, 0.0, slope)


def slot_of(offset: Singles, theta: Floats) -> NDArray[np.bool_]:
    """Which samples (N, K) the slot darkens: within w/2 + 2.5 sigma of its centre."""
    part = theta.astype(np.float32)
    reach = np.exp(part[:, LN_W, None]) / 2 + 2.5 * np.exp(part[:, LN_S, None])
    return np.asarray(np.abs(offset - part[:, MU, None]) <= reach)


def belief_of(
    residual: Singles, slot: NDArray[np.bool_], present: NDArray[np.bool_]
) -> tuple[Singles, Singles]:
    """Tukey's biweights (N, K) of samples beside the slot, where another crack or paint may lie; 0 to 1.

    With them comes the scale of the misfits beside the slot (N,), grey values. Inside the slot a misfit is
    information about the crack and keeps its weight.
    """
    beside = present & ~slot
    scale = np.maximum(MAD_TO_SD * masked_median(np.abs(residual), beside), _LEAST_SCALE).astype(np.float32)
    away = residual / (_BIWEIGHT * scale[:, None])
    weight = np.where(beside, np.maximum(1.0 - away**2, 0.0) ** 2, 1.0)
    return np.where(present, weight, 0.0).astype(np.float32), scale
