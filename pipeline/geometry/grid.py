"""Where tiles, cores, blocks and units lie in an image.

Legend
    H, W    height and width of an image, px
    tile    448 x 448 px, what the network sees
    core    the inner part of a tile that is kept; cores partition the image
    halo    the ring around a core that gives context and is thrown away
    block   8 x 8 cores by default: one Zarr chunk, one writer
    unit    one or more blocks, what one Dask task works on

The core grid starts at pixel (0, 0) of every image and has one spacing. So a core lies at the same place for
every size of block or unit, and results cannot depend on how the work was cut. Pixel coordinates are (row,
col) with the centre of pixel (i, j) at (i, j).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

TILE_PX = 448


@dataclass(frozen=True, order=True)
class Window:
    """A half-open rectangle of pixels. It may reach beyond the image."""

    row: int
    """First row."""
    col: int
    """First column."""
    height: int
    """Number of rows."""
    width: int
    """Number of columns."""

    @property
    def row_stop(self) -> int:
        """One past the last row."""
        return self.row + self.height

    @property
    def col_stop(self) -> int:
        """One past the last column."""
        return self.col + self.width

    def padded(self, margin_px: int) -> "Window":
        """The window grown by `margin_px` on all four sides."""
        return Window(
            self.row - margin_px,
            self.col - margin_px,
            self.height + 2 * margin_px,
            self.width + 2 * margin_px,
        )

    def clipped(self, height_px: int, width_px: int) -> "Window":
        """The part of the window inside an image of that size (possibly empty)."""
        row, col = min(max(self.row, 0), height_px), min(max(self.col, 0), width_px)
        row_stop, col_stop = min(max(self.row_stop, row), height_px), min(max(self.col_stop, col), width_px)
        return Window(row, col, row_stop - row, col_stop - col)

    def shared_with(self, other: "Window") -> "Window":
        """The pixels that two windows share; the windows must overlap."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        row_stop, col_stop = min(self.row_stop, other.row_stop), min(self.col_stop, other.col_stop)
        return Window(row, col, row_stop - row, col_stop - col)

    def within(self, outer: "Window") -> tuple[slice, slice]:
        """Slices that cut this window out of an array that holds `outer`."""
        row, col = self.row - outer.row, self.col - outer.col
        return slice(row, row + self.height), slice(col, col + self.width)

    def cells(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        """(row, column) of the cells under the window.

        Cells have that size and are counted from pixel (0, 0).
        """
        rows = range(self.row // height, (self.row_stop - 1) // height + 1)
        return product(rows, range(self.col // width, (self.col_stop - 1) // width + 1))


@dataclass(frozen=True)
class Grid:
    """The fixed grid of cores and blocks over one image."""

    height_px: int
    width_px: int
    halo_px: int = 32
    """Width of the ring of context around a core."""
    block_cores: int = 8
    """Cores along each side of a block."""
    tile_px: int = TILE_PX
    """Side of a tile in the image's own pixels. It is not 448 if the input is resampled."""

    def __post_init__(self) -> None:
        if not 0 <= self.halo_px < self.tile_px // 2:
            raise ValueError(f"halo_px is {self.halo_px}, but must be from 0 to {self.tile_px // 2 - 1}")
        if self.block_cores < 1:
            raise ValueError(f"block_cores is {self.block_cores}, but must be at least 1")

    @property
    def core_px(self) -> int:
        """Side of a core."""
        return self.tile_px - 2 * self.halo_px

    @property
    def block_px(self) -> int:
        """Side of a full block."""
        return self.block_cores * self.core_px

    @property
    def chunk_shape(self) -> tuple[int, int]:
        """(rows, cols) of a Zarr chunk: one block, or the whole image where that is smaller."""
        return min(self.block_px, self.height_px), min(self.block_px, self.width_px)

    def blocks(self) -> list[Window]:
        """All blocks in row-major order, clipped to the image; they partition it."""
        return _partition(Window(0, 0, self.height_px, self.width_px), self.block_px)

    def cores(self, block: Window) -> list[Window]:
        """The cores of one block in row-major order, clipped to the image; they partition the block."""
        return _partition(block, self.core_px)

    def tile(self, core: Window) -> Window:
        """The full square window around a core. At the image's edges it reaches beyond the image."""
        return Window(core.row - self.halo_px, core.col - self.halo_px, self.tile_px, self.tile_px)

    def looks(self, cores: Iterable[Window], side_cores: int) -> list[Window]:
        """Windows of so many cores a side, with the halo of their tiles, that show these cores, in row-major
        order. They lie on the fixed grid; at the image's edges they reach beyond the image.
        """
        step, side = side_cores * self.core_px, side_cores * self.core_px + 2 * self.halo_px
        corners = sorted({(core.row // step * step, core.col // step * step) for core in cores})
        return [Window(row - self.halo_px, col - self.halo_px, side, side) for row, col in corners]

    def tile_count(self, block: Window) -> int:
        """Number of tiles in a block."""
        return math.ceil(block.height / self.core_px) * math.ceil(block.width / self.core_px)


def _partition(area: Window, side_px: int) -> list[Window]:
    return [
        Window(row, col, min(side_px, area.row_stop - row), min(side_px, area.col_stop - col))
        for row in range(area.row, area.row_stop, side_px)
        for col in range(area.col, area.col_stop, side_px)
    ]


@dataclass(frozen=True)
class Block:
    """One block of one image."""

    image_id: str
    window: Window
    tiles: int
    """Number of tiles the network must see for it."""


def plan_units(grids: Iterable[tuple[str, Grid]], unit_tiles: int) -> list[tuple[Block, ...]]:
    """Group the blocks of all images, in the given order, into units of at most `unit_tiles` tiles.

    A block larger than that is a unit of its own. Small images share units.
    """
    units: list[tuple[Block, ...]] = []
    pending: list[Block] = []
    tiles = 0
    for image_id, grid in grids:
        for window in grid.blocks():
            block = Block(image_id, window, grid.tile_count(window))
            if pending and tiles + block.tiles > unit_tiles:
                units.append(tuple(pending))
                pending, tiles = [], 0
            pending.append(block)
            tiles += block.tiles
    if pending:
        units.append(tuple(pending))
    return units


def bounding_window(pixels: NDArray[np.float64] | Sequence[Sequence[float]]) -> Window:
    """The smallest window that holds all pixels (N, 2) (row, col) and their interpolation neighbours."""
    array = np.asarray(pixels, dtype=float)
    low = np.floor(array.min(axis=0)).astype(int)
    high = np.ceil(array.max(axis=0)).astype(int) + 1
    return Window(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
