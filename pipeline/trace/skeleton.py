"""From a mask to skeleton pixels, block by block, with the same result as for the whole image at once.

Everything that a skeleton pixel carries depends on its surroundings only (see `thinning`, `too_wide` and
`ridge`). So a block with a halo of `skeleton_halo_px` gives bit for bit what the whole image gives. The steps
after this one work on skeleton pixels and no longer on rasters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks.values import NOT_INSPECTED
from crackpipe.pipeline.trace.ridge import RIDGE_HALO_PX, ridge_offsets
from crackpipe.pipeline.trace.thinning import thin
from crackpipe.pipeline.trace.too_wide import distance_to_disks


@dataclass(frozen=True)
class Skeleton:
    """The P skeleton pixels of a part of an image, or of all of it."""

    pixels: NDArray[np.int64]
    """(P, 2) (row, col) in the image, sorted."""
    half_width_px: NDArray[np.float32]
    """(P,) from the pixel's centre to the nearest edge of the mask. It is less than half of `cap_px`."""
    probability: NDArray[np.uint8]
    """(P,) round(254 p)."""
    offset_px: NDArray[np.float32]
    """(P, 2) (drow, dcol) from the pixel's centre onto the ridge of the probability, at most 1 px."""
    area_px: int
    """Crack pixels in regions too wide to be lines."""


_EMPTY = Skeleton(
    pixels=np.zeros((0, 2), np.int64),
    half_width_px=np.zeros(0, np.float32),
    probability=np.zeros(0, np.uint8),
    offset_px=np.zeros((0, 2), np.float32),
    area_px=0,
)


def skeleton_halo_px(cap_px: float) -> int:
    """How far around a block its mask and probability must be known, for lines up to `cap_px` wide."""
    # Thinning needs two pixels per iteration. Too wide regions need 1.5 times `cap_px`, for a disk that
    # touches an inscribed disk that touches the core; thinning always needs more. The ridge needs its
    # kernels' reach.
    return max(2 * _iterations(cap_px), RIDGE_HALO_PX)


def _iterations(cap_px: float) -> int:
    # Diagonal edges retreat by 1 / sqrt(2) px per iteration. A ragged mask needs a few iterations more at the
    # end.
    return math.ceil(0.75 * cap_px) + 16


def skeleton_of_block(
    mask: NDArray[np.uint8],
    probability: NDArray[np.uint8],
    outer: Window,
    core: Window,
    *,
    cap_px: float,
) -> Skeleton:
    """The skeleton pixels inside `core`, from arrays that hold `outer`.

    `mask` and `probability` are uint8 (H, W). The mask is 0 for sound and 1.. for crack, the probability is
    round(254 p). In both 255 means not inspected, which counts as sound. `outer` is `core` padded by at least
    `skeleton_halo_px(cap_px)` and clipped to the image. Beyond the image's edge the image is mirrored, so
    that a crack leaves it straight.

    Regions wider than `cap_px` give no pixels, but their area inside `core` is counted. Skeleton pixels whose
    inscribed disk touches such a region belong to its corners and its ragged edge. They are dropped too.
    """
    crack = (mask != 0) & (mask != NOT_INSPECTED)
    if not crack.any():
        return _EMPTY
    beyond = _beyond_image(outer, core, skeleton_halo_px(cap_px))
    crack = np.pad(crack, beyond, mode="reflect")
    probability = np.pad(probability, beyond, mode="reflect")
    origin = np.array([outer.row - beyond[0][0], outer.col - beyond[1][0]])
    pixels = _inside(core, thin(crack, _iterations(cap_px)), origin)
    half_width = _half_width_px(crack, pixels, cap_px)
    area_px = 0
    to_disk = distance_to_disks(crack, cap_px)
    if to_disk is not None:
        rows, cols = core.row - origin[0], core.col - origin[1]
        in_core = to_disk[rows : rows + core.height, cols : cols + core.width]
        area_px = int(np.count_nonzero(in_core <= cap_px / 2))
        alone = to_disk[tuple(pixels.T)] > cap_px / 2 + half_width
        pixels, half_width = pixels[alone], half_width[alone]
    at_pixels = probability[tuple(pixels.T)]
    return Skeleton(
        pixels=pixels + origin,
        half_width_px=half_width,
        probability=np.where(at_pixels == NOT_INSPECTED, 0, at_pixels).astype(np.uint8),
        offset_px=ridge_offsets(probability, pixels, half_width),
        area_px=area_px,
    )


def join(parts: Sequence[Skeleton]) -> Skeleton:
    """The skeleton of a whole image from the skeletons of blocks whose cores partition the image."""
    if not parts:
        return _EMPTY
    pixels = np.concatenate([part.pixels for part in parts])
    order = np.lexsort((pixels[:, 1], pixels[:, 0]))
    return Skeleton(
        pixels=pixels[order],
        half_width_px=np.concatenate([part.half_width_px for part in parts])[order],
        probability=np.concatenate([part.probability for part in parts])[order],
        offset_px=np.concatenate([part.offset_px for part in parts])[order],
        area_px=sum(part.area_px for part in parts),
    )


def _beyond_image(outer: Window, core: Window, halo_px: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """How much of the halo lies beyond the image's edge: (rows before, after), (columns before, after)."""
    before = outer.row - (core.row - halo_px), outer.col - (core.col - halo_px)
    after = core.row_stop + halo_px - outer.row_stop, core.col_stop + halo_px - outer.col_stop
    return (max(before[0], 0), max(after[0], 0)), (max(before[1], 0), max(after[1], 0))


def _inside(core: Window, pixels: NDArray[np.int64], origin: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of the pixels (P, 2), counted from `origin`, that lie in `core`."""
    row, col = (pixels + origin).T
    inside = (row >= core.row) & (row < core.row_stop) & (col >= core.col) & (col < core.col_stop)
    return np.asarray(pixels[inside])


def _half_width_px(crack: NDArray[np.bool_], pixels: NDArray[np.int64], cap_px: float) -> NDArray[np.float32]:
    """Distance from pixels (P, 2) to the nearest background pixel, less half a pixel; float32 (P,).

    This is the Euclidean distance transform, computed only at the pixels. The nearest background pixel always
    touches the mask, so a search tree of the background pixels that do is enough. The distance is infinite if
    it is larger than half of `cap_px`.
    """
    edge = _background_beside(crack)
    if len(edge) == 0:
        return np.full(len(pixels), np.inf, np.float32)
    distance, _ = cKDTree(edge).query(pixels, distance_upper_bound=cap_px / 2 + 1)
    return np.asarray(distance - 0.5, dtype=np.float32)


def _background_beside(crack: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Background pixels that share an edge with a crack pixel, (N, 2) (row, col), sorted."""
    height, width = crack.shape
    row, col = np.divmod(np.flatnonzero(crack), width)
    beside = np.concatenate(
        [
            (row[row > 0] - 1) * width + col[row > 0],
            (row * width + col - 1)[col > 0],
            (row * width + col + 1)[col < width - 1],
            (row[row < height - 1] + 1) * width + col[row < height - 1],
        ]
    )
    edge = np.unique(beside[~crack.reshape(-1)[beside]])
    return np.column_stack(np.divmod(edge, width))
