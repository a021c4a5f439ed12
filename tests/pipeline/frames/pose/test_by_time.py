"""Frames find their places on a receiver's track, or a sentence says why not."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from deliveries import GEOD, HEADING, START, UTM
from pyproj import CRS, Transformer

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.camera import Camera
from crackpipe.pipeline.frames.files.exif import Exif
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.pose.by_time import Timed, join_by_time
from crackpipe.pipeline.frames.pose.crs import to_datum
from crackpipe.pipeline.frames.positions.table import Positions, unknown

BEGIN = datetime(2025, 5, 20, 10, 0, 0, tzinfo=UTC).timestamp()
SAME_CLOCK = Camera(clock_offset_s=0.0, said=frozenset({"clock_offset_s"}))


def frame(time_s: float, name: str = "a.jpg", *, zoned: bool = True) -> Frame:
    return Frame(name=name, path=Path(name), height_px=1, width_px=1, exif=Exif(time_s=time_s, zoned=zoned))


def track(times: np.ndarray[tuple[int], np.dtype[np.float64]], speed: float = 10.0) -> Positions:
    lon, lat, _ = GEOD.fwd(
        *(np.full(len(times), each) for each in (*START, HEADING)), speed * (times - BEGIN)
    )
    return Positions(
        source="track.gpx",
        lines=list(range(1, len(times) + 1)),
        xy=np.column_stack([lon, lat]),
        crs="EPSG:4326",
        crs_from="",
        heading=unknown(len(times)),
        time_s=times,
    )


def joined(frames: list[Frame], positions: Positions, camera: Camera = SAME_CLOCK) -> Timed:
    return join_by_time(frames, positions, CRS("EPSG:4326"), camera)


ONE_A_SECOND = BEGIN + np.arange(60.0)


def test_between_two_positions_a_frame_lies_where_the_vehicle_was() -> None:
    found = joined([frame(BEGIN + 10.25), frame(BEGIN + 20.9)], track(ONE_A_SECOND)).positions
    for place, way_m in zip(found.xy, (102.5, 209.0), strict=True):
        lon, lat, _ = GEOD.fwd(*START, HEADING, way_m)
        assert GEOD.inv(lon, lat, *place)[2] < 0.001
    assert np.allclose(found.heading, HEADING, atol=0.01)


def test_a_track_with_an_empty_heading_says_that_none_is_taken() -> None:
    heading = np.full(60, HEADING + 5)
    heading[7] = np.nan
    partly = replace(track(ONE_A_SECOND), heading=heading)
    found = joined([frame(BEGIN + 10.25)], partly).positions
    assert np.allclose(found.heading, HEADING, atol=0.01)
    assert found.notes[1:] == [
        "1 of 60 positions of track.gpx have no heading, so none of its headings was taken and frames look "
        "the way that was driven"
    ]
    with pytest.raises(UsageError, match=r'heading is "given" .* 1 of 60 positions of track.gpx have no'):
        joined([frame(BEGIN + 10.25)], partly, replace(SAME_CLOCK, heading="given"))


def test_a_given_offset_is_added_to_the_frames_clock() -> None:
    late = Camera(clock_offset_s=0.8, said=frozenset({"clock_offset_s"}))
    there = joined([frame(BEGIN + 9.2)], track(ONE_A_SECOND), late).positions.xy
    assert np.allclose(there, joined([frame(BEGIN + 10.0)], track(ONE_A_SECOND)).positions.xy, atol=1e-9)


def test_a_track_of_one_time_is_refused() -> None:
    with pytest.raises(UsageError, match="4 positions with a time, of 1 different times; at least 3"):
        joined([frame(BEGIN)], track(np.full(4, BEGIN)))


def test_no_place_is_made_up_in_a_gap_of_the_track() -> None:
    times = np.delete(ONE_A_SECOND, np.arange(20, 30))
    found = joined([frame(BEGIN + 15.5), frame(BEGIN + 25.0), frame(BEGIN + 45.0)], track(times)).positions
    assert np.isfinite(found.xy).all(axis=1).tolist() == [True, False, True]


def test_times_in_names_are_taken_where_exif_has_none() -> None:
    named = frame(float("nan"), "cam_20250520_100010_250.jpg")
    found = joined([named], track(ONE_A_SECOND)).positions
    assert np.allclose(found.xy, joined([frame(BEGIN + 10.25)], track(ONE_A_SECOND)).positions.xy, atol=1e-9)
    assert "times of frames are from names" in found.notes


def test_two_time_zones_are_told_apart_from_another_day() -> None:
    local = [frame(BEGIN + 7200 + second, zoned=False) for second in (5.0, 30.0)]
    with pytest.raises(UsageError, match=r"two time zones.*utc_offset_h = 2 "):
        joined(local, track(ONE_A_SECOND), Camera())
    zone = Camera(clock_offset_s=0.0, utc_offset_h=2.0, said=frozenset({"utc_offset_h", "clock_offset_s"}))
    assert np.isfinite(joined(local, track(ONE_A_SECOND), zone).positions.xy).all()


def test_a_wrong_zone_in_exif_asks_for_an_offset_of_clocks() -> None:
    summer = [frame(BEGIN + 3600 + second) for second in (5.0, 30.0)]
    for camera in (Camera(), Camera(utc_offset_h=1.0, said=frozenset({"utc_offset_h"}))):
        with pytest.raises(UsageError, match=r"two time zones\. EXIF names .* clock_offset_s = -3600 into"):
            joined(summer, track(ONE_A_SECOND), camera)
    offset = Camera(clock_offset_s=-3600.0, said=frozenset({"clock_offset_s"}))
    assert np.isfinite(joined(summer, track(ONE_A_SECOND), offset).positions.xy).all()


def test_a_trajectory_of_another_day_is_refused() -> None:
    with pytest.raises(UsageError, match=r"2025-05-23.*2025-05-20.*never meet"):
        joined([frame(BEGIN + 3 * 86400.0)], track(ONE_A_SECOND), Camera())


def test_at_constant_speed_the_offset_must_be_said() -> None:
    frames = [frame(BEGIN + second) for second in np.arange(5.0, 50.0, 0.5)]
    with pytest.raises(UsageError, match=r"not determinable.*clock_offset_s"):
        joined(frames, track(ONE_A_SECOND), Camera())


def test_frames_without_any_time_are_refused() -> None:
    with pytest.raises(UsageError, match="no frame has a time"):
        joined([frame(float("nan"))], track(ONE_A_SECOND))


def test_the_projected_crs_of_a_track_does_not_move_it() -> None:
    plain = track(ONE_A_SECOND)
    xy = np.column_stack(Transformer.from_crs(4326, UTM, always_xy=True).transform(*plain.xy.T))
    projected = replace(plain, xy=xy, crs="EPSG:32632")
    found = join_by_time([frame(BEGIN + 10.25)], projected, UTM, SAME_CLOCK).positions
    there = to_datum(found.xy, CRS(found.crs), CRS("EPSG:4326"))
    assert np.allclose(there, joined([frame(BEGIN + 10.25)], plain).positions.xy, atol=1e-9)
