"""Make a mask smaller without losing thin cracks.

A crack is a few pixels wide. The usual ways to make a raster smaller (nearest, mode) drop it at the second
step. Here a pixel of the smaller mask has the highest rank of its four: a class before sound road, sound road
before not inspected. So a crack stays in sight, and looks wider than it is.
"""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]


def ranks_of(mask: Mask) -> Mask:
    """uint8 of any shape: 0 not inspected, 1 sound, 2 and more the classes."""
    return mask + np.uint8(1)  # 255, not inspected, wraps to 0


def values_of(ranks: Mask) -> Mask:
    """The mask that has these ranks."""
    return ranks - np.uint8(1)


def halved(mask: Mask) -> Mask:
    """A mask (h, w) at half the size, (ceil(h / 2), ceil(w / 2)): of each four pixels the highest rank."""
    ranks = ranks_of(mask)
    height, width = mask.shape
    ranks = np.pad(ranks, ((0, height % 2), (0, width % 2)))
    rows = np.maximum(ranks[0::2], ranks[1::2])
    return values_of(np.maximum(rows[:, 0::2], rows[:, 1::2]))


def reduced(mask: Mask, times: int) -> Mask:
    """`halved` so many times."""
    for _ in range(times):
        mask = halved(mask)
    return mask
