"""Rows of `images.parquet`. Every file of the survey that could be meant as an image has exactly one row."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.crs import crs_name, footprint_in
from crackpipe.pipeline.tables import geoparquet

_NULLABLE, _REQUIRED = True, False

SCHEMA = geoparquet.described(
    [
        ("image_id", pa.string(), _REQUIRED, "path relative to the survey"),
        ("status", pa.string(), _REQUIRED, "done or quarantined"),
        ("reason", pa.string(), _NULLABLE, "code of the reason for quarantine"),
        ("message", pa.string(), _NULLABLE, "what is wrong, in doubt, or not inspected"),
        ("remedy", pa.string(), _NULLABLE, "what to do"),
        ("path", pa.string(), _REQUIRED, "file, relative to the survey"),
        ("width_px", pa.int64(), _NULLABLE, "columns of the image"),
        ("height_px", pa.int64(), _NULLABLE, "rows of the image"),
        (
            "gsd_mm",
            pa.float64(),
            _NULLABLE,
            "ground sample distance, mm per pixel of the camera, the worst within",
        ),
        ("source_crs", pa.string(), _NULLABLE, "CRS of the image: authority code, or WKT"),
        (
            "inspected_m2",
            pa.float64(),
            _NULLABLE,
            "area inspected, m2 on the ground, also where images overlap",
        ),
        ("uninspected_m2", pa.float64(), _NULLABLE, "area not inspected: masked, missing or no data, m2"),
        (
            "screened_m2",
            pa.float64(),
            _NULLABLE,
            "part of inspected_m2 without a close look, as the coarse one found it sound (--screen), m2",
        ),
        ("crack_length_m", pa.float64(), _NULLABLE, "length of the cracks counted in this image, m"),
        ("crack_length_tiny_m", pa.float64(), _NULLABLE, "length of cracks of class tiny, m"),
        ("crack_length_small_m", pa.float64(), _NULLABLE, "length of cracks of class small, m"),
        ("crack_length_wide_m", pa.float64(), _NULLABLE, "length of cracks of class wide, m"),
        ("familiarity", pa.float64(), _NULLABLE, "how well the network knows such images, 0 to 1"),
        (
            "overlaps_with",
            pa.list_(pa.string()),
            _REQUIRED,
            "image_id of the images that show the same ground",
        ),
        ("geometry", pa.binary(), _NULLABLE, "footprint, Polygon, WKB; null where unknown"),
        ("bbox", geoparquet.BBOX, _NULLABLE, "bounds of the geometry"),
    ]
)

# Neighbours that only touch overlap a little because of rounding. Two pixels are a millionth of a full-HD
# frame.
_LEAST_SHARE = 1e-6


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One file of the survey. Fields have the names of the columns that they become."""

    image_id: str
    status: str
    path: str
    reason: str | None = None
    message: str | None = None
    remedy: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    gsd_mm: float | None = None
    crs_wkt: str | None = None
    footprint: Floats | None = None
    """Outer corners (4, 2) (x, y) in the image's own CRS."""
    inspected_m2: float | None = None
    uninspected_m2: float | None = None
    screened_m2: float | None = None
    crack_length_m: float | None = None
    crack_length_tiny_m: float | None = None
    crack_length_small_m: float | None = None
    crack_length_wide_m: float | None = None
    familiarity: float | None = None


def write_images(rows: Sequence[ImageRow], crs: CRS | None, path: Path, *, compression: str = "zstd") -> None:
    """Write `images.parquet` in the order of image_id. Raises OSError.

    `crs` is that of the tables. It is None if no image has a CRS. `compression` is zstd or snappy.
    """
    rows = sorted(rows, key=lambda row: row.image_id)
    survey_wkt = None if crs is None else crs.to_wkt()
    corners = [footprint_in(row.footprint, row.crs_wkt, survey_wkt) for row in rows]
    polygons = np.array([None if each is None else shapely.Polygon(each) for each in corners], dtype=object)
    names = [geoparquet.utf8(row.image_id) for row in rows]
    wkts = {row.crs_wkt for row in rows if row.crs_wkt is not None}
    crs_names = {wkt: crs_name(CRS.from_wkt(wkt)) for wkt in sorted(wkts)}
    columns: dict[str, object] = {
        "source_crs": [None if row.crs_wkt is None else crs_names[row.crs_wkt] for row in rows],
        "overlaps_with": [[names[other] for other in others] for others in overlaps_of(polygons)],
        "geometry": geoparquet.wkb_of(polygons),
        "bbox": geoparquet.bbox_of(polygons),
    }
    for field in fields(ImageRow):
        if field.name in SCHEMA.names:
            columns[field.name] = [_as_text(getattr(row, field.name)) for row in rows]
    table = pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
    order = np.arange(len(rows))
    geoparquet.write(table, order, path, crs=crs, geometry_type="Polygon", compression=compression)


def _as_text(value: object) -> object:
    return geoparquet.utf8(value) if isinstance(value, str) else value


def overlaps_of(polygons: NDArray[np.object_]) -> list[list[int]]:
    """For each footprint (N,) the indices of the footprints that share area with it, ascending.

    A footprint that is None shares none.
    """
    found: list[list[int]] = [[] for _ in polygons]
    known = np.array([each is not None for each in polygons], dtype=np.bool_)
    index = np.flatnonzero(known)
    if len(index) == 0:
        return found
    some = polygons[index]
    first, second = shapely.STRtree(some).query(some, predicate="intersects")
    pairs = first < second
    first, second = first[pairs], second[pairs]
    shared = shapely.area(shapely.intersection(some[first], some[second]))
    least = np.minimum(shapely.area(some[first]), shapely.area(some[second])) * _LEAST_SHARE
    for low, high in zip(index[first[shared > least]], index[second[shared > least]], strict=True):
        found[low].append(int(high))
        found[high].append(int(low))
    return [sorted(others) for others in found]
