"""Real cracks on other road: what a crack does to the light of its own road is done to another.

A crack is taken over as a ratio, not as grey values: the source's pixels over the road around them, times the
road that it is laid on. So a crack of a bright road is dark by the same share on a dark one, colour casts do
not travel, and the target's own texture goes on right up to the edge. Frame: pixels are (row, col).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Rgb = NDArray[np.uint8]
Labels = NDArray[np.uint8]

_RIM_PX = 2
"""So far beyond the label a crack still darkens: blur of the lens, and labels that are drawn too thin."""

_ROAD_PX = 41
"""Side of the square in which the road around a crack is averaged."""

_LIGHTEST, _DARKEST = 1.0, 0.05
"""A crack darkens. What is lighter than its road is a pebble in it, and stays behind."""


def paste_crack(image: Rgb, labels: Labels, source: Rgb, crack: NDArray[np.bool_]) -> tuple[Rgb, Labels]:
    """Lay the cracks of `source` over `image`, both uint8 (H, W, 3) RGB.

    `labels` uint8 (H, W) of `image`; `crack` bool (H, W) of `source`. Returns image and labels with 1 where a
    crack was laid; what nobody inspected (255) stays so. Nothing but crack and rim is changed.
    """
    if not crack.any():
        return image, labels
    rim = ndimage.binary_dilation(crack, iterations=_RIM_PX)
    road = _smooth(source, ~rim)
    ratio = np.clip(source / np.maximum(road, 1.0), _DARKEST, _LIGHTEST)
    # full strength on the crack, none at the end of the rim
    share = ndimage.uniform_filter(ndimage.binary_dilation(crack).astype(np.float32), 2 * _RIM_PX - 1)
    share = np.where(crack, 1.0, share * rim)[..., None]
    # in the crack the target's grains are gone: their average darkens, not each of them
    ground = image + share * (_smooth(image, np.ones_like(crack)) - image)
    laid = np.clip(np.round(ground * (1 + share * (ratio - 1))), 0, 255).astype(np.uint8)
    changed = labels.copy()
    changed[crack & (labels == 0)] = 1
    return np.where(rim[..., None], laid, image), changed


def _smooth(image: Rgb, known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Average of the `known` pixels around each pixel, (H, W, 3); their overall mean where none is near."""
    weight = ndimage.uniform_filter(known.astype(np.float32), _ROAD_PX)
    near = weight > 1e-3
    mean = image[known].mean(axis=0) if known.any() else image.mean(axis=(0, 1))
    smooth = np.empty(image.shape, np.float32)
    for channel in range(3):
        total = ndimage.uniform_filter((image[..., channel] * known).astype(np.float32), _ROAD_PX)
        smooth[..., channel] = np.where(near, total / np.maximum(weight, 1e-3), mean[channel])
    return smooth
