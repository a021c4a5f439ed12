"""Where the ridge of the crack probability lies beside a skeleton pixel, to a fraction of a pixel.

Strategy: one Newton step is made across the line, as Steger does it (IEEE PAMI 20, 1998, section 2). It is
made on the logarithm of the smoothed probability L. There the ridge of a thin line is a parabola, so that one
step is exact. With n the direction of strongest negative curvature, g = dL/dn and h = d2L/dn2:

    offset = -g L / (h L - g^2) n

The smoothing grows with the width, because a wide crack is flat on top and the network's noise would decide
where its ridge is. For the same reason p (2 - p) is smoothed in place of p in wide lines. It is flat where
the network is sure, so that the edges of the crack decide.

The kernels are rounded to integers. Sums of integers below 2^53 are exact in float64 in any order. So an
offset does not depend on how many pixels were computed together with it.
"""

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.masks.values import CERTAIN, NOT_INSPECTED

# (largest half width px, smoothing sigma px). On drawn strips of 1 to 12 px a sigma of about half the half
# width measured best. It is no larger than noise requires, because smoothing moves the ridge of a bend to the
# inside of the bend. Wider lines get no offset, because their top is too flat to have a ridge.
_SCALES = ((2.5, 1.2), (6.0, 2.5), (12.0, 4.0))
_SATURATED_FROM_PX = 2.5
_REACH = 3.0
_KERNEL_UNIT = 1 << 20
_FARTHEST_PX = 1.0
_AT_ONCE = 4096

RIDGE_HALO_PX = int(np.ceil(_REACH * _SCALES[-1][1]))
"""An offset depends on no pixel farther away than this."""


def ridge_offsets(
    probability: NDArray[np.uint8], pixels: NDArray[np.int64], half_width_px: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Displacement (drow, dcol) of pixels (P, 2) onto the ridge, float32 (P, 2), at most 1 px.

    `probability` is uint8 (H, W), round(254 p). 255 (not inspected) counts as 0. Beyond the array the values
    of its edge are repeated. The displacement is zero where the probability is flat or has no ridge, and
    where the line is too wide to have one.
    """
    offsets = np.zeros((len(pixels), 2), np.float32)
    if len(pixels) == 0:
        return offsets
    narrower = 0.0
    for widest, sigma_px in _SCALES:
        chosen = np.flatnonzero((half_width_px > narrower) & (half_width_px <= widest))
        for start in range(0, len(chosen), _AT_ONCE):
            part = chosen[start : start + _AT_ONCE]
            offsets[part] = _newton_step(_responses(probability, pixels[part], sigma_px))
        narrower = widest
    return offsets


def _kernels(sigma_px: float) -> NDArray[np.float64]:
    """A Gaussian and its derivatives by row, col, row row, row col, col col, whole float64 (K * K, 6)."""
    reach = int(np.ceil(_REACH * sigma_px))
    x = np.arange(-reach, reach + 1)
    g = np.exp(-(x**2) / (2 * sigma_px**2))
    g /= g.sum()
    # The sum of the pixels times these gives the derivatives at the centre.
    g1 = x / sigma_px**2 * g
    g2 = (x**2 / sigma_px**4 - 1 / sigma_px**2) * g
    g2 -= g2.mean()
    pairs = ((g, g), (g1, g), (g, g1), (g2, g), (g1, g1), (g, g2))
    stack = np.stack([np.outer(down, across).reshape(-1) for down, across in pairs], axis=1)
    return np.asarray(np.rint(stack * _KERNEL_UNIT))


def _responses(
    probability: NDArray[np.uint8], pixels: NDArray[np.int64], sigma_px: float
) -> NDArray[np.float64]:
    """The smoothed probability and its derivatives at pixels (N, 2), float64 (N, 6), all in the same unit."""
    kernels = _kernels(sigma_px)
    reach = int(np.ceil(_REACH * sigma_px))
    around = np.arange(-reach, reach + 1)
    rows = np.clip(pixels[:, :1] + around, 0, probability.shape[0] - 1)
    cols = np.clip(pixels[:, 1:] + around, 0, probability.shape[1] - 1)
    patches = probability[rows[:, :, None], cols[:, None, :]]
    patches[patches == NOT_INSPECTED] = 0
    level = patches.reshape(len(pixels), -1).astype(np.float64)
    if sigma_px >= _SATURATED_FROM_PX:
        level *= 2 * CERTAIN - level
    return np.asarray(level @ kernels)


def _newton_step(derivatives: NDArray[np.float64]) -> NDArray[np.float32]:
    level, g_row, g_col, h_rr, h_rc, h_cc = derivatives.T
    middle, spread = (h_rr + h_cc) / 2, np.sqrt(((h_rr - h_cc) / 2) ** 2 + h_rc**2)
    curvature = middle - spread
    # The eigenvector of `curvature` can be written in two forms. Each form vanishes along one axis, so take
    # the longer one.
    first = np.stack([h_rc, curvature - h_rr], axis=1)
    second = np.stack([curvature - h_cc, h_rc], axis=1)
    longer = (first**2).sum(axis=1) >= (second**2).sum(axis=1)
    normal = np.where(longer[:, None], first, second)
    length = np.sqrt((normal**2).sum(axis=1))
    ridge = (curvature < 0) & (level > 0) & (length > 0)
    normal /= np.where(ridge, length, 1.0)[:, None]
    slope = g_row * normal[:, 0] + g_col * normal[:, 1]
    along = -slope * level / np.where(ridge, curvature * level - slope**2, 1.0)
    step = np.where(ridge, np.clip(along, -_FARTHEST_PX, _FARTHEST_PX), 0.0)
    return np.asarray(step[:, None] * normal, dtype=np.float32)
