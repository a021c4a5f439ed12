"""What sections of a short straight road say, from tables and lines in any CRS and of any age."""

import shutil
from pathlib import Path

import first_outputs
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import CRS
from roads.drawn_run import Drawn, Shot, shots, write_lines, write_run
from roads.short import CRACKS, ROAD, Sections, assert_as_drawn, table

from crackpipe.pipeline.export.write import export
from crackpipe.pipeline.sections.options import lanes_of
from crackpipe.pipeline.sections.write import FILES, Request, write_sections
from crackpipe.pipeline.storage.durable import file_hash


def test_lengths_by_zone_and_type(run: Path, sections: Sections) -> None:
    written = sections(ROAD.centreline())
    assert_as_drawn(run)
    assert any("1.0 m of cracks lie beside the lanes" in note for note in written.notes)
    rows = table(run)
    assert rows.section_id.tolist() == ["A1:0-20:1", "A1:20-40:1"]
    assert rows.transverse_count.tolist() == [1, 0]
    assert rows.coverage.tolist() == pytest.approx([1.0, 1.0])
    # 3 m of 2.0 mm and 2 m of 0.5 mm
    assert rows.width_mean_mm[0] == pytest.approx(1.4, abs=0.01)
    assert rows.width_p95_mm[0] == pytest.approx(2.0)
    # a deviation of 10 %: the two cracks are in different images, which err alone
    assert rows.width_mean_sigma_mm[0] == pytest.approx(np.hypot(3 * 0.2, 2 * 0.05) / 5, rel=0.2)
    assert rows.crack_area_m2[0] == pytest.approx(0.007, abs=1e-4)
    # along the centre 4 cells, across 3
    assert rows.cells.tolist() == [60, 60]
    assert rows.cells_touched.tolist() == [7, 3]
    assert shapely.length(rows.geometry).tolist() == pytest.approx([20 * 0.9996] * 2, abs=0.01)


def test_cracks_have_measure_offset_and_type(run: Path, sections: Sections) -> None:
    sections(ROAD.centreline())
    rows = pd.read_parquet(run / "section_cracks.parquet").sort_values("m")
    across = rows[rows.type == "transverse"].iloc[0]
    assert (across.m, across.offset_m) == (pytest.approx(12.5, abs=0.01), pytest.approx(0.0, abs=0.01))
    beside = rows.iloc[-1]
    assert (beside.zone, beside.offset_m) == ("outside", pytest.approx(1.85, abs=0.01))
    assert pd.isna(beside.lane)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_a_centreline_in_another_crs_gives_the_same(run: Path, sections: Sections, crs: str) -> None:
    sections(ROAD.centreline(), crs=crs)
    assert_as_drawn(run)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "+proj=utm +zone=32 +units=us-ft"])
def test_tables_in_degrees_mercator_and_feet_give_the_same(tmp_path: Path, crs: str) -> None:
    out = write_run(tmp_path / "out", ROAD, shots(40.0), CRACKS, CRS(crs))
    assert gpd.read_parquet(out / "cracks.parquet").crs == CRS(crs)
    roads = write_lines(tmp_path / "roads.gpkg", [ROAD.centreline()], route_id=["A1"])
    written = write_sections(Request(out=out, centreline=roads, length_m=20.0))
    assert written.lines[0].startswith("2 sections of 1 route, 0.040 km in ")
    assert written.lines[1] == "100.0% of the lanes' area was inspected"  # and no word of null
    assert_as_drawn(out)
    rows = table(out)
    assert rows.coverage.tolist() == pytest.approx([1.0, 1.0], abs=1e-3)
    assert rows.length_m.tolist() == pytest.approx([20.0, 20.0], abs=0.02)
    offsets = pd.read_parquet(out / "section_cracks.parquet").offset_m
    assert offsets.max() == pytest.approx(1.85, abs=0.01)
    write_sections(Request(out=out, length_m=20.0))  # along the track
    assert table(out).crack_m.sum() == pytest.approx(7.0, abs=0.1)


def test_lanes_beside_a_centreline(run: Path, sections: Sections) -> None:
    axis = shapely.LineString(ROAD.points(ROAD.s[::50], np.full(9, -1.75)))
    sections(axis, lanes=lanes_of([1.75, -1.75], 3.5))
    rows = table(run).set_index("section_id")
    assert rows.crack_m["A1:0-20:1"] == pytest.approx(5.0, abs=0.05)
    assert rows.coverage["A1:0-20:1"] == pytest.approx(1.0, abs=1e-3)
    # of the other lane the frames saw 0.25 m
    assert rows.coverage["A1:0-20:2"] == pytest.approx(0.25 / 3.5, abs=0.01)


def test_cells_of_a_network_are_pattern_where_the_way_of_the_vehicle_is_unknown(tmp_path: Path) -> None:
    square = [((20.0, -0.5), (20.5, -0.5)), ((20.5, -0.5), (20.5, 0.0)), ((20.5, 0.0), (20.0, 0.0))]
    square += [((20.0, 0.0), (20.0, -0.5)), ((20.0, 0.0), (19.0, 0.0))]
    cracks = [Drawn(np.array(each)) for each in square]
    out = write_run(tmp_path / "out", ROAD, [Shot("one.tif", 20.0)], cracks)
    assert gpd.read_parquet(out / "cracks.parquet").crack_type.isna().all()
    roads = write_lines(tmp_path / "roads.gpkg", [ROAD.centreline()], route_id=["A1"])
    write_sections(Request(out=out, centreline=roads))
    rows = table(out)
    assert (rows.pattern_m[0], rows.longitudinal_m[0]) == pytest.approx((2.0, 1.0), abs=0.01)


def test_the_geopackage_gets_the_layer(run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(run, tmp_path / "out")
    for name in FILES:
        (out / name).unlink(missing_ok=True)
    export(out, "gpkg", None)
    written = write_sections(Request(out=out, length_m=20.0))
    assert out / "cracks.gpkg" in written.files
    assert set(gpd.list_layers(out / "cracks.gpkg").name) >= {"cracks", "images", "sections"}
    layer = gpd.read_file(out / "cracks.gpkg", layer="sections")
    assert layer.crack_m.tolist() == pytest.approx(table(out).crack_m.tolist())


def test_an_output_of_an_older_version_has_sections(tmp_path: Path) -> None:
    first_outputs.unpack(tmp_path)
    out = tmp_path / "default"
    tables = {name: file_hash(out / name) for name in ("cracks.parquet", "images.parquet")}
    images = gpd.read_parquet(out / "images.parquet").dropna(subset="geometry")
    west, south, east, north = images.total_bounds
    line = shapely.LineString([(west, (south + north) / 2), (east, (south + north) / 2)])
    assert images.crs is not None
    roads = write_lines(tmp_path / "roads.gpkg", [line], images.crs, route_id=["old"])
    write_sections(Request(out=out, centreline=roads, length_m=1.0))
    assert table(out).crack_m.sum() > 0
    assert {name: file_hash(out / name) for name in tables} == tables
