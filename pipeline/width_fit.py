"""The width of a dark slot from the grey values across it: a blurred box, fitted to many windows at once.

A crack of width w and darkening C, seen by a camera of blur sigma, has across it the grey profile

    f(s) = B0 + B1 s - C P(s)
    P(s) = 1/2 [erf((s - mu + w/2) / (sqrt2 sigma)) - erf((s - mu - w/2) / (sqrt2 sigma))]

Well below 2 px only the product C w shows in f, so C needs a prior: ln C ~ N(ln C0, tau^2). With it, the
posterior of theta = (ln w, mu, B0, B1, ln C) is maximised by damped Gauss-Newton steps, and its curvature
gives the uncertainty; the part that comes from not knowing C is in it.

Legend
    N, K    windows, samples (bins of equal offset) per window
    s       signed distance from the traced line, px
    w, mu   width and centre of the slot, px
    B0, B1  background at s = 0 (grey) and its slope (grey per px)
    C       contrast: darkening of a slot much wider than the blur, grey values, positive
    sigma   standard deviation of the whole blur, px (camera, pixel area and bin width)
    S0      integral of the autocovariance of the pavement's texture, grey^2 px^2: the variance of a sum of
            grey values over a large area, per px^2. Neighbouring pixels of asphalt are alike, so the
            variance of single pixels would promise too much.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.blurred_box import blurred_box
from crackpipe.pipeline.robust import MAD_TO_SD, masked_median

Floats = NDArray[np.float64]

LN_W, MU, B0, B1, LN_C = range(5)

# A weak prior keeps ln w finite where there is no crack at all; where there is one it moves w by < 1 %.
_PRIOR_LN_WIDTH = 0.0
_PRIOR_LN_WIDTH_SD = 2.0
# "Free" contrast: wide enough to say nothing, proper so that the normal equations stay regular.
_FREE_CONTRAST = 60.0
_FREE_CONTRAST_SD = 2.5
_FIXED_CONTRAST_SD = 1e-4

# Light changes by no more than about this many grey values per px beside a crack.
_SLOPE_SD = 1.0

_LN_WIDTH_LOW = np.log(0.02)
_LARGEST_STEP = np.array([0.8, 1.0, 50.0, 20.0, 0.7])
_ROUNDS = 40
_BATCH = 256  # windows whose Jacobians stay in a core's cache
_ROBUST_ROUNDS = 2
_BIWEIGHT = 4.685  # 95 % efficient on normal residuals
_LEAST_SCALE = 0.5
_SIDES_DIFFER = 15.0
_INSIDE_PX = 2.0
# The outermost samples on each side are background: start values only.
_SIDE_PX = 4.0


@dataclass(frozen=True)
class Fits:
    """Maxima of the posterior of N windows; every array float64 (N,)."""

    width_px: Floats
    """Median of the log-normal marginal posterior of w."""
    ln_width_sd: Floats
    """Standard deviation of ln w, everything included."""
    ln_width_noise_sd: Floats
    """The part from the pavement's texture: independent from window to window."""
    ln_width_contrast_sd: Floats
    """The part from not knowing the contrast: shared by windows of one crack."""
    center_px: Floats
    """Where the slot lies across the traced line."""
    background: Floats
    """Grey value beside the slot."""
    contrast: Floats
    """Darkening, grey values."""
    ln_contrast_sd: Floats
    """Standard deviation of ln C."""


@dataclass(frozen=True)
class _Problem:
    """What the fit is given, windows along the first axis."""

    offset: Floats
    """(N, K) px."""
    grey: Floats
    """(N, K)."""
    weight: Floats
    """(N, K) 1 / variance of each sample, 0 where there is none."""
    sigma: Floats
    """(N,) px."""
    prior_mean: Floats
    """(N, 5)."""
    prior_precision: Floats
    """(N, 5)."""

    def rows(self, index: NDArray[np.intp]) -> "_Problem":
        """The problem of some of the windows."""
        return _Problem(
            self.offset[index],
            self.grey[index],
            self.weight[index],
            self.sigma[index],
            self.prior_mean[index],
            self.prior_precision[index],
        )


def fit_windows(
    offset_px: Floats,
    grey: Floats,
    weight: Floats,
    *,
    sigma_px: Floats,
    contrast: Floats,
    contrast_sd: Floats,
    center_sd_px: float = 1.5,
) -> Fits:
    """Fit the blurred box to N windows.

    `offset_px`, `grey`, `weight` are float64 (N, K): signed distance of each sample from the traced line,
    its grey value in linear light, and 1 / variance of that value (pixels in the bin / S0; 0 leaves it out).
    `sigma_px` (N,) is the whole blur. `contrast` (N,) is the mean of the prior in grey values, NaN for a free
    contrast; `contrast_sd` (N,) its relative spread, 0 for a contrast known exactly. `center_sd_px` is how
    far the traced line may lie beside the slot's centre.

    The result of a window does not depend on the other windows.
    """
    count = len(offset_px)
    parts = [
        _fitted(
            offset_px[part],
            grey[part],
            weight[part],
            sigma_px=sigma_px[part],
            contrast=contrast[part],
            contrast_sd=contrast_sd[part],
            center_sd_px=center_sd_px,
        )
        for part in (slice(low, low + _BATCH) for low in range(0, max(count, 1), _BATCH))
    ]
    return Fits(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Fits)))


def _fitted(
    offset_px: Floats,
    grey: Floats,
    weight: Floats,
    *,
    sigma_px: Floats,
    contrast: Floats,
    contrast_sd: Floats,
    center_sd_px: float,
) -> Fits:
    free = np.isnan(contrast)
    prior_sd = np.where(free, _FREE_CONTRAST_SD, np.maximum(contrast_sd, _FIXED_CONTRAST_SD))
    prior_contrast = np.where(free, _FREE_CONTRAST, contrast)
    mean, precision = _priors(prior_contrast, prior_sd, center_sd_px)
    problem = _Problem(offset_px, grey, weight, sigma_px, mean, precision)
    theta = _start(problem)
    for _ in range(_ROBUST_ROUNDS):
        robust = _without_neighbours(problem, theta)
        theta = _maximise(robust, theta)
    return _summary(robust, theta)


def _priors(contrast: Floats, contrast_sd: Floats, center_sd_px: float) -> tuple[Floats, Floats]:
    """Means and precisions (N, 5) of the prior of theta."""
    mean = np.zeros((len(contrast), 5))
    precision = np.zeros_like(mean)
    mean[:, LN_W], precision[:, LN_W] = _PRIOR_LN_WIDTH, _PRIOR_LN_WIDTH_SD**-2
    precision[:, MU] = center_sd_px**-2
    mean[:, LN_C], precision[:, LN_C] = np.log(contrast), contrast_sd**-2.0
    # the slope is only felt where one side has no samples
    precision[:, B0], precision[:, B1] = 1e-8, _SLOPE_SD**-2
    return mean, precision


def _model(problem: _Problem, theta: Floats) -> tuple[Floats, Floats]:
    """Residuals grey - f (N, K) and the Jacobian of f (N, K, 5)."""
    width = np.exp(theta[:, LN_W, None])
    contrast = np.exp(theta[:, LN_C, None])
    box, left, right = blurred_box(problem.offset, width, theta[:, MU, None], problem.sigma[:, None])
    jacobian = np.empty((*problem.offset.shape, 5))
    jacobian[..., LN_W] = -contrast * width * (left + right) / 2
    jacobian[..., MU] = contrast * (left - right)
    jacobian[..., B0] = 1.0
    jacobian[..., B1] = problem.offset
    jacobian[..., LN_C] = -contrast * box
    background = theta[:, B0, None] + theta[:, B1, None] * problem.offset
    return problem.grey - background + contrast * box, jacobian


def _cost(problem: _Problem, theta: Floats, residual: Floats) -> Floats:
    """-2 ln posterior up to a constant, (N,)."""
    away = theta - problem.prior_mean
    misfit = (problem.weight * residual**2).sum(axis=1)
    return np.asarray(misfit + (problem.prior_precision * away**2).sum(axis=1))


def _curvature(problem: _Problem, jacobian: Floats) -> Floats:
    """Gauss-Newton Hessian of half the cost, (N, 5, 5)."""
    weighted = (problem.weight[..., None] * jacobian).transpose(0, 2, 1)
    hessian = weighted @ jacobian
    diagonal = np.arange(5)
    hessian[:, diagonal, diagonal] += problem.prior_precision
    return hessian


def _maximise(problem: _Problem, start: Floats) -> Floats:
    """Levenberg-Marquardt from `start` (N, 5); returns the maxima.

    Windows leave the batch as they converge, so a hard one does not make the others wait.
    """
    theta_all = start.copy()
    active = np.arange(len(start))
    part, theta = problem, start.copy()
    damping = np.full(len(start), 1e-3)
    residual, jacobian = _model(part, theta)
    cost = _cost(part, theta, residual)
    for _ in range(_ROUNDS):
        step = _step(part, theta, residual, jacobian, damping)
        trial = theta + step
        trial_residual, trial_jacobian = _model(part, trial)
        trial_cost = _cost(part, trial, trial_residual)
        better = trial_cost <= cost
        converged = np.abs(trial_cost - cost) <= 1e-5 * (1.0 + cost)
        theta = np.where(better[:, None], trial, theta)
        residual = np.where(better[:, None], trial_residual, residual)
        jacobian = np.where(better[:, None, None], trial_jacobian, jacobian)
        cost = np.where(better, trial_cost, cost)
        damping = np.clip(np.where(better, damping / 10, damping * 10), 1e-9, 1e9)
        theta_all[active] = theta
        keep = np.flatnonzero(~converged)
        if len(keep) == 0:
            break
        if len(keep) < len(active):
            active, part, theta, cost = active[keep], part.rows(keep), theta[keep], cost[keep]
            residual, jacobian, damping = residual[keep], jacobian[keep], damping[keep]
    return theta_all


def _step(part: _Problem, theta: Floats, residual: Floats, jacobian: Floats, damping: Floats) -> Floats:
    hessian = _curvature(part, jacobian)
    gradient = np.matmul(jacobian.transpose(0, 2, 1), (part.weight * residual)[..., None])[..., 0]
    gradient += part.prior_precision * (part.prior_mean - theta)
    diagonal = np.arange(5)
    hessian[:, diagonal, diagonal] *= 1.0 + damping[:, None]
    step = np.clip(np.linalg.solve(hessian, gradient[..., None])[..., 0], -_LARGEST_STEP, _LARGEST_STEP)
    step[:, LN_W] = np.maximum(step[:, LN_W], _LN_WIDTH_LOW - theta[:, LN_W])
    return step


def _start(problem: _Problem) -> Floats:
    """Where the climb begins, (N, 5): the width at half depth, at least 2.5 px, with the depth seen.

    That is the wide and pale end of what can explain the profile. Climbing from the thin and dark end as
    well was tried over widths of 0.3 to 40 px and two contrasts: it never found a better maximum.
    """
    background, slope = _background(problem)
    dark = background[:, None] + slope[:, None] * problem.offset - problem.grey
    inner = np.abs(problem.offset) <= np.abs(problem.offset).max(axis=1, keepdims=True) - _SIDE_PX
    dark = np.where((problem.weight > 0) & inner, dark, 0.0)
    bin_px = np.ptp(problem.offset, axis=1) / (problem.offset.shape[1] - 1)
    depth = np.maximum(dark.max(axis=1), 1.0)
    width = np.maximum((dark > depth[:, None] / 2).sum(axis=1) * bin_px, 2.5)
    return np.stack([np.log(width), np.zeros_like(depth), background, slope, np.log(depth)], axis=1)


def _background(problem: _Problem) -> tuple[Floats, Floats]:
    """Median line through the outermost samples of both sides: B0 (N,), B1 (N,).

    Medians, since another crack or paint may fill part of a side. Where the sides differ by more than
    texture does, one of them is no background: the one less like the samples just inside of both.
    """
    reach = np.abs(problem.offset).max(axis=1, keepdims=True)
    present, rim = problem.weight > 0, np.abs(problem.offset) > reach - _SIDE_PX
    level, place = [], []
    for sign in (-1.0, 1.0):
        side = present & rim & (sign * problem.offset > 0)
        level.append(masked_median(problem.grey, side, empty=np.nan))
        place.append(masked_median(problem.offset, side, empty=np.nan))
    left, right = (np.where(np.isnan(level[k]), level[1 - k], level[k]) for k in (0, 1))
    inside = present & ~rim & (np.abs(problem.offset) > reach - _SIDE_PX - _INSIDE_PX)
    near = masked_median(problem.grey, inside)
    liker = np.where(np.abs(left - near) <= np.abs(right - near), left, right)
    differ = np.abs(right - left) > _SIDES_DIFFER
    slope = np.where(differ, 0.0, np.nan_to_num((right - left) / (place[1] - place[0])))
    background = np.where(differ, liker, left - slope * np.nan_to_num(place[0]))
    return np.nan_to_num(background), slope


def _without_neighbours(problem: _Problem, theta: Floats) -> _Problem:
    """Tukey's biweights for samples beside the slot, where another crack or paint may lie.

    Inside the slot a misfit is information about the crack and keeps its weight.
    """
    residual, _ = _model(problem, theta)
    reach = np.exp(theta[:, LN_W, None]) / 2 + 2.5 * problem.sigma[:, None]
    beside = (np.abs(problem.offset - theta[:, MU, None]) > reach) & (problem.weight > 0)
    scale = MAD_TO_SD * masked_median(np.abs(residual), beside)
    away = residual / (_BIWEIGHT * np.maximum(scale, _LEAST_SCALE)[:, None])
    factor = np.where(beside, np.maximum(1.0 - away**2, 0.0) ** 2, 1.0)
    return replace(problem, weight=problem.weight * factor)


def _summary(problem: _Problem, theta: Floats) -> Fits:
    _, jacobian = _model(problem, theta)
    covariance = np.linalg.inv(_curvature(problem, jacobian))
    width_var = covariance[:, LN_W, LN_W]
    contrast_var = covariance[:, LN_C, LN_C]
    shared = covariance[:, LN_W, LN_C] ** 2 / contrast_var
    return Fits(
        width_px=np.exp(theta[:, LN_W]),
        ln_width_sd=np.sqrt(width_var),
        ln_width_noise_sd=np.sqrt(np.maximum(width_var - shared, 0.0)),
        ln_width_contrast_sd=np.sqrt(shared),
        center_px=theta[:, MU],
        background=theta[:, B0],
        contrast=np.exp(theta[:, LN_C]),
        ln_contrast_sd=np.sqrt(contrast_var),
    )
