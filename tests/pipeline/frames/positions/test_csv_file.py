"""Text tables of positions: columns found by name, and what is wrong with them in a sentence."""

from pathlib import Path

import numpy as np
import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.positions.csv_file import read_csv
from crackpipe.pipeline.frames.positions.table import Positions


def read(folder: Path, text: str | bytes, crs: str | None = None, **columns: str) -> Positions:
    file = folder / "positions.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(file, columns, crs)


@pytest.mark.parametrize(
    "text",
    [
        "filename,latitude,longitude,heading\na.jpg,53.5,9.9,63\n",
        "Image Name;Lat [deg];Lon [deg];Yaw (deg)\r\na.jpg;53,5;9,9;63,0\r\n",
        "FILE\tGPSLatitude\tGPSLongitude\tTrackAngle\na.jpg\t53.5\t9.9\t63\n",
        'filename,latitude,longitude,heading\n"a.jpg","53,5","9,9","63"\n',
        "\ufefffilename,latitude,longitude,heading\na.jpg,53.5,9.9,63\n",
        "filename,latitude,longitude,heading\na.jpg,53.5,9.9,63\n".encode("utf-16"),
    ],
)
def test_tables_of_many_programs_say_the_same(tmp_path: Path, text: str | bytes) -> None:
    found = read(tmp_path, text)
    assert (found.names, found.xy.tolist(), found.heading.tolist()) == (["a.jpg"], [[9.9, 53.5]], [63.0])
    assert (found.crs, found.lines) == ("EPSG:4326", [2])


def test_columns_may_be_said(tmp_path: Path) -> None:
    text = "nr,B,L,pic\n1,53.5,9.9,a.jpg\n"
    found = read(tmp_path, text, latitude="B", longitude="L", filename="pic")
    assert (found.names, found.xy.tolist()) == (["a.jpg"], [[9.9, 53.5]])


def test_x_and_y_need_a_crs(tmp_path: Path) -> None:
    text = "filename,easting,northing\na.jpg,562243.4,5936202.3\n"
    with pytest.raises(UsageError, match="'easting' and 'northing' are in a CRS that it does not name"):
        read(tmp_path, text)
    assert read(tmp_path, text, crs="EPSG:25832").crs == "EPSG:25832"


def test_a_bad_line_is_named_and_the_rest_is_taken(tmp_path: Path) -> None:
    text = (
        "filename,latitude,longitude\na.jpg,53.5,9.9\n\nb.jpg,53,5,9,9\nc.jpg,north,9.9\nd.jpg,,\ne.jpg,0,0\n"
    )
    found = read(tmp_path, text)
    assert found.names == ["a.jpg", "d.jpg", "e.jpg"]
    assert np.isnan(found.xy[1:]).all()
    assert [(fault.line, fault.said) for fault in found.faults] == [
        (4, "5 columns, but the header has 3; are these decimal commas? Separate the columns by semicolons"),
        (5, "'north' is no number"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"positions\.csv is empty"),
        ("\n sep=;\n", r"positions\.csv is empty"),
        ("filename,latitude,longitude\n", "it holds no position"),
        (
            "filename,a,b\nx,1,2\n",
            "no columns of latitude and longitude, or x and y, among 'filename', 'a', 'b'",
        ),
        (
            'filename,latitude,longitude\na,1,2\n"b' + "x" * 200_000 + ",1,2\n",
            "line 3: field larger than field limit",
        ),
        ("latitude,longitude\n1,2\n", "neither a column of file names nor one of times"),
        ("file,image,lat,lon\na,b,1,2\n", "'file' and 'image' could both be the filename"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(tmp_path, text)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no column is named 'B'\. It has 'filename', 'lat', 'lon'"):
        read(tmp_path, "filename,lat,lon\na,1,2\n", latitude="B")


def test_times_without_a_zone_are_told(tmp_path: Path) -> None:
    text = "filename,lat,lon,time\na.jpg,53.5,9.9,2025-05-20 10:00:00.5\n"
    found = read(tmp_path, text)
    assert found.time_s.tolist() == [1747735200.5]
    assert found.notes == ["times of positions.csv name no zone and were taken as UTC"]


def test_a_line_that_names_its_frame_needs_no_time(tmp_path: Path) -> None:
    rows = (
        "a.jpg,53.5,9.9,2025-05-20T10:00:00Z\nb.jpg,53.6,9.9,10:00:01\nc.jpg,53.7,9.9,20.05.2025 10:00:02\n"
    )
    found = read(tmp_path, "filename,lat,lon,time\n" + rows)
    assert (found.names, found.faults) == (["a.jpg", "b.jpg", "c.jpg"], [])
    assert np.isnan(found.time_s).tolist() == [False, True, True]
    assert found.notes == [
        "2 times of positions.csv cannot be read and were not taken, the first in line 3: '10:00:01' is no "
        "time, such as 2025-05-20T10:00:00.25Z"
    ]


def test_a_line_of_a_track_needs_its_time(tmp_path: Path) -> None:
    found = read(tmp_path, "lat,lon,time\n53.5,9.9,2025-05-20T10:00:00Z\n53.6,9.9,10:00:01\n")
    assert (found.lines, [fault.line for fault in found.faults]) == ([2], [3])
