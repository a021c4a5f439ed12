"""Things on a road that are not cracks: paint, sealant, joints, patches, stains, shadows.

Each of them is a `Mark`: a region with a soft, irregular, perhaps worn edge, and its effect on the pavement.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from math import ceil, floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crackpipe.model.render.cracks import Window, distance_to_segment, segments_near
from crackpipe.model.render.noise import F32, grain, key_of, smooth

F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mark:
    """One region and its effect."""

    outline: F64
    """(V, 2) float64 (row, col) px: corners of a closed polygon, or the centreline of a band."""
    effect: Literal["cover", "stain", "shadow"]
    """`cover` lays a tone over the pavement, `stain` multiplies its tone, `shadow` multiplies the light.

    Of several shadows the darkest counts.
    """
    level: float
    """Of a cover the tone that is laid, in grey values; else the factor, 0..2."""
    _: KW_ONLY
    width_px: float = 0.0
    """Above 0, the mark is a band of this width; 0 means a polygon."""
    opacity: float = 1.0
    """Share of the effect that shows, 0..1."""
    edge_px: float = 1.0
    """How soft the edge is."""
    rough_px: float = 0.0
    """How far the edge strays."""
    rough_scale_px: float = 9.0
    """Over what distance the edge strays."""
    wear: float = 0.0
    """Share that is worn away in flecks, 0..1."""
    texture: float = 0.3
    """Share of the pavement's texture that is still seen under a cover, 0..1."""
    seed: int = 0
    """Of how the edge strays and of the wear."""
    what: str = ""
    """The class that it is labelled as, one of `labels.LABELS`; empty for none."""

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """(row_min, col_min, row_max, col_max) px that the effect can reach."""
        reach = self.width_px / 2 + self.edge_px + 3.5 * self.rough_px + 1
        low, high = self.outline.min(axis=0) - reach, self.outline.max(axis=0) + reach
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def mark_alpha(mark: Mark, window: Window) -> tuple[slice, slice, F32] | None:
    """The part of a window that a mark reaches, as slices, and its strength there, 0..1 float32 (h, w).

    None if it does not reach the window. The strength follows from how deep a pixel lies inside the outline:
    noise moves the outline, a ramp softens it, and wear takes flecks away.
    """
    if not window.meets(mark.bounds):
        return None
    row_min, col_min, row_max, col_max = mark.bounds
    r0, r1 = max(floor(row_min), window.row0), min(ceil(row_max) + 1, window.row0 + window.height)
    c0, c1 = max(floor(col_min), window.col0), min(ceil(col_max) + 1, window.col0 + window.width)
    if r0 >= r1 or c0 >= c1:
        return None
    part = Window(r0, c0, r1 - r0, c1 - c0)
    inside_px: F32 = _band_depth(mark, part) if mark.width_px > 0 else _polygon_depth(mark.outline, part)
    rows, cols = part.rows, part.cols
    if mark.rough_px > 0:
        coarse = smooth(key_of(mark.seed, 1), rows, cols, mark.rough_scale_px)
        fine = smooth(key_of(mark.seed, 2), rows, cols, max(1.5, mark.rough_scale_px / 4))
        wander = np.float32(0.8) * coarse + np.float32(0.45) * fine
        inside_px += np.float32(mark.rough_px) * wander
    ramp = np.clip(inside_px / np.float32(mark.edge_px) + np.float32(0.5), 0, 1)
    alpha = ramp * ramp * (3 - 2 * ramp) * np.float32(mark.opacity)
    if mark.wear > 0:
        alpha = alpha * _wear(mark, rows, cols)
    where = slice(r0 - window.row0, r1 - window.row0), slice(c0 - window.col0, c1 - window.col0)
    return *where, np.asarray(alpha, np.float32)


def _wear(mark: Mark, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> F32:
    """1 where the mark still is, 0 where it is worn away: flecks of the size of stones, in worn areas."""
    flecks = grain(key_of(mark.seed, 3), rows, cols, 1.6)
    areas = smooth(key_of(mark.seed, 4), rows, cols, 45.0)
    strips = smooth(key_of(mark.seed, 5), rows, cols, 9.0)
    level = np.float32(3.2 * (mark.wear - 0.5)) + np.float32(0.9) * areas
    left = (flecks + np.float32(0.6) * strips - level) * np.float32(1.4) + np.float32(0.5)
    return np.asarray(np.clip(left, 0, 1), np.float32)


def _band_depth(mark: Mark, part: Window) -> F32:
    """How deep each pixel lies inside the band, px (h, w); negative outside, down to the mark's reach."""
    half = mark.width_px / 2
    reach = half + mark.edge_px + 3.5 * mark.rough_px + 1
    distance = np.full((part.height, part.width), reach)
    rows, cols = part.rows.astype(np.float64), part.cols.astype(np.float64)
    path = mark.outline
    for i in segments_near(path, np.full(len(path), reach), part):
        p, q = path[i], path[i + 1]
        r = slice(*np.searchsorted(rows, [min(p[0], q[0]) - reach, max(p[0], q[0]) + reach]))
        c = slice(*np.searchsorted(cols, [min(p[1], q[1]) - reach, max(p[1], q[1]) + reach]))
        near, _ = distance_to_segment(p, q, rows[r], cols[c])
        np.minimum(distance[r, c], near, out=distance[r, c])
    return np.asarray(half - distance, np.float32)


def _polygon_depth(corners: F64, part: Window) -> F32:
    """How deep each pixel lies inside the polygon, px (h, w); negative outside (even-odd rule)."""
    rows, cols = part.rows.astype(np.float64), part.cols.astype(np.float64)
    nearest = np.full((part.height, part.width), np.inf)
    inside = np.zeros((part.height, part.width), bool)
    for p, q in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        distance, _ = distance_to_segment(p, q, rows, cols)
        np.minimum(nearest, distance, out=nearest)
        crosses = (rows < p[0]) != (rows < q[0])  # rows whose rightward ray meets this edge
        if crosses.any():
            at = p[1] + (rows - p[0]) / (q[0] - p[0]) * (q[1] - p[1])
            inside ^= crosses[:, None] & (cols[None, :] < at[:, None])
    return np.asarray(np.where(inside, nearest, -nearest), np.float32)
