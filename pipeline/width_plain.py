"""The width fit as a plain function for anyone who has grey values across a crack."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from crackpipe.pipeline.blurred_box import blurred_box
from crackpipe.pipeline.width_fit import Fits, fit_windows

Floats = NDArray[np.float64]

# Samples are averaged in bins this wide where there are more than _MOST_SAMPLES.
_BIN_PX = 0.25
_MOST_SAMPLES = 256
# Blocks of neighbouring residuals whose sums show the texture's noise: longer than its correlation.
_BLOCK_PX = 3.0
_LEAST_VARIANCE = 0.1


@dataclass(frozen=True)
class WidthFit:
    """The width of one window."""

    width_px: float
    """Optical equivalent width."""
    width_sigma_px: float
    """Standard deviation of the marginal posterior."""
    contrast: float
    """Darkening, grey values."""
    center_px: float
    """Centre of the slot on the axis of the offsets."""

    def p_below(self, limit_px: float) -> float:
        """Probability that the width is below `limit_px`, from the log-normal posterior."""
        return float(p_below(self.width_px, self.width_sigma_px, limit_px))


def p_below(width: ArrayLike, sigma: ArrayLike, limit: float) -> Floats:
    """Probability of a width below `limit`: log-normal, median `width`, relative deviation sigma / width."""
    median = np.maximum(np.asarray(width, dtype=np.float64), 1e-9)
    relative = np.maximum(np.asarray(sigma, dtype=np.float64) / median, 1e-9)
    return np.asarray(ndtr(np.log(limit / median) / relative))


def fit_width(
    offset_px: Floats,
    grey: Floats,
    *,
    sigma_psf_px: float,
    contrast: float | None = None,
    contrast_sd: float = 0.2,
    noise: float | None = None,
) -> WidthFit:
    """Fit the blurred box to the samples across one window.

    `offset_px` and `grey` are 1-D: signed distance from the line and grey value in linear light, in any
    order, reaching about 5 px beyond the crack on both sides. `contrast` is the darkening of a wide crack in
    grey values (None: free), `contrast_sd` its relative spread (0: known exactly). `noise` is the variance
    of a sum of neighbouring samples per sample, grey^2; None estimates it from the residuals.

    Raises ValueError where the arrays differ in shape or hold fewer than eight samples.
    """
    offset, values = np.asarray(offset_px, dtype=np.float64), np.asarray(grey, dtype=np.float64)
    if offset.ndim != 1 or offset.shape != values.shape or len(offset) < 8:
        raise ValueError(f"offset_px {offset.shape} and grey {values.shape} must be 1-D, equal, 8 or longer")
    middle = (offset.min() + offset.max()) / 2.0
    place, mean, count, bin_px = _binned(offset - middle, values)
    sigma = math.sqrt(sigma_psf_px**2 + (1.0 + bin_px**2) / 12.0)

    def fitted(variance: float) -> Fits:
        return fit_windows(
            place[None],
            mean[None],
            count[None] / variance,
            sigma_px=np.array([sigma]),
            contrast=np.array([np.nan if contrast is None else contrast]),
            contrast_sd=np.array([contrast_sd]),
            center_sd_px=3.0,
        )

    if noise is None:
        first = fitted(max(float(np.var(np.diff(mean)) * count.mean()) * 2.0, _LEAST_VARIANCE))
        noise = _noise(place, mean, count, first, sigma)
    fit = fitted(max(noise, _LEAST_VARIANCE))
    width = float(fit.width_px[0])
    return WidthFit(
        width, width * float(fit.ln_width_sd[0]), float(fit.contrast[0]), middle + float(fit.center_px[0])
    )


def _binned(offset: Floats, grey: Floats) -> tuple[Floats, Floats, Floats, float]:
    """Mean offset, mean grey, count per bin, and the bins' width (0 where samples stand for themselves)."""
    order = np.argsort(offset, kind="stable")
    offset, grey = offset[order], grey[order]
    if len(offset) <= _MOST_SAMPLES:
        return offset, grey, np.ones(len(offset)), 0.0
    place = ((offset - offset[0]) / _BIN_PX).astype(np.int64)
    count = np.bincount(place).astype(np.float64)
    some = count > 0
    mean = [np.bincount(place, values)[some] / count[some] for values in (offset, grey)]
    return mean[0], mean[1], count[some], _BIN_PX


def _noise(place: Floats, mean: Floats, count: Floats, fit: Fits, sigma: float) -> float:
    """Variance of a sum of samples per sample, from sums of residuals over blocks of 3 px."""
    box, _, _ = blurred_box(place, fit.width_px, fit.center_px, np.array(sigma))
    flat = mean + fit.contrast * box
    line = np.polyfit(place, flat, 1, w=np.sqrt(count))
    residual = count * (flat - np.polyval(line, place))
    blocks = max(4, round(float(np.ptp(place)) / _BLOCK_PX))
    block = np.minimum(((place - place[0]) / (np.ptp(place) / blocks)).astype(np.int64), blocks - 1)
    total, weight = np.bincount(block, residual, blocks), np.bincount(block, count, blocks)
    some = weight > 0
    # two degrees of freedom went into the background; the slot's own are few against them
    return float((total[some] ** 2 / weight[some]).sum() / max(int(some.sum()) - 2, 1))
