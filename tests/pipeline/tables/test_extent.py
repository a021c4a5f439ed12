"""How much road images show, each piece of ground once: rectangles whose area a child can count."""

import numpy as np
import pytest
import shapely
from pyproj import CRS

from crackpipe.pipeline.tables.extent import Extent, extent_of
from crackpipe.pipeline.tables.overlaps.plane import Frame

UTM = CRS("EPSG:25832")
FEET = CRS("EPSG:2263")


def frame(x: float, y: float, width_m: float = 4.0, height_m: float = 2.0, unit_m: float = 1.0) -> Frame:
    """A north-up image of 10 mm pixels, its upper left corner at (x, y) in metres."""
    corners = np.array([[x, y], [x + width_m, y], [x + width_m, y - height_m], [x, y - height_m]]) / unit_m
    ground = np.array([[0.0, 0.01], [-0.01, 0.0]])
    return Frame(corners, round(height_m * 100), round(width_m * 100), ground)


def test_images_apart_are_added() -> None:
    # 4 m wide across a road to the north, 2 m long along it
    assert extent_of([frame(0, 0), frame(0, 10)], [0.0, 0.0], UTM) == Extent(lane_km=0.004, ground_m2=16.0)


def test_the_direction_of_travel_says_which_side_is_the_length() -> None:
    assert extent_of([frame(0, 0)], [90.0], UTM).lane_km == 0.004
    assert extent_of([frame(0, 0)], [100.0], UTM).lane_km == 0.004
    assert extent_of([frame(0, 0)], [None], UTM).lane_km == 0.004  # unknown: the longer side


def test_ground_that_two_images_show_counts_once() -> None:
    # half of the second lies on the first
    assert extent_of([frame(0, 0), frame(0, 1)], [0.0, 0.0], UTM) == Extent(lane_km=0.003, ground_m2=12.0)
    assert extent_of([frame(0, 0)] * 3, [0.0] * 3, UTM) == Extent(lane_km=0.002, ground_m2=8.0)


def test_lanes_side_by_side_count_each() -> None:
    assert extent_of([frame(0, 0), frame(4, 0)], [0.0, 0.0], UTM) == Extent(lane_km=0.004, ground_m2=16.0)


def test_what_was_not_inspected_does_not_count() -> None:
    half = Frame(**{**vars(frame(0, 0)), "inspected": shapely.box(0, 0, 400, 100).wkt})
    assert extent_of([half], [0.0], UTM) == Extent(lane_km=0.001, ground_m2=4.0)


def test_feet_are_metres_on_the_ground() -> None:
    found = extent_of([frame(300_000, 60_000, unit_m=0.3048006096)], [0.0], FEET)
    assert (found.lane_km, found.ground_m2) == (pytest.approx(0.002), pytest.approx(8.0))


def test_no_image_is_no_road() -> None:
    assert extent_of([], [], UTM) == Extent()
