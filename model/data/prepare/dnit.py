"""Frames of DNIT's survey vehicle: what looks like a crack and is not labelled no longer counts as sound.

The labels are pieces of dark ridges, and fine cracks are missing (their SOURCE.md). So every dark ridge in
the lane that has no label is doubtful. What is left is a negative that can be trusted. Frame: pixels are
(row, col).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from crackpipe.model.data.pairs import NOT_LABELLED_GREY
from crackpipe.model.data.prepare.ridges import F32, lines, longer_than, ridge_strength
from crackpipe.model.data.prepare.tight import tight

LONG_PX = 20
"""A ridge of this length may be a crack with branches that the filter does not see: it takes more with it."""

_LOW, _HIGH = 2.2, 3.5
"""Strength of a ridge all along, and somewhere (`ridges.lines`)."""
_SHORTEST_PX = 10
_BESIDE_PX = 2
_BESIDE_LONG_PX = 5
_CLEAR = 1.6
"""What `tight` asks of a core: labels here were made from dark ridges, so they lie on them."""


def trusted(grey: F32, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink labels to their cores, and turn dark ridges without a label into 127.

    `grey` is (H, W), 0..255, and `mask` (H, W) with 0 sound, 127 not labelled, 255 crack, and so is the
    result. Around a ridge 2 px are 127 too, around one of 20 px and more 5 px.
    """
    result = tight(grey, mask, clear=_CLEAR)
    ridges = lines(ridge_strength(grey), _LOW, _HIGH, _SHORTEST_PX)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    doubtful = binary_dilation(ridges, cross, _BESIDE_PX)
    doubtful |= binary_dilation(longer_than(ridges, LONG_PX), cross, _BESIDE_LONG_PX)
    result[doubtful & (result == 0)] = NOT_LABELLED_GREY
    return result
