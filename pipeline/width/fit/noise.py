"""How grey values beside a crack scatter together: the noise of a profile, as a covariance of its bins.

Grains of asphalt are larger than a pixel, so neighbouring bins of a profile err alike. The camera's noise
differs from pixel to pixel. A profile that averages L px of line in bins of n_i pixels has the covariance

    V_ij = kappa / L [ phi(s_i - s_j) + r L / n_i delta_ij ]

with phi a correlation by distance across the line and r the share of independent noise. Knowing V is worth
much: texture is strong in slow waves and weak in fast ones, and the edges of a crack are fast waves.

Strategy: phi and r are chosen from a fixed set of shapes. The misfits of a first fit are written as cosine
waves (DCT-II). Each shape says how much power each wave should have, but for the unknown kappa. So each
shape has a likelihood (Whittle 1953). The likelihoods of all windows of an image are added up. For one
window alone the prior of the shapes has a say, and its covariance is the mean over the shapes by their
probability.

Legend
    N, K    windows, bins per window
    M       shapes
    kappa   variance of the texture per px of line, grey^2 px
    L       length of line that a profile averages, px
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats, Singles
from crackpipe.pipeline.width.fit.whitening import inverse_factor, product

# Shapes: texture made by a Gaussian filter of g px, phi = exp(-d^2 / 4 g^2), or with sharp grains,
# phi = exp(-|d| / l); each with several shares of independent noise, in px.
_GAUSS_PX = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)
_EXPONENTIAL_PX = (0.5, 1.0, 2.0, 4.0)
_WHITE_PX = (0.01, 0.025, 0.06, 0.16, 0.4, 1.0, 3.0, 12.0)
_EXPONENTIAL_WHITE_PX = (0.025, 0.16, 1.0)
_SHAPES = len(_GAUSS_PX) * len(_WHITE_PX) + len(_EXPONENTIAL_PX) * len(_EXPONENTIAL_WHITE_PX)
# The prior: texture that is alike over 1 px, and camera noise with a third of its standard deviation.
_PRIOR_PX, _PRIOR_LN_PX_SD = 1.0, 0.5
_PRIOR_WHITE_PX, _PRIOR_LN_WHITE_SD = 0.04, 2.5
_PRIOR_EXPONENTIAL = -1.0
# Waves per px. Faster waves show the grid of pixels rather than texture, and a slot has none as fast.
_FASTEST = 0.55
# The image's median scale counts as much in a window's scale as this many degrees of freedom.
_POOLED_FREEDOM = 20.0
_LEAST_VARIANCE = 1e-3
_NEGLIGIBLE = 1e-5
_MISSING = 1e6
"""Variance of a bin without pixels, in units of kappa / L."""


@dataclass(frozen=True)
class Noise:
    """The noise of N windows."""

    shape: Floats
    """(N, M) or (1, M): probability of each shape."""
    scale: Floats
    """(N, M) kappa / L under each shape, grey^2."""

    def rows(self, part: slice) -> "Noise":
        """The noise of some of the windows."""
        return Noise(
            self.shape if len(self.shape) == 1 < len(self.scale) else self.shape[part], self.scale[part]
        )


@dataclass(frozen=True, kw_only=True)
class _Shapes:
    correlation: Floats
    """(M, K) phi at 0, 1, 2, ... bins."""
    white: Floats
    """(M,) r / bin_px: independent variance where bins hold pixels alike."""
    power: Floats
    """(M, K) power of each wave, for kappa / L = 1."""
    ln_prior: Floats
    """(M,)."""


@lru_cache(maxsize=512)
def _shapes(bins: int, bin_px: float) -> _Shapes:
    distance = np.arange(bins) * bin_px
    rows = [
        (np.exp(-((distance / (2 * g)) ** 2)), r / bin_px, _ln_prior(g, r))
        for g in _GAUSS_PX
        for r in _WHITE_PX
    ] + [
        (np.exp(-distance / length), r / bin_px, _ln_prior(length, r) + _PRIOR_EXPONENTIAL)
        for length in _EXPONENTIAL_PX
        for r in _EXPONENTIAL_WHITE_PX
    ]
    correlation, white, prior = (np.array(column) for column in zip(*rows, strict=True))
    waves = _waves(bins)
    apart = np.abs(np.arange(bins)[:, None] - np.arange(bins))
    textures = np.stack([(product(waves, phi[apart]) * waves).sum(axis=1) for phi in correlation])
    power = textures + white[:, None]
    return _Shapes(correlation=correlation, white=white, power=power, ln_prior=prior)


def _ln_prior(size_px: float, white_px: float) -> float:
    size = np.log(size_px / _PRIOR_PX) / _PRIOR_LN_PX_SD
    white = np.log(white_px / _PRIOR_WHITE_PX) / _PRIOR_LN_WHITE_SD
    return float(-(size**2 + white**2) / 2)


def _waves(bins: int) -> Floats:
    """Cosine waves, slow to fast: the rows (K, K) of the orthonormal DCT-II."""
    phase = (np.arange(bins) + 0.5) * np.pi / bins
    waves = np.sqrt(2.0 / bins) * np.cos(np.arange(bins)[:, None] * phase)
    waves[0] /= np.sqrt(2.0)
    return np.asarray(waves)


def passing_of(rows: Singles, weight: Singles, precision: Floats) -> Floats:
    """How much of each wave's power in the noise comes out in each wave of a fit's misfits, (N, K, K).

    `rows` (N, P + 1, K) are the Jacobian at the end of the fit with P parameters, and the misfits; `weight`
    (N, K) 1 / variance of the samples, and `precision` (N, P) of the prior, as the fit took them. A fit takes
    away what looks like a slot. So slow waves are weaker in its misfits, and partly look like fast waves.
    """
    jacobian = rows[:, :-1].astype(np.float64)
    weighted = jacobian * weight[:, None, :]
    hessian = weighted @ jacobian.transpose(0, 2, 1)
    diagonal = np.arange(precision.shape[1])
    hessian[:, diagonal, diagonal] += precision
    waves = _waves(rows.shape[2])
    seen = product(waves, jacobian.transpose(0, 2, 1))
    taken = product(seen, product(np.linalg.solve(hessian, weighted), waves.T))
    return np.asarray((np.eye(len(waves)) - taken) ** 2)


def noise_of(
    residual: Singles, present: Singles, passing: Floats, bin_px: Floats, *, together: bool
) -> Noise:
    """Shape and scale of the noise from the misfits of a first fit.

    `residual` (N, K) are misfits in grey values; `present` (N, K), 0 to 1, says how far each bin is to be
    believed; `passing` (N or 1, K, K) is as from `passing_of`; `bin_px` (N,) is the bins' width. `together`:
    all windows are of one image and share a shape.
    """
    count, bins = residual.shape
    # Each window has a product of its own here and below, so that it does not depend on its neighbours.
    waves = _waves(bins).astype(np.float32)
    power = product((residual * present)[:, None], waves.T)[:, 0].astype(np.float64) ** 2
    freedom = passing.sum(axis=2) * present.mean(axis=1, dtype=np.float64)[:, None]
    frequency = np.arange(bins) / (2.0 * bins * bin_px[:, None])
    freedom = np.where((frequency > 0) & (frequency <= _FASTEST), freedom, 0.0)
    total = np.maximum(freedom.sum(axis=1), 1e-3)
    scale, likelihood, prior = np.empty((3, count, _SHAPES))
    for value in np.unique(bin_px):
        rows = bin_px == value
        shapes = _shapes(bins, float(value))
        expected = product(passing if len(passing) == 1 else passing[rows], shapes.power.T)
        share = (freedom[rows] * power[rows] / np.maximum(present[rows].mean(axis=1), 1e-3)[:, None])[:, None]
        mean = product(share, 1.0 / expected)[:, 0] / total[rows, None]
        scale[rows] = np.maximum(mean, _LEAST_VARIANCE)
        likelihood[rows] = product(freedom[rows, None], np.log(expected))[:, 0] / -2.0
        prior[rows] = shapes.ln_prior
    likelihood -= total[:, None] / 2 * np.log(scale)
    if together:
        shape = _normalised((likelihood.sum(axis=0) + prior[0])[None])
        pooled = np.median(scale, axis=0)
        scale = (total[:, None] * scale + _POOLED_FREEDOM * pooled) / (total[:, None] + _POOLED_FREEDOM)
    else:
        shape = _normalised(likelihood + prior)
    return Noise(shape, scale)


def _normalised(ln_probability: Floats) -> Floats:
    probability = np.exp(ln_probability - ln_probability.max(axis=1, keepdims=True))
    return np.asarray(probability / probability.sum(axis=1, keepdims=True))


def whitener_of(noise: Noise, pixels: Singles, present: Singles, extra: Singles, bin_px: Floats) -> Singles:
    """Inverse lower Cholesky factors (N, K, K) of the covariances of N windows: see `whitening`.

    `pixels` (N, K) are the bins' pixel counts, `present` as in `noise_of`, `extra` (N, K) variances to be
    added, grey^2.
    """
    bins = pixels.shape[1]
    weight = (noise.shape * noise.scale)[:, None, :]
    table, white = np.empty(pixels.shape), np.empty(len(pixels))
    for value in np.unique(bin_px):
        rows = bin_px == value
        shapes = _shapes(bins, float(value))
        # each window has a product of its own, so that it does not depend on its neighbours
        table[rows] = product(weight[rows], shapes.correlation)[:, 0]
        white[rows] = (weight[rows] @ shapes.white)[:, 0]
    # Tiny correlations become exact zeros, because products of tiny numbers are denormal and slow.
    near = np.where(np.abs(table) < _NEGLIGIBLE * table[:, :1], 0.0, table)
    both_ways = np.concatenate([near[:, :0:-1], near], axis=1, dtype=np.float32, casting="same_kind")
    covariance = np.lib.stride_tricks.sliding_window_view(both_ways, bins, axis=1)[:, ::-1].copy()
    mean = pixels.mean(axis=1, keepdims=True)
    some = (pixels > 0) & (present > 0)
    own = white[:, None] * mean / np.maximum(pixels, 1.0) + extra
    # A bin that is not fully believed gets independent noise on top: at belief 1/2 as much as its own
    # variance, at belief 1/3 twice as much.
    level = (table[:, :1] + own) * np.where(some, 1.0 / np.maximum(present, 1e-6) - 1.0, _MISSING)
    place = np.arange(bins)
    covariance[:, place, place] += (own + np.minimum(level, table[:, :1] * _MISSING)).astype(np.float32)
    return inverse_factor(covariance)
