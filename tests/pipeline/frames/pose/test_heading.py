"""Headings of tracks, and given ones that do not fit them."""

import numpy as np
import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.pose.heading import agreement, in_degrees, track_headings
from crackpipe.pipeline.geometry.arrays import Floats


def circle(radius_m: float, step_m: float, count: int) -> tuple[Floats, Floats]:
    """Steps (east, north) along a bend to the right, and the true heading at each place."""
    angle = np.arange(count) * step_m / radius_m
    places = radius_m * np.column_stack([1 - np.cos(angle), np.sin(angle)])
    return np.diff(places, axis=0), np.degrees(angle)


def off(found: Floats, truth: Floats) -> Floats:
    return np.abs((found - truth + 180) % 360 - 180)


@pytest.mark.parametrize("step_m", [0.5, 2.0, 10.0])
def test_a_bend_of_100_m_is_followed(step_m: float) -> None:
    steps, truth = circle(100.0, step_m, 60)
    assert off(track_headings(steps), truth).max() < 1.0


def test_noise_of_2_cm_turns_a_straight_way_by_a_quarter_degree_and_twice_at_its_ends() -> None:
    rng = np.random.default_rng(1)
    places = np.column_stack([np.zeros(200), np.arange(200.0)]) + rng.normal(0, 0.02, (200, 2))
    found = off(track_headings(np.diff(places, axis=0)), np.zeros(200))
    assert found[15:-15].max() < 0.25
    assert found.max() < 0.6


def test_a_vehicle_that_stands_keeps_its_direction() -> None:
    rng = np.random.default_rng(2)
    north = np.concatenate([np.arange(0, 20.0), np.full(50, 20.0), np.arange(21.0, 40.0)])
    places = np.column_stack([np.zeros(len(north)), north]) + rng.normal(0, 0.02, (len(north), 2))
    assert off(track_headings(np.diff(places, axis=0)), np.zeros(len(north))).max() < 1.5


def test_a_jump_is_no_direction() -> None:
    north = np.concatenate([np.arange(10.0), 500.0 + np.arange(10.0)])
    east = np.concatenate([np.zeros(10), np.full(10, 300.0)])
    headings = track_headings(np.diff(np.column_stack([east, north]), axis=0))
    assert off(headings, np.zeros(20)).max() < 1e-6


def test_a_place_alone_has_no_direction() -> None:
    assert np.isnan(track_headings(np.empty((0, 2)))).all()
    assert np.isnan(track_headings(np.zeros((5, 2)))).all()


def test_places_that_come_later_change_the_end_of_a_track_only() -> None:
    steps, _ = circle(100.0, 2.0, 60)
    early, late = track_headings(steps[:40]), track_headings(steps)
    assert np.array_equal(early[:31], late[:31])


TRACK = np.linspace(5.0, 355.0, 40)


@pytest.mark.parametrize(("unit", "factor"), [("degrees", 1.0), ("radians", np.pi / 180), ("gon", 400 / 360)])
def test_units_that_are_said_are_taken(unit: str, factor: float) -> None:
    degrees, found = in_degrees(TRACK * factor, TRACK, unit, "a.csv")
    assert off(degrees, TRACK).max() < 1e-9
    assert found.spread_deg < 1e-9


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.radians(TRACK), 'fit as radians: write heading_unit = "radians" into camera.toml'),
        (TRACK / 0.9, 'fit as gon: write heading_unit = "gon" into camera.toml'),
        (TRACK + 180, "all by -180"),
        (TRACK - 90, "all by -90.*heading_add_deg = 90"),
        (-TRACK, "no unit explains it"),
    ],
)
def test_headings_that_do_not_fit_the_track_are_refused(given: Floats, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        in_degrees(given, TRACK, "degrees", "a.csv")


def test_a_compass_that_is_off_by_its_declination_is_measured() -> None:
    found = agreement((TRACK + 3.4) % 360, TRACK)
    assert found.median_deg == pytest.approx(3.4)
    assert found.spread_deg == pytest.approx(0.0, abs=1e-9)
