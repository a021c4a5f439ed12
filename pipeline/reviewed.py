"""What an analyst corrected: crack lines with widths, and the area that was looked at.

Any file that OGR reads (GeoPackage, Shapefile, GeoJSON, FlatGeobuf ...) or GeoParquet, in any CRS.
Frame: geometries are world (x, y) in the file's own CRS.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError

Objects = NDArray[np.object_]

_PARQUET = {".parquet", ".geoparquet"}
_CRACK = "crack"


@dataclass(frozen=True)
class ReviewedLines:
    """N crack lines as they are on the road."""

    crs: CRS
    lines: Objects
    """(N,) shapely LineString, world (x, y)."""
    width_mm: NDArray[np.float64]
    """(N,)"""
    image_id: Objects
    """(N,) the image that a line was drawn on, str; None where the file does not say."""
    without_width: int
    """How many had no width and got the default."""
    other_classes: dict[str, int]
    """Lines whose `class` is not `crack`, by class: left out, so what they lie on counts as sound."""


@dataclass(frozen=True)
class ReviewedArea:
    """Where somebody looked."""

    crs: CRS
    polygons: Objects
    """(M,) shapely Polygon or MultiPolygon, world (x, y)."""


def read_lines(file: Path, *, default_width_mm: float, layer: str | None = None) -> ReviewedLines:
    """Lines of a file, with `width_mm`, `image_id` and `class` where it has those columns.

    A row without a width has `default_width_mm`. Raises UsageError where the file cannot be read, has no CRS,
    holds other geometries than lines, or a width that is no number above 0.
    """
    table = _read(file, layer)
    geometry = _geometries(table)
    known = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    table, geometry = table[known], geometry[known]
    kinds = shapely.get_type_id(geometry)
    lines = np.isin(kinds, (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING))
    if not lines.all():
        raise UsageError(
            f"{file}: {int((~lines).sum())} of {len(lines)} rows are no lines (first: "
            f"{geometry[~lines][0].geom_type}). Keep cracks as lines; areas that were looked at go to --area."
        )
    classes = table["class"].to_numpy(object) if "class" in table else np.full(len(table), None)
    others = np.array([isinstance(each, str) and each != _CRACK for each in classes], dtype=bool)
    widths = _widths(table, file)
    missing = np.isnan(widths)
    image_ids = table["image_id"].to_numpy(object) if "image_id" in table else np.full(len(table), None)
    parts, row = shapely.get_parts(geometry[~others], return_index=True)
    return ReviewedLines(
        crs=_crs(table, file),
        lines=shapely.force_2d(parts),
        width_mm=np.where(missing, default_width_mm, widths)[~others][row],
        image_id=np.array([each if isinstance(each, str) else None for each in image_ids], object)[~others][
            row
        ],
        without_width=int((missing & ~others).sum()),
        other_classes=dict(sorted(Counter(classes[others]).items())),
    )


def read_area(file: Path) -> ReviewedArea:
    """Polygons of a file. Raises UsageError where it cannot be read, has no CRS or holds no polygon."""
    table = _read(file, None)
    geometry = _geometries(table)
    geometry = geometry[~(shapely.is_missing(geometry) | shapely.is_empty(geometry))]
    kinds = shapely.get_type_id(geometry)
    polygons = np.isin(kinds, (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON))
    if not len(geometry) or not polygons.all():
        raise UsageError(
            f"{file}: {int((~polygons).sum())} of {len(geometry)} rows are no polygons. --area wants "
            "polygons around what was reviewed, at least one."
        )
    return ReviewedArea(_crs(table, file), shapely.make_valid(shapely.force_2d(geometry)))


def _read(file: Path, layer: str | None) -> geopandas.GeoDataFrame:
    if not file.is_file():
        raise UsageError(f"{file} does not exist. Give a GeoPackage, GeoJSON, Shapefile or GeoParquet file.")
    try:
        if file.suffix.lower() in _PARQUET:
            return geopandas.read_parquet(file)
        listed = geopandas.list_layers(file)
        names = [str(name) for name in listed["name"][listed["geometry_type"].notna()]]
        if layer is None and len(names) > 1:
            raise UsageError(f"{file} has several layers: {', '.join(names)}. Choose one with --layer.")
        if layer is not None and layer not in names:
            raise UsageError(f"{file} has no layer {layer!r} with geometries, but {', '.join(names)}.")
        table = geopandas.read_file(file, layer=layer or (names[0] if names else None))
    except (RuntimeError, pa.ArrowInvalid, ValueError, OSError) as error:  # RuntimeError: what OGR refuses
        raise UsageError(
            f"{file} cannot be read: {error}. Export it from your GIS as GeoPackage or GeoParquet."
        ) from error
    if not isinstance(table, geopandas.GeoDataFrame):
        raise UsageError(f"{file} has no geometries. Export the layer with its geometry.")
    return table


def _geometries(table: geopandas.GeoDataFrame) -> Objects:
    return np.asarray(table.geometry.to_numpy(), dtype=object)


def _crs(table: geopandas.GeoDataFrame, file: Path) -> CRS:
    if table.crs is None:
        raise UsageError(f"{file} names no CRS. Assign one in your GIS (for example EPSG:25832) and save it.")
    return CRS(table.crs)


def _widths(table: geopandas.GeoDataFrame, file: Path) -> NDArray[np.float64]:
    """`width_mm` (N,), NaN where there is none."""
    if "width_mm" not in table:
        return np.full(len(table), np.nan)
    try:
        widths: NDArray[np.float64] = table["width_mm"].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file}: width_mm holds what is no number: {error}. Give millimetres.") from error
    wrong = ~np.isnan(widths) & ~((widths > 0) & np.isfinite(widths))
    if wrong.any():
        raise UsageError(
            f"{file}: width_mm is {widths[wrong][0]:g} in {int(wrong.sum())} rows, but must be above 0. "
            "Leave it empty where the width is not known."
        )
    return widths
