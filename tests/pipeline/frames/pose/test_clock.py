"""The offset between the camera's clock and the receiver's, from speed and the way between frames."""

import numpy as np
import pytest

from crackpipe.pipeline.frames.pose.clock import estimate
from crackpipe.pipeline.geometry.arrays import Floats

STEP_M = 5.0


def drive(speed: Floats) -> tuple[Floats, Floats]:
    """Times (T,) and ways (T,) of a vehicle whose speed, m/s, is given each tenth of a second."""
    return 0.1 * np.arange(len(speed) + 1), np.concatenate([[0.0], np.cumsum(speed * 0.1)])


def braking() -> tuple[Floats, Floats]:
    """80 s: 15 m/s, a stop of 5 s, and on."""
    down, up = np.linspace(15.0, 0.0, 75), np.linspace(0.0, 15.0, 75)
    return drive(np.concatenate([np.full(300, 15.0), down, np.zeros(50), up, np.full(300, 15.0)]))


class Track:
    """A track along a straight road, with noise, as a curve."""

    def __init__(self, time_s: Floats, way_m: Floats, noise_m: float) -> None:
        rng = np.random.default_rng(4)
        self.time_s = time_s
        self.places = np.column_stack([0.3 * way_m, 0.954 * way_m]) + rng.normal(0, noise_m, (len(way_m), 2))

    def at(self, time_s: Floats) -> Floats:
        found = np.column_stack([np.interp(time_s, self.time_s, each) for each in self.places.T])
        found[(time_s < self.time_s[0]) | (time_s > self.time_s[-1])] = np.nan
        return found


def frames_of(time_s: Floats, way_m: Floats, offset_s: float) -> Floats:
    """Times by the camera's clock of frames that are taken each 5 m."""
    ways = np.arange(2.0, way_m[-1] - 2.0, STEP_M)
    return np.interp(ways, way_m + 1e-9 * time_s, time_s) - offset_s


@pytest.mark.parametrize("offset_s", [0.8, -3.2, 0.0])
@pytest.mark.parametrize("noise_m", [0.0, 0.02])
def test_an_offset_is_found_where_the_vehicle_brakes_and_stops(offset_s: float, noise_m: float) -> None:
    time_s, way_m = braking()
    found = estimate(frames_of(time_s, way_m, offset_s), Track(time_s, way_m, noise_m).at)
    assert not found.why_not
    assert found.seconds == pytest.approx(offset_s, abs=0.1)
    assert abs(found.seconds - offset_s) < max(4 * found.sigma_s, 0.02)


def test_dropped_frames_do_not_matter() -> None:
    time_s, way_m = braking()
    frames = np.delete(frames_of(time_s, way_m, 0.8), [10, 11, 40, 63, 64, 65, 120])
    assert estimate(frames, Track(time_s, way_m, 0.02).at).seconds == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize("noise_m", [0.0, 0.02])
def test_at_constant_speed_nothing_can_be_told(noise_m: float) -> None:
    time_s, way_m = drive(np.full(800, 15.0))
    found = estimate(frames_of(time_s, way_m, 0.8), Track(time_s, way_m, noise_m).at)
    assert found.why_not
    assert np.isnan(found.seconds)


def test_a_camera_that_time_triggers_tells_nothing() -> None:
    time_s, way_m = braking()
    assert "evenly" in estimate(np.arange(2.0, 75.0, 0.5), Track(time_s, way_m, 0.02).at).why_not


def test_a_trajectory_elsewhere_in_time_tells_nothing() -> None:
    time_s, way_m = braking()
    found = estimate(frames_of(time_s, way_m, 500.0), Track(time_s, way_m, 0.0).at)
    assert found.why_not == "too few frames lie within the track"
