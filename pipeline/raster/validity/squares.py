"""Runs and squares of pixels in boolean arrays, (h, w), by doubling: several times as fast as a filter."""

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def all_ahead(pixels: Bools, count: int, axis: int) -> Bools:
    """Whether a pixel and the `count - 1` after it along an axis are all True; False beyond the array."""
    result = np.moveaxis(pixels, axis, 0).copy()
    covered = 1
    while covered < count:
        step = min(covered, count - covered)
        result[:-step] &= result[step:]
        result[-step:] = False
        covered += step
    return np.moveaxis(result, 0, axis)


def any_behind(pixels: Bools, count: int, axis: int) -> Bools:
    """Whether a pixel or one of the `count - 1` before it along an axis is True."""
    result = np.moveaxis(pixels, axis, 0).copy()
    covered = 1
    while covered < count:
        step = min(covered, count - covered)
        result[step:] |= result[:-step]
        covered += step
    return np.moveaxis(result, 0, axis)


def grown(pixels: Bools, reach_px: int) -> Bools:
    """Pixels and all within `reach_px` of them in rows and columns."""
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (0, reach_px)
        cut = [slice(None), slice(None)]
        cut[axis] = slice(reach_px, None)
        pixels = any_behind(np.pad(pixels, pad), 2 * reach_px + 1, axis)[tuple(cut)]
    return pixels


def opened(pixels: Bools, side_px: int) -> Bools:
    """Pixels that lie in a square of True pixels of this side."""
    cores = all_ahead(all_ahead(pixels, side_px, 0), side_px, 1)
    return any_behind(any_behind(cores, side_px, 0), side_px, 1)
