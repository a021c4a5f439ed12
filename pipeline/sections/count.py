"""Lengths of cracks in each cell of the sections, and what they touch there.

Strategy: each step of a crack is measured against its segment of the route, and cut at the borders of
sections and columns. A piece's share of the line on the map gives it that share of `length_m`, which is true
ground length.

Legend
    C cracks, R rows of sections, L lanes, Z zones, W cells of a section (`cells.Layout`)
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Ints
from crackpipe.pipeline.sections.cells import STRIPS, Columns, Layout, Pieces, cut
from crackpipe.pipeline.sections.locate import (
    CLASSES,
    TYPES,
    Codes,
    Cracks,
    Located,
    closing_unknown,
    locate,
    portions,
    together,
)
from crackpipe.pipeline.sections.options import ZONES
from crackpipe.pipeline.tables.crack_type import TypeLimits


@dataclass(frozen=True)
class Shares:
    """Length of a crack in a cell; sorted by crack. Lengths of one crack add up to its `length_m`."""

    crack: Ints
    cell: Ints
    """section * W + cell of the section; -1 away from all sections."""
    length_m: Floats
    low_o: Floats
    """Smallest and largest offset from the route, m."""
    high_o: Floats


@dataclass
class Touched:
    """What cracks touch in each row of the sections."""

    strips: Bools
    """(R, L, 3) cells of the three equal strips."""
    zones: Bools
    """(R, L, Z)"""
    zones_along: Bools
    """(R, L, Z) by cracks that are not transverse."""
    zones_not_tiny: Bools
    """(R, L, Z) by cracks that are not of class tiny."""
    along_m: Floats
    """(R, L, Z) length along the road of cracks that are not transverse."""
    grid_m2: Floats
    """(R, L, G) area of the cracks in each cell of the grid of 1 m, m2."""


@dataclass(frozen=True)
class Counted:
    """All cracks of a run."""

    cracks: Cracks
    shares: Shares
    touched: Touched
    others: int
    """Rows of other classes, such as joints, that do not count."""


def count_cracks(
    file: Path,
    layout: Layout,
    *,
    classes: Sequence[str] | None,
    limits: TypeLimits,
    touching: Sequence[str] = (),
) -> Counted:
    """All rows of cracks.parquet that are of `classes` (None: all rows), against the routes.

    Rows of the classes `touching` only mark the cells of the three strips that they touch.
    """
    rows, lanes, columns = len(layout.sections.row_section), len(layout.lanes.offsets_m), layout.columns
    touched = Touched(
        strips=np.zeros((rows, lanes, STRIPS), np.bool_),
        zones=np.zeros((rows, lanes, len(ZONES)), np.bool_),
        zones_along=np.zeros((rows, lanes, len(ZONES)), np.bool_),
        zones_not_tiny=np.zeros((rows, lanes, len(ZONES)), np.bool_),
        along_m=np.zeros((rows, lanes, len(ZONES))),
        grid_m2=np.zeros((rows, lanes, int(columns.grid.max()) + 1)),
    )
    closing, codes = closing_unknown(file), Codes()
    cracks: list[Cracks] = []
    shares: list[Shares] = []
    begin, seen = 0, 0
    for portion in portions(file):
        closes = closing[seen : seen + portion.num_rows]
        seen += portion.num_rows
        if classes is None:
            counts = np.ones(portion.num_rows, np.bool_)
        else:
            counts = pc.is_in(portion["class"], pa.array(classes, pa.string())).to_numpy()
        table = portion.filter(pa.array(counts))
        also = pc.is_in(portion["class"], pa.array(touching, pa.string()))
        _touch_only(portion.filter(also), layout, touched)
        if table.num_rows == 0:
            continue
        found = locate(table, closes[counts], layout, limits, codes)
        cracks.append(found.cracks)
        shares.append(_shares(found, layout, touched, begin))
        begin += table.num_rows
    return Counted(together(cracks), _all_shares(shares), touched, seen - begin)


def _touch_only(table: pa.Table, layout: Layout, touched: Touched) -> None:
    """Mark the cells of the strips that lines of other classes touch."""
    if table.num_rows:
        found = locate(table, np.zeros(table.num_rows, np.bool_), layout, TypeLimits(), Codes())
        own = Touched(*(np.zeros_like(getattr(touched, each.name)) for each in fields(Touched)))
        _shares(found, layout, own, 0)
        touched.strips |= own.strips


def _shares(found: Located, layout: Layout, touched: Touched, begin: int) -> Shares:
    """Lengths by crack and cell; cells that are touched are marked. `begin` is the first crack's index."""
    sections, columns, beside = layout.sections, layout.columns, layout.cells - 1
    some = np.flatnonzero(found.segment >= 0)
    segment = found.segment[some]
    ends = [layout.axes.project(segment, points[some], within=False) for points in (found.start, found.stop)]
    s, o = (np.column_stack([each[axis] for each in ends]) for axis in (0, 1))
    pieces = cut(s, o, sections, columns)
    step = some[pieces.step]
    crack, length = found.crack[step], pieces.share * found.length_m[step]
    lane = np.where(pieces.column >= 0, columns.lane[pieces.column], -1)
    inside = (pieces.row >= 0) & (lane >= 0)
    along = found.cracks.type[crack] != TYPES.index("transverse")
    area_m2 = length * np.nan_to_num(found.cracks.width_mm[crack]) / 1000.0
    not_tiny = found.cracks.width_class[crack] != CLASSES.index("tiny")
    _touch(touched, along[inside], not_tiny[inside], area_m2[inside], pieces.take(inside), columns)
    within = np.where(lane >= 0, lane * len(ZONES) + columns.zone[pieces.column], beside)
    cell = np.where(pieces.row >= 0, sections.row_section[pieces.row] * layout.cells + within, -1)
    away = np.flatnonzero(found.segment < 0)
    nowhere = np.full(len(away), np.nan)
    return _summed(
        np.concatenate([crack, found.crack[away]]),
        np.concatenate([cell, np.full(len(away), -1)]),
        np.concatenate([length, found.length_m[away]]),
        np.concatenate([pieces.low_o, nowhere]),
        np.concatenate([pieces.high_o, nowhere]),
        begin,
    )


def _touch(  # noqa: PLR0917
    touched: Touched, along: Bools, not_tiny: Bools, area_m2: Floats, pieces: Pieces, columns: Columns
) -> None:
    """Mark what pieces inside lanes touch. `along`: pieces of cracks that are not transverse."""
    row, column = pieces.row, pieces.column
    lane, zone = columns.lane[column], columns.zone[column]
    touched.strips[row, lane, columns.strip[column]] = True
    touched.zones[row, lane, zone] = True
    touched.zones_along[row[along], lane[along], zone[along]] = True
    touched.zones_not_tiny[row[not_tiny], lane[not_tiny], zone[not_tiny]] = True
    np.add.at(touched.along_m, (row[along], lane[along], zone[along]), pieces.along_m[along])
    np.add.at(touched.grid_m2, (row, lane, columns.grid[column]), area_m2)


def _summed(  # noqa: PLR0917
    crack: Ints, cell: Ints, length: Floats, low: Floats, high: Floats, begin: int
) -> Shares:
    order = np.lexsort((cell, crack))
    crack, cell = crack[order], cell[order]
    first = np.flatnonzero(np.append(True, (np.diff(crack) != 0) | (np.diff(cell) != 0)))
    return Shares(
        crack[first] + begin,
        cell[first],
        np.add.reduceat(length[order], first),
        np.minimum.reduceat(low[order], first),
        np.maximum.reduceat(high[order], first),
    )


def _all_shares(some: Sequence[Shares]) -> Shares:
    if not some:
        return Shares(*(np.zeros(0, np.int64),) * 2, *(np.zeros(0),) * 3)
    return Shares(*(np.concatenate([getattr(each, f.name) for each in some]) for f in fields(Shares)))
