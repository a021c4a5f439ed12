"""What is known of each lane of each section, as arrays.

Uncertainty: rows of one image err together, because they share the contrast prior and the camera's blur, and
images err by themselves. So deviations are added up within an image, and their squares from image to image.
With sigma_i the deviation and l_i the length of row i, the mean width of a section has the deviation
sqrt(sum over images of (sum over its rows of l_i sigma_i)^2) / sum of l_i. The expected length of a class is
the sum of l_i p_i; its deviation is formed in the same way from l_i sqrt(p_i (1 - p_i)).

Legend
    N sections, L lanes, Z zones, T types, K width classes, R rows of sections
"""

from dataclasses import dataclass

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.count import Counted
from crackpipe.pipeline.sections.coverage import zone_m2
from crackpipe.pipeline.sections.locate import CLASSES, TYPES, Cracks
from crackpipe.pipeline.sections.transverse import Transverse, transverse_cracks

AP9K_LEAST_M2 = 0.005
"""A cell of the grid of 1 m counts from this area of crack on."""


# So many cracks run beside each other where their length along a row is at least this multiple of the row's.
_ALLIGATOR, _MULTIPLE = 2.5, 1.5
_NARROW_MM = 3.0


@dataclass(frozen=True)
class Figures:
    """Lengths and areas of what was found; where nothing was inspected they are 0 and `inspected_m2` too."""

    length_m: Floats
    """(N, L, Z, T, K)"""
    outside_m: Floats
    """(N,) beside all lanes."""
    area_m2: Floats
    """(N, L, Z) of the ground."""
    inspected_m2: Floats
    """(N, L, Z)"""
    width_mean_mm: Floats
    """(N, L), NaN where no crack was measured, weighted by length."""
    width_sigma_mm: Floats
    """(N, L) deviation of that mean."""
    width_p95_mm: Floats
    """(N, L) width that 95 % of the measured length does not exceed."""
    zone_width_mm: Floats
    """(N, L, Z) mean width, NaN where no crack was measured."""
    expected_m: Floats
    """(N, L, 3) expected length of tiny, small, wide."""
    expected_sigma_m: Floats
    """(N, L, 3)"""
    crack_m2: Floats
    """(N, L) length times width."""
    counted_m_mm: Floats
    """(N, L, Z, T) length times width, m mm, of cracks that are not tiny."""
    measured_m: Floats
    """(N, L) length of cracks with a width."""
    over_3mm_m: Floats
    """(N, L) length of those wider than 3 mm."""
    transverse: Transverse
    cells: Ints
    """(N,) cells of the three strips in one lane."""
    cells_touched: Ints
    """(N, L)"""
    zone_touched_m2: Floats
    """(N, L, Z) area of stretches of 1 m that a crack touches."""
    zone_touched_along_m2: Floats
    """(N, L, Z) the same for cracks that are not transverse."""
    zone_touched_without_tiny_m2: Floats
    """(N, L, Z) the same for cracks that are not of class tiny."""
    alligator_m: Floats
    """(N, L, Z) length of the rows in which three or more cracks run beside each other."""
    multiple_m: Floats
    """(N, L, Z) length of the rows in which two do."""
    grid_m2: Floats
    """(N, L) area of cells of the 1 m grid that hold at least 0.005 m2 of crack."""

    @property
    def seen_m2(self) -> Floats:
        """(N, L) inspected area of each lane."""
        return np.asarray(self.inspected_m2.sum(axis=2))

    @property
    def crack_m(self) -> Floats:
        """(N, L) length of all cracks."""
        return np.asarray(self.length_m.sum(axis=(2, 3, 4)))


def figures_of(counted: Counted, layout: Layout, inspected_m2: Floats) -> Figures:
    """Sums over cracks and rows; `inspected_m2` is (N, L, Z)."""
    sections, lanes, zones = layout.shape
    cracks, shares = counted.cracks, counted.shares
    section, within = shares.cell // layout.cells, shares.cell % layout.cells
    located = shares.cell >= 0
    outside = located & (within == layout.cells - 1)
    some = np.flatnonzero(located & ~outside)
    crack, length = shares.crack[some], shares.length_m[some]
    cell = section[some] * lanes * zones + within[some]
    kind = cracks.type[crack] * len(CLASSES) + cracks.width_class[crack]
    kinds = len(TYPES) * len(CLASSES)
    lane = cell // zones
    width, p = cracks.width_mm[crack], cracks.p[crack]
    measured = np.flatnonzero(np.isfinite(width) & np.isfinite(p).all(axis=1))
    sigma = np.nan_to_num(cracks.width_sigma_mm[crack])
    lm, wm, pm, at = length[measured], width[measured], p[measured], lane[measured]
    image = cracks.image[crack][measured]
    total = _sums(at, lm, sections * lanes)
    spread = [np.sqrt(pm[:, index] * (1 - pm[:, index])) for index in range(3)]
    with np.errstate(invalid="ignore"):
        mean = _sums(at, lm * wm, sections * lanes) / total
        deviation = _together(at, image, lm * sigma[measured], sections * lanes) / total
        zone_width = _sums(cell[measured], lm * wm, sections * lanes * zones) / _sums(
            cell[measured], lm, sections * lanes * zones
        )
    return Figures(
        length_m=_sums(cell * kinds + kind, length, sections * lanes * zones * kinds).reshape(
            sections, lanes, zones, len(TYPES), len(CLASSES)
        ),
        outside_m=_sums(section[outside], shares.length_m[outside], sections),
        area_m2=zone_m2(layout),
        inspected_m2=inspected_m2,
        width_mean_mm=mean.reshape(sections, lanes),
        width_sigma_mm=np.where(total > 0, deviation, np.nan).reshape(sections, lanes),
        width_p95_mm=_quantile(at, wm, lm, 0.95, sections * lanes).reshape(sections, lanes),
        zone_width_mm=zone_width.reshape(sections, lanes, zones),
        expected_m=np.stack([_sums(at, lm * pm[:, k], sections * lanes) for k in range(3)], axis=1).reshape(
            sections, lanes, 3
        ),
        expected_sigma_m=np.stack(
            [_together(at, image, lm * each, sections * lanes) for each in spread], axis=1
        ).reshape(sections, lanes, 3),
        crack_m2=_sums(at, lm * wm / 1000.0, sections * lanes).reshape(sections, lanes),
        **_widths(at, cell[measured], cracks, crack[measured], lm, layout.shape),
        transverse=transverse_cracks(counted, layout),
        **_touched(counted, layout),
    )


def _widths(  # noqa: PLR0917
    lane: Ints, cell: Ints, cracks: Cracks, crack: Ints, length: Floats, shape: tuple[int, int, int]
) -> dict[str, np.ndarray]:
    """Sums over measured cracks by their width."""
    sections, lanes, zones = shape
    width = cracks.width_mm[crack]
    counted = cracks.width_class[crack] != CLASSES.index("tiny")
    kind = cell * len(TYPES) + cracks.type[crack]
    size = sections * lanes * zones * len(TYPES)
    return {
        "counted_m_mm": _sums(kind[counted], (length * width)[counted], size).reshape(
            sections, lanes, zones, len(TYPES)
        ),
        "measured_m": _sums(lane, length, sections * lanes).reshape(sections, lanes),
        "over_3mm_m": _sums(lane, length * (width > _NARROW_MM), sections * lanes).reshape(sections, lanes),
    }


def _sums(index: Ints, values: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(index, values, minlength=size), np.float64)


def _together(index: Ints, image: Ints, values: Floats, size: int) -> Floats:
    """For each index the root of the sum over images of (sum of values in the image)^2, (size,)."""
    order = np.lexsort((image, index))
    index, image, values = index[order], image[order], values[order]
    if len(order) == 0:
        return np.zeros(size)
    first = np.flatnonzero(np.append(True, (np.diff(index) != 0) | (np.diff(image) != 0)))
    return np.asarray(np.sqrt(np.bincount(index[first], np.add.reduceat(values, first) ** 2, minlength=size)))


def _quantile(index: Ints, values: Floats, weights: Floats, share: float, size: int) -> Floats:
    """For each index the smallest value that at least `share` of the weight does not exceed; NaN without."""
    order = np.lexsort((values, index))
    index, values, weights = index[order], values[order], weights[order]
    total = np.bincount(index, weights, minlength=size)
    before = np.concatenate([[0.0], np.cumsum(total)])
    running = np.cumsum(weights) - before[index]
    # The first row of each index whose running weight reaches the share.
    reached = np.flatnonzero(running >= share * total[index] * (1 - 1e-9))
    which, first = np.unique(index[reached], return_index=True)
    found = np.full(size, np.nan)
    found[which] = values[reached[first]]
    return found


def _touched(counted: Counted, layout: Layout) -> dict[str, np.ndarray]:
    """Cells and areas that cracks touch, summed over the rows of each section."""
    touched, sections = counted.touched, layout.sections
    interval = np.flatnonzero(sections.row >= 0)
    row_m = sections.edge_s[interval + 1] - sections.edge_s[interval]
    first = np.searchsorted(sections.row_section, np.arange(len(sections.part)))
    zone_width = np.diff(layout.lanes.zone_edges_m())
    columns = touched.grid_m2.shape[2]
    grid_width = np.minimum(1.0, layout.lanes.width_m - np.arange(columns))
    rows = row_m[:, None]
    beside = touched.along_m / row_m[:, None, None]

    def per_section(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, first, axis=0)

    return {
        "cells": np.bincount(sections.row_section, minlength=len(sections.part)) * touched.strips.shape[2],
        "cells_touched": per_section(touched.strips.sum(axis=2)),
        "zone_touched_m2": per_section(touched.zones * row_m[:, None, None]) * zone_width,
        "zone_touched_along_m2": per_section(touched.zones_along * row_m[:, None, None]) * zone_width,
        "zone_touched_without_tiny_m2": per_section(touched.zones_not_tiny * row_m[:, None, None])
        * zone_width,
        "alligator_m": per_section((beside >= _ALLIGATOR) * row_m[:, None, None]),
        "multiple_m": per_section(((beside >= _MULTIPLE) & (beside < _ALLIGATOR)) * row_m[:, None, None]),
        "grid_m2": per_section(((touched.grid_m2 >= AP9K_LEAST_M2) * grid_width).sum(axis=2) * rows),
    }
