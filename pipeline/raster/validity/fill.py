"""Which pixels hang together with a corner of an image: filled tile by tile, kept packed.

Tiles lie on a lattice fixed to the image. Within a tile the pixels of the wanted colour are labelled; labels
that touch what is filled in a neighbour belong to it too, and then that tile's neighbours are looked at in
turn. Tiles that the fill does not reach are never read. The result is the connected part that holds the
corner, exact to the pixel, so it depends on neither tiles nor blocks. Memory is that of one tile.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.raster.validity.squares import Bools

TILE_PX = 1024

Tile = tuple[int, int]
"""(row, column) on the lattice."""

_STEPS = (-1, 0, 1)
# Where a tile's neighbours lie, which of its own pixels touch them, and which of theirs touch it.
_NEIGHBOURS = (
    ((-1, 0), np.s_[0, :], np.s_[-1, :]),
    ((1, 0), np.s_[-1, :], np.s_[0, :]),
    ((0, -1), np.s_[:, 0], np.s_[:, -1]),
    ((0, 1), np.s_[:, -1], np.s_[:, 0]),
)


@dataclass
class Filled:
    """Pixels of an image, bool, kept packed by tile; tiles that are missing hold none."""

    height_px: int
    width_px: int
    tiles: dict[Tile, bytes] = field(default_factory=dict)

    def window_of(self, tile: Tile) -> Window:
        """The pixels of a tile."""
        return Window(tile[0] * TILE_PX, tile[1] * TILE_PX, TILE_PX, TILE_PX).clipped(
            self.height_px, self.width_px
        )

    def has(self, tile: Tile) -> bool:
        """Whether the image has such a tile."""
        return 0 <= tile[0] * TILE_PX < self.height_px and 0 <= tile[1] * TILE_PX < self.width_px

    @property
    def count_px(self) -> int:
        """How many pixels it holds."""
        return sum(int(np.count_nonzero(self.tile(tile))) for tile in self.tiles)

    @property
    def bounds(self) -> Window:
        """The smallest window around its pixels, of which there is at least one."""
        rows, cols = [], []
        for tile in self.tiles:
            row, col = np.nonzero(self.tile(tile))
            window = self.window_of(tile)
            if len(row):
                rows += [window.row + int(row.min()), window.row + int(row.max())]
                cols += [window.col + int(col.min()), window.col + int(col.max())]
        return Window(min(rows), min(cols), max(rows) - min(rows) + 1, max(cols) - min(cols) + 1)

    def holds(self, row: int, col: int) -> bool:
        """Whether it holds one pixel."""
        pixels = self.read(Window(row, col, 1, 1))
        return pixels is not None and bool(pixels[0, 0])

    def put(self, tile: Tile, pixels: Bools) -> None:
        """Replace the pixels of a tile."""
        self.tiles[tile] = zlib.compress(np.packbits(pixels).tobytes(), 1)

    def tile(self, tile: Tile) -> Bools:
        """Bool (h, w) of a tile."""
        window = self.window_of(tile)
        if tile not in self.tiles:
            return np.zeros((window.height, window.width), np.bool_)
        packed = np.frombuffer(zlib.decompress(self.tiles[tile]), np.uint8)
        count = window.height * window.width
        return np.unpackbits(packed, count=count).view(np.bool_).reshape(window.height, window.width)

    def around(self) -> list[Tile]:
        """Its tiles and their neighbours, in order."""
        tiles = {(row + down, col + right) for row, col in self.tiles for down in _STEPS for right in _STEPS}
        return sorted(tile for tile in tiles if self.has(tile))

    def read(self, window: Window) -> Bools | None:
        """Bool (h, w) of a window inside the image, None where it holds no such pixel."""
        result = None
        for tile in window.cells(TILE_PX, TILE_PX):
            if tile in self.tiles:
                if result is None:
                    result = np.zeros((window.height, window.width), np.bool_)
                here, there = _shared(self.window_of(tile), window)
                result[there] = self.tile(tile)[here]
        return result


def _shared(tile: Window, window: Window) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The pixels that two windows share, as slices of the first and of the second."""
    row, col = max(tile.row, window.row), max(tile.col, window.col)
    both = Window(
        row,
        col,
        min(tile.row_stop, window.row_stop) - row,
        min(tile.col_stop, window.col_stop) - col,
    )
    return both.within(tile), both.within(window)


def fill(corner: tuple[int, int], height_px: int, width_px: int, wanted: Callable[[Window], Bools]) -> Filled:
    """Fill from a corner (row, col) of an image over its wanted pixels, bool (h, w) of a window inside it."""
    filled = Filled(height_px, width_px)
    first = corner[0] // TILE_PX, corner[1] // TILE_PX
    waiting = {first}
    while waiting:
        tile = min(waiting)
        waiting.remove(tile)
        seeds = _seeds(filled, tile)
        if tile == first:
            seeds[corner[0] % TILE_PX, corner[1] % TILE_PX] = True
        before = filled.tile(tile)
        after = _connected(wanted(filled.window_of(tile)), seeds)
        if np.array_equal(before, after):
            continue
        filled.put(tile, after)
        for (down, right), own, _ in _NEIGHBOURS:
            beside = tile[0] + down, tile[1] + right
            if filled.has(beside) and (after[own] & ~before[own]).any():
                waiting.add(beside)
    return filled


def _seeds(filled: Filled, tile: Tile) -> Bools:
    """Pixels of a tile that touch what is filled beside it."""
    window = filled.window_of(tile)
    seeds = np.zeros((window.height, window.width), np.bool_)
    for (down, right), own, other in _NEIGHBOURS:
        beside = tile[0] + down, tile[1] + right
        if beside in filled.tiles:
            seeds[own] |= filled.tile(beside)[other]
    return seeds


def _connected(wanted: Bools, seeds: Bools) -> Bools:
    """The wanted pixels that hang together with a seed, side by side."""
    if wanted.all():
        return wanted if seeds.any() else np.zeros_like(wanted)
    labels, count = ndimage.label(wanted)
    chosen = np.zeros(count + 1, np.bool_)
    chosen[labels[seeds]] = True
    chosen[0] = False
    return np.asarray(chosen[labels])
