"""Regions of a mask too wide to be a line, such as a hole, a shadow or a painted area.

They are the morphological opening of the mask by a disk, that is the union of all disks of diameter `cap_px`
that fit into the mask. Nothing farther away than the diameter matters, so blocks give the same regions as the
whole image.

Strategy: a disk that fits contains a square cell of crack pixels. Such full cells are rare and quickly found,
and distances are computed only around them.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def distance_to_disks(mask: NDArray[np.bool_], cap_px: float) -> NDArray[np.float64] | None:
    """Distance of each pixel from the centre of the nearest disk of diameter `cap_px` that fits into `mask`.

    `mask` is bool (H, W), and outside of it is background. Returns float64 (H, W), px. A pixel at up to
    `cap_px / 2` belongs to a region too wide to be a line. Distances up to `cap_px` are exact; where the true
    one is larger, any larger value may stand. None if no disk fits anywhere, which is the usual case.
    """
    radius = cap_px / 2
    distance: NDArray[np.float64] | None = None
    for window in _windows_around_full_cells(mask, radius):
        centres = ndimage.distance_transform_edt(np.pad(mask[window], 1))[1:-1, 1:-1] > radius
        if not centres.any():
            continue
        if distance is None:
            distance = np.full(mask.shape, np.inf)
        to_centre = ndimage.distance_transform_edt(~centres)
        distance[window] = np.minimum(distance[window], to_centre)
    return distance


def _windows_around_full_cells(mask: NDArray[np.bool_], radius: float) -> list[tuple[slice, slice]]:
    """Windows outside of which no disk lies.

    A disk holds a square with a side of `sqrt(2) * radius + 1` pixels. Wherever that square lies, it holds a
    full cell of half its side.
    """
    height, width = mask.shape
    side = int(radius * math.sqrt(2)) + 1
    cell = (side + 1) // 2
    pixels = np.flatnonzero(mask)
    cells = (height // cell, width // cell)
    row, col = pixels // width // cell, pixels % width // cell
    whole = (row < cells[0]) & (col < cells[1])
    count = np.bincount(row[whole] * cells[1] + col[whole], minlength=cells[0] * cells[1])
    groups, _ = ndimage.label(count.reshape(cells) == cell * cell, np.ones((3, 3)))
    # The centre of a disk lies within a radius of its cell, and distances up to a diameter are needed.
    margin = math.ceil(3 * radius) + 2
    return [
        (
            slice(max(rows.start * cell - margin, 0), min(rows.stop * cell + margin, height)),
            slice(max(cols.start * cell - margin, 0), min(cols.stop * cell + margin, width)),
        )
        for rows, cols in ndimage.find_objects(groups)
    ]
