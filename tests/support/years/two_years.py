"""Finished outputs written from known cracks, as a run leaves them, and what `compare` makes of two."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from crackpipe.pipeline.compare.compare import compare
from crackpipe.pipeline.compare.laid import Options
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage.sealed import write_json, write_sealed
from crackpipe.pipeline.tables import crack_rows, geoparquet
from crackpipe.pipeline.tables.image_rows import ImageRow, write_images

Floats = NDArray[np.float64]

UTM = CRS.from_epsg(25832)
ORIGIN = np.array([500_000.0, 5_900_000.0])
"""World of the point (0, 0) of a test's road, which lies east, in metres."""
WEIGHTS = "a" * 64


@dataclass(frozen=True)
class Found:
    """A crack of a year, in metres of the road (x along, y across)."""

    line: Floats
    """(V, 2)"""
    name: str
    width_mm: float = 2.0
    sigma_mm: float = 0.3
    flag: bool = False
    kind: str = "crack"

    def moved(self, place: Floats, turned_rad: float = 0.0) -> "Found":
        """The crack turned about (0, 0) and then moved."""
        c, s = np.cos(turned_rad), np.sin(turned_rad)
        return replace(self, line=self.line @ np.array([[c, s], [-s, c]]) + place)

    def part(self, share: float) -> "Found":
        """The first part of the crack."""
        return replace(self, line=self.line[: max(2, round(share * len(self.line)))])


def wandering(seed: int, count: int, length_m: float, across_m: float = 3.5) -> list[Found]:
    """Cracks of 0.4 to 1.6 m in all directions on a road of `length_m`, named by their number."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        angle = rng.uniform(0, np.pi) + np.cumsum(rng.normal(0, 0.2, rng.integers(8, 32)))
        steps = 0.05 * np.column_stack([np.cos(angle), np.sin(angle)])
        start = rng.uniform([0.5, 0.3], [length_m - 0.5, across_m - 0.3])
        found.append(Found(start + np.cumsum(steps, axis=0), f"{seed}-{number}"))
    return found


def write_output(
    root: Path,
    cracks: Sequence[Found],
    *,
    frames: Sequence[tuple[float, float]] = ((-5.0, 125.0),),
    across: Sequence[tuple[float, float]] = ((-3.0, 7.0),),
    familiarity: float | None = 0.9,
    crs: CRS = UTM,
    gsd_mm: float = 1.0,
    year: int = 2024,
    origin: str = crack_rows.ORIGIN,
    fingerprint: dict[str, Any] | None = None,
) -> Path:
    """An output whose images show the road between each two x of `frames` and each two y of `across`, m."""
    output = Output(root)
    output.create()
    images = []
    for number, ((low, high), (right, left)) in enumerate(product(frames, across)):
        corners = ORIGIN + np.array([[low, left], [high, left], [high, right], [low, right]])
        size = {
            "height_px": round((left - right) * 1000 / gsd_mm),
            "width_px": round((high - low) * 1000 / gsd_mm),
        }
        image_id = f"{number}.tif"
        images.append(
            ImageRow(
                image_id=image_id,
                status="done",
                path=image_id,
                gsd_mm=gsd_mm,
                crs_wkt=UTM.to_wkt(),
                footprint=corners,
                familiarity=familiarity,
                **size,
            )
        )
        made = {"weights": WEIGHTS, "threshold": 32, "algorithm": 4, "configuration": {}} | (
            fingerprint or {}
        )
        marker = {"image_id": image_id, "status": "done", "fingerprint": made, "inspected_area": None}
        write_sealed(output.marker(image_id), marker)
    write_images(images, crs, root / "images.parquet")
    _write_cracks(root / "cracks.parquet", cracks, crs, gsd_mm, date(year, 5, 20), origin)
    write_json(root / "run.json", {"survey": ["survey"], "configuration": {"weights": "lite"}})
    return root


def _write_cracks(  # noqa: PLR0917
    path: Path, cracks: Sequence[Found], crs: CRS, gsd_mm: float, acquired: date, origin: str
) -> None:
    from pyproj import Transformer

    way = Transformer.from_crs(UTM, crs, always_xy=True)
    world = [ORIGIN + each.line for each in cracks]
    lines = np.array([shapely.LineString(each) for each in world], dtype=object)
    moved = shapely.transform(lines, way.transform, interleaved=False)
    count = len(cracks)
    columns: dict[str, Any] = {
        "crack_id": [each.name for each in cracks],
        "network_id": [each.name for each in cracks],
        "image_id": ["0.tif"] * count,
        "length_m": shapely.length(lines),
        "width_mm": [each.width_mm for each in cracks],
        "width_sigma_mm": [each.sigma_mm for each in cracks],
        "width_p95_mm": [each.width_mm for each in cracks],
        "width_max_mm": [each.width_mm for each in cracks],
        "width_class": ["small"] * count,
        "class_uncertain": [False] * count,
        "class": [each.kind for each in cracks],
        "width_flag": [each.flag for each in cracks],
        "orientation_deg": [0.0] * count,
        "confidence": [0.9] * count,
        "bridged_m": [0.0] * count,
        "gsd_mm": [gsd_mm] * count,
        "acquired": [acquired] * count,
        "survey": ["survey"] * count,
        "weights": ["lite"] * count,
        "origin": [origin] * count,
        "geometry": geoparquet.wkb_of(moved),
        "bbox": geoparquet.bbox_of(moved),
    }
    empty = {field.name: pa.nulls(count, field.type) for field in crack_rows.SCHEMA}
    table = pa.table(
        {name: columns.get(name, empty[name]) for name in crack_rows.SCHEMA.names}, schema=crack_rows.SCHEMA
    )
    geoparquet.write(table, np.arange(count), path, crs=crs, geometry_type="LineString")


def compared(older: Path, newer: Path, **options: Any) -> gpd.GeoDataFrame:
    """`changes.parquet` of two outputs, as `newer` has it then."""
    compare(older, newer, newer, Options(**options))
    return gpd.read_parquet(newer / "changes.parquet")
