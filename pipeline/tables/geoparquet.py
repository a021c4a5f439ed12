"""GeoParquet 1.1.0 written with pyarrow alone.

The same rows give the same bytes, and memory never holds all rows twice. Geometries are WKB. The covering
column `bbox` lets readers skip row groups by place. It is double, because float32 has steps of half a metre
at a northing of 4.6e6. Format: https://geoparquet.org/releases/v1.1.0/
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import CRS

VERSION = "1.1.0"
ROWS_PER_GROUP = 100_000

_BBOX_NAMES = ("xmin", "ymin", "xmax", "ymax")
BBOX = pa.struct([pa.field(name, pa.float64(), nullable=False) for name in _BBOX_NAMES])


def described(columns: Iterable[tuple[str, pa.DataType, bool, str]]) -> pa.Schema:
    """A schema from (name, type, nullable, description). Descriptions go into the metadata of the fields."""
    return pa.schema(
        [
            pa.field(name, kind, nullable=nullable, metadata={"description": text})
            for name, kind, nullable, text in columns
        ]
    )


def utf8(text: str) -> str:
    """A text that UTF-8 can hold. Bytes of a file name that are not UTF-8 become the text \\udcNN."""
    return text.encode("utf-8", "backslashreplace").decode()


def wkb_of(geometries: NDArray[np.object_]) -> pa.Array:
    """Little-endian ISO WKB of shapely geometries (N,); None becomes null."""
    wkb = shapely.to_wkb(geometries, byte_order=1, flavor="iso")
    return pa.array(wkb, pa.binary())


def bbox_of(geometries: NDArray[np.object_]) -> pa.StructArray:
    """Bounding boxes of shapely geometries (N,); None becomes null."""
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    missing = pa.array(np.isnan(bounds[:, 0]), pa.bool_())
    columns = [pa.array(np.ascontiguousarray(bounds[:, axis])) for axis in range(4)]
    return pa.StructArray.from_arrays(columns, fields=list(BBOX), mask=missing)


def crs_of(path: Path) -> CRS | None:
    """The CRS that a GeoParquet file names; None if it names none. Raises OSError, KeyError, ValueError."""
    named = json.loads(pq.read_schema(path).metadata[b"geo"])["columns"]["geometry"].get("crs")
    return None if named is None else CRS.from_json_dict(named)


def write(
    table: pa.Table,
    order: NDArray[np.intp],
    path: Path,
    *,
    crs: CRS | None,
    geometry_type: str,
    facts: Mapping[str, str] | None = None,
    compression: str = "zstd",
) -> None:
    """Write the rows of a table in the given order.

    The table has the columns `geometry` (WKB) and `bbox`. Its `compression` is zstd or snappy. Large
    tables are cut into even row groups of 67 to 150 thousand rows. `crs` None means unknown. `facts` go into
    the file's metadata. Raises OSError.
    """
    # One row group is taken at a time, so that memory never holds the table twice.
    parts = (table.take(order[some]) for some in row_groups(len(order)))
    write_parts(
        parts,
        table.schema,
        path,
        crs=crs,
        geometry_type=geometry_type,
        bounds=_total_bounds(table),
        facts=facts,
        compression=compression,
    )


def row_groups(count: int) -> list[slice]:
    """Even portions of `count` rows, each for one row group; at least one."""
    edges = np.linspace(0, count, max(1, round(count / ROWS_PER_GROUP)) + 1).astype(int).tolist()
    return [slice(low, high) for low, high in pairwise(edges)]


def write_parts(
    parts: Iterable[pa.Table],
    schema: pa.Schema,
    path: Path,
    *,
    crs: CRS | None,
    geometry_type: str,
    bounds: Sequence[float] | None,
    facts: Mapping[str, str] | None = None,
    compression: str = "zstd",
) -> None:
    """As `write`, of rows that come in portions, each of which becomes a row group.

    `bounds` are xmin, ymin, xmax, ymax of all rows; None if no row has a box.
    """
    schema = schema.with_metadata({**_metadata(schema, bounds, crs, geometry_type), **(facts or {})})
    with pq.ParquetWriter(path, schema, compression=compression) as writer:
        for part in parts:
            writer.write_table(part.cast(schema), row_group_size=max(1, part.num_rows))


def _metadata(
    schema: pa.Schema, bounds: Sequence[float] | None, crs: CRS | None, geometry_type: str
) -> dict[str, str]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [geometry_type],
        "crs": None if crs is None else crs.to_json_dict(),
        "edges": "planar",
        "covering": {"bbox": {name: ["bbox", name] for name in _BBOX_NAMES}},
    }
    if bounds is not None:
        column["bbox"] = list(bounds)
    geo = {"version": VERSION, "primary_column": "geometry", "columns": {"geometry": column}}
    descriptions = {field.name: field.metadata[b"description"].decode() for field in schema}
    return {"geo": json.dumps(geo), "column_descriptions": json.dumps(descriptions)}


def _total_bounds(table: pa.Table) -> list[float] | None:
    """xmin, ymin, xmax, ymax over the column `bbox`; None if no row has a box."""
    boxes = table.column("bbox")
    ends = (("xmin", pc.min), ("ymin", pc.min), ("xmax", pc.max), ("ymax", pc.max))
    bounds = [extreme(pc.struct_field(boxes, name)).as_py() for name, extreme in ends]
    return None if None in bounds else bounds
