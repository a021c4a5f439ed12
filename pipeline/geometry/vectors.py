"""Files of lines and polygons that a GIS writes, such as corrected lines, an area or a region.

A file may have any format that OGR reads (GeoPackage, GeoJSON, Shapefile, FlatGeobuf ...) or be GeoParquet.
Its CRS may be any. Frame: geometries are world (x, y) in the file's own CRS.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.geometry.arrays import Geometries

if TYPE_CHECKING:
    import geopandas


_PARQUET = {".parquet", ".geoparquet"}


@dataclass(frozen=True)
class Drawn:
    """N rows with a geometry. Rows without one are left out."""

    crs: CRS
    geometry: Geometries
    """(N,) shapely geometries of any kind, (x, y), none missing or empty."""
    table: "geopandas.GeoDataFrame"
    """The rows with their other columns, if these were asked for."""


def read_vectors(
    file: Path,
    *,
    layer: str | None = None,
    layer_option: str | None = None,
    with_columns: bool = False,
    with_measures: bool = False,
) -> Drawn:
    """Read `layer` of a file, or else its only layer with geometries.

    `layer_option` is the command's option that names a layer; messages tell it. With `with_measures` the
    geometries of `table` keep heights and measures (M); `geometry` is always flat. Raises UsageError if the
    file cannot be read, has no such layer, has several layers to choose from, or names no CRS.
    """
    table = _read(file, layer, layer_option, with_columns=with_columns, with_measures=with_measures)
    if table.crs is None:
        raise UsageError(
            f"{file} names no CRS. Assign one in your GIS and save it, or "
            f"`ogr2ogr -a_srs EPSG:... with-crs.gpkg {file.name}`."
        )
    geometry = np.asarray(table.geometry.to_numpy(), dtype=object)
    known = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    return Drawn(CRS(table.crs), shapely.force_2d(geometry[known]), table[known])


def are_polygons(geometry: Geometries) -> NDArray[np.bool_]:
    """Which geometries (N,) are a Polygon or a MultiPolygon."""
    kinds = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
    return np.isin(shapely.get_type_id(geometry), kinds)


def are_lines(geometry: Geometries) -> NDArray[np.bool_]:
    """Which geometries (N,) are a LineString or a MultiLineString."""
    kinds = (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING)
    return np.isin(shapely.get_type_id(geometry), kinds)


def _read(
    file: Path,
    layer: str | None,
    layer_option: str | None,
    *,
    with_columns: bool,
    with_measures: bool,
) -> "geopandas.GeoDataFrame":
    import geopandas
    import pyarrow as pa

    if not file.is_file():
        raise UsageError(f"{file} cannot be read: there is no such file.")
    try:
        if file.suffix.lower() in _PARQUET:
            return geopandas.read_parquet(file)
        chosen = _layer(file, layer, layer_option)
        columns: list[str] | None = None if with_columns else []
        # Arrow carries measures from OGR; without it pyogrio drops them.
        table = geopandas.read_file(file, layer=chosen, columns=columns, use_arrow=with_measures)
    except (RuntimeError, pa.ArrowInvalid, ValueError, OSError) as error:  # OGR raises RuntimeError
        raise UsageError(
            f"{file} cannot be read: {error}. Export it from your GIS as GeoPackage or GeoParquet."
        ) from error
    if not isinstance(table, geopandas.GeoDataFrame):
        raise UsageError(f"{file} has no geometries. Export the layer with its geometry.")
    return table


def _layer(file: Path, layer: str | None, layer_option: str | None) -> str | None:
    import geopandas

    listed = geopandas.list_layers(file)
    names = [str(name) for name in listed["name"][listed["geometry_type"].notna()]]
    if layer is not None and layer not in names:
        raise UsageError(f"{file} has no layer {layer!r} with geometries, but {', '.join(names)}.")
    if layer is None and len(names) > 1:
        choose = f"Choose one with {layer_option}, or copy" if layer_option else "Copy"
        raise UsageError(
            f"{file} holds {len(names)} layers with geometries ({', '.join(names)}), but one is needed. "
            f"{choose} it into a file of its own: ogr2ogr one.gpkg {file.name} LAYER"
        )
    return layer or (names[0] if names else None)
