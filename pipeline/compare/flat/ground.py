"""Parts of the ground, so that time and memory follow the densest of them and not the size of the network.

The plane is cut into square tiles. A line belongs to the tile of its middle, and is near every tile that its
box touches.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from crackpipe.pipeline.geometry.arrays import Floats, Ints

TILE_M = 400.0


@dataclass(frozen=True)
class Places:
    """Which tile each of N lines is in, and which lines are near each tile."""

    tile: Ints
    """(N,) key of the line's own tile."""
    near_tile: Ints
    """(M,) keys, sorted: a line near two tiles stands here twice."""
    near_line: Ints
    """(M,) index of the line that is near `near_tile`."""

    def near(self, key: int) -> Ints:
        """Lines near a tile, ascending."""
        low, high = np.searchsorted(self.near_tile, [key, key + 1])
        return np.sort(self.near_line[low:high])


def places_of(bounds: Floats, reach_m: float) -> Places:
    """Tiles of lines with the boxes `bounds` (N, 4), each grown by `reach_m` (at most a tile)."""
    middle = (bounds[:, :2] + bounds[:, 2:]) / 2
    low = np.floor((bounds[:, :2] - reach_m) / TILE_M).astype(np.int64)
    high = np.floor((bounds[:, 2:] + reach_m) / TILE_M).astype(np.int64)
    wide = high - low + 1
    count = wide[:, 0] * wide[:, 1]
    line = np.repeat(np.arange(len(bounds)), count)
    within = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    column = low[line, 0] + within % np.maximum(wide[line, 0], 1)
    row = low[line, 1] + within // np.maximum(wide[line, 0], 1)
    near = key_of(column, row)
    order = np.lexsort((line, near))
    return Places(tile_of(middle), near[order], line[order])


def tile_of(points: Floats) -> Ints:
    """Key of the tile of each point (P, 2)."""
    return cells_at(points, TILE_M)


def key_of(column: Ints, row: Ints) -> Ints:
    """One number for a tile or another square cell. Keys rise with the column, and in it with the row."""
    return np.asarray((column + 2**30) * 2**31 + (row + 2**30), np.int64)


def cells_at(points: Floats, side_m: float) -> Ints:
    """Key of the square cell of each point (P, 2)."""
    column, row = (np.floor(points[:, axis] / side_m).astype(np.int64) for axis in (0, 1))
    return key_of(column, row)


def columns_and_rows(keys: Ints) -> Ints:
    """(C, 2) of cells with these keys (C,)."""
    return np.column_stack([keys // 2**31, keys % 2**31]) - 2**30


def tiles(places: Places) -> list[tuple[int, Ints]]:
    """Each tile that owns lines, with the lines, in the order of the keys."""
    if len(places.tile) == 0:
        return []
    order = np.argsort(places.tile, kind="stable")
    keys, first = np.unique(places.tile[order], return_index=True)
    return [*zip(keys.tolist(), np.split(order, first[1:]), strict=True)]


# ---- roads

_ROAD_CELL_M = 25.0


@dataclass(frozen=True)
class Roads:
    """Which road a place belongs to. Ground without a gap of over some 50 m is one road."""

    keys: Ints
    """(C,) of the cells, sorted."""
    road: Ints
    """(C,) number of each cell's road, from 0."""

    @property
    def count(self) -> int:
        """How many roads there are."""
        return int(self.road.max(initial=-1)) + 1

    def at(self, points: Floats) -> Ints:
        """The road of each point (P, 2). Raises ValueError for a point in a cell that made no road."""
        cells = cells_at(points, _ROAD_CELL_M)
        place = np.searchsorted(self.keys, cells)
        # keys are positive, so that no cell is the -1 behind the last one
        outside = np.flatnonzero(np.append(self.keys, -1)[place] != cells)
        if len(outside):
            raise ValueError(
                f"point {points[outside[0]].tolist()} lies in no cell of the {self.count} roads: "
                "ask for points among those that roads_of was given"
            )
        return self.road[place]


def roads_of(points: Floats) -> Roads:
    """Roads from points (P, 2) on cracks and inspected ground: cells that meet, also at a corner, are one."""
    keys = np.unique(cells_at(points, _ROAD_CELL_M))
    pairs = cKDTree(columns_and_rows(keys)).query_pairs(1.5, output_type="ndarray").reshape(-1, 2)
    graph = sparse.csr_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(keys), len(keys)))
    _, road = csgraph.connected_components(graph, directed=False)
    return Roads(keys, np.asarray(road, np.int64))
