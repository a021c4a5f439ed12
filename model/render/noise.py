"""Noise that depends only on where a pixel lies, so that any window of a scene gets the same values.

Random numbers are hashes of (key, row, col) and not draws from a stream. So a strip of 100,000 rows needs no
state, and two windows that overlap agree. `rows` and `cols` are always 1-D arrays of consecutive lattice
positions, int64, negative ones allowed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtri

F32 = NDArray[np.float32]
U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]


def key_of(seed: int, layer: int) -> int:
    """A 32-bit key for one noise layer of one scene; different layers are independent."""
    return int(np.random.SeedSequence((seed, layer)).generate_state(1)[0])


def _mix(x: U32) -> U32:
    """The lowbias32 finaliser (C. Wellons, hash-prospector): every input bit reaches every output bit."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def hash_grid(key: int, rows: I64, cols: I64) -> U32:
    """Hash of every lattice point, uint32 (h, w), uniform over the whole range."""
    k = np.uint32(key)
    r = _mix(rows.astype(np.uint32) ^ k)
    c = _mix(cols.astype(np.uint32) * np.uint32(0x9E3779B9) + _mix(np.array([key], np.uint32)))
    return _mix(r[:, None] + c[None, :])


def uniform(key: int, rows: I64, cols: I64) -> F32:
    """Uniform noise in [0, 1), float32 (h, w)."""
    return (hash_grid(key, rows, cols) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


@lru_cache(maxsize=1)
def _quantiles() -> F32:
    # 65,536 quantiles are cheaper than Box-Muller and reach 4.3 standard deviations
    return np.asarray(ndtri((np.arange(65536) + 0.5) / 65536), dtype=np.float32)


def normal(key: int, rows: I64, cols: I64) -> F32:
    """Standard normal white noise, float32 (h, w)."""
    return np.take(_quantiles(), hash_grid(key, rows, cols) >> np.uint32(16))


def _spread(span: I64, margin: int) -> I64:
    return np.arange(span[0] - margin, span[-1] + 1 + margin, dtype=np.int64)


def grain(key: int, rows: I64, cols: I64, sigma_px: float) -> F32:
    """White noise through a Gaussian of `sigma_px`, scaled back to standard deviation 1, float32 (h, w)."""
    margin = int(4 * sigma_px + 1)
    field = normal(key, _spread(rows, margin), _spread(cols, margin))
    for axis in (0, 1):
        field = gaussian_filter1d(field, sigma_px, axis=axis, truncate=4.0)
    offsets = np.arange(-margin, margin + 1)
    weights = np.exp(-0.5 * (offsets / sigma_px) ** 2)
    gain = np.sum((weights / weights.sum()) ** 2)  # variance left per 2-D point: (sum of squares per axis)^2
    return field[margin:-margin, margin:-margin] / np.float32(gain)


def _spline_taps(span: I64, spacing_px: float) -> tuple[I64, F32]:
    """First lattice index and the four cubic B-spline weights of each position, (n,) and (4, n)."""
    x = span / spacing_px
    first = np.floor(x).astype(np.int64)
    t = (x - first).astype(np.float32)
    s = 1 - t
    taps = [s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3]
    return first - 1, np.asarray(np.stack(taps) / 6, np.float32)


# standard deviation of a cubic B-spline field over unit white noise: the mean over the places between two
# lattice points of the sum of the four squared weights, once for each of the two axes
_SPLINE_SD = 151 / 315


def smooth(key: int, rows: I64, cols: I64, spacing_px: float, spacing_col_px: float | None = None) -> F32:
    """Smooth noise of about unit deviation: a cubic B-spline over a lattice of normals, float32 (h, w).

    The lattice has `spacing_px` between rows and `spacing_col_px`, by default the same, between columns.
    """
    first_r, w_r = _spline_taps(rows, spacing_px)
    first_c, w_c = _spline_taps(cols, spacing_col_px or spacing_px)
    lattice_r = np.arange(first_r[0], first_r[-1] + 4, dtype=np.int64)
    lattice_c = np.arange(first_c[0], first_c[-1] + 4, dtype=np.int64)
    lattice = normal(key, lattice_r, lattice_c)
    at_r = first_r - first_r[0]
    at_c = first_c - first_c[0]
    # plain sums of four products: a matrix product may round in another way with another number of threads
    columns = sum(w_r[k][:, None] * lattice[at_r + k] for k in range(4))
    field = sum(w_c[k][None, :] * np.take(columns, at_c + k, axis=1) for k in range(4))
    return np.asarray(field, dtype=np.float32) / np.float32(_SPLINE_SD)
