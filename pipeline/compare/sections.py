"""`changes_sections.parquet`: what changed per road section and lane, and how surely.

Sections are those of `crackpipe sections`: along a centreline, or along the newer year's track. How sure a
length is comes from drawing the cracks of a section anew, with replacement, 400 times: the middle 95 % are
its bounds (Efron, "Bootstrap methods", Annals of Statistics 7(1), 1979). A crack is a network of one year.

Legend: N sections, L lanes, S = N L rows, R rows of `changes.parquet`, P points on them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from crackpipe.pipeline.compare.flat.lines import sampled
from crackpipe.pipeline.compare.flat.threads import in_threads
from crackpipe.pipeline.compare.laid import Laid
from crackpipe.pipeline.compare.table import Rows, length_of, network_of, pieces_of
from crackpipe.pipeline.compare.years import Plane
from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Floats, Geometries, Ints, Texts
from crackpipe.pipeline.sections import coverage
from crackpipe.pipeline.sections import rows as section_rows
from crackpipe.pipeline.sections.cells import Layout
from crackpipe.pipeline.sections.images import read_images
from crackpipe.pipeline.sections.locate import FAR_M
from crackpipe.pipeline.sections.options import Lanes
from crackpipe.pipeline.sections.routes import track
from crackpipe.pipeline.sections.routes.axis import Finder, axes_of
from crackpipe.pipeline.sections.routes.centreline import read_centreline
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.tables import geoparquet

_STEP_M = 0.25
_LEAST_M2 = 1.0
"""Less ground than this, seen by both years, is the rounding of their registration."""
_AT_ONCE = 100_000
_DRAWS = 400
_BOUNDS = (2.5, 97.5)
_NULLABLE, _REQUIRED = True, False
_NUMBER = pa.float64()

SUMMED = {
    "before": ("unchanged", "wider", "narrower", "repaired", "not seen"),
    "grown": ("new", "longer"),
    "wider": ("wider",),
    "repaired": ("repaired",),
}
"""Figures with bounds, and the verdicts that are summed for each."""

SCHEMA = geoparquet.described(
    [
        ("section_id", pa.string(), _REQUIRED, "as in sections.parquet"),
        ("route_id", pa.string(), _REQUIRED, "route"),
        ("lane", pa.int64(), _REQUIRED, "number of the lane, from 1"),
        ("m_begin", _NUMBER, _REQUIRED, "measure of the route at the section's begin, m"),
        ("m_end", _NUMBER, _REQUIRED, "measure of the route at the section's end, m"),
        ("area_m2", _NUMBER, _REQUIRED, "length times width of the lane, m2"),
        ("both_m2", _NUMBER, _REQUIRED, "area that both years inspected, m2"),
        ("registered", pa.bool_(), _NULLABLE, "the years lie on each other there; null without any crack"),
        ("cracks", pa.int64(), _NULLABLE, "networks of cracks, of both years"),
        *(
            item
            for name, what in (
                ("before", "cracks of the older year"),
                ("grown", "what is new or longer"),
                ("wider", "cracks that became wider"),
                ("repaired", "cracks that are gone from inspected ground"),
            )
            for item in (
                (f"{name}_m", _NUMBER, _NULLABLE, f"length of {what}, m; null where nothing can be said"),
                (f"{name}_low_m", _NUMBER, _NULLABLE, f"lower bound of {name}_m at 95 %, m"),
                (f"{name}_high_m", _NUMBER, _NULLABLE, f"upper bound of {name}_m at 95 %, m"),
            )
        ),
        ("geometry", pa.binary(), _REQUIRED, "axis of the lane, LineString, WKB"),
        ("bbox", geoparquet.BBOX, _REQUIRED, "bounds of the geometry"),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which sections."""

    centreline: Path | None = None
    """None: along the newer year's track."""
    layer: str | None = None
    route_field: str | None = None
    length_m: float = 100.0
    lanes: Lanes


@dataclass(frozen=True)
class _Points:
    """P points on all rows."""

    row: Ints
    """(P,)"""
    cell: Ints
    """(P,) section times lanes plus lane; -1 outside of all."""
    length_m: Floats
    """(P,) true length that the point stands for."""

    def inside(self) -> "_Points":
        """Those in a section."""
        some = self.cell >= 0
        return _Points(self.row[some], self.cell[some], self.length_m[some])


@dataclass(frozen=True)
class Sectioned:
    """The table, the section of each row of changes, and what was assumed."""

    table: pa.Table | None
    """None: there are no sections, and `notes` says why."""
    section: Texts
    """(R,) section_id; None outside of all."""
    notes: tuple[str, ...]


def sectioned(laid: Laid, rows: Rows, plane: Plane, wanted: Wanted) -> Sectioned:
    """Changes per section. Raises UsageError for a centreline that cannot be used."""
    none = np.full(len(rows), None, object)
    if not laid.newer.inspected.known:
        return Sectioned(None, none, ("no sections: the newer year has no images",))
    images = read_images(Output(laid.newer.root))
    try:
        if wanted.centreline is None:
            routes = track.routes_of(images.image_id, images.frames(), images.crs)
        else:
            routes = read_centreline(
                wanted.centreline,
                images.crs,
                images.footprints(),
                layer=wanted.layer,
                route_field=wanted.route_field,
            )
    except UsageError as error:
        if wanted.centreline is not None:
            raise
        return Sectioned(None, none, (f"no sections: {error}",))
    layout = Layout.of(Finder.of(axes_of(routes.parts, images.crs)), wanted.lanes, wanted.length_m)
    points = _points(laid, rows, plane, layout)
    names = np.array([name for lanes in section_rows.section_ids(layout) for name in lanes], dtype=object)
    section = _most(points, names, len(rows))
    points = points.inside()
    columns = _places(layout, names) | _changes(laid, rows, plane, layout, points)
    table = pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
    return Sectioned(table, section, (*images.notes, *routes.notes))


def _points(laid: Laid, rows: Rows, plane: Plane, layout: Layout) -> _Points:
    """Points on all rows, at most 0.25 m apart."""
    length = length_of(rows, laid.older, laid.newer)

    def of_portion(low: int) -> tuple[Ints, Ints, Floats]:
        some = np.arange(low, min(low + _AT_ONCE, len(rows)))
        pieces = pieces_of(rows.take(some), laid)
        points = sampled(pieces, _STEP_M)
        share = points.weight_m / np.where(pieces.length_m > 0, pieces.length_m, 1.0)[points.line]
        row = some[points.line]
        return row, _cell_at(points.xy * plane.per_metre, layout), share * length[row]

    found = [*in_threads(of_portion, range(0, len(rows), _AT_ONCE))]
    if not found:
        return _Points(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    row, cell, metres = (np.concatenate(each) for each in zip(*found, strict=True))
    return _Points(row, cell, np.asarray(metres, np.float64))


def _cell_at(points: Floats, layout: Layout) -> Ints:
    """Section times lanes plus lane of points (P, 2) of the working plane; -1 outside of all."""
    if len(points) == 0:
        return np.zeros(0, np.int64)
    axes, columns = layout.axes, layout.columns
    found = layout.finder.nearest_within(points, float(np.abs(columns.edge_o).max()) + FAR_M)
    segment = np.maximum(found, 0)
    s, o = axes.project(segment, points, within=True)
    row, column = layout.sections.row_at(s), columns.at(o)
    lane = np.where(column >= 0, columns.lane[column], -1)
    inside = (found >= 0) & (row >= 0) & (lane >= 0)
    section = np.where(row >= 0, layout.sections.row_section[row], 0)
    return np.where(inside, section * len(layout.lanes.offsets_m) + lane, -1)


def _most(points: _Points, names: Texts, count: int) -> Texts:
    """The section in which most of each row (R,) lies."""
    order = np.lexsort((points.cell, points.row))
    row, cell, length = points.row[order], points.cell[order], points.length_m[order]
    new = np.ones(len(row), np.bool_)
    new[1:] = (np.diff(row) != 0) | (np.diff(cell) != 0)
    first = np.flatnonzero(new)
    total = np.add.reduceat(length, first) if len(first) else np.zeros(0)
    best = np.full(count, -1, np.int64)
    by = np.lexsort((-cell[first], total, row[first]))  # the longest comes last of its row
    best[row[first][by]] = cell[first][by]
    return np.concatenate([names, np.full(1, None, object)])[best]  # -1 is the last one


def _places(layout: Layout, names: Texts) -> dict[str, object]:
    """The columns that say where each section and lane is, (S,) each."""
    sections, lanes = layout.shape[:2]
    at, geometry = layout.sections, section_rows.lane_axes(layout)
    return {
        "section_id": pa.array(names),
        "route_id": np.repeat([layout.axes.parts[part].route_id for part in at.part], lanes),
        "lane": np.tile(section_rows.lane_numbers(layout), sections),
        "m_begin": np.repeat(at.begin_m, lanes),
        "m_end": np.repeat(at.end_m, lanes),
        "area_m2": coverage.zone_m2(layout).sum(axis=2).ravel(),
        "geometry": geoparquet.wkb_of(geometry),
        "bbox": geoparquet.bbox_of(geometry),
    }


def _changes(laid: Laid, rows: Rows, plane: Plane, layout: Layout, points: _Points) -> dict[str, object]:
    """The columns that say what changed, (S,) each."""
    count = layout.shape[0] * layout.shape[1]
    both = coverage.inspected_m2(layout, _both_inspected(laid, plane)).sum(axis=2).ravel()
    said = (rows.verdict != "not registered")[points.row]
    cracked = np.bincount(points.cell, minlength=count) > 0
    registered = np.bincount(points.cell, said, minlength=count) > 0
    known = (both >= _LEAST_M2) & (registered | ~cracked)
    figures = _figures(laid, rows, points, count)
    columns: dict[str, object] = {name: pa.array(values, mask=~known) for name, values in figures.items()}
    return columns | {"both_m2": both, "registered": pa.array(registered, mask=~cracked)}


def _both_inspected(laid: Laid, plane: Plane) -> Geometries:
    """What both years inspected, polygons in the working plane; ground may be in several of them."""
    older = laid.layers.moved_areas(laid.older.inspected.polygons, laid.older.lines)
    newer = laid.newer.inspected.polygons
    if not laid.older.inspected.known:
        common = newer
    else:
        first, second = shapely.STRtree(older).query(newer, predicate="intersects")
        common = shapely.get_parts(shapely.intersection(newer[first], older[second]))
        common = common[shapely.get_type_id(common) == shapely.GeometryType.POLYGON]
    return np.asarray(shapely.transform(common, lambda xy: xy * plane.per_metre), dtype=object)


def _figures(laid: Laid, rows: Rows, points: _Points, count: int) -> dict[str, NDArray[Any]]:
    """Sums of each section and lane (S,) and their bounds, m."""
    network = network_of(rows, laid.older, laid.newer)
    networks = int(network.max(initial=0)) + 1
    cracks, which = np.unique(points.cell * networks + network[points.row], return_inverse=True)
    group = cracks // networks
    values = np.zeros((len(cracks), len(SUMMED)))
    for column, said in enumerate(SUMMED.values()):
        length_m = points.length_m * np.isin(rows.verdict, said)[points.row]
        values[:, column] = np.bincount(which, length_m, minlength=len(cracks))
    low, high = bounds(values, group, count)
    found: dict[str, NDArray[Any]] = {"cracks": np.bincount(group, minlength=count)}
    for column, name in enumerate(SUMMED):
        found[f"{name}_m"] = np.bincount(group, values[:, column], minlength=count)
        found[f"{name}_low_m"], found[f"{name}_high_m"] = low[:, column], high[:, column]
    return found


def bounds(values: Floats, group: Ints, count: int) -> tuple[Floats, Floats]:
    """Bounds at 95 % (count, K) of the sums of `values` (U, K) in each group, by drawing units anew.

    `group` (U,) is ascending. A group without units has 0.
    """
    low, high = np.zeros((count, values.shape[1])), np.zeros((count, values.shape[1]))
    edges = np.searchsorted(group, np.arange(count + 1))
    size = np.diff(edges)
    drawn = np.zeros((0, _DRAWS), np.int64)
    for index in np.argsort(size, kind="stable")[np.count_nonzero(size == 0) :].tolist():
        some = values[edges[index] : edges[index + 1]]
        if len(some) != len(drawn):
            # a generator for each size, so that a section has the same bounds whatever others there are
            of_size = np.random.default_rng(len(some)).integers(0, len(some), (_DRAWS, len(some)))
            drawn = np.ascontiguousarray(of_size.T)
        low[index], high[index] = np.percentile(some.take(drawn, axis=0).sum(axis=0), _BOUNDS, axis=0)
    return low, high
