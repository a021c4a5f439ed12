"""What is odd about the way a delivery went."""

import numpy as np
import pytest

from crackpipe.pipeline.frames.quality.adjust import corrections
from crackpipe.pipeline.frames.quality.track import TrackFaults, faults_of


def north(*metres: float) -> TrackFaults:
    """Frames of 5 m at these metres along a way to the north."""
    steps = np.column_stack([np.zeros(len(metres) - 1), np.diff(metres)])
    return faults_of(steps, np.zeros(len(metres)), 5.0)


def test_an_even_drive_has_no_faults() -> None:
    found = north(*np.arange(0, 40, 4.0))
    assert (found.way_m, found.step_m, found.overlap) == (36.0, 4.0, pytest.approx(0.2))
    assert not (found.gaps or found.jumps or found.standstills or found.backwards or found.passes)


def test_a_gap_is_the_ground_that_no_frame_shows() -> None:
    assert north(0, 4, 8, 20, 24, 28).gaps == [(2, 7.0)]


def test_a_jump_is_no_gap() -> None:
    found = north(0, 4, 8, 500, 504, 508)
    assert (found.jumps, found.gaps) == ([(2, 492.0)], [])


def test_three_frames_at_one_place_are_a_standstill() -> None:
    assert north(0, 4, 8, 8.01, 8.02, 12, 16).standstills == [(2, 3)]


def test_frames_that_go_back_are_named() -> None:
    assert north(0, 4, 8, 6, 10, 14).backwards == [2]


def test_a_second_pass_lies_on_the_first() -> None:
    there = np.arange(0, 60, 4.0)
    steps = np.diff(np.column_stack([np.zeros(30), np.concatenate([there, there[::-1]])]), axis=0)
    heading = np.repeat([0.0, 180.0], 15)
    assert (29, 0) in faults_of(steps, heading, 5.0).passes


def test_a_vehicle_that_stands_long_costs_no_more() -> None:
    """20,000 frames at one place would be 200 million pairs."""
    still = np.random.default_rng(1).normal(0, 0.002, (20_000, 2))
    way = np.concatenate([np.zeros(20_000), np.arange(0, 60, 4.0), np.arange(60, 0, -4.0)])
    places = np.column_stack([np.zeros(len(way)), way])
    places[:20_000] += still
    found = faults_of(np.diff(places, axis=0), np.zeros(len(way)), 5.0)
    assert found.standstills[0][1] > 19_000
    assert found.passes


# ---- positions that agree with seams


def test_neighbours_come_together_and_the_track_stays() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.02, (200, 2))
    moves = corrections(-np.diff(noise, axis=0))
    left = np.diff(noise + moves, axis=0)
    assert np.abs(left).max() < 0.002
    assert np.abs((noise + moves).mean(axis=0)).max() < 0.02


def test_without_seams_nothing_moves() -> None:
    assert not corrections(np.full((9, 2), np.nan)).any()


def test_a_seam_that_tells_nothing_parts_the_chain() -> None:
    asked = np.array([[0.1, 0.0], [np.nan, np.nan], [0.0, 0.2]])
    moves = corrections(asked)
    assert moves[1, 0] - moves[0, 0] == pytest.approx(0.1, abs=0.001)
    assert moves[3, 1] - moves[2, 1] == pytest.approx(0.2, abs=0.001)
    assert moves[2, 0] == moves[3, 0] == moves[0, 1] == 0.0


def test_frames_that_come_later_leave_those_long_before_as_they_are() -> None:
    asked = np.random.default_rng(5).normal(0, 0.03, (900, 2))
    assert np.array_equal(corrections(asked[:600])[:300], corrections(asked)[:300])
