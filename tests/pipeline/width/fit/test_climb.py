"""The climb: derivatives are the model's, the maximum is reached, and no window waits for another."""

from dataclasses import replace

import numpy as np
import pytest

from crackpipe.pipeline.width.fit.climb import LN_W, PARAMETERS, Problem, climb, misfit_of, normal_equations
from crackpipe.pipeline.width.fit.whitening import inverse_factor

OFFSET = np.linspace(-9.0, 9.0, 40, dtype=np.float32)
TRUE = np.array([np.log(2.2), 0.3, 4.0, 0.2, np.log(60.0), np.log(0.8)])
PRECISION = np.array([0.25, 0.4, 1e-2, 1.0, 25.0, 16.0])


def problem(count: int = 1, whitener: np.ndarray | None = None) -> Problem:
    empty = Problem(
        offset=np.tile(OFFSET, (count, 1)),
        grey=np.zeros((count, 40), np.float32),
        whitener=np.ones((count, 40), np.float32) if whitener is None else whitener,
        prior_mean=np.tile(TRUE, (count, 1)),
        prior_precision=np.tile(PRECISION, (count, 1)),
    )
    noise = np.random.default_rng(3).normal(0.0, 1.0, (count, 40)).astype(np.float32)
    grey = noise - misfit_of(empty, np.tile(TRUE, (count, 1)))[:, PARAMETERS]
    return replace(empty, grey=grey)


@pytest.mark.parametrize("parameter", range(PARAMETERS))
def test_derivatives(parameter: int) -> None:
    step = np.zeros(PARAMETERS)
    step[parameter] = 1e-2
    up, down = (misfit_of(problem(), (TRUE + sign * step)[None])[0, PARAMETERS] for sign in (1, -1))
    slope = misfit_of(problem(), TRUE[None])[0, parameter]
    assert (down - up) / 2e-2 == pytest.approx(slope, abs=float(2e-3 * np.abs(slope).max() + 5e-3))


def test_correlated_misfits_are_whitened() -> None:
    covariance = np.exp(-np.abs(np.arange(40)[:, None] - np.arange(40)) / 3.0)
    one = problem(whitener=inverse_factor(covariance.astype(np.float32)[None]))
    cost, _, hessian, _ = normal_equations(one, TRUE[None])
    rows = misfit_of(one, TRUE[None])[0].astype(np.float64)
    solved = np.linalg.solve(covariance, rows.T)
    assert cost[0] == pytest.approx(rows[-1] @ solved[:, -1], rel=1e-3)
    assert hessian[0, LN_W, LN_W] == pytest.approx(rows[LN_W] @ solved[:, LN_W] + PRECISION[LN_W], rel=1e-3)


def test_the_gradient_vanishes_at_the_top_and_windows_do_not_wait() -> None:
    many = problem(6)
    start = np.tile(TRUE + np.array([0.6, -0.8, 5.0, 0.1, -0.3, 0.2]), (6, 1))
    start[2, LN_W] = np.log(9.0)
    top = climb(many, start, 1e-5)
    _, gradient, hessian, _ = normal_equations(many, top)
    assert np.abs(np.linalg.solve(hessian, gradient[..., None])).max() < 0.02
    alone = climb(many.rows(np.array([4])), start[4:5], 1e-5)
    assert alone[0].tolist() == top[4].tolist()
