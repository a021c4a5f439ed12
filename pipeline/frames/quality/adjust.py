"""Positions that agree with the seams: neighbours come together, and the track as a whole stays where it was.

Each position may move, and pays for it; each seam asks that two neighbours move against each other by what it
found, and is trusted far more. Least squares weigh both. The equations of a chain of frames are tridiagonal.
"""

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats

POSITION_SIGMA_M = 0.1
"""By how much a position may be off its neighbours' trend."""
SEAM_SIGMA_M = 0.003
_ROUNDED_M = 0.001


def corrections(asked_m: Floats) -> Floats:
    """Moves (N, 2) (east, north) in metres of frames in the order driven.

    `asked_m` (N - 1, 2) is by how much the second of two neighbours should move more than the first; NaN
    where a seam tells nothing. Moves are rounded to a millimetre, so that frames that come later leave those
    long before them as they are, to the byte.
    """
    from scipy.linalg import solveh_banded

    known = np.asarray(np.isfinite(asked_m).all(axis=1), np.float64)
    asked = np.where(known[:, None] > 0, asked_m, 0.0)
    tie, link = 1.0 / POSITION_SIGMA_M**2, known / SEAM_SIGMA_M**2
    count = len(asked_m) + 1
    banded = np.zeros((2, count))
    banded[1] = tie
    banded[1, :-1] += link
    banded[1, 1:] += link
    banded[0, 1:] = -link
    right = np.zeros((count, 2))
    right[:-1] -= link[:, None] * asked
    right[1:] += link[:, None] * asked
    found = solveh_banded(banded, right)
    return np.asarray(np.round(found / _ROUNDED_M) * _ROUNDED_M)
