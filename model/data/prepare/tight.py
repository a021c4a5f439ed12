"""Labels shrink to the dark core of the crack; what of them is doubtful no longer counts.

Strategy. Labels are 3 to 22 px wide, whatever the crack. The pavement's grey value and its noise are taken
from the sound pixels around; how far a pixel lies below, in grey values, is its depth. The core is what has
at least half of the greatest depth across the label, which is where the edge of a blurred dark bar lies.
Where the core is hardly deeper than noise would be, nobody can tell where the crack is. Frame: pixels are
(row, col).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_dilation,
    binary_propagation,
    distance_transform_edt,
    gaussian_filter,
    label,
    maximum_filter,
)
from skimage.morphology import skeletonize

from crackpipe.model.data.pairs import NOT_LABELLED_GREY
from crackpipe.model.data.prepare.ridges import F32, Mask, mean_nearby

CRACK_GREY = 255
"""Crack in a mask file."""

CLEAR = 2.0
"""Depth of a core, in standard deviations of the sound pavement, from which it can be told. The darkest
pixels of a label that lies on sound pavement reach about 1.3."""

_SMOOTH_PX = 0.7
_PAVEMENT_PX = 8.0
"""Standard deviation of the weights with which sound pixels are averaged."""
_ALONG_PX = 6.0
"""Standard deviation of the weights with which the depth of a core is averaged."""
_SHARE_OF_DEPTH = 0.5
_UNLABELLED = 2.0
"""Depth, in standard deviations, from which a pixel of the pavement is taken for a crack without a label."""
_BESIDE_PX = 4
"""So far out of its label a crack is looked for."""
_FEWEST_PX = 5
"""A core of fewer pixels is a dark stone."""
_EIGHT = np.ones((3, 3), bool)


def tight(grey: F32, mask: NDArray[np.uint8], clear: float = CLEAR) -> NDArray[np.uint8]:
    """Shrink the labels of a mask to their dark cores.

    `grey` is (H, W), 0..255, and `mask` (H, W) with 0 sound, 127 not labelled, 255 crack, and so is the
    result. 255 remains on the core, where that is `clear` standard deviations deep along about 15 px; the
    rest of a label, one pixel around it, and what is as dark and reaches up to 4 px out of it are 127.
    """
    crack = mask == CRACK_GREY
    if not crack.any():
        return mask.copy()
    around = binary_dilation(crack, _EIGHT)
    depth, noise = depth_and_noise(grey, (mask == 0) & ~around)
    # a crack that reaches out of its label: what is as dark and hangs together with it
    dark = (depth > clear * noise) & binary_dilation(crack, _EIGHT, _BESIDE_PX)
    around |= binary_propagation(crack, _EIGHT, mask=dark | crack)
    result = mask.copy()
    result[around] = NOT_LABELLED_GREY
    result[_core(depth, noise, crack, clear)] = CRACK_GREY
    return result


def depth_and_noise(grey: F32, sound: Mask) -> tuple[F32, F32]:
    """How far each pixel lies below the pavement around it, and that pavement's standard deviation.

    Both (H, W), grey values. `sound` says which pixels are pavement. What is far darker than the rest of it
    is taken for cracks that nobody labelled, and left out.
    """
    smooth = gaussian_filter(grey, _SMOOTH_PX)
    pavement, noise = _level_and_noise(smooth, sound)
    pavement, noise = _level_and_noise(smooth, sound & (pavement - smooth < _UNLABELLED * noise))
    return pavement - smooth, noise


def _level_and_noise(smooth: F32, sound: Mask) -> tuple[F32, F32]:
    weight = np.maximum(mean_nearby(sound, _PAVEMENT_PX), 1e-3)
    level = mean_nearby(np.where(sound, smooth, 0), _PAVEMENT_PX) / weight
    off = np.where(sound, smooth - level, 0) ** 2
    noise = np.sqrt(mean_nearby(off, _PAVEMENT_PX) / weight)
    return level.astype(np.float32), np.maximum(noise, 1.0).astype(np.float32)


def _core(depth: F32, noise: F32, crack: Mask, clear: float) -> Mask:
    reach_px = int(np.ceil(half_width_px(crack))) + 2
    deepest = maximum_filter(np.where(crack, depth, 0), 2 * reach_px + 1)
    core = crack & (depth >= _SHARE_OF_DEPTH * deepest) & (depth > noise)
    # the depth of the core along the crack, not of one dark stone in it
    weight = np.maximum(mean_nearby(core, _ALONG_PX), 1e-3)
    along = mean_nearby(np.where(core, depth / noise, 0), _ALONG_PX) / weight
    core &= along >= clear
    parts, _ = label(core, _EIGHT)
    return np.asarray(core & (np.bincount(parts.ravel()) >= _FEWEST_PX)[parts])


def half_width_px(crack: Mask) -> float:
    """Half the median width of a label, (H, W), px; of an empty one 0."""
    middle = skeletonize(crack)
    if not middle.any():
        return 0.0
    return float(np.median(distance_transform_edt(np.pad(crack, 1))[1:-1, 1:-1][middle]))
