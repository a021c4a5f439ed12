"""Which tiles tell how familiar an image is, and what they tell together.

Strategy. Encoding every tile once more would cost too much, so a few of them tell: two of each 8 x 8 cores.
These *cells* of 8 x 8 cores are counted from the image's first core, whatever the size of a block is. In
every cell the cores have one fixed order, in which neighbours stand far apart; first come those whose middle,
the square that is looked at, was inspected all over.

A block may hold a part of a cell, a whole one, or several. It offers the first two cores of each cell as far
as it holds them. Of all offers the first two of each cell count. So an image gets the same number however it
was cut into blocks and units.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.grid import Grid, Window

CELL_CORES = 8
"""Cores along each side of a cell."""

PER_CELL = 2
"""Tiles of a cell that tell."""

MIDDLE = 0.5
"""Side of the square in the middle of a tile that is looked at, as a share of the tile's."""

_PLACES = CELL_CORES**2
_STEP = 45  # odd, so that all 64 places come once each; the first two lie far apart, also in small images
_START = 5


@dataclass(frozen=True)
class Offer:
    """A tile that may tell."""

    cell: tuple[int, int]
    """(row, column) of its cell, counted from the image's first."""
    order: int
    """Its place in the order of the cell; of two offers the lower one counts."""
    core: Window


Told = tuple[int, int, int, float]
"""Cell (row, column) and order of a tile, and its familiarity, 0..1: what a block keeps of an offer."""


def offers(grid: Grid, block: Window, cores: Iterable[Window], inspected: NDArray[np.bool_]) -> list[Offer]:
    """The tiles of a block that may tell, by cell and order.

    `cores` are its cores with anything to inspect, `inspected` is bool (h, w) of the block.
    """
    by_cell: dict[tuple[int, int], list[Offer]] = {}
    for core in cores:
        row, col = core.row // grid.core_px, core.col // grid.core_px
        place = CELL_CORES * (row % CELL_CORES) + col % CELL_CORES
        order = (_STEP * place + _START) % _PLACES
        if not _is_seen(_middle(grid, core), block, inspected):
            order += _PLACES
        cell = (row // CELL_CORES, col // CELL_CORES)
        by_cell.setdefault(cell, []).append(Offer(cell, order, core))
    return [
        offer
        for _, some in sorted(by_cell.items())
        for offer in sorted(some, key=lambda offer: offer.order)[:PER_CELL]
    ]


def _middle(grid: Grid, core: Window) -> Window:
    """The middle of a core's tile, which may reach beyond the image."""
    side_px = round(MIDDLE * grid.tile_px)
    margin_px = (grid.tile_px - side_px) // 2
    tile = grid.tile(core)
    return Window(tile.row + margin_px, tile.col + margin_px, side_px, side_px)


def _is_seen(square: Window, block: Window, inspected: NDArray[np.bool_]) -> bool:
    """Whether all of a square lies in the block and was inspected.

    The middle of a tile lies within its core, unless the image ends there or the halo is very wide.
    """
    inside = (
        square.row >= block.row
        and square.col >= block.col
        and square.row_stop <= block.row_stop
        and square.col_stop <= block.col_stop
    )
    return inside and bool(inspected[square.within(block)].all())


def together(told: Iterable[Sequence[float]]) -> float | None:
    """The familiarity of an image, 0..1 to two digits, from what all its blocks kept; None without any.

    `told` are values of `Told`, in any order; as JSON gives them back, they are lists.
    """
    by_cell: dict[tuple[float, float], dict[float, float]] = {}
    for row, col, order, familiarity in told:
        by_cell.setdefault((row, col), {})[order] = familiarity
    counting = [some[order] for some in by_cell.values() for order in sorted(some)[:PER_CELL]]
    return round(float(np.median(counting)), 2) if counting else None
