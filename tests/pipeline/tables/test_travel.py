"""Which way the vehicle went: strips, sequences, turns, mosaics, and what survey.toml says."""

from collections.abc import Sequence

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.geometry.ground import footprint_corners, ground_matrix
from crackpipe.pipeline.tables.overlaps.plane import Frame
from crackpipe.pipeline.tables.travel import natural_key, sequence_azimuths_deg, strip_azimuth_deg, travel_deg

UTM32, DEGREES = CRS("EPSG:25832"), CRS("EPSG:4326")
NORTH_UP = np.array([[0.0, 1e-3], [-1e-3, 0.0]])
"""Rows go south, columns east, 1 mm per pixel."""


def frame(east_m: float, north_m: float, *, turned_deg: float = 0.0, side_px: int = 1000) -> Frame:
    """A square image around a point, its rows turned clockwise."""
    place = Affine.translation(500_000 + east_m, 5_400_000 + north_m)
    transform = place @ Affine.rotation(-turned_deg) @ Affine.scale(0.001, -0.001)
    transform = transform @ Affine.translation(-side_px / 2, -side_px / 2)
    size = side_px, side_px
    return Frame(footprint_corners(transform, *size), *size, ground_matrix(transform, UTM32, *size))


def drive(*azimuths_deg: float, step_m: float = 0.6) -> list[Frame]:
    """Images along a way that goes on by one step in each direction."""
    angles = np.radians(azimuths_deg)
    east, north = np.cumsum(np.sin(angles)) * step_m, np.cumsum(np.cos(angles)) * step_m
    return [frame(0, 0), *(frame(*place) for place in zip(east, north, strict=True))]


def same(found: Sequence[float | None], expected: Sequence[float]) -> bool:
    """Directions agree; 179.999 and 0 do."""
    apart = [
        90.0 if one is None else abs((one - two + 90) % 180 - 90)
        for one, two in zip(found, expected, strict=True)
    ]
    return max(apart) < 0.01


@pytest.mark.parametrize(
    ("size", "expected"),
    [((4000, 1000), 0.0), ((1000, 4000), 90.0), ((1999, 1000), None), ((2000, 1000), 0.0)],
)
def test_the_road_runs_along_a_strip(size: tuple[int, int], expected: float | None) -> None:
    assert strip_azimuth_deg(NORTH_UP, *size) == expected


def test_the_road_along_a_turned_strip() -> None:
    turned = Affine(0.001, 0, 500000, 0, -0.001, 5500000) @ Affine.rotation(30)
    ground = ground_matrix(turned, UTM32, 4000, 1000)
    # turned by 30 degrees clockwise in pixels, y pointing down
    assert strip_azimuth_deg(ground, 4000, 1000) == pytest.approx(30.0, abs=0.1)


def test_names_in_natural_order() -> None:
    names = ["a10.tif", "a9.tif", "b1.tif", "a009b2.tif"]
    assert sorted(names, key=natural_key) == ["a9.tif", "a009b2.tif", "a10.tif", "b1.tif"]


def test_along_a_straight_road() -> None:
    assert same(sequence_azimuths_deg(drive(45, 45, 45)), [45] * 4)
    assert same(sequence_azimuths_deg(drive(0, 0)), [0] * 3)


def test_around_a_bend() -> None:
    assert same(sequence_azimuths_deg(drive(0, 8, 16, 24)), [0, 4, 12, 20, 24])


def test_the_step_into_the_next_lane_is_no_direction() -> None:
    up_and_down = drive(0, 0, 0, 90, 180, 180, 180)
    assert same(sequence_azimuths_deg(up_and_down), [0] * 8)


def test_gaps_part_and_standing_does_not() -> None:
    here, there = drive(30, 30), [frame(100, 0), frame(100.6, 0)]
    assert same(sequence_azimuths_deg([*here, *there]), [30] * 3 + [90] * 2)
    assert same(sequence_azimuths_deg([here[0], here[0], here[1]]), [30] * 3)
    assert sequence_azimuths_deg([frame(0, 0), frame(100, 0)]) == [None, None]


def test_frames_that_overlap_by_more_than_95_per_cent() -> None:
    """Every other image of 1 m is 9 cm on from the last that counts; those between take its direction."""
    assert same(sequence_azimuths_deg(drive(*[30] * 8, step_m=0.045)), [30] * 9)
    # one that jitters about one place does not move
    place = [frame(0.02 * (-1) ** k, 0) for k in range(9)]
    assert sequence_azimuths_deg(place) == [None] * 9


def test_two_steps_that_disagree_say_nothing() -> None:
    assert sequence_azimuths_deg(drive(0, 60)) == [None] * 3


def test_turned_images() -> None:
    frames = [frame(0.5 * k, 0.5 * k, turned_deg=20) for k in range(3)]
    assert same(sequence_azimuths_deg(frames), [45] * 3)


def test_tiles_of_a_mosaic_say_nothing() -> None:
    tiles = [frame(col, -row) for row in range(2) for col in range(3)]
    assert sequence_azimuths_deg(tiles) == [None] * 6
    # but a raster cut across only is a road
    assert same(sequence_azimuths_deg(tiles[:3]), [90] * 3)


def test_what_is_given_comes_before_strips_and_those_before_sequences() -> None:
    strip = Frame(frame(0, 0).corners, 4000, 1000, NORTH_UP)
    squares = drive(45, 45, 45, 45, 45, 45, 45, 45, 45, 45)
    ids = [f"lane/{index}.tif" for index in range(len(squares))]
    found = travel_deg(["strip/1.tif", *ids], [strip, *squares], [None, *[None] * 10, 200.0])
    assert same(found, [0.0, *[45.0] * 10, 20.0])


def test_folders_are_sequences_of_their_own() -> None:
    frames = [frame(0, 0), frame(0.6, 0), frame(0, 0.6), frame(0.6, 0.6)]
    ids = ["b/1.tif", "a/1.tif", "b/2.tif", "a/2.tif"]
    assert same(travel_deg(ids, frames, [None] * 4), [0.0] * 4)
