"""The width fit as plain functions for anyone who has grey values across cracks: one window, or many.

Legend
    N, M    windows, samples per window
    K       bins that samples are averaged in
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.width.fit.fit_windows import fit_windows

# Numbers of bins, tried from many to few. A window takes the first of which _FILLED_SHARE are filled, or
# else the last. Where 40 bins would be wider than _WIDEST_BIN_PX the first trial has more of them.
_BINS = (40, 36, 32, 28, 24, 22, 20, 18, 16, 14, 12, 10, 8)
_WIDEST_BIN_PX = 0.75
_MOST_BINS = 160
_FILLED_SHARE = 0.85
# Widths of bins are multiples of this. So few widths occur, and the noise is worked out once for each.
_BIN_STEP_PX = 0.05
_LEAST_SAMPLES = 8
# Standard deviation of the distance between a crack and the middle of its samples.
_CENTER_SD_PX = 3.0


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class WidthFits:
    """The widths of N windows; NaN where a window has fewer than eight samples."""

    width_px: Floats
    """(N,) optical equivalent width."""
    width_sigma_px: Floats
    """(N,) standard deviation of the marginal posterior."""
    contrast: Floats
    """(N,) darkening, grey values."""
    center_px: Floats
    """(N,) centre of the slot on the axis of the offsets."""

    def p_below(self, limit_px: float) -> Floats:
        """Probability (N,) that the width is below `limit_px`, from the log-normal posterior."""
        return p_below(self.width_px, self.width_sigma_px, limit_px)


def p_below(width: ArrayLike, sigma: ArrayLike, limit: float) -> Floats:
    """Probability of a width below `limit`: log-normal, median `width`, relative deviation sigma / width."""
    median = np.maximum(np.asarray(width, dtype=np.float64), 1e-9)
    relative = np.maximum(np.asarray(sigma, dtype=np.float64) / median, 1e-9)
    return np.asarray(ndtr(np.log(limit / median) / relative))


def fit_width(
    offset_px: ArrayLike,
    grey: ArrayLike,
    *,
    sigma_psf_px: float,
    contrast: float | None = None,
    contrast_sd: float = Config.contrast_sd,
) -> WidthFit:
    """Fit the blurred box to the samples across one window.

    `offset_px` and `grey` are 1-D: signed distance from the line and grey value in linear light, in any
    order. They are all pixels of a stretch of the crack, or one profile, and reach about 5 px beyond the
    crack on both sides. `sigma_psf_px` is the standard deviation of the camera's blur. `contrast` is the
    darkening of a wide crack in grey values (None: free), `contrast_sd` its relative spread (0: known
    exactly). The noise, and how alike neighbouring samples are, is estimated from the samples.

    Raises ValueError where the arrays differ in shape or hold fewer than eight samples.
    """
    offset, values = np.asarray(offset_px, dtype=np.float64), np.asarray(grey, dtype=np.float64)
    if offset.ndim != 1 or offset.shape != values.shape or len(offset) < _LEAST_SAMPLES:
        raise ValueError(f"offset_px {offset.shape} and grey {values.shape} must be 1-D, equal, 8 or longer")
    if not (np.isfinite(offset).all() and np.isfinite(values).all()):
        raise ValueError("offset_px and grey must be finite; leave out samples that are not known")
    fits = fit_widths(
        offset[None], values[None], sigma_psf_px=sigma_psf_px, contrast=contrast, contrast_sd=contrast_sd
    )
    return WidthFit(**{field.name: float(getattr(fits, field.name)[0]) for field in fields(WidthFits)})


def fit_widths(
    offset_px: ArrayLike,
    grey: ArrayLike,
    *,
    sigma_psf_px: ArrayLike,
    contrast: ArrayLike | None = None,
    contrast_sd: ArrayLike = Config.contrast_sd,
) -> WidthFits:
    """Fit N windows, each on its own: the results of `fit_width` for every row.

    `offset_px` and `grey` are (N, M), NaN where a window has no sample. `sigma_psf_px`, `contrast` and
    `contrast_sd` are one number or (N,); NaN in `contrast` leaves it free in that window.

    Raises ValueError where the arrays are not 2-D or differ in shape.
    """
    offset, values = np.asarray(offset_px, dtype=np.float64), np.asarray(grey, dtype=np.float64)
    if offset.ndim != 2 or offset.shape != values.shape:
        raise ValueError(f"offset_px {offset.shape} and grey {values.shape} must be 2-D and equal")
    count = len(offset)
    psf, known, known_sd = (
        np.broadcast_to(np.asarray(value, dtype=np.float64), (count,))
        for value in (sigma_psf_px, np.nan if contrast is None else contrast, contrast_sd)
    )
    present = np.isfinite(offset) & np.isfinite(values)
    width, width_sigma, darkening, center = (np.full(count, np.nan) for _ in range(4))
    enough = np.flatnonzero(present.sum(axis=1) >= _LEAST_SAMPLES)
    middle, bins, bin_px = _bins_of(offset, present, enough)
    for number in np.unique(bins):
        chosen = bins == number
        rows = enough[chosen]
        parts = _binned(
            offset[rows] - middle[chosen, None], values[rows], present[rows], int(number), bin_px[chosen]
        )
        fits = fit_windows(
            *parts[:3],
            bin_px=bin_px[chosen],
            sigma_px=np.sqrt(psf[rows] ** 2 + 1.0 / 12.0 + parts[3]),
            contrast=known[rows],
            contrast_sd=known_sd[rows],
            center_sd_px=_CENTER_SD_PX,
            together=False,
        )
        width[rows], width_sigma[rows] = fits.width_px, fits.width_px * fits.ln_width_sd
        darkening[rows], center[rows] = fits.contrast, middle[chosen] + fits.center_px
    return WidthFits(width_px=width, width_sigma_px=width_sigma, contrast=darkening, center_px=center)


def _bins_of(
    offset: Floats, present: NDArray[np.bool_], rows: NDArray[np.intp]
) -> tuple[Floats, Ints, Floats]:
    """Of the windows `rows` (R,): middle of the samples, number of bins, and their width, px."""
    low = np.where(present[rows], offset[rows], np.inf).min(axis=1)
    high = np.where(present[rows], offset[rows], -np.inf).max(axis=1)
    span = high - low
    most = np.clip(8 * np.ceil(span / _WIDEST_BIN_PX / 8), _BINS[0], _MOST_BINS).astype(np.int64)
    bins, undecided = most.copy(), np.arange(len(rows))
    for number in (None, *_BINS[1:]):
        trial = most[undecided] if number is None else np.full(len(undecided), number)
        place = _places(offset[rows[undecided]] - (low + high)[undecided, None] / 2, trial, span[undecided])
        filled = np.zeros((len(undecided), int(trial.max(initial=1)) + 1), np.bool_)
        filled[np.arange(len(undecided))[:, None], np.where(present[rows[undecided]], place, -1)] = True
        bins[undecided] = trial
        undecided = undecided[filled[:, :-1].sum(axis=1) < _FILLED_SHARE * trial]
        if len(undecided) == 0:
            break
    return (low + high) / 2, bins, _bin_px(bins, span)


def _bin_px(bins: Ints, span: Floats) -> Floats:
    return np.maximum(np.ceil(span / bins / _BIN_STEP_PX - 1e-6), 1.0) * _BIN_STEP_PX


def _places(away: Floats, bins: Ints, span: Floats) -> Ints:
    """Bin (R, M) of each sample, 0 for those that are NaN; `away` (R, M) from the middle."""
    scaled = np.nan_to_num(away) / _bin_px(bins, span)[:, None] + bins[:, None] / 2
    return np.clip(np.floor(scaled), 0, bins[:, None] - 1).astype(np.int64)


def _binned(
    away: Floats, grey: Floats, present: NDArray[np.bool_], bins: int, bin_px: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean offset, grey and number (R, K) of each bin's samples; variance of offsets within bins (R,)."""
    count = len(away)
    number = np.full(count, bins)
    place = _places(away, number, number * bin_px) + np.arange(count)[:, None] * bins
    flat = place[present]
    pixels, offset, square, value = (
        np.bincount(flat, weights, count * bins).reshape(count, bins)
        for weights in (None, away[present], away[present] ** 2, grey[present])
    )
    some = np.maximum(pixels, 1.0)
    middle = (np.arange(bins) + 0.5 - bins / 2) * bin_px[:, None]
    place_px = np.where(pixels > 0, offset / some, middle)
    scatter = np.maximum(square - pixels * place_px**2, 0.0).sum(axis=1) / np.maximum(pixels.sum(axis=1), 1.0)
    return place_px, value / some, pixels.astype(np.float64), scatter
