"""Lines become routes: measures, directions, gaps, several at one place, what lies away, and tracks."""

import csv
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from roads.drawn_run import Drawn, Road, Shot, shots, write_lines, write_run
from roads.short import CRACKS, ROAD, Sections, lengths, table

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.sections.options import Lanes
from crackpipe.pipeline.sections.rules.profile import read_profile
from crackpipe.pipeline.sections.write import Request, write_sections


def _zm(xy: np.ndarray, measures: np.ndarray) -> str:
    return f"LINESTRING M ({', '.join(f'{x} {y} {m}' for (x, y), m in zip(xy, measures, strict=True))})"


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


def test_measures_may_be_rounded(run: Path, sections: Sections) -> None:
    line = shapely.segmentize(ROAD.centreline(), 0.2)
    xy = np.asarray(line.coords)
    sections(shapely.from_wkt(_zm(xy, np.round(np.linspace(0.0, 40.0, len(xy)), 0))))
    assert table(run).crack_m.sum() == pytest.approx(7.0, abs=0.1)


def test_two_carriageways_of_one_route_are_told_apart(run: Path, sections: Sections) -> None:
    """Lines of one route with the same measures are sections of their own."""
    near = np.asarray(ROAD.centreline().coords)
    far = near + np.array([8.0, -5.0])
    measures = np.linspace(0.0, 40.0, len(near))
    sections(shapely.from_wkt(_zm(near, measures)), shapely.from_wkt(_zm(far, measures)))
    rows = table(run)
    assert sorted(rows.section_id) == ["A1:0-20#2:1", "A1:0-20:1", "A1:20-40#2:1", "A1:20-40:1"]
    assert sorted(rows.crack_m.fillna(-1).round(1)) == [-1.0, -1.0, 2.0, 5.0]


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
    assert rows.m_begin.round(2).tolist() == [0.0, 20.0, 28.01]
    # the crack from 25.2 to 27.2 m lies in the gap
    assert rows.crack_m.sum() == pytest.approx(5.0, abs=0.05)
    assert any("2.0 m, lie away from every route" in note for note in written.notes)


def test_outside_of_a_bend_between_two_lines_cracks_count(run: Path, sections: Sections) -> None:
    """The crack of 3 m along the road's centre lies ahead of one line, and behind the other: beyond both."""
    before, bend, behind = ROAD.points(np.array([0.0, 4.5, 4.5]), np.array([-1.5, -1.5, -20.0]))
    lanes = Lanes(offsets_m=(2.5,), width_m=4.5)
    sections(shapely.LineString([before, bend, behind]), lanes=lanes)
    assert table(run).crack_m.sum() == pytest.approx(3.0, abs=0.02)
    sections(shapely.LineString([before, bend]), shapely.LineString([bend, behind]), lanes=lanes)
    assert table(run).crack_m.sum() == pytest.approx(3.0, abs=0.02)


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


def test_a_route_may_have_any_name(run: Path, sections: Sections) -> None:
    name = "=cmd|' /C calc'!A0/../x\n"
    sections(ROAD.centreline(), columns={"route_id": [name]}, profile=read_profile("fhwa-23cfr490"))
    assert set(table(run).route_id) == {name}
    with (run / "section_hpms.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["Route_ID"] for row in rows} == {f"'{name}"}


# ---- tracks


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
