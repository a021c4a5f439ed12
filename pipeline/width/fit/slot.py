"""A dark slot of constant depth, as a camera sees it across.

P(s) = 1/2 [erf((s - mu + w/2) / (sqrt2 sigma)) - erf((s - mu - w/2) / (sqrt2 sigma))]
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Reals = NDArray[np.floating[Any]]
"""In single or in double precision, as the caller has them."""


def blurred_box(away: _Reals, width: _Reals, sigma: _Reals) -> tuple[_Reals, _Reals, _Reals]:
    """P(s) and the Gaussians of the blur at its two edges, all of the shape of `away`.

    `away` = s - mu, `width` and `sigma` are in px, of one precision, and broadcast against each other.

    erf by Abramowitz & Stegun 7.1.26 (error < 1.5e-7), since its exponential is the Gaussian that the
    derivatives need anyway.
    """
    scale = 1.0 / (math.sqrt(2.0) * sigma)
    middle, half = away * scale, width / 2 * scale
    left, left_gauss = _erf(middle + half)
    right, right_gauss = _erf(middle - half)
    norm = scale / math.sqrt(math.pi)
    left -= right
    left *= 0.5
    left_gauss *= norm
    right_gauss *= norm
    return left, left_gauss, right_gauss


def _erf(x: _Reals) -> tuple[_Reals, _Reals]:
    """erf(x) and exp(-x^2)."""
    # beyond 6 both are 1 and 0 to all digits that matter; smaller exponentials would be slow denormal numbers
    gauss = np.exp(np.maximum(-x * x, -36.0))
    t = np.abs(x)
    t *= 0.3275911
    t += 1.0
    np.reciprocal(t, out=t)
    series = t * 1.061405429
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series += coefficient
        series *= t
    series *= gauss
    return np.copysign(1.0 - series, x), gauss
