"""The maximum of the posterior as widths and their uncertainty. Symbols as in `fit_windows`."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.width.fit.climb import B0, LN_C, LN_S, LN_W, MU, PARAMETERS, Problem, normal_equations

# Misfits inside the slot that are larger than the noise widen the uncertainty. The first number is how many
# samples without misfit are added, so that few samples cannot widen it much.
_MISFIT_FREEDOM, _MISFIT_ALLOWED = 8.0, 1.4
# Edges that are softer than the camera's belong to an uneven crack. Its mean width over the window is not
# exactly the width of the mean profile. This is the error of a wide crack's width as a share of that
# softness.
_UNEVEN_ERROR = 0.5


@dataclass(frozen=True, kw_only=True)
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
    softness: Floats
    """How much softer than expected the edges are: ln sigma, in deviations of its prior."""
    misfit: Floats
    """Mean square of the whitened misfits in the slot: about 1 where it is a slot."""


def joined(fits: list[Fits]) -> Fits:
    """The windows of several batches, one after the other."""
    return Fits(
        **{
            f.name: np.concatenate([np.zeros(0), *(getattr(fit, f.name) for fit in fits)])
            for f in fields(Fits)
        }
    )


def summary_of(problem: Problem, theta: Floats, slot: NDArray[np.bool_], sigma: Floats) -> Fits:
    """What the posterior says at its maximum `theta` (N, 6).

    `slot` (N, K) are the samples that the slot darkens, `sigma` (N,) the expected blur, px.
    """
    _, _, hessian, misfits = normal_equations(problem, theta)
    # Misfits are averaged over three bins, because the grid of pixels shows from bin to bin. Independent
    # misfits have a variance of 3/8 then.
    ends = np.pad(misfits, ((0, 0), (1, 1)))
    smooth = (ends[:, :-2] + 2.0 * misfits + ends[:, 2:]) / 4.0
    square = np.where(slot, smooth**2, 0.0).sum(axis=1) / 0.375
    misfit = (_MISFIT_FREEDOM + square) / (_MISFIT_FREEDOM + slot.sum(axis=1))
    diagonal = np.arange(PARAMETERS)
    prior = np.zeros_like(hessian)
    prior[:, diagonal, diagonal] = problem.prior_precision
    covariance = np.linalg.inv(
        prior + (hessian - prior) / np.maximum(misfit / _MISFIT_ALLOWED, 1.0)[:, None, None]
    )
    width_var = covariance[:, LN_W, LN_W] + _uneven_var(theta, covariance, sigma)
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
        softness=(theta[:, LN_S] - problem.prior_mean[:, LN_S]) * np.sqrt(problem.prior_precision[:, LN_S]),
        misfit=misfit,
    )


def _uneven_var(theta: Floats, covariance: Floats, sigma: Floats) -> Floats:
    """Variance (N,) of ln w from unevenness: what edges are softer than `sigma` (N,), and surely so.

    Thin cracks show only their area, which unevenness leaves as it is.
    """
    softer = np.maximum(theta[:, LN_S] - np.log(sigma) - np.sqrt(covariance[:, LN_S, LN_S]), 0.0)
    smear = sigma * np.sqrt(np.expm1(2.0 * softer))
    width = np.exp(theta[:, LN_W])
    seen = width**2 / (width**2 + 9.0 * np.exp(2.0 * theta[:, LN_S]))
    return np.asarray((_UNEVEN_ERROR * smear * seen / width) ** 2)
