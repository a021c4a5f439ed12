"""A year: what a finished output says of its cracks and of the ground that it inspected."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from pyproj import CRS, Geod, Transformer

from crackpipe.pipeline.compare.again import options_in
from crackpipe.pipeline.compare.flat.coverage import Inspected
from crackpipe.pipeline.compare.flat.lines import Lines, joined, lines_of
from crackpipe.pipeline.compare.flat.threads import give_back
from crackpipe.pipeline.errors import OutputDamagedError, UsageError
from crackpipe.pipeline.fingerprint import COARSE_LOOK, SCREEN
from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries
from crackpipe.pipeline.geometry.crs import transformer_between
from crackpipe.pipeline.state.markers import all_markers
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.sealed import read_json
from crackpipe.pipeline.tables.crack_rows import ORIGIN
from crackpipe.pipeline.tables.overlaps.plane import from_plane, inspected_polygon, to_plane

_COLUMNS = (
    *("crack_id", "network_id", "image_id", "length_m", "width_mm", "width_sigma_mm", "width_p95_mm"),
    *("width_noise_mm", "width_flag", "class", "confidence", "gsd_mm", "acquired", "origin"),
)
"""Of `cracks.parquet`. Those that a table lacks are null."""
_REPEATED = ("image_id", "class", "origin")
"""Texts that many rows share: each is held once."""
_AT_ONCE = 16_384
"""Rows that are shapely's objects at one time, a kilobyte each."""


@dataclass(frozen=True)
class Plane:
    """The plane in metres in which both years are compared."""

    crs: CRS
    """Of the newer year's tables: that of the result."""
    per_metre: float
    """Units of the CRS's working plane per metre on the ground."""

    def metres(self, geometries: Geometries, crs: CRS) -> Geometries:
        """Geometries in any CRS in this plane. Coordinates outside its domain become infinite."""
        way = transformer_between(crs.to_wkt(), self.crs.to_wkt())
        if way is not None and len(geometries):
            geometries = shapely.transform(geometries, way.transform, interleaved=False)
        flat = to_plane(np.asarray(geometries, dtype=object), self.crs)
        return np.asarray(shapely.transform(flat, lambda xy: xy / self.per_metre), dtype=object)

    def world(self, geometries: Geometries) -> Geometries:
        """Geometries of this plane in its CRS."""
        return from_plane(
            np.asarray(shapely.transform(geometries, lambda xy: xy * self.per_metre), dtype=object), self.crs
        )


@dataclass(frozen=True)
class Made:
    """What the images of an output were made from."""

    fingerprints: tuple[Mapping[str, Any], ...]
    """Of the finished images, each kind once."""
    weights: str
    """Name or path of the weights in `run.json`; `None` where it says none."""
    gsd_mm: float
    """Median of the finished images, or else of the cracks."""
    sizes_px: frozenset[tuple[int, int]]
    """(height, width) of the finished images."""
    origins: tuple[str, ...]
    """Who found the cracks: `crackpipe`, or the system that they were imported from."""
    sources: tuple[str, ...]
    """Where the survey was."""
    options: Mapping[str, Any]
    """The configuration of its last run where it differs from the defaults (`again.options_in`)."""


@dataclass(frozen=True)
class Year:
    """One output. N cracks."""

    root: Path
    table: pa.Table
    """(N) columns of `cracks.parquet` without geometry."""
    lines: Lines
    """(N) in the plane."""
    inspected: Inspected
    made: Made

    def numbers(self, name: str) -> Floats:
        """A numeric column, float64 (N,); NaN where it is null."""
        return np.asarray(self.table.column(name).to_numpy(), np.float64)

    def flags(self, name: str) -> Bools:
        """A column of yes and no, bool (N,); no where it is null."""
        return np.asarray(self.table.column(name).fill_null(False).to_numpy(), np.bool_)


def plane_of(root: Path) -> Plane:
    """The plane for the tables of an output. Raises as `read_year`."""
    file = root / "cracks.parquet"
    crs = _crs_of(file)
    bounds = _geo(file).get("bbox") or _geo(_table(root, "images.parquet")).get("bbox")
    if bounds is None:
        raise UsageError(f"{root}: its tables hold neither a crack nor an image that lies on a map.")
    middle = np.array([[(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2]])
    return Plane(crs, _units_per_metre(crs, middle[0]))


def read_year(root: Path, plane: Plane) -> Year:
    """Read the tables and markers of a finished output.

    Raises UsageError if it is none, OutputDamagedError if a table cannot be read, ConfigurationError if
    a newer crackpipe made it.
    """
    output = Output(root)
    output.refuse_newer()
    file = _table(root, "cracks.parquet")
    record = read_json(root / "run.json") or {}
    counted = [name for name, each in record.get("classes", {}).items() if each["kind"] == "crack"]
    lines, kept = [], []
    try:
        crs = _crs_of(file)
        with pq.ParquetFile(file) as opened:
            names = [name for name in _COLUMNS if name in opened.schema_arrow.names]
            for read in _batches(opened, [*names, "geometry"]):
                # with several classes there are rows of joints and the like too
                batch = read.filter(pc.is_in(read.column("class"), pa.array(counted))) if counted else read
                geometries = shapely.from_wkb(batch.column("geometry").to_numpy(zero_copy_only=False))
                lines.append(lines_of(plane.metres(geometries, crs)))
                kept.append(_texts_once(pa.Table.from_batches([batch.select(names)])))
                del read, batch, geometries
            schema = pa.schema([opened.schema_arrow.field(name) for name in names])
    except (OSError, ValueError, KeyError, pa.ArrowInvalid) as error:
        raise OutputDamagedError(
            f"{file} cannot be read: {error}. `crackpipe verify {root}` tells more; run the survey again."
        ) from error
    joined_lines = joined(lines)
    del lines  # at this place memory is fullest
    table = pa.concat_tables(kept) if kept else schema.empty_table()
    del kept
    table = _completed(table)
    if not np.isfinite(joined_lines.xy).all():
        raise UsageError(
            f"{root} lies outside {plane.crs.name}, the CRS of the newer year: these are two places."
        )
    inspected, made = _read_images(output, plane, table, record)
    give_back()
    return Year(root, table, joined_lines, inspected, made)


def _table(root: Path, name: str) -> Path:
    if not (root / name).is_file():
        raise UsageError(
            f"{root / name} does not exist: compare wants the output folders of two finished runs. Run "
            "`crackpipe run` to its end first."
        )
    return root / name


def _geo(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(pq.read_schema(file).metadata[b"geo"])["columns"]["geometry"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        raise OutputDamagedError(
            f"{file} is no GeoParquet: {error}. `crackpipe verify {file.parent}` tells more."
        ) from error


def _crs_of(file: Path) -> CRS:
    named = _geo(_table(file.parent, file.name)).get("crs")
    if named is None:
        raise UsageError(
            f"{file} names no CRS: no image of that run lies on a map, so nothing can be compared."
        )
    return CRS.from_json_dict(named)


def _units_per_metre(crs: CRS, middle: Floats) -> float:
    """Units of the working plane per metre on the ground at a point (2,) in the CRS, to 1e-4 of it."""
    geod, geodetic = crs.get_geod(), crs.geodetic_crs
    if geod is None or geodetic is None:
        raise UsageError(f"CRS {crs.name!r} has no ellipsoid, so distances on the ground are not known.")
    degrees = np.degrees(geodetic.axis_info[0].unit_conversion_factor)
    step = 100.0 if not crs.is_geographic else 0.001
    ends = middle + np.array([[-step / 2, 0.0], [step / 2, 0.0]])
    lon, lat = Transformer.from_crs(crs, geodetic, always_xy=True).transform(ends[:, 0], ends[:, 1])
    lon, lat = np.asarray(lon) * degrees, np.asarray(lat) * degrees
    _, _, metres = Geod(a=geod.a, f=geod.f).inv(lon[0], lat[0], lon[1], lat[1])
    flat = shapely.length(to_plane(np.array([shapely.LineString(ends)], dtype=object), crs)[0])
    return float(flat / metres)


def _completed(table: pa.Table) -> pa.Table:
    """The table with all of `_COLUMNS`."""
    kinds: dict[str, pa.DataType] = {name: pa.string() for name in ("origin", "network_id")}
    kinds |= {"acquired": pa.date32(), "width_flag": pa.bool_()}
    for name in _COLUMNS:
        if name not in table.column_names:
            kind = kinds.get(name, pa.float64())
            table = table.append_column(name, pa.nulls(table.num_rows, kind))
    if table.column("origin").null_count:
        origin = table.column("origin").cast(pa.string()).fill_null(ORIGIN)
        table = table.set_column(table.column_names.index("origin"), "origin", origin)
    return _texts_once(table).unify_dictionaries().combine_chunks()


def _batches(opened: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """All rows, some at a time. `iter_batches` would keep memory of all that it read until the end."""
    for group in range(opened.num_row_groups):
        yield from opened.read_row_group(group, columns, use_threads=False).to_batches(_AT_ONCE)


def _texts_once(table: pa.Table) -> pa.Table:
    """The table with each of the texts that repeat held once."""
    for name in set(_REPEATED) & set(table.column_names):
        column = table.column(name)
        if not pa.types.is_dictionary(column.type):
            table = table.set_column(table.column_names.index(name), name, column.dictionary_encode())
    return table


def _read_images(
    output: Output, plane: Plane, cracks: pa.Table, record: Mapping[str, Any]
) -> tuple[Inspected, Made]:
    """What the images inspected, and what they were made from."""
    file = output.root / "images.parquet"
    origins = tuple(sorted(set(cracks.column("origin").unique().to_pylist()) or {ORIGIN}))
    if not file.is_file():
        return Inspected.unknown(), _made((), (), record, cracks, origins)
    columns = ["image_id", "status", "height_px", "width_px", "gsd_mm", "familiarity", "geometry"]
    known = [name for name in columns if name in pq.read_schema(file).names]
    rows = [row for row in pq.read_table(file, columns=known).to_pylist() if row["status"] == "done"]
    # markers of images that left the survey stay, and none of their cracks is in the tables
    done = {str(row["image_id"]) for row in rows}
    markers = {name: each for each in all_markers(output) if (name := str(each["image_id"])) in done}
    markers = {name: each for name, each in markers.items() if each["status"] == "done"}
    placed = [row for row in rows if row["geometry"] is not None]
    corners = [shapely.get_coordinates(shapely.from_wkb(row["geometry"]))[:4] for row in placed]
    areas = [
        inspected_polygon(
            each,
            row["height_px"],
            row["width_px"],
            markers.get(str(row["image_id"]), {}).get("inspected_area"),
        )
        for each, row in zip(corners, placed, strict=True)
    ]
    polygons = plane.metres(np.array(areas, dtype=object), _crs_of(file)) if areas else np.zeros(0, object)
    familiarity = np.array([row.get("familiarity") for row in placed], np.float64)
    prints = tuple(each["fingerprint"] for each in markers.values())
    return Inspected(polygons, familiarity), _made(prints, rows, record, cracks, origins)


def _made(
    fingerprints: tuple[Mapping[str, Any], ...],
    rows: Any,
    record: Mapping[str, Any],
    cracks: pa.Table,
    origins: tuple[str, ...],
) -> Made:
    own = ("weights", "threshold", "algorithm", "configuration", "precision", COARSE_LOOK, SCREEN)
    kinds = {
        json.dumps({name: each.get(name) for name in own}, sort_keys=True): each for each in fingerprints
    }
    gsd = [row["gsd_mm"] for row in rows if row["gsd_mm"] is not None]
    gsd = gsd or [each for each in cracks.column("gsd_mm").to_pylist() if each is not None]
    name = record.get("configuration", {}).get("weights") or record.get("weights", {}).get("name")
    return Made(
        fingerprints=tuple({name: kinds[key].get(name) for name in own} for key in sorted(kinds)),
        weights=str(name),
        gsd_mm=float(np.median(gsd)) if gsd else float("nan"),
        sizes_px=frozenset((row["height_px"], row["width_px"]) for row in rows),
        origins=origins,
        sources=tuple(str(each) for each in record.get("survey", ())),
        options=options_in(record.get("configuration", {})),
    )
