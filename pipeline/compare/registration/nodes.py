"""Where the offset field has nodes: on the cracks of both years, no two of them nearer than 20 m."""

import numpy as np
from scipy.spatial import cKDTree

from crackpipe.pipeline.compare.flat import ground
from crackpipe.pipeline.geometry.arrays import Floats

SPACING_M = 20.0


def nodes_of(older: Floats, newer: Floats) -> Floats:
    """Nodes (K, 2) from points on the cracks of both years, (P, 2) each, m.

    Each square of 20 m with older cracks, and with newer ones in it or beside it, offers the mean of its
    older points. Of two that are nearer than 20 m the one with more points stays.
    """
    if len(older) == 0 or len(newer) == 0:
        return np.zeros((0, 2))
    cells, which, count = np.unique(
        ground.cells_at(older, SPACING_M), return_inverse=True, return_counts=True
    )
    mean = np.column_stack([np.bincount(which, older[:, axis]) / count for axis in (0, 1)])
    found = np.unique(ground.cells_at(newer, SPACING_M))
    beside, _ = cKDTree(ground.columns_and_rows(found)).query(
        ground.columns_and_rows(cells), distance_upper_bound=1.5
    )
    both = np.flatnonzero(np.isfinite(beside))
    return _apart(mean[both], count[both].astype(np.float64))


def _apart(points: Floats, rank: Floats) -> Floats:
    """Points (K, 2), of each two nearer than 20 m only the one of higher rank."""
    order = np.lexsort((points[:, 1], points[:, 0], -rank))
    points = points[order]
    first, second = cKDTree(points).query_pairs(SPACING_M, output_type="ndarray").T.reshape(2, -1)
    close: dict[int, list[int]] = {}
    for low, high in zip(first.tolist(), second.tolist(), strict=True):
        close.setdefault(min(low, high), []).append(max(low, high))
    stays = np.ones(len(points), np.bool_)
    for index in range(len(points)):
        if stays[index]:
            stays[close.get(index, [])] = False
    kept = points[stays]
    return np.asarray(kept[np.lexsort((kept[:, 1], kept[:, 0]))])
