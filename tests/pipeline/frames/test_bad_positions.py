"""What positions, headings and names do wrong: each a sentence with file, line and remedy."""

import re
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from deliveries import GEOD, HEADING, START, STEP_M, deliver, names_of, places, write_csv
from deliveries.bad import COUNT, Rewrite, made, refused, rewritten
from PIL import Image

from crackpipe.pipeline.errors import UsageError

# ---- columns and numbers


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (
            "latitude,longitude",
            "longitude,latitude",
            r"positions\.csv, line 2: latitude 9\.94, longitude 53\.57.* swapped\. Swap them with",
        ),
        (".5", ",5", r"line 2: \d columns, but the header has 4; are these decimal commas\? Separate"),
    ],
    ids=["swapped columns", "decimal commas between commas"],
)
def test_columns_that_do_not_fit_their_header(tmp_path: Path, right: str, wrong: str, message: str) -> None:
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, lambda text: text.replace(right, wrong))
    refused(tmp_path, message)


def test_swapped_easting_and_northing(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    points = geopandas.GeoSeries(shapely.points(places(COUNT)), crs=4326).to_crs(25832)
    rows = [f"{name},{p.y},{p.x}" for name, p in zip(names_of(COUNT), points, strict=True)]
    (tmp_path / "positions.csv").write_text("\n".join(["filename,x,y", *rows]))
    refused(tmp_path, r"as ETRS89 / UTM zone 32N its positions lie .*swapped", positions_crs="EPSG:25832")
    rewritten(tmp_path, lambda text: text.replace("x,y", "y,x"))
    assert len(made(tmp_path, positions_crs="EPSG:25832").rows) == COUNT


def test_decimal_commas_between_semicolons(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, lambda text: text.replace(",", ";").replace(".", ",").replace(",jpg", ".jpg"))
    assert len(made(tmp_path).rows) == COUNT


def test_a_positions_file_in_an_unknown_crs(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, lambda text: text.replace("latitude,longitude", "northing,easting"))
    refused(tmp_path, r"'easting' and 'northing' are in a CRS that it does not name\. Say which with")
    rewritten(tmp_path, lambda text: text.replace("northing,easting", "latitude,longitude"))
    points = geopandas.GeoDataFrame({"image": names_of(COUNT)}, geometry=shapely.points(places(COUNT)))
    points.to_file(tmp_path / "points.gpkg")
    refused(tmp_path, r"points\.gpkg names no CRS\. Assign one", "points.gpkg")


def test_a_crs_of_another_country(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    points = geopandas.GeoSeries(shapely.points(places(COUNT)), crs=4326).to_crs(25832)
    rows = [f"{name},{p.x},{p.y}" for name, p in zip(names_of(COUNT), points, strict=True)]
    (tmp_path / "positions.csv").write_text("\n".join(["filename,x,y", *rows]))
    refused(tmp_path, r"as .* its positions lie .* outside the area of that CRS", positions_crs="EPSG:2056")
    # a zone beside the right one is often used on purpose
    assert made(tmp_path, positions_crs="EPSG:25832", crs="EPSG:25833")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "a.csv is empty"),
        ("a.csv", "filename,latitude,longitude\n", "a.csv: it holds no position"),
        ("a.csv", "filename,latitude,longitude\n0001.jpg,,\n", "holds a position"),
        (
            "a.csv",
            "time,latitude,longitude\n1747735200000,53.57,9.94\n",
            r"milliseconds\? Divide",
        ),
        ("a.csv", "time,latitude,longitude\n1e999,53.57,9.94\n", "'1e999' is no number"),
        ("a.gpx", "<gpx><trk><trkseg/></trk></gpx>", "a.gpx holds no track point with a time"),
        ("a.nmea", "", "a.nmea holds no position with a date"),
        ("a.geojson", '{"type":"FeatureCollection","features":[]}', "a.geojson (holds|has)"),
    ],
)
def test_empty_tracks(tmp_path: Path, name: str, text: str, said: str) -> None:
    deliver(tmp_path, COUNT)
    (tmp_path / name).write_text(text)
    refused(tmp_path, said, name)


def test_lines_that_cannot_be_read_are_named_by_their_own_line(tmp_path: Path) -> None:
    """A cell in quotes may go over two lines, and Excel puts a line of its own first."""
    deliver(tmp_path, COUNT)
    write_csv(tmp_path / "positions.csv", names_of(COUNT))
    rewritten(tmp_path, lambda text: "sep=,\n" + text.replace("latitude", '"latitude\n[deg]"', 1))
    rewritten(tmp_path, lambda text: text.replace("0003.jpg,53.57", "0003.jpg,x"))
    survey = made(tmp_path)
    assert [(each.line, each.said[-12:]) for each in survey.positions.faults] == [(6, "is no number")]


# ---- headings


def headings(factor: float = 1.0, add: float = 0.0) -> Rewrite:
    return lambda text: re.sub(rf"{HEADING}$", f"{HEADING * factor + add}", text, flags=re.MULTILINE)


@pytest.mark.parametrize(("factor", "unit"), [(np.pi / 180, "radians"), (1 / 0.9, "gon")])
def test_headings_in_radians_or_gons(tmp_path: Path, factor: float, unit: str) -> None:
    # in gons a heading of 63 is 7 off, too little to notice; one of 297 is 33 off
    deliver(tmp_path, COUNT)
    turned = 297.0
    rows = [
        f"{name},{GEOD.fwd(*START, turned, STEP_M * number)[1]!r},"
        f"{GEOD.fwd(*START, turned, STEP_M * number)[0]!r},{turned * factor}"
        for number, name in enumerate(names_of(COUNT))
    ]
    (tmp_path / "positions.csv").write_text("\n".join(["filename,latitude,longitude,heading", *rows]))
    refused(tmp_path, f'headings of positions.csv as degrees .* fit as {unit}: write heading_unit = "{unit}"')
    (tmp_path / "camera.toml").write_text(f'mm_per_px = 2.0\nheading_unit = "{unit}"\n')
    assert {round(row.heading_deg, 6) for row in made(tmp_path).rows} == {turned}


def test_small_gons_are_noticed(tmp_path: Path) -> None:
    """63 degrees are 70 gon: 7 off, which is no chance."""
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, headings(1 / 0.9))
    assert any(
        "headings of positions.csv are +7.0 degrees off the way" in note for note in made(tmp_path).notes
    )


def test_magnetic_directions(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, headings(add=-4.0))
    notes = " ".join(made(tmp_path).notes)
    assert "-4.0 degrees off the way driven: from a compass (magnetic north)" in notes
    assert "heading_add_deg = 4.0 in camera.toml" in notes
    (tmp_path / "camera.toml").write_text("mm_per_px = 2.0\nheading_add_deg = 4.0\n")
    survey = made(tmp_path)
    assert {round(row.heading_deg, 6) for row in survey.rows} == {HEADING}
    assert not survey.notes


def test_headings_of_too_few_frames_are_said_to_be_unchecked(tmp_path: Path) -> None:
    deliver(tmp_path, 3)
    assert any("could not be compared with the way driven" in note for note in made(tmp_path).notes)


def test_given_headings_that_are_asked_for_must_be_there(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, lambda text: text.replace(f",{HEADING}", ",", 1))
    (tmp_path / "camera.toml").write_text('mm_per_px = 2.0\nheading = "given"\n')
    refused(tmp_path, r'heading is "given" in camera\.toml, but 1 of 8 positions of positions\.csv have no')
    (tmp_path / "camera.toml").write_text("mm_per_px = 2.0\n")
    assert [row.heading_from for row in made(tmp_path).rows] == ["track", *["given"] * 7]


# ---- places and names


def test_minus_one_is_no_position_anywhere(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    points = [*places(COUNT)]
    points[2], points[4] = (-1.0, -1.0), (0.0, 0.0)
    layer = geopandas.GeoDataFrame({"image": names_of(COUNT)}, geometry=shapely.points(points), crs=4326)
    layer.to_file(tmp_path / "points.gpkg")
    survey = made(tmp_path, "points.gpkg")
    assert [each.said for each in survey.aside] == [
        f"points.gpkg, feature {number}: there is no position (empty, 0 and 0, or -1 and -1)"
        for number in (3, 5)
    ]


def test_a_layer_with_features_that_have_no_geometry(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    points = [*shapely.points(places(COUNT))]
    points[2], points[3] = None, shapely.Point()
    layer = geopandas.GeoDataFrame({"image": names_of(COUNT), "heading": HEADING}, geometry=points, crs=4326)
    layer.to_file(tmp_path / "points.gpkg")
    survey = made(tmp_path, "points.gpkg")
    assert [(each.name, each.reason) for each in survey.aside] == [
        ("0003.jpg", "no-position"),
        ("0004.jpg", "no-position"),
    ]
    off = [
        GEOD.inv(row.longitude_deg, row.latitude_deg, *places(COUNT)[int(row.name[:4]) - 1])[2]
        for row in survey.rows
    ]
    assert max(off) < 0.001


def test_duplicate_names(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, lambda text: text.replace("0005.jpg", "0004.jpg"))
    survey = made(tmp_path)
    assert [(each.name, each.reason) for each in survey.aside] == [
        ("0004.jpg", "two-positions"),
        ("0005.jpg", "no-position"),
    ]
    assert "positions.csv names it in lines 5 and 6 with different positions" in survey.aside[0].said


def test_frames_of_two_cameras(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    Image.new("L", (64, 48)).save(tmp_path / "frames" / "0008.jpg")
    survey = made(tmp_path)
    assert [(each.name, each.reason) for each in survey.aside] == [("0008.jpg", "other-camera")]
    Image.new("L", (64, 48)).save(tmp_path / "frames" / "0001.jpg")
    Image.new("L", (64, 48)).save(tmp_path / "frames" / "0002.jpg")
    with pytest.raises(UsageError, match=r"are of 2 cameras: 5 are 40 x 30 px, 3 are 64 x 48 px.*--exclude"):
        made(tmp_path)
