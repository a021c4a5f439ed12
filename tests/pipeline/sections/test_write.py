"""Sections of short straight roads: lanes, types, several routes, what lies away, tracks, and bad input."""

import csv
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import first_outputs
import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import CRS
from roads.drawn_run import Drawn, Road, Shot, shots, write_lines, write_run

from crackpipe.pipeline.errors import (
    ConfigurationError,
    CrackpipeError,
    OutputDamagedError,
    OutputNotWritableError,
    StorageError,
    UsageError,
)
from crackpipe.pipeline.export.write import export
from crackpipe.pipeline.sections.options import Lanes, lanes_of, length_m
from crackpipe.pipeline.sections.rules.profile import read_profile
from crackpipe.pipeline.sections.write import FILES, Request, Written, write_sections
from crackpipe.pipeline.storage.durable import file_hash

ROAD = Road.bent(40.0, radius_m=np.inf)
CRACKS = [
    Drawn.straight((5.2, 0.0), (8.2, 0.0)),  # along the centre
    Drawn.straight((12.5, -1.0), (12.5, 1.0), 0.5),  # across: 0.75 m in the centre, 0.625 m in each path
    Drawn.straight((25.2, 0.8), (27.2, 0.8), 4.0),  # in the right wheel path
    Drawn.straight((30.0, 1.8), (31.0, 1.9)),  # beside the lane
]
LANE = Request(out=Path(), length_m=20.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("short") / "out", ROAD, shots(40.0), CRACKS)


Sections = Callable[..., Written]


@pytest.fixture
def sections(run: Path, tmp_path: Path) -> Sections:
    """Writes sections with a centreline of these lines."""

    def write(*lines: shapely.Geometry, crs: str = "EPSG:25832", **options: object) -> Written:
        columns = options.pop("columns", {"route_id": ["A1"] * len(lines)})
        moved = gpd.GeoSeries(list(lines), crs="EPSG:25832").to_crs(crs)
        file = write_lines(tmp_path / "roads.parquet", moved.tolist(), CRS(crs), **columns)  # type: ignore[arg-type]
        return write_sections(Request(**{"out": run, "length_m": 20.0, "centreline": file, **options}))  # type: ignore[arg-type]

    return write


def table(run: Path) -> gpd.GeoDataFrame:
    return gpd.read_parquet(run / "sections.parquet")


def lengths(run: Path) -> pd.Series:
    """Length by section, zone and type, where there is any."""
    long = pd.read_parquet(run / "section_lengths.parquet")
    found = long[long.length_m > 0].groupby(["m_begin", "zone", "crack_type"], dropna=False).length_m.sum()
    return found.round(2)


EXPECTED = {
    (0.0, "centre", "longitudinal"): 3.0,
    (0.0, "centre", "transverse"): 0.75,
    (0.0, "wheel_path_left", "transverse"): 0.62,
    (0.0, "wheel_path_right", "transverse"): 0.62,
    (20.0, "wheel_path_right", "longitudinal"): 2.0,
}


def assert_as_drawn(run: Path, **renamed: str) -> None:
    found = lengths(run)
    found = found[found.index.get_level_values("zone") != "outside"]
    assert dict(found) == {
        key: pytest.approx(value, abs=0.02)
        for key, value in {(m, renamed.get(z, z), t): v for (m, z, t), v in EXPECTED.items()}.items()
    }


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


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:2263"])
def test_a_centreline_in_another_crs_gives_the_same(run: Path, sections: Sections, crs: str) -> None:
    if crs == "EPSG:2263":
        with pytest.raises(UsageError, match="comes within 100 m"):
            sections(shapely.LineString([(1e6, 2e5), (1e6, 2.1e5)]), crs="EPSG:25832")
        return
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


def test_measures_count_where_lines_have_them_and_turn_a_line_that_falls(
    run: Path, sections: Sections
) -> None:
    xy = np.asarray(ROAD.centreline().coords)
    measures = np.linspace(100.0, 140.0, len(xy))
    sections(shapely.from_wkt(_zm(xy, measures)))
    assert table(run).m_begin.tolist() == [100.0, 120.0]
    written = sections(shapely.from_wkt(_zm(xy[::-1], measures[::-1])))
    assert any("1 of 1 lines run against" in note for note in written.notes)
    assert table(run).m_begin.tolist() == [100.0, 120.0]
    assert lengths(run)[100.0, "wheel_path_right", "transverse"] == pytest.approx(0.62, abs=0.02)
    written = sections(shapely.from_wkt(_zm(xy, measures / 1609.344)))  # miles
    assert table(run).m_begin.tolist() == [100.0, 120.0]
    written = sections(shapely.from_wkt(_zm(xy, measures / 17.0)))
    assert any("fit no unit" in note for note in written.notes)
    assert table(run).m_begin.tolist() == [0.0, 20.0]
    with pytest.raises(UsageError, match="route A1: its measures neither only rise nor only fall"):
        sections(shapely.from_wkt(_zm(xy, np.where(measures > 120, measures - 6, measures))))


def _zm(xy: np.ndarray, measures: np.ndarray) -> str:
    return f"LINESTRING M ({', '.join(f'{x} {y} {m}' for (x, y), m in zip(xy, measures, strict=True))})"


def test_a_reversed_line_turns_left_and_right(run: Path, sections: Sections) -> None:
    sections(ROAD.centreline().reverse())
    assert lengths(run)[0.0, "wheel_path_left", "longitudinal"] == pytest.approx(2.0, abs=0.02)


def test_lines_of_a_route_are_put_in_order_and_a_gap_is_told(run: Path, sections: Sections) -> None:
    line = ROAD.centreline()
    first, second, third = (
        shapely.ops.substring(line, a, b) for a, b in ((0, 10), (10, 25), (28, line.length))
    )
    written = sections(third, second.reverse(), first)
    assert any("1 of 3 lines run against the others" in note for note in written.notes)
    assert any("1 gap, the longest of 3.0 m from 25 m on" in note for note in written.notes)
    rows = table(run)
    assert rows.m_begin.round(2).tolist() == [0.0, 10.0, 20.0, 28.01]
    # the crack from 25.2 to 27.2 m lies in the gap
    assert rows.crack_m.sum() == pytest.approx(5.0, abs=0.05)
    assert any("2.0 m, lie away from every route" in note for note in written.notes)


def test_two_routes_at_one_place_count_once(run: Path, sections: Sections) -> None:
    line = ROAD.centreline()
    written = sections(line, shapely.affinity.translate(line, 0.1, 0.1), columns={"route_id": ["B", "A"]})
    assert any("routes B and A lie at one place over 40 m" in note for note in written.notes)
    rows = table(run)
    assert rows[rows.route_id == "A"].crack_m.sum() > 6.5
    assert rows[rows.route_id == "B"].crack_m.isna().all()
    assert (rows[rows.route_id == "B"].coverage == 0).all()


def test_ground_belongs_to_the_nearest_of_two_routes(run: Path, sections: Sections) -> None:
    """Each of two lines in the lane has the half of the ground that is nearer."""
    left, right = (shapely.LineString(ROAD.points(ROAD.s[::50], np.full(9, o))) for o in (-0.875, 0.875))
    sections(left, right, columns={"route_id": ["L", "R"]}, lanes=Lanes(width_m=3.0))
    rows = table(run)
    # a lane of 3 m about 0.875 m: of it 1.5 m outwards, of which the frames saw 1.125 m, and 0.875 m inwards
    assert rows.coverage.tolist() == pytest.approx([2.0 / 3.0] * 4, abs=0.06)
    assert rows.crack_m.sum() == pytest.approx(8.0, abs=0.1)


def test_lanes_beside_a_centreline(run: Path, sections: Sections) -> None:
    axis = shapely.LineString(ROAD.points(ROAD.s[::50], np.full(9, -1.75)))
    sections(axis, lanes=lanes_of([1.75, -1.75], 3.5))
    rows = table(run).set_index("section_id")
    assert rows.crack_m["A1:0-20:1"] == pytest.approx(5.0, abs=0.05)
    assert rows.coverage["A1:0-20:1"] == pytest.approx(1.0, abs=1e-3)
    # of the other lane the frames saw 0.25 m
    assert rows.coverage["A1:0-20:2"] == pytest.approx(0.25 / 3.5, abs=0.01)


def test_cracks_away_from_every_route_are_counted_and_listed(run: Path, sections: Sections) -> None:
    far = shapely.affinity.translate(ROAD.centreline(), 60.0, 0.0)
    written = sections(far)
    assert any("lie away from every route" in note for note in written.notes)
    listed = pd.read_parquet(run / "section_cracks.parquet")
    assert set(listed.zone) == {"away"}
    assert len(listed) == len(gpd.read_parquet(run / "cracks.parquet"))
    assert table(run).crack_m.isna().all()


def test_a_long_crack_that_goes_on_beyond_the_route_counts_where_it_lies_on_it(tmp_path: Path) -> None:
    """Most of it, and its middle, lies away from the route."""
    road = Road.bent(80.0, radius_m=np.inf)
    out = write_run(tmp_path / "out", road, shots(80.0), [Drawn.straight((5.5, 1.0), (6.5, 1.0))])
    table = pq.read_table(out / "cracks.parquet")
    line = shapely.LineString(road.points(np.array([6.0, 79.0]), np.array([1.0, 1.0])))
    for name, value in (("geometry", shapely.to_wkb(line)), ("length_m", 73.0)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array([value], table.schema.field(at).type))
    pq.write_table(table, out / "cracks.parquet")
    ends = road.points(np.array([0.0, 20.0]), np.zeros(2))
    lines = write_lines(tmp_path / "r.parquet", [shapely.LineString(ends)], route_id=["A"])
    write_sections(Request(out=out, length_m=10.0, centreline=lines))
    assert lengths(out).to_dict() == {
        (0.0, "wheel_path_right", "longitudinal"): pytest.approx(4.0, abs=0.02),
        (10.0, "wheel_path_right", "longitudinal"): pytest.approx(10.0, abs=0.02),
    }
    crack = pd.read_parquet(out / "section_cracks.parquet").iloc[0]
    assert (crack.route_id, crack.type) == ("A", "longitudinal")


def test_a_file_without_route_id_makes_each_line_a_route(run: Path, sections: Sections) -> None:
    written = sections(ROAD.centreline(), columns={"name": ["Main St"]})
    assert any("has no column route_id" in note and "name" in note for note in written.notes)
    assert set(table(run).route_id) == {"line-1"}
    sections(ROAD.centreline(), columns={"name": ["Main St"]}, route_field="NAME")
    assert set(table(run).route_id) == {"Main St"}
    with pytest.raises(UsageError, match="no column 'nosuch'"):
        sections(ROAD.centreline(), columns={"name": ["Main St"]}, route_field="nosuch")


def test_without_a_centreline_the_track_is_the_route(run: Path) -> None:
    written = write_sections(Request(out=run, length_m=20.0))
    assert any("runs along the vehicle's track" in note for note in written.notes)
    rows = table(run)
    assert rows.route_id.tolist() == ["lane1"] * len(rows)
    assert rows.m_end.max() == pytest.approx(40.5, abs=0.1)  # frames reach 0.25 m over each end
    assert rows.crack_m.sum() == pytest.approx(7.0, abs=0.1)


def test_a_track_breaks_where_the_vehicle_comes_back(tmp_path: Path) -> None:
    there = [Shot(f"drive/{i:02d}.tif", 2.5 + 5 * i) for i in range(8)]
    back = [Shot(f"drive/{8 + i:02d}.tif", 37.5 - 5 * i, o=6.0) for i in range(8)]
    alone = Shot("alone/1.tif", 20.0, o=30.0)
    out = write_run(tmp_path / "out", ROAD, [*there, *back, alone], CRACKS)
    written = write_sections(Request(out=out, length_m=20.0))
    assert any("2 tracks of 1 folder." in note for note in written.notes)
    assert any("1 image makes no track, such as alone/1.tif" in note for note in written.notes)
    rows = table(out)
    assert rows.coverage.min() > 0.9
    assert len(rows) == 6
    west = rows.geometry.iloc[-1]
    assert west.coords[0][1] > west.coords[-1][1]  # southwards


def test_two_carriageways_of_one_route_are_told_apart(run: Path, sections: Sections) -> None:
    """Lines of one route with the same measures are sections of their own."""
    near = np.asarray(ROAD.centreline().coords)
    far = near + np.array([8.0, -5.0])
    measures = np.linspace(0.0, 40.0, len(near))
    sections(shapely.from_wkt(_zm(near, measures)), shapely.from_wkt(_zm(far, measures)))
    rows = table(run)
    assert sorted(rows.section_id) == ["A1:0-20#2:1", "A1:0-20:1", "A1:20-40#2:1", "A1:20-40:1"]
    assert sorted(rows.crack_m.fillna(-1).round(1)) == [-1.0, -1.0, 2.0, 5.0]


def test_measures_may_be_rounded(run: Path, sections: Sections) -> None:
    line = shapely.segmentize(ROAD.centreline(), 0.2)
    xy = np.asarray(line.coords)
    sections(shapely.from_wkt(_zm(xy, np.round(np.linspace(0.0, 40.0, len(xy)), 0))))
    assert table(run).crack_m.sum() == pytest.approx(7.0, abs=0.1)


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


# ---- bad input


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: lanes_of([], 0.0), "--lane-width is 0 m. A lane is 2 to 8 m wide"),
        (lambda: lanes_of([], float("nan")), "--lane-width is nan"),
        (lambda: lanes_of([0.0, 3.0], 3.5), "overlap: they are 3 m apart and 3.5 m wide"),
        (lambda: lanes_of([1e9], 3.5), "--offset is 1e\\+09 m"),
        (lambda: length_m("fast"), "--length is 'fast'"),
        (lambda: length_m("0m"), "--length is '0m'"),
        (lambda: length_m("1.2.3m"), "--length is"),
    ],
)
def test_what_cannot_be_is_refused_with_the_limit(ask: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ask()


def test_lengths_are_read_in_their_units() -> None:
    assert [length_m(text) for text in ("100m", "0.1mi", "528ft", "1 km", "50")] == pytest.approx(
        [100.0, 160.9344, 160.9344, 1000.0, 50.0]
    )


def test_an_error_leaves_everything_as_it_was(run: Path, sections: Sections, tmp_path: Path) -> None:
    sections(ROAD.centreline())
    names = [*FILES, "cracks.parquet", "images.parquet"]
    before = {name: file_hash(run / name) for name in names}
    point = write_lines(tmp_path / "points.gpkg", [shapely.Point(500_000, 5_400_000)], route_id=["A1"])
    for file, words in ((point, "holds no lines"), (tmp_path / "gone.gpkg", "no such file")):
        with pytest.raises(CrackpipeError, match=words):
            write_sections(Request(out=run, centreline=file))
    with pytest.raises(UsageError, match="no output of crackpipe run"):
        write_sections(Request(out=tmp_path))
    assert {name: file_hash(run / name) for name in names} == before
    assert not list(run.glob("*.staged"))


def test_an_output_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".crackpipe").mkdir()
    (tmp_path / ".crackpipe/version.json").write_text('{"layout": 99}')
    with pytest.raises(ConfigurationError, match="newer crackpipe"):
        write_sections(Request(out=tmp_path))


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "out")
    copy.chmod(0o555)
    try:
        with pytest.raises(OutputNotWritableError, match="cannot be written"):
            write_sections(Request(out=copy))
    finally:
        copy.chmod(0o755)


def test_a_full_disk_leaves_the_sections_of_before(
    run: Path, sections: Sections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections(ROAD.centreline())
    before = {name: file_hash(run / name) for name in FILES}

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(StorageError, match="free some space"):
        write_sections(Request(out=run, centreline=tmp_path / "roads.parquet", length_m=10.0))
    assert {name: file_hash(run / name) for name in FILES} == before
    assert not list(run.glob("*.staged"))


def test_a_route_may_have_any_name(run: Path, sections: Sections) -> None:
    name = "=cmd|' /C calc'!A0/../x\n"
    sections(ROAD.centreline(), columns={"route_id": [name]}, profile=read_profile("fhwa-23cfr490"))
    assert set(table(run).route_id) == {name}
    with (run / "section_hpms.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["Route_ID"] for row in rows} == {f"'{name}"}


def test_a_damaged_table_is_named(run: Path, sections: Sections, tmp_path: Path) -> None:
    sections(ROAD.centreline())
    out = shutil.copytree(run, tmp_path / "out")
    content = (out / "cracks.parquet").read_bytes()
    (out / "cracks.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(OutputDamagedError, match=r"cracks\.parquet cannot be read"):
        write_sections(Request(out=out, centreline=tmp_path / "roads.parquet"))
    (out / "cracks.parquet").unlink()
    with pytest.raises(UsageError, match=r"cracks\.parquet does not exist"):
        write_sections(Request(out=out))
