"""What deliveries do wrong: each a sentence with file, line and remedy, and a row for every frame."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from deliveries import GEOD, HEADING, START, STEP_M, deliver, names_of, places, write_csv
from PIL import Image

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.deliver import Delivery, make_survey

COUNT = 8
Rewrite = Callable[[str], str]


def made(folder: Path, positions: str = "positions.csv", **options: object) -> Delivery:
    survey = make_survey(
        folder / "frames",
        positions if positions == "exif" else str(folder / positions),
        folder / "survey",
        camera_file=folder / "camera.toml",
        seams=False,
        **options,  # type: ignore[arg-type]
    )
    rows = list(csv.DictReader((folder / "survey" / "frames.csv").open(encoding="utf-8")))
    names = {str(path.relative_to(folder / "frames")) for path in (folder / "frames").rglob("*.jpg")}
    assert {row["frame"] for row in rows} == names, "a frame has no row"
    assert all(
        row["reason"] and row["message"] and row["remedy"] for row in rows if row["status"] != "placed"
    )
    return survey


def refused(folder: Path, said: str, positions: str = "positions.csv", **options: object) -> None:
    with pytest.raises(UsageError, match=said):
        made(folder, positions, **options)
    assert not (folder / "survey").exists()


def rewritten(folder: Path, how: Rewrite) -> None:
    file = folder / "positions.csv"
    file.write_text(how(file.read_text()))


def headings(factor: float = 1.0, add: float = 0.0) -> Rewrite:
    return lambda text: re.sub(rf"{HEADING}$", f"{HEADING * factor + add}", text, flags=re.MULTILINE)


def local(hour: int, second: float, zone: str = "") -> dict[int, str]:
    """EXIF of a time of day of 20 May 2025."""
    whole, fraction = divmod(round(1000 * second), 1000)
    values = {0x9003: f"2025:05:20 {hour:02d}:00:{whole:02d}", 0x9291: f"{fraction:03d}"}
    return {**values, 0x9011: zone} if zone else values


def taken(folder: Path, times: list[dict[int, str]]) -> None:
    """Put times into the EXIF of the frames."""
    for name, values in zip(names_of(len(times)), times, strict=True):
        exif = Image.Exif()
        exif.get_ifd(0x8769).update(values)
        with Image.open(folder / "frames" / name) as picture:
            picture.save(folder / "frames" / name, exif=exif)


def track(folder: Path, day: str = "2025-05-20") -> None:
    """A receiver's track of 10 m/s, a place each second for a minute."""
    rows = ["time,latitude,longitude"]
    for second in range(60):
        lon, lat, _ = GEOD.fwd(*START, HEADING, 10.0 * second)
        rows.append(f"{day}T10:00:{second:02d}Z,{lat!r},{lon!r}")
    (folder / "track.csv").write_text("\n".join(rows) + "\n")


# ---- columns and numbers


def test_swapped_columns(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, lambda text: text.replace("latitude,longitude", "longitude,latitude"))
    refused(tmp_path, r"positions\.csv, line 2: latitude 9\.94, longitude 53\.57.* swapped\. Swap them with")


def test_swapped_easting_and_northing(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    points = geopandas.GeoSeries(shapely.points(places(COUNT)), crs=4326).to_crs(25832)
    rows = [f"{name},{p.y},{p.x}" for name, p in zip(names_of(COUNT), points, strict=True)]
    (tmp_path / "positions.csv").write_text("\n".join(["filename,x,y", *rows]))
    refused(tmp_path, r"as ETRS89 / UTM zone 32N its positions lie .*swapped", positions_crs="EPSG:25832")
    rewritten(tmp_path, lambda text: text.replace("x,y", "y,x"))
    assert len(made(tmp_path, positions_crs="EPSG:25832").rows) == COUNT


def test_decimal_commas_between_commas(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    rewritten(tmp_path, lambda text: text.replace(".5", ",5"))
    refused(tmp_path, r"line 2: \d columns, but the header has 4; are these decimal commas\? Separate")


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


# ---- clocks


def test_two_time_zones(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT)
    taken(tmp_path, [local(12, 10 + number / 4) for number in range(COUNT)])
    track(tmp_path)
    refused(tmp_path, "they are of two time zones.*utc_offset_h = 2 into camera", "track.csv")


def test_frames_with_and_without_a_zone(tmp_path: Path) -> None:
    """Those without lie two hours beside the track, and each has a row that says so."""
    deliver(tmp_path, COUNT, "mm_per_px = 2.0\nclock_offset_s = 0\n")
    taken(tmp_path, [local(12, 10 + number / 4, "+02:00" if number < 6 else "") for number in range(COUNT)])
    track(tmp_path)
    survey = made(tmp_path, "track.csv")
    assert [(each.name, each.reason) for each in survey.aside] == [
        ("0007.jpg", "not-on-track"),
        ("0008.jpg", "not-on-track"),
    ]
    assert survey.aside[0].said.startswith("it was taken at 2025-05-20T12:00:11.500Z by the clock of the")
    assert "track.csv holds positions from 2025-05-20T10:00:00" in survey.aside[0].said


def test_leap_seconds(tmp_path: Path) -> None:
    """GPS time is 18 s ahead of UTC; and the second that was put in has a time."""
    deliver(tmp_path, COUNT, "mm_per_px = 2.0\nclock_offset_s = 18\n")
    taken(tmp_path, [local(10, 10 + number / 4, "+00:00") for number in range(COUNT)])
    track(tmp_path)
    survey = made(tmp_path, "track.csv")
    clock = next(each for each in survey.assumptions if each.what == "clock_offset_s")
    assert "18 s is the difference between GPS time and UTC" in clock.ten_percent
    text = "time,latitude,longitude\n" + "".join(
        f"2016-12-31T23:59:{second}Z,{53.5 + second * 1e-5},9.9\n" for second in (58, 59, 60)
    )
    (tmp_path / "leap.csv").write_text(text)
    from crackpipe.pipeline.frames.positions.csv_file import read_csv

    found = read_csv(tmp_path / "leap.csv", {}, None)
    assert (np.diff(found.time_s).tolist(), found.faults) == ([1.0, 1.0], [])


def test_times_in_whole_seconds_that_frames_share(tmp_path: Path) -> None:
    deliver(tmp_path, COUNT, "mm_per_px = 2.0\nclock_offset_s = 0\n")
    taken(tmp_path, [local(10, 10 + number // 4) for number in range(COUNT)])
    track(tmp_path)
    refused(tmp_path, "8 of 8 frames have the same time.*whole seconds.*SubSecTimeOriginal", "track.csv")


@pytest.mark.parametrize("day", ["2025-05-21", "2024-05-20"])
def test_a_trajectory_of_another_day(tmp_path: Path, day: str) -> None:
    deliver(tmp_path, COUNT)
    taken(tmp_path, [local(10, 10 + number / 4, "+00:00") for number in range(COUNT)])
    track(tmp_path, day)
    refused(tmp_path, f"positions in track.csv of {day}.*never meet. Give the track of that day", "track.csv")


def test_positions_by_name_of_another_day(tmp_path: Path) -> None:
    """Cameras begin at 0001.jpg every day."""
    deliver(tmp_path, COUNT)
    taken(tmp_path, [local(10, 10 + number / 4) for number in range(COUNT)])
    rows = [
        f"{name},{lat!r},{lon!r},2025-05-21T10:00:{10 + number}Z"
        for number, (name, (lon, lat)) in enumerate(zip(names_of(COUNT), places(COUNT), strict=True))
    ]
    (tmp_path / "positions.csv").write_text("\n".join(["filename,latitude,longitude,time", *rows]))
    refused(
        tmp_path, r"positions\.csv, line 2 is of 2025-05-21.*0001\.jpg was taken at 2025-05-20.*another day"
    )
    # an offset that was said is part of the one that is advised
    (tmp_path / "camera.toml").write_text("mm_per_px = 2.0\nclock_offset_s = 600\n")
    refused(tmp_path, "another day.* clock_offset_s = 8640[0-9] in camera.toml")
    (tmp_path / "camera.toml").write_text("mm_per_px = 2.0\nclock_offset_s = 86400\n")
    assert len(made(tmp_path).rows) == COUNT


# ---- headings


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
