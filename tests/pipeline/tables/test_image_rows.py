"""images.parquet: one row per file, footprints, overlaps, what quarantine says."""

import json
from pathlib import Path

import duckdb
import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import CRS

from crackpipe.pipeline.geometry.crs import footprint_in
from crackpipe.pipeline.tables.image_rows import ImageRow, overlaps_of, write_images

UTM32 = CRS("EPSG:25832")
COLUMNS = [
    "image_id", "status", "reason", "message", "remedy", "path", "width_px", "height_px", "gsd_mm",
    "source_crs", "inspected_m2", "uninspected_m2", "screened_m2", "crack_length_m",
    "crack_length_tiny_m", "crack_length_small_m", "crack_length_wide_m", "familiarity",
    "overlaps_with", "geometry", "bbox",
]  # fmt: skip


def square(x: float, y: float, side: float = 1.0) -> np.ndarray:
    corners = np.array([[0.0, side], [side, side], [side, 0.0], [0.0, 0.0]])
    return corners + np.array([500_000.0 + x, 5_500_000.0 + y])


def done(image_id: str, footprint: np.ndarray, crs: CRS = UTM32) -> ImageRow:
    return ImageRow(
        image_id=image_id, status="done", path=image_id, width_px=1000, height_px=1000, gsd_mm=1.0,
        crs_wkt=crs.to_wkt(),
        footprint=footprint, inspected_m2=0.9, uninspected_m2=0.1, crack_length_m=3.0,
        crack_length_tiny_m=1.0, crack_length_small_m=2.0, crack_length_wide_m=0.0,
    )  # fmt: skip


ROWS = [
    done("b.tif", square(0.8, 0.0)),
    done("a.tif", square(0.0, 0.0)),
    done("c.tif", square(1.8, 0.0)),  # touches b
    ImageRow(
        image_id="z.tif",
        status="quarantined",
        path="z.tif",
        reason="no-crs",
        message="it names no CRS",
        remedy="Give --assume-crs EPSG:...",
    ),
]


def test_one_row_per_file_by_name(tmp_path: Path) -> None:
    target = tmp_path / "images.parquet"
    write_images(ROWS, UTM32, target)
    frame = gpd.read_parquet(target)
    assert list(frame.columns) == COLUMNS[:-1]  # it hides the covering
    assert frame.image_id.tolist() == ["a.tif", "b.tif", "c.tif", "z.tif"]
    assert [list(names) for names in frame["overlaps_with"]] == [["b.tif"], ["a.tif"], [], []]
    assert frame.crs == UTM32 and frame.geometry.iloc[0].area == pytest.approx(1.0)
    assert frame.geometry.iloc[3] is None
    assert frame.source_crs.iloc[0] == "EPSG:25832"
    assert (frame.reason.iloc[3], frame.remedy.iloc[3]) == ("no-crs", "Give --assume-crs EPSG:...")
    rows = pq.read_table(target).to_pylist()
    assert rows[0]["bbox"] == pytest.approx({"xmin": 5e5, "ymin": 5.5e6, "xmax": 5e5 + 1, "ymax": 5.5e6 + 1})
    assert rows[3]["bbox"] is None
    row = rows[0]
    assert row["reason"] is None and row["crack_length_small_m"] == 2.0


def test_duckdb_reads_it(tmp_path: Path) -> None:
    target = tmp_path / "images.parquet"
    write_images(ROWS, UTM32, target)
    query = f"SELECT status, count(*), sum(inspected_m2) FROM '{target}' GROUP BY 1 ORDER BY 1"
    assert duckdb.sql(query).fetchall() == [("done", 3, pytest.approx(2.7)), ("quarantined", 1, None)]
    query = f"""SELECT image_id FROM '{target}' WHERE list_contains(overlaps_with, 'a.tif')"""
    assert duckdb.sql(query).fetchall() == [("b.tif",)]


def test_same_bytes_in_any_order(tmp_path: Path) -> None:
    for name, rows in (("a", ROWS), ("b", ROWS[::-1])):
        write_images(rows, UTM32, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("rows", [[], ROWS[3:]])
def test_a_survey_without_any_footprint(tmp_path: Path, rows: list[ImageRow]) -> None:
    target = tmp_path / "images.parquet"
    write_images(rows, None, target)
    table = pq.read_table(target)
    assert table.column_names == COLUMNS and table.num_rows == len(rows)
    column = json.loads(table.schema.metadata[b"geo"])["columns"]["geometry"]
    assert column["crs"] is None and "bbox" not in column
    assert duckdb.sql(f"SELECT count(*) FROM '{target}'").fetchall() == [(len(rows),)]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = b"lane\xff.tif".decode("utf-8", "surrogateescape")
    write_images(
        [ImageRow(image_id=name, status="quarantined", path=name, reason="name-not-utf8")],
        None,
        tmp_path / "images.parquet",
    )
    assert pq.read_table(tmp_path / "images.parquet").column("path").to_pylist() == [r"lane\udcff.tif"]


def test_footprints_in_the_surveys_crs() -> None:
    here = square(0.0, 0.0)
    assert footprint_in(here, UTM32.to_wkt(), UTM32.to_wkt()) is here
    degrees = footprint_in(here, UTM32.to_wkt(), CRS("EPSG:4326").to_wkt())
    assert degrees is not None and degrees[0] == pytest.approx([9.0, 49.6531], abs=1e-3)
    assert footprint_in(None, UTM32.to_wkt(), UTM32.to_wkt()) is None
    assert footprint_in(here, None, UTM32.to_wkt()) is None
    other_side_of_the_earth = CRS("+proj=gnom +lat_0=-49 +lon_0=-171")
    assert footprint_in(here, UTM32.to_wkt(), other_side_of_the_earth.to_wkt()) is None


def test_overlaps_need_area() -> None:
    one, touching, inside = shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(0.2, 0.2, 0.3, 0.3)
    rounding = shapely.box(0.0, 1.0 - 1e-12, 1.0, 2.0)
    polygons = np.array([one, None, touching, inside, rounding], dtype=object)
    assert overlaps_of(polygons) == [[3], [], [], [0], []]
