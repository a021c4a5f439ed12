"""The posterior of a blurred box given one profile, and the climb to its maximum, many windows at once.

    f(s) = B0 + B1 s - C P(s; w, mu, sigma)

theta = (ln w, mu, B0, B1, ln C, ln sigma). Misfits are whitened, so that all of them count alike: by the
square root of a weight where errors are taken as independent, by the Cholesky factor of their covariance
where neighbours are alike. Symbols as in `width_fit`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.blurred_box import blurred_box

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

LN_W, MU, B0, B1, LN_C, LN_S = range(6)
PARAMETERS = 6

_LN_WIDTH_LOW = np.log(0.02)
_LARGEST_STEP = np.array([0.8, 1.0, 50.0, 20.0, 0.7, 0.3])
_ROUNDS = 40
_DIAGONAL = np.arange(PARAMETERS)


@dataclass(frozen=True)
class Problem:
    """What the fit of N windows is given, windows along the first axis."""

    offset: Singles
    """(N, K) px."""
    grey: Singles
    """(N, K) less a level of each window that keeps the numbers small."""
    whitener: Singles
    """(N, K) 1 / standard deviation of each sample, 0 where there is none; or (N, K, K), the lower Cholesky
    factor of the samples' covariance."""
    prior_mean: Floats
    """(N, 6)."""
    prior_precision: Floats
    """(N, 6)."""

    def rows(self, index: NDArray[np.intp]) -> "Problem":
        """The problem of some of the windows."""
        return Problem(
            self.offset[index],
            self.grey[index],
            self.whitener[index],
            self.prior_mean[index],
            self.prior_precision[index],
        )


def misfit_of(problem: Problem, theta: Floats) -> tuple[Singles, Singles]:
    """Residuals grey - f (N, K) and the Jacobian of f (N, K, 6), not whitened."""
    parts = theta.astype(np.float32)[:, :, None]
    width, contrast, sigma = np.exp(parts[:, LN_W]), np.exp(parts[:, LN_C]), np.exp(parts[:, LN_S])
    box, left, right = blurred_box(problem.offset, width, parts[:, MU], sigma)
    both, difference = left + right, left - right
    jacobian = np.empty((*problem.offset.shape, PARAMETERS), np.float32)
    jacobian[..., LN_W] = both
    jacobian[..., LN_W] *= -contrast * width / 2
    jacobian[..., MU] = contrast * difference
    jacobian[..., B0] = 1.0
    jacobian[..., B1] = problem.offset
    jacobian[..., LN_C] = -contrast * box
    # dP/d ln sigma = -(s - mu + w/2) g_left + (s - mu - w/2) g_right
    jacobian[..., LN_S] = contrast * ((problem.offset - parts[:, MU]) * difference + both * (width / 2))
    residual = problem.grey - parts[:, B0] - parts[:, B1] * problem.offset - jacobian[..., LN_C]
    return residual, jacobian


def whitened(problem: Problem, values: Singles) -> Singles:
    """`values` (N, K, V) in units in which misfits are independent with variance 1."""
    if problem.whitener.ndim == 2:
        return np.asarray(values * problem.whitener[..., None])
    import torch  # NumPy solves no stacks of triangular systems

    solved = torch.linalg.solve_triangular(
        torch.from_numpy(problem.whitener), torch.from_numpy(values), upper=False
    )
    return np.asarray(solved.numpy())


def normal_equations(problem: Problem, theta: Floats) -> tuple[Floats, Floats, Floats]:
    """Cost (-2 ln posterior) (N,), half its gradient, negative, (N, 6), Gauss-Newton Hessian (N, 6, 6)."""
    residual, jacobian = misfit_of(problem, theta)
    white = whitened(problem, np.concatenate([jacobian, residual[..., None]], axis=2))
    products = (white.transpose(0, 2, 1) @ white).astype(np.float64)
    away = problem.prior_mean - theta
    pull = problem.prior_precision * away
    cost = products[:, -1, -1] + (pull * away).sum(axis=1)
    hessian = products[:, :-1, :-1].copy()
    hessian[:, _DIAGONAL, _DIAGONAL] += problem.prior_precision
    return cost, products[:, :-1, -1] + pull, hessian


def climb(problem: Problem, start: Floats, tolerance: float) -> Floats:
    """Levenberg-Marquardt from `start` (N, 6) until the cost changes by less than `tolerance` (1 + cost).

    Windows leave the batch as they converge, so a hard one does not make the others wait.
    """
    theta_all = start.copy()
    active = np.arange(len(start))
    part, theta = problem, start.copy()
    damping = np.full(len(start), 1e-3)
    cost, gradient, hessian = normal_equations(part, theta)
    for _ in range(_ROUNDS):
        trial = theta + _step(theta, gradient, hessian, damping)
        trial_cost, trial_gradient, trial_hessian = normal_equations(part, trial)
        better = trial_cost <= cost
        converged = np.abs(trial_cost - cost) <= tolerance * (1.0 + cost)
        theta = np.where(better[:, None], trial, theta)
        gradient = np.where(better[:, None], trial_gradient, gradient)
        hessian = np.where(better[:, None, None], trial_hessian, hessian)
        cost = np.where(better, trial_cost, cost)
        damping = np.clip(np.where(better, damping / 10, damping * 10), 1e-9, 1e9)
        theta_all[active] = theta
        keep = np.flatnonzero(~converged)
        if len(keep) == 0:
            break
        if len(keep) < len(active):
            active, part, theta, cost = active[keep], part.rows(keep), theta[keep], cost[keep]
            gradient, hessian, damping = gradient[keep], hessian[keep], damping[keep]
    return theta_all


def _step(theta: Floats, gradient: Floats, hessian: Floats, damping: Floats) -> Floats:
    damped = hessian.copy()
    damped[:, _DIAGONAL, _DIAGONAL] *= 1.0 + damping[:, None]
    step = np.clip(np.linalg.solve(damped, gradient[..., None])[..., 0], -_LARGEST_STEP, _LARGEST_STEP)
    step[:, LN_W] = np.maximum(step[:, LN_W], _LN_WIDTH_LOW - theta[:, LN_W])
    return step
