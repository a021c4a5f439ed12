"""Real cracks are copied from one road to another.

A crack is copied as a ratio and not as grey values: its pixels are divided by the road around them and
multiplied by the road that they are laid on. So it darkens a dark road by the same share as the bright road
that it comes from, colour casts are not copied, and the target's own texture reaches to the edge of the
crack. Frame: pixels are (row, col).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Rgb = NDArray[np.uint8]
Labels = NDArray[np.uint8]

_RIM_PX = 2
"""How far beyond its label a crack still darkens the road: the lens blurs, and some labels are too thin."""

_ROAD_PX = 41
"""Side of the square in which the road around a crack is averaged."""

_LIGHTEST, _DARKEST = 1.0, 0.05
"""Limits of the ratio. A pixel that is lighter than its road is a pebble in the crack and is not copied."""


def paste_crack(image: Rgb, labels: Labels, source: Rgb, crack: NDArray[np.bool_]) -> tuple[Rgb, Labels]:
    """Lay the cracks of `source` over `image`, both uint8 (H, W, 3) RGB.

    `labels` uint8 (H, W) belongs to `image`, `crack` bool (H, W) to `source`. Returns image and labels, with
    1 where a crack was laid on sound road; other labels stay. Nothing but crack and rim is changed.
    """
    if not crack.any():
        return image, labels
    rim = ndimage.binary_dilation(crack, iterations=_RIM_PX)
    road = _smooth(source, ~rim)
    ratio = np.clip(source / np.maximum(road, 1.0), _DARKEST, _LIGHTEST)
    # the share of the darkening: 1 on the crack, falling to 0 at the end of the rim
    share = ndimage.uniform_filter(ndimage.binary_dilation(crack).astype(np.float32), 2 * _RIM_PX - 1)
    share = np.where(crack, 1.0, share * rim)[..., None]
    # a crack shows no stones of the target, so there the target's average is darkened
    ground = image + share * (_smooth(image, np.ones_like(crack)) - image)
    laid = np.clip(np.round(ground * (1 + share * (ratio - 1))), 0, 255).astype(np.uint8)
    changed = labels.copy()
    changed[crack & (labels == 0)] = 1
    return np.where(rim[..., None], laid, image), changed


def _smooth(image: Rgb, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Average of the `known` pixels around each pixel, (H, W, 3); of all known ones where none is near."""
    weight = ndimage.uniform_filter(known.astype(np.float32), _ROAD_PX)
    near = weight > 1e-3
    mean = image[known].mean(axis=0) if known.any() else image.mean(axis=(0, 1))
    smooth = np.empty(image.shape, np.float32)
    for channel in range(3):
        total = ndimage.uniform_filter((image[..., channel] * known).astype(np.float32), _ROAD_PX)
        smooth[..., channel] = np.where(near, total / np.maximum(weight, 1e-3), mean[channel])
    return smooth
