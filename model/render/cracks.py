"""Cracks of analytically known shape, and how much of each pixel they cover.

Legend: V vertices, (h, w) window, S supersampling per axis. Float coordinates are (row, col) in px with the
centre of pixel (i, j) at (i, j).

A crack is the set of points nearer to its centreline than half the local width. Each pixel is divided into
S x S sub-cells, and its coverage is their mean. The coverage of a sub-cell is the share of its extent across
the crack that lies inside, by the exact distance to the centreline. So a crack much narrower than a sub-cell
keeps its area too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

SUPERSAMPLING = 5
MASK_HALF_WIDTH_PX = 0.6
"""Half the width of the mask of a thinner crack: a line of 1.2 px is always 8-connected."""


@dataclass(frozen=True, eq=False)
class Crack:
    """One crack without branches. Raises ValueError for arrays of other shapes."""

    centreline: F64
    """(V, 2) float64, (row, col) px, V >= 2."""
    width_px: F64
    """(V,) full width at each vertex, linear between them."""
    contrast_grey: float
    """How many grey values, of 0..255 in full light, the crack's floor is darker than the pavement's tone
    there, without the texture of stones.

    On unmarked pavement in full light, the darkness summed across a straight crack is contrast_grey x width
    in grey px; where the light factor is s, it is s times that. Under lane paint the floor keeps its grey
    value, so the darkness is larger; under sealant it is smaller.
    """

    def __post_init__(self) -> None:
        if self.centreline.ndim != 2 or self.centreline.shape[1] != 2 or len(self.centreline) < 2:
            raise ValueError(f"centreline has shape {self.centreline.shape}; needed is (V, 2) with V >= 2")
        if self.width_px.shape != (len(self.centreline),):
            raise ValueError(f"width_px has shape {self.width_px.shape} for {len(self.centreline)} vertices")

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """(row_min, col_min, row_max, col_max) px that the crack can touch."""
        reach = float(self.width_px.max()) / 2 + 1
        low, high = self.centreline.min(axis=0) - reach, self.centreline.max(axis=0) + reach
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def length_px(self) -> float:
        """Length of the centreline in px."""
        return float(np.hypot(*np.diff(self.centreline, axis=0).T).sum())


@dataclass(frozen=True)
class Window:
    """Rows row0 .. row0 + height - 1 and columns col0 .. col0 + width - 1, in px."""

    row0: int
    col0: int
    height: int
    width: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of each pixel row, (height,)."""
        return np.arange(self.row0, self.row0 + self.height, dtype=np.int64)

    @property
    def cols(self) -> NDArray[np.int64]:
        """Column of each pixel column, (width,)."""
        return np.arange(self.col0, self.col0 + self.width, dtype=np.int64)

    def meets(self, bounds: tuple[float, float, float, float]) -> bool:
        """Whether (row_min, col_min, row_max, col_max) and the window have a point in common."""
        row_min, col_min, row_max, col_max = bounds
        rows = row_max >= self.row0 - 0.5 and row_min <= self.row0 + self.height
        return rows and col_max >= self.col0 - 0.5 and col_min <= self.col0 + self.width

    def padded(self, margin_px: int) -> Window:
        """The window grown on all four sides."""
        m = margin_px
        return Window(self.row0 - m, self.col0 - m, self.height + 2 * m, self.width + 2 * m)


def segments_near(path: F64, reach_px: F64, window: Window) -> Iterator[int]:
    """Indices of the segments of `path` that touch the window, grown by `reach_px` (V,) at each vertex."""
    low = np.minimum(path[:-1], path[1:])
    high = np.maximum(path[:-1], path[1:])
    reach = np.maximum(reach_px[:-1], reach_px[1:])[:, None]
    first = np.array([window.row0 - 0.5, window.col0 - 0.5])
    last = first + np.array([window.height, window.width])
    touches = np.all((high + reach >= first) & (low - reach <= last), axis=1)
    yield from np.flatnonzero(touches).tolist()


def distance_to_segment(p: F64, q: F64, rows: F64, cols: F64) -> tuple[F64, F64]:
    """Distance (h, w) px from every (row, col) of a grid to the segment p-q, and the place 0..1 along it."""
    along = q - p
    squared = float(along @ along)
    d_row = rows[:, None] - p[0]
    d_col = cols[None, :] - p[1]
    if squared == 0.0:
        return np.hypot(d_row, d_col), np.zeros((len(rows), len(cols)))
    t = np.clip((d_row * along[0] + d_col * along[1]) / squared, 0.0, 1.0)
    return np.hypot(d_row - t * along[0], d_col - t * along[1]), t


def _cells(low: float, high: float, start: int, count: int, step: float) -> slice:
    """Cells of size `step` px, counted from the edge of pixel `start`, that [low, high] touches."""
    edge = start - 0.5
    first = max(0, int(np.floor((low - edge) / step)))
    return slice(first, min(count, int(np.ceil((high - edge) / step)) + 1))


def darkness(cracks: Sequence[Crack], window: Window) -> tuple[F32, F32]:
    """Coverage (h, w), 0..1, and darkness (h, w) in grey values: each pixel's mean of contrast x coverage.

    Strategy: the window is drawn in sub-cells, segment by segment, each in the rectangle that it can reach.
    Where segments or cracks overlap, a sub-cell keeps the strongest, so that junctions are not counted twice.
    At the end sub-cells are averaged to pixels.
    """
    if not cracks:
        none = np.zeros((window.height, window.width), np.float32)
        return none, none
    s = SUPERSAMPLING
    shape = (window.height * s, window.width * s)
    inside = np.zeros(shape, np.float32)
    dark = np.zeros(shape, np.float32)
    step = 1.0 / s
    rows = np.asarray(window.row0 - 0.5 + (np.arange(shape[0]) + 0.5) * step, np.float64)
    cols = np.asarray(window.col0 - 0.5 + (np.arange(shape[1]) + 0.5) * step, np.float64)
    for crack in cracks:
        path, half = crack.centreline, crack.width_px / 2
        for i in segments_near(path, half, window):
            p, q, reach = path[i], path[i + 1], max(half[i], half[i + 1]) + step
            r = _cells(min(p[0], q[0]) - reach, max(p[0], q[0]) + reach, window.row0, shape[0], step)
            c = _cells(min(p[1], q[1]) - reach, max(p[1], q[1]) + reach, window.col0, shape[1], step)
            distance, t = distance_to_segment(p, q, rows[r], cols[c])
            a = half[i] + t * (half[i + 1] - half[i])
            # the part of each sub-cell, from -extent / 2 to extent / 2 around its distance, that lies inside
            extent = step * _lattice_extent(q - p)
            share = np.minimum(distance + extent / 2, a) - np.maximum(distance - extent / 2, -a)
            share = np.clip(share / extent, 0.0, 1.0).astype(np.float32)
            np.maximum(inside[r, c], share, out=inside[r, c])
            np.maximum(dark[r, c], share * np.float32(crack.contrast_grey), out=dark[r, c])
    return _per_pixel(inside), _per_pixel(dark)


def _lattice_extent(along: F64) -> float:
    """Extent of a sub-cell across a segment, in cells, with which the shares add up to the exact width.

    Seen along a segment of direction (p, q), the centres of the cells are 1 / hypot(p, q) apart. Boxes that
    are max(|p|, |q|) such distances wide cover every place equally often.
    """
    length = float(np.hypot(along[0], along[1]))
    return 1.0 if length == 0 else float(np.max(np.abs(along))) / length


def _per_pixel(fine: F32) -> F32:
    s = SUPERSAMPLING
    height, width = fine.shape[0] // s, fine.shape[1] // s
    return np.asarray(fine.reshape(height, s, width, s).mean(axis=(1, 3)), np.float32)


def crack_mask(cracks: Sequence[Crack], window: Window, coverage: F32) -> U8:
    """The true mask (h, w), uint8 0 or 1.

    A pixel is 1 if its coverage is at least 0.5, or if its centre is within max(width / 2,
    MASK_HALF_WIDTH_PX) of a centreline. So a crack thinner than a pixel has a connected mask too.
    """
    mask = coverage >= 0.5
    rows, cols = window.rows.astype(np.float64), window.cols.astype(np.float64)
    for crack in cracks:
        path, half = crack.centreline, np.maximum(crack.width_px / 2, MASK_HALF_WIDTH_PX)
        for i in segments_near(path, half, window):
            p, q, reach = path[i], path[i + 1], max(half[i], half[i + 1])
            r = _cells(min(p[0], q[0]) - reach, max(p[0], q[0]) + reach, window.row0, window.height, 1.0)
            c = _cells(min(p[1], q[1]) - reach, max(p[1], q[1]) + reach, window.col0, window.width, 1.0)
            distance, t = distance_to_segment(p, q, rows[r], cols[c])
            mask[r, c] |= distance <= half[i] + t * (half[i + 1] - half[i])
    return mask.astype(np.uint8)
