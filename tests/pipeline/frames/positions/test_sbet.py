"""Trajectories of an inertial system: 17 doubles a record, seconds of the week."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from deliveries import GEOD, HEADING, START
from pyproj import CRS

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import Camera
from crackpipe.pipeline.frames.files.exif import Exif
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.pose.by_time import join_by_time
from crackpipe.pipeline.frames.positions.sbet import read_sbet
from crackpipe.pipeline.frames.positions.table import Positions

# Tuesday, 20 May 2025, 10:00 UTC: two days and ten hours after the week's begin
BEGIN = datetime(2025, 5, 20, 10, tzinfo=UTC).timestamp()
OF_WEEK = 2 * 86400 + 10 * 3600.0


def write(folder: Path, *, leap_s: float = 0.0, rate: int = 200, wander: float = 0.0) -> Path:
    """Ten seconds at 10 m/s."""
    seconds = np.arange(10 * rate) / rate
    records = np.zeros((len(seconds), 17))
    lon, lat, _ = GEOD.fwd(*(np.full(len(seconds), each) for each in (*START, HEADING)), 10 * seconds)
    records[:, 0] = OF_WEEK + leap_s + seconds
    records[:, 1], records[:, 2] = np.radians(lat), np.radians(lon)
    records[:, 9], records[:, 10] = np.radians(HEADING), wander
    records.astype("<f8").tofile(folder / "a.sbet")
    return folder / "a.sbet"


def camera(time: str, late_s: float = 0.0) -> Camera:
    said = frozenset({"trajectory_time", "clock_offset_s"})
    return Camera(trajectory_time=time, clock_offset_s=late_s, heading_unit="gon", said=said)  # type: ignore[arg-type]


def placed(track: Positions, time: str, late_s: float = 0.0) -> Positions:
    frame = Frame(
        name="a.jpg",
        path=Path("a.jpg"),
        height_px=1,
        width_px=1,
        exif=Exif(time_s=BEGIN + 4.0125 - late_s, zoned=True),
    )
    found = join_by_time([frame], track, CRS("EPSG:4326"), camera(time, late_s))
    assert {each.what for each in found.assumptions} >= {"trajectory_time"}
    return found.positions


@pytest.mark.parametrize(("time", "leap_s"), [("gps", 18.0), ("utc", 0.0)])
def test_a_frame_lies_where_the_vehicle_was_in_gps_time_and_in_utc(
    tmp_path: Path, time: str, leap_s: float
) -> None:
    track = read_sbet(write(tmp_path, leap_s=leap_s), camera(time), None)
    assert len(track) == 200  # 20 a second
    found = placed(track, time)
    lon, lat, _ = GEOD.fwd(*START, HEADING, 40.125)
    assert GEOD.inv(lon, lat, *found.xy[0])[2] < 0.001
    # in the unit that camera.toml says
    assert found.heading[0] == pytest.approx(HEADING / 0.9)


def test_the_week_is_right_where_the_camera_counts_from_another_year(tmp_path: Path) -> None:
    found = placed(read_sbet(write(tmp_path), camera("utc"), None), "utc", late_s=25 * 365 * 86400.0)
    lon, lat, _ = GEOD.fwd(*START, HEADING, 40.125)
    assert GEOD.inv(lon, lat, *found.xy[0])[2] < 0.001


def test_which_time_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'GPS or UTC seconds.*trajectory_time = "gps" or "utc"'):
        read_sbet(write(tmp_path), Camera(), None)


def test_headings_from_a_wander_angle_are_not_taken(tmp_path: Path) -> None:
    track = read_sbet(write(tmp_path, wander=0.01), camera("utc"), None)
    assert np.isnan(track.heading).all()
    assert "wander angle" in track.notes[-1]


def test_a_file_that_ends_within_a_record_is_told(tmp_path: Path) -> None:
    file = write(tmp_path)
    with file.open("ab") as opened:
        opened.write(bytes(50))
    track = read_sbet(file, camera("utc"), None)
    assert [(fault.line, fault.said) for fault in track.faults] == [(2001, "it ends after 50 of 136 bytes")]


@pytest.mark.parametrize("content", [b"", b"text " * 400, np.full(34, np.nan).tobytes()])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.out").write_bytes(content)
    with pytest.raises(UsageError, match=r"a\.out (holds no record|is no SBET file)"):
        read_sbet(tmp_path / "a.out", camera("utc"), None)
