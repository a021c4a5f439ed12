"""What clocks do wrong: time zones, leap seconds, whole seconds, another day."""

from pathlib import Path

import numpy as np
import pytest
from deliveries import GEOD, HEADING, START, deliver, names_of, places
from deliveries.bad import COUNT, made, refused
from PIL import Image


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
