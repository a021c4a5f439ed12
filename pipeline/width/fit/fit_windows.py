"""The width of a dark slot from the grey values across it: a blurred box, fitted to many windows at once.

A crack of width w and darkening C, seen with a blur of sigma, has across it the grey profile

    f(s) = B0 + B1 s - C P(s)
    P(s) = 1/2 [erf((s - mu + w/2) / (sqrt2 sigma)) - erf((s - mu - w/2) / (sqrt2 sigma))]

Well below 2 px only the product C w shows in f, so C needs a prior: ln C ~ N(ln C0, tau^2). The blur has a
prior too. A crack that wanders, or is uneven along a window, has softer edges in the mean profile than the
camera makes.

The posterior of theta = (ln w, mu, B0, B1, ln C, ln sigma) is climbed twice by damped Gauss-Newton steps.
The first climb takes errors as independent. It shows what the noise is like (`noise`), and which samples
beside the slot are no background. The second climb knows the covariance of that noise (generalised least
squares). The curvature at the maximum gives the uncertainty, and the part that comes from not knowing C is
in it.

Legend
    N, K    windows, samples (bins of equal offset) per window
    s       signed distance from the traced line, px
    w, mu   width and centre of the slot, px
    B0, B1  background at s = 0 (grey) and its slope (grey per px)
    C       contrast: darkening of a slot much wider than the blur, grey values, positive
    sigma   standard deviation of the whole blur, px (camera, pixel area, bin width, wandering of the crack)
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Singles
from crackpipe.pipeline.width.fit.climb import (
    B0,
    B1,
    LN_C,
    LN_S,
    LN_W,
    MU,
    PARAMETERS,
    Problem,
    climb,
    misfit_of,
    normal_equations,
)
from crackpipe.pipeline.width.fit.noise import noise_of, passing_of, whitener_of
from crackpipe.pipeline.width.fit.posterior import Fits, joined, summary_of
from crackpipe.pipeline.width.fit.start import belief_of, slot_of, start_of

# A weak prior keeps ln w finite where there is no crack at all. Where there is one, it moves w by less than
# 1 %.
_PRIOR_LN_WIDTH = 0.0
_PRIOR_LN_WIDTH_SD = 2.0
# A free contrast has a prior so wide that it says nothing. Without any the normal equations would be
# singular.
_FREE_CONTRAST = 60.0
_FREE_CONTRAST_SD = 2.5
_FIXED_CONTRAST_SD = 1e-4
# Edges of a real crack are softer than the camera's, the more so the wider it is, and never much sharper.
_SOFTER = 1.03
_UNEVEN = 0.06
_PRIOR_LN_SIGMA_SD = 0.25
# The pavement beside a crack is about as bright as the outermost samples. Without this all samples could lie
# inside one wide slot.
_BACKGROUND_SD = 12.0
# Light changes by no more than about this many grey values per px beside a crack.
_SLOPE_SD = 1.0

# A real crack is never quite a blurred box. This is the error per px of profile, as a share of the contrast.
_MODEL_ERROR = 0.007
# The first climb only shows the noise.
_FIRST_TOLERANCE, _TOLERANCE = 3e-2, 1e-3
_THIN_START_PX, _WIDE_START_PX = 0.5, 2.5
_LEAST_BELIEF = 0.3
_SAMPLED_WINDOWS = 64
_BATCH = 512  # so few windows that their Jacobians and covariances stay in the caches


@dataclass(frozen=True)
class _First:
    """The first climb of N windows."""

    problem: Problem
    level: Floats
    """(N,) what was taken off the grey values."""
    theta: Floats
    residual: Singles
    """(N, K) misfit, 0 where there are no pixels."""
    belief: Singles
    """(N, K) biweights, 0 where there are no pixels."""


def fit_windows(
    offset_px: NDArray[np.floating],
    grey: NDArray[np.floating],
    pixels: NDArray[np.floating],
    *,
    bin_px: Floats,
    sigma_px: Floats,
    contrast: Floats,
    contrast_sd: Floats,
    center_sd_px: float = 1.5,
    together: bool = True,
) -> Fits:
    """Fit the blurred box to N windows.

    `offset_px`, `grey`, `pixels` are (N, K): mean signed distance of each bin's pixels from the traced line,
    their mean grey value in linear light, and their number (0: an empty bin). Bins are `bin_px` (N,) wide
    and follow each other without gaps. `sigma_px` (N,) is the blur of camera, pixel area and bin. `contrast`
    (N,) is the mean of the prior in grey values, NaN for a free contrast; `contrast_sd` (N,) its relative
    spread, 0 for a contrast known exactly. `center_sd_px` is how far the traced line may lie beside the
    slot's centre. `together`: the windows are of one image, and its texture is learned from all of them;
    otherwise a window's result does not depend on the other windows.
    """
    samples = tuple(np.asarray(values, dtype=np.float32) for values in (offset_px, grey, pixels))
    free = np.isnan(contrast)
    prior_sd = np.where(free, _FREE_CONTRAST_SD, np.maximum(contrast_sd, _FIXED_CONTRAST_SD))
    prior = _priors(np.where(free, _FREE_CONTRAST, contrast), prior_sd, sigma_px, center_sd_px)
    # windows that do not share their noise need not be in memory together
    size = max(len(free), 1) if together else _BATCH
    fits = [
        _fitted(
            tuple(values[part] for values in samples),
            tuple(values[part] for values in prior),
            bin_px[part],
            sigma_px[part],
            together=together,
        )
        for part in (slice(low, low + size) for low in range(0, len(free), size))
    ]
    return joined(fits)


def _fitted(
    samples: tuple[Singles, ...],
    prior: tuple[Floats, ...],
    bin_px: Floats,
    sigma_px: Floats,
    *,
    together: bool,
) -> Fits:
    """Both climbs, and between them the noise.

    `samples` are offsets, grey values and pixel counts (N, K), `prior` its means and precisions (N, 6).
    """
    (offset, grey, pixels), (mean, precision) = samples, prior
    parts = [slice(low, low + _BATCH) for low in range(0, len(offset), _BATCH)]
    firsts = [_first(offset[part], grey[part], pixels[part], mean[part], precision[part]) for part in parts]
    noise = noise_of(
        np.concatenate([first.residual for first in firsts]),
        np.concatenate([first.belief == 1.0 for first in firsts]).astype(np.float32),
        _passing(firsts, together=together),
        bin_px,
        together=together,
    )
    fits = []
    for part, first in zip(parts, firsts, strict=True):
        slot = slot_of(first.problem.offset, first.theta)
        model_error = (_MODEL_ERROR * np.exp(first.theta[:, LN_C])) ** 2 / bin_px[part]
        extra = np.where(slot, model_error[:, None], 0.0).astype(np.float32)
        whitener = whitener_of(noise.rows(part), pixels[part], first.belief, extra, bin_px[part])
        problem = replace(first.problem, whitener=whitener, prior_mean=_softened(first, sigma_px[part]))
        theta = climb(problem, first.theta, _TOLERANCE)
        fit = summary_of(problem, theta, slot & (pixels[part] > 0), sigma_px[part])
        fits.append(replace(fit, background=fit.background + first.level))
    return joined(fits)


def _priors(
    contrast: Floats, contrast_sd: Floats, sigma: Floats, center_sd_px: float
) -> tuple[Floats, Floats]:
    """Means and precisions (N, 6) of the prior of theta."""
    mean = np.zeros((len(contrast), PARAMETERS))
    precision = np.zeros_like(mean)
    mean[:, LN_W], precision[:, LN_W] = _PRIOR_LN_WIDTH, _PRIOR_LN_WIDTH_SD**-2
    precision[:, MU] = center_sd_px**-2
    mean[:, LN_C], precision[:, LN_C] = np.log(contrast), contrast_sd**-2.0
    mean[:, LN_S], precision[:, LN_S] = np.log(_SOFTER * sigma), _PRIOR_LN_SIGMA_SD**-2
    # this prior of the slope matters only where one side has no samples
    precision[:, B0], precision[:, B1] = _BACKGROUND_SD**-2, _SLOPE_SD**-2
    return mean, precision


def _softened(first: _First, sigma: Floats) -> Floats:
    """The prior's mean (N, 6) with the unevenness of a crack as wide as first found in its blur."""
    mean = first.problem.prior_mean.copy()
    mean[:, LN_S] = np.log(np.hypot(_SOFTER * sigma, _UNEVEN * np.exp(first.theta[:, LN_W])))
    return mean


def _first(offset: Singles, grey: Singles, pixels: Singles, mean: Floats, precision: Floats) -> _First:
    present = pixels > 0
    start = start_of(offset, grey, present, mean[:, LN_S])
    # single precision keeps more digits of grey values near zero
    level = start[:, B0].copy()
    start[:, B0] = 0.0
    grey = np.where(present, grey - level[:, None].astype(np.float32), 0.0).astype(np.float32)
    problem = Problem(offset=offset, grey=grey, whitener=pixels, prior_mean=mean, prior_precision=precision)

    def judged(theta: Floats) -> tuple[Singles, Singles, Singles]:
        residual = np.where(present, misfit_of(problem, theta)[:, PARAMETERS], 0.0).astype(np.float32)
        return residual, *belief_of(residual, slot_of(offset, theta), present)

    _, belief, scale = judged(start)
    share = pixels / np.maximum(pixels.mean(axis=1, keepdims=True), 1e-9)
    weight = np.sqrt(share) / scale[:, None]
    theta = _from_both_ends(replace(problem, whitener=weight * np.sqrt(belief)), start)
    residual, belief, _ = judged(theta)
    # Neighbours err alike, so noise too makes runs of large misfits. Only samples with far larger ones are
    # dropped.
    belief = np.where(belief > _LEAST_BELIEF, 1.0, belief / _LEAST_BELIEF).astype(np.float32)
    problem = replace(problem, whitener=weight)
    return _First(problem, level, theta, residual, belief)


def _passing(firsts: list[_First], *, together: bool) -> Floats:
    """How the noise came through the first fits into their misfits (N or 1, K, K): see `passing_of`."""
    every = -(-sum(len(first.theta) for first in firsts) // _SAMPLED_WINDOWS) if together else 1
    parts = []
    for index, first in enumerate(firsts):
        rows = np.arange(-index * _BATCH % every, len(first.theta), every)
        problem = first.problem.rows(rows)
        weight = problem.whitener**2 * first.belief[rows]
        parts.append(passing_of(misfit_of(problem, first.theta[rows]), weight, problem.prior_precision))
    passing = np.concatenate(parts)
    return passing.mean(axis=0, keepdims=True) if together else passing


def _from_both_ends(problem: Problem, start: Floats) -> Floats:
    """Climb from the wide and pale end, and where that ends wide and too pale, from the thin end as well."""
    theta = climb(problem, start, _FIRST_TOLERANCE)
    paleness = (problem.prior_mean[:, LN_C] - theta[:, LN_C]) * np.sqrt(problem.prior_precision[:, LN_C])
    doubtful = np.flatnonzero((np.exp(theta[:, LN_W]) > _WIDE_START_PX) & (paleness > 1.0))
    if len(doubtful) > 0:
        part, thin = problem.rows(doubtful), start[doubtful]
        thin[:, LN_W], thin[:, LN_C] = np.log(_THIN_START_PX), part.prior_mean[:, LN_C]
        thin = climb(part, thin, _FIRST_TOLERANCE)
        better = normal_equations(part, thin)[0] < normal_equations(part, theta[doubtful])[0]
        theta[doubtful[better]] = thin[better]
    return theta
