"""Thin a mask to lines one pixel wide, touching only crack pixels, in a bounded number of passes.

The rule is Guo and Hall's (CACM 32, 1989, algorithm A1), the same as in `skimage.morphology.thin`. The better
known rule of Zhang and Suen, also in scikit-image's variant, shortens diagonal lines of two pixels from their
ends. Half of such a crack would vanish, and no halo would bound how far that reaches. Guo and Hall's rule
keeps such lines.

An iteration has two passes, and in each pass its eight neighbours decide whether a pixel is deleted. So after
n iterations a pixel depends on nothing farther away than 2n pixels. With a fixed n, a block with a halo of 2n
pixels therefore gives what the whole image gives, whatever the mask looks like.

Strategy: the mask is one flat array with a border of background, and each pass gets a list of pixels to look
at. At first these are all crack pixels. Later they are only the neighbours of pixels that were deleted since
that pass last ran, because for all others the answer is the same as before.
"""

import numpy as np
from numpy.typing import NDArray

# Neighbours counter-clockwise from the east as (row, col) steps; bit k of a code is neighbour k.
_NEIGHBOURS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def _deletion_tables() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each of the two passes: whether a pixel may be deleted, by the code 0..255 of its neighbours."""
    x = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(bool).T
    crossings = sum((~x[k] & (x[k + 1] | x[(k + 2) % 8])).astype(int) for k in (0, 2, 4, 6))
    pairs_back = sum((x[k] | x[k - 1]).astype(int) for k in (1, 3, 5, 7))
    pairs_on = sum((x[k] | x[(k + 1) % 8]).astype(int) for k in (1, 3, 5, 7))
    fewest = np.minimum(pairs_back, pairs_on)
    # With one crossing, deleting the pixel does not cut the line. With two or three pairs, the pixel is
    # neither an end nor in the interior.
    removable = (crossings == 1) & (fewest >= 2) & (fewest <= 3)
    first = removable & ~((x[1] | x[2] | ~x[7]) & x[0])
    second = removable & ~((x[5] | x[6] | ~x[3]) & x[4])
    return first, second


_TABLES = _deletion_tables()


def thin(mask: NDArray[np.bool_], iterations: int) -> NDArray[np.int64]:
    """The pixels of `mask`, bool (H, W), that remain after at most `iterations` iterations.

    Returns int64 (P, 2) (row, col), sorted. Everything outside the array counts as background. The result
    equals `skimage.morphology.thin(mask, iterations)`, but the cost grows with the number of crack pixels
    only.
    """
    height, width = mask.shape
    image = np.zeros((height + 2, width + 2), np.uint8)
    image[1:-1, 1:-1] = mask
    flat = image.reshape(-1)
    steps = np.array([row * (width + 2) + col for row, col in _NEIGHBOURS])
    pixels = np.flatnonzero(flat.view(np.bool_))  # on bool this is ten times faster than on uint8
    # A pass looks again only at pixels with a neighbour that was deleted since the pass last ran.
    slot = np.empty(flat.size, np.int32)
    looked: list[NDArray[np.int64]] = [pixels, pixels]
    gone: list[NDArray[np.int64]] = [pixels[:0], pixels[:0]]
    for iteration in range(iterations):
        for turn in (0, 1):
            if iteration > 0:
                looked[turn] = _alive_beside(np.concatenate(gone), flat, steps, slot)
            elif turn == 1:
                looked[turn] = pixels[flat[pixels] == 1]
            gone[turn] = _deletable(looked[turn], flat, steps, _TABLES[turn])
            flat[gone[turn]] = 0
        if not gone[0].size and not gone[1].size:
            break
    left = pixels[flat[pixels] == 1]
    return np.column_stack([left // (width + 2) - 1, left % (width + 2) - 1])


def _deletable(
    pixels: NDArray[np.int64], flat: NDArray[np.uint8], steps: NDArray[np.int64], table: NDArray[np.bool_]
) -> NDArray[np.int64]:
    code = np.zeros(pixels.size, np.uint8)
    for bit, step in enumerate(steps):
        code |= flat[pixels + step] << np.uint8(bit)
    return np.asarray(pixels[table[code]])


def _alive_beside(
    gone: NDArray[np.int64], flat: NDArray[np.uint8], steps: NDArray[np.int64], slot: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Neighbours of the pixels `gone` that are still crack, each once; `slot` (H * W,) is scratch space."""
    beside = (gone[:, None] + steps).reshape(-1)
    beside = beside[flat[beside] == 1]
    # Each pixel writes its rank into its slot. Of equal pixels the last one is kept, since its rank stays
    # there. This is cheaper than sorting.
    rank = np.arange(beside.size, dtype=np.int32)
    slot[beside] = rank
    return np.asarray(beside[slot[beside] == rank])
