"""The posterior of a blurred box given one profile, and the climb to its maximum, many windows at once.

    f(s) = B0 + B1 s - C P(s; w, mu, sigma)

theta = (ln w, mu, B0, B1, ln C, ln sigma). Misfits are whitened, so that all of them count alike: by the
square root of a weight where errors are taken as independent, by the Cholesky factor of their covariance
where neighbours are alike. Symbols as in `fit_windows`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Singles
from crackpipe.pipeline.width.fit.slot import blurred_box
from crackpipe.pipeline.width.fit.whitening import product

LN_W, MU, B0, B1, LN_C, LN_S = range(6)
PARAMETERS = 6

_LN_WIDTH_LOW = np.log(0.02)
_LARGEST_STEP = np.array([0.8, 1.0, 50.0, 20.0, 0.7, 0.3])
_BACKGROUND_PX = 3.0
_ROUNDS = 40
_DAMPING = 1e-3
_DIAGONAL = np.arange(PARAMETERS)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the fit of N windows is given, windows along the first axis."""

    offset: Singles
    """(N, K) px."""
    grey: Singles
    """(N, K) less a level of each window that keeps the numbers small."""
    whitener: Singles
    """(N, K) 1 / standard deviation of each sample, 0 where there is none; or (N, K, K), the inverse of the
    lower Cholesky factor of the samples' covariance (`whitening`)."""
    prior_mean: Floats
    """(N, 6)."""
    prior_precision: Floats
    """(N, 6)."""

    def rows(self, index: NDArray[np.intp]) -> "Problem":
        """The problem of some of the windows."""
        return Problem(
            offset=self.offset[index],
            grey=self.grey[index],
            whitener=self.whitener[index],
            prior_mean=self.prior_mean[index],
            prior_precision=self.prior_precision[index],
        )


def misfit_of(problem: Problem, theta: Floats) -> Singles:
    """The Jacobian of f and the residuals grey - f, not whitened: (N, 7, K), residuals last."""
    part = theta.astype(np.float32)[:, :, None]
    width, contrast, sigma = np.exp(part[:, LN_W]), np.exp(part[:, LN_C]), np.exp(part[:, LN_S])
    away = problem.offset - part[:, MU]
    box, left, right = blurred_box(away, width, sigma)
    both, difference = left + right, left - right
    rows = np.empty((len(theta), PARAMETERS + 1, problem.offset.shape[1]), np.float32)
    half = width / 2
    np.multiply(both, -contrast * half, out=rows[:, LN_W])
    np.multiply(difference, contrast, out=rows[:, MU])
    rows[:, B0] = 1.0
    rows[:, B1] = problem.offset
    np.multiply(box, -contrast, out=rows[:, LN_C])
    # dP/d ln sigma = -(s - mu + w/2) g_left + (s - mu - w/2) g_right
    away *= difference
    both *= half
    away += both
    np.multiply(away, contrast, out=rows[:, LN_S])
    residual = rows[:, PARAMETERS]
    np.subtract(problem.grey, rows[:, LN_C], out=residual)
    residual -= part[:, B0]
    residual -= part[:, B1] * problem.offset
    return rows


def whitened(problem: Problem, rows: Singles) -> Singles:
    """`rows` (N, V, K) in units in which misfits are independent with variance 1."""
    if problem.whitener.ndim == 2:
        return np.asarray(rows * problem.whitener[:, None, :])
    return product(rows, problem.whitener.transpose(0, 2, 1))


def normal_equations(problem: Problem, theta: Floats) -> tuple[Floats, Floats, Floats, Singles]:
    """Cost (-2 ln posterior) (N,), half its gradient, negative, (N, 6), Gauss-Newton Hessian (N, 6, 6).

    Last come the whitened residuals (N, K).
    """
    white = whitened(problem, misfit_of(problem, theta))
    products = (white @ white.transpose(0, 2, 1)).astype(np.float64)
    away = problem.prior_mean - theta
    pull = problem.prior_precision * away
    cost = products[:, -1, -1] + (pull * away).sum(axis=1)
    hessian = products[:, :-1, :-1]
    hessian[:, _DIAGONAL, _DIAGONAL] += problem.prior_precision
    return cost, products[:, :-1, -1] + pull, hessian, white[:, -1]


def climb(problem: Problem, start: Floats, tolerance: float) -> Floats:
    """Levenberg-Marquardt from `start` (N, 6) until the cost changes by less than `tolerance` (1 + cost).

    Windows leave the batch as they converge, so a hard one does not make the others wait.
    """
    theta_all = start.copy()
    active = np.arange(len(start))
    part, theta = problem, start.copy()
    damping = np.full(len(start), _DAMPING)
    # a profile of a wider slot would show no background
    widest = np.log(2.0 * (np.abs(problem.offset).max(axis=1) - _BACKGROUND_PX).clip(1.0)).astype(np.float64)
    cost, gradient, hessian, _ = normal_equations(part, theta)
    for _ in range(_ROUNDS):
        step = _step(theta, gradient, hessian, damping, widest)
        # A step this small gains a known amount, so it is taken without computing the cost there.
        small = (step * gradient).sum(axis=1) <= tolerance * (1.0 + cost)
        last = small & (damping <= _DAMPING)
        theta_all[active] = np.where(last[:, None], theta + step, theta)
        keep = np.flatnonzero(~last)
        if len(keep) == 0:
            break
        if len(keep) < len(active):
            active, part, theta, cost, step = (
                active[keep],
                part.rows(keep),
                theta[keep],
                cost[keep],
                step[keep],
            )
            gradient, hessian, damping, widest = gradient[keep], hessian[keep], damping[keep], widest[keep]
        trial = theta + step
        trial_cost, trial_gradient, trial_hessian, _ = normal_equations(part, trial)
        better = trial_cost <= cost
        theta = np.where(better[:, None], trial, theta)
        gradient = np.where(better[:, None], trial_gradient, gradient)
        hessian = np.where(better[:, None, None], trial_hessian, hessian)
        cost = np.where(better, trial_cost, cost)
        damping = np.clip(np.where(better, damping / 10, damping * 10), 1e-9, 1e9)
        theta_all[active] = theta
    return theta_all


def _step(theta: Floats, gradient: Floats, hessian: Floats, damping: Floats, widest: Floats) -> Floats:
    damped = hessian.copy()
    damped[:, _DIAGONAL, _DIAGONAL] *= 1.0 + damping[:, None]
    step = np.clip(np.linalg.solve(damped, gradient[..., None])[..., 0], -_LARGEST_STEP, _LARGEST_STEP)
    step[:, LN_W] = np.clip(step[:, LN_W], _LN_WIDTH_LOW - theta[:, LN_W], widest - theta[:, LN_W])
    return np.asarray(step)
