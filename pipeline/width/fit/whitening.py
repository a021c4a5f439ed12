"""Whitening: misfits that err alike become misfits that err independently, with variance 1.

With V = L L^T the covariance of a profile's bins and L its lower Cholesky factor, L^-1 times the misfits has
the covariance I. Each round of a climb needs L^-1, and V stays, so L^-1 is made once and multiplied.

This is no call of LAPACK, because LAPACK chooses its way by the number of threads and of matrices, and each
way rounds differently. Here a window's numbers are added up in one order. Products of matrices stay so small
that a BLAS does not share one out among threads, and the rest is arithmetic by element. So a width depends
neither on threads nor on the windows that are solved beside it.

Legend
    N, K    windows, bins per window
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Singles

# Blocks up to this size are worked out element by element, since calls cost more than so small products.
_SMALL = 6
# OpenBLAS shares out a product of matrices among threads from 2^18 multiplications on, of a vector and a
# matrix from 9216 on.
_MULTIPLICATIONS, _VECTOR_MULTIPLICATIONS = 1 << 17, 1 << 13


def product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """`left @ right` for stacks (..., R, S) and (..., S, T), in pieces that no threads share."""
    rows, columns = left.shape[-2], right.shape[-1]
    if rows == 1:  # a vector's product has a limit of its own
        step = max(1, _VECTOR_MULTIPLICATIONS // right.shape[-2])
        parts = [left @ right[..., start : start + step] for start in range(0, columns, step)]
        return np.concatenate(parts, axis=-1)
    step = max(2, _MULTIPLICATIONS // (right.shape[-2] * columns))
    parts = [left[..., start : start + step, :] @ right for start in range(0, rows, step)]
    return np.concatenate(parts, axis=-2)


def inverse_factor(covariance: Singles) -> Singles:
    """L^-1 (N, K, K), lower triangular, of covariances (N, K, K); both float32.

    Raises LinAlgError if a covariance is not positive definite to rounding.
    """
    inverse = np.zeros_like(covariance)
    with np.errstate(invalid="ignore", divide="ignore"):
        _fill(covariance, inverse)
    if not np.isfinite(inverse).all():
        raise np.linalg.LinAlgError("the covariance of a profile is not positive definite")
    return inverse


def _fill(covariance: Singles, inverse: Singles) -> None:
    """Write L^-1 of `covariance` into `inverse`, both (N, S, S), halving S until blocks are small.

        V = [A  B^T]    L = [L11   0 ]    L^-1 = [        L11^-1          0   ]
            [B   D ]        [L21  L22]           [-L22^-1 L21 L11^-1   L22^-1 ]

    with L21 = B L11^-T and L22 the factor of D - L21 L21^T.
    """
    size = covariance.shape[1]
    if size <= _SMALL:
        _fill_small(covariance, inverse)
        return
    half = size // 2
    first, second = inverse[:, :half, :half], inverse[:, half:, half:]
    _fill(covariance[:, :half, :half], first)
    below = product(covariance[:, half:, :half], first.transpose(0, 2, 1))
    _fill(covariance[:, half:, half:] - product(below, below.transpose(0, 2, 1)), second)
    inverse[:, half:, :half] = -product(second, product(below, first))


def _fill_small(covariance: Singles, inverse: Singles) -> None:
    """`_fill` by the textbook, row after row, for all windows at once."""
    factor: dict[tuple[int, int], Singles] = {}
    for row in range(covariance.shape[1]):
        left = covariance[:, row, row]
        for column in range(row):
            value = covariance[:, row, column]
            for k in range(column):
                value = value - factor[row, k] * factor[column, k]
            factor[row, column] = value * inverse[:, column, column]
            left = left - factor[row, column] ** 2
        inverse[:, row, row] = 1.0 / np.sqrt(left)
        for column in range(row):
            value = factor[row, column] * inverse[:, column, column]
            for k in range(column + 1, row):
                value = value + factor[row, k] * inverse[:, k, column]
            inverse[:, row, column] = -value * inverse[:, row, row]
