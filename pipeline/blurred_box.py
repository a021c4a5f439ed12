"""A dark slot of constant depth, as a camera sees it across.

P(s) = 1/2 [erf((s - mu + w/2) / (sqrt2 sigma)) - erf((s - mu - w/2) / (sqrt2 sigma))]
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def blurred_box(
    offset: Floats, width: Floats, center: Floats, sigma: Floats
) -> tuple[Floats, Floats, Floats]:
    """P(s) and the Gaussians of the blur at its two edges, all of the shape of `offset`.

    `width`, `center` and `sigma` are in px and broadcast against `offset` (px); all of one precision.

    erf by Abramowitz & Stegun 7.1.26 (error < 1.5e-7), since its exponential is the Gaussian that the
    derivatives need anyway.
    """
    scale = 1.0 / (math.sqrt(2.0) * sigma)
    left, left_gauss = _erf((offset - center + width / 2) * scale)
    right, right_gauss = _erf((offset - center - width / 2) * scale)
    norm = scale / math.sqrt(math.pi)
    return (left - right) / 2, left_gauss * norm, right_gauss * norm


def _erf(x: Floats) -> tuple[Floats, Floats]:
    """erf(x) and exp(-x^2)."""
    gauss = np.exp(-x * x)
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.copysign(1.0 - series * gauss, x), gauss
