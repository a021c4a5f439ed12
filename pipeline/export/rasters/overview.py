"""The whole survey in one raster of limited size, from masks in any CRS, rotated or not.

Each mask is read once, block by block, and made smaller by halves until its pixels are at most half a cell of
the overview. Then each of these pixels raises the cell that it falls into to its rank (`ranks.py`). Pixels of
half a cell leave no cell below them out, however the mask is turned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.export.rasters.cog import BLOCK_PX
from crackpipe.pipeline.export.rasters.masks import Raster, StoredMask
from crackpipe.pipeline.export.rasters.ranks import Mask, ranks_of, reduced, values_of
from crackpipe.pipeline.geometry.crs import footprint_in, transformer_between
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.ground import footprint_corners

MOST_PX = 20_000
"""Longest side of the overview."""


@dataclass(frozen=True)
class _Grid:
    """The cells of the overview, north up, in the CRS of the tables."""

    crs_wkt: str
    west: float
    north: float
    cell: float
    """Side of a cell, in units of the CRS."""
    height: int
    width: int

    @property
    def transform(self) -> Affine:
        return Affine(self.cell, 0.0, self.west, 0.0, -self.cell, self.north)


def survey_overview(masks: Sequence[StoredMask], crs: CRS, most_px: int = MOST_PX) -> Raster | None:
    """One raster over all masks, in `crs`, with sides of at most `most_px`; None where no mask lies in `crs`.

    It is held in memory, one byte a cell. A mask of which a corner lies outside `crs` is left out, as it is
    in the tables. Raises what reading the masks raises.
    """
    wkt = crs.to_wkt()
    placed = [(mask, footprint_in(_corners(mask), mask.crs_wkt, wkt)) for mask in masks]
    known = [(mask, corners) for mask, corners in placed if corners is not None]
    if not known:
        return None
    grid = _grid(known, wkt, most_px)
    ranks = np.zeros((grid.height, grid.width), np.uint8)
    for mask, corners in known:
        pixel = _pixel_size(mask, corners)
        halvings = max(0, math.floor(math.log2(grid.cell / (2 * pixel)) + 1e-9))
        for row, col in product(range(0, mask.height_px, BLOCK_PX), range(0, mask.width_px, BLOCK_PX)):
            window = Window(row, col, BLOCK_PX, BLOCK_PX).clipped(mask.height_px, mask.width_px)
            _raise(ranks, grid, mask, window, halvings)
    classes = max((mask.classes for mask, _ in known), key=len)

    def read(window: Window) -> Mask:
        return values_of(ranks[window.row : window.row_stop, window.col : window.col_stop])

    return Raster(grid.height, grid.width, grid.transform, wkt, classes, read)


def _corners(mask: StoredMask) -> NDArray[np.float64]:
    return footprint_corners(mask.transform, mask.height_px, mask.width_px)


def _pixel_size(mask: StoredMask, corners: NDArray[np.float64]) -> float:
    """The longer side of a pixel in the CRS of the overview; `corners` (4, 2) run around the mask there."""
    sides = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    return float(max(max(sides[0::2]) / mask.width_px, max(sides[1::2]) / mask.height_px))


def _grid(known: Sequence[tuple[StoredMask, NDArray[np.float64]]], wkt: str, most_px: int) -> _Grid:
    every = np.concatenate([corners for _, corners in known])
    (west, south), (east, north) = every.min(axis=0), every.max(axis=0)
    finest = 2 * min(_pixel_size(mask, corners) for mask, corners in known)
    # one cell of margin, since a side of a mask in another CRS is a curve
    cell = max(finest, max(east - west, north - south) / (most_px - 2))
    west, north = west - cell, north + cell
    height, width = math.ceil((north - south) / cell) + 1, math.ceil((east - west) / cell) + 1
    return _Grid(wkt, float(west), float(north), float(cell), min(height, most_px), min(width, most_px))


def _raise(ranks: Mask, grid: _Grid, mask: StoredMask, window: Window, halvings: int) -> None:
    """Raise the cells below a block of a mask to the ranks that are found there."""
    small = ranks_of(reduced(mask.read(window), halvings))
    step = 2**halvings
    x, y = mask.transform * (
        window.col + (np.arange(small.shape[1]) + 0.5)[None, :] * step,
        window.row + (np.arange(small.shape[0]) + 0.5)[:, None] * step,
    )
    transformer = transformer_between(mask.crs_wkt, grid.crs_wkt)
    if transformer is not None:
        x, y = transformer.transform(x, y)
    cols = np.floor((x - grid.west) / grid.cell)
    rows = np.floor((grid.north - y) / grid.cell)
    inside = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width) & (small > 0)
    cells = rows[inside].astype(np.int64) * grid.width + cols[inside].astype(np.int64)
    flat, found = ranks.reshape(-1), small[inside]
    for rank in np.unique(found):  # rank by rank, so that a cell that is met twice keeps the highest
        there = cells[found == rank]
        flat[there] = np.maximum(flat[there], rank)
