"""Which way cracks run: on the map, on the ground, against the road; and which ones close cells."""

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from crackpipe.pipeline.crack_type import (
    closing_cells,
    crack_type,
    ground_azimuth_deg,
    map_orientation_deg,
    travel_azimuth_deg,
)
from crackpipe.pipeline.grid import ground_matrix

NORTH_UP = np.array([[0.0, 1e-3], [-1e-3, 0.0]])
"""Rows go south, columns east, 1 mm per pixel."""


@pytest.mark.parametrize(
    ("size", "expected"),
    [((4000, 1000), 0.0), ((1000, 4000), 90.0), ((1999, 1000), None), ((2000, 1000), 0.0)],
)
def test_the_road_runs_along_a_strip(size: tuple[int, int], expected: float | None) -> None:
    assert travel_azimuth_deg(NORTH_UP, *size) == expected


def test_the_road_along_a_turned_strip() -> None:
    turned = Affine(0.001, 0, 500000, 0, -0.001, 5500000) @ Affine.rotation(30)
    ground = ground_matrix(turned, CRS("EPSG:25832"), 4000, 1000)
    # turned by 30 degrees clockwise in pixels, y pointing down
    assert travel_azimuth_deg(ground, 4000, 1000) == pytest.approx(30.0, abs=0.1)


def test_azimuth_on_the_ground() -> None:
    assert ground_azimuth_deg(np.array([[10.0, 0.0], [0.0, 10.0]]), NORTH_UP) == pytest.approx(45.0)
    assert ground_azimuth_deg(np.array([[0.0, 0.0], [10.0, 10.0]]), NORTH_UP) == pytest.approx(135.0)


def test_orientation_on_a_map_in_degrees() -> None:
    # at 60 degrees north a degree of longitude is half as long
    line = np.array([[10.0, 60.0], [10.0002, 60.0001]])
    assert map_orientation_deg(line, geographic=True) == pytest.approx(45.0, abs=0.01)
    assert map_orientation_deg(line, geographic=False) == pytest.approx(63.435, abs=0.01)


@pytest.mark.parametrize(
    ("azimuth", "closes", "expected"),
    [
        (175.0, False, "longitudinal"),
        (10.0, False, "longitudinal"),
        (12.0, False, "diagonal"),
        (80.0, False, "transverse"),
        (101.0, False, "diagonal"),
        (0.0, True, "pattern"),
    ],
)
def test_types(azimuth: float, closes: bool, expected: str) -> None:
    assert crack_type(azimuth, 0.0, closes_cell=closes) == expected
    assert crack_type((azimuth + 170.0) % 180.0, 170.0, closes_cell=closes) == expected
    assert crack_type(azimuth, None, closes_cell=closes) is None


def test_cells() -> None:
    """A square with a tail, a tree, a ring, and two lines between the same nodes."""
    square, tail = [(0, 1), (1, 2), (2, 3), (3, 0)], [(3, 4), (4, 5)]
    tree, ring, parallel = [(10, 11), (10, 12)], [(20, 20)], [(30, 31), (31, 30)]
    found = closing_cells(square + tail + tree + ring + parallel)
    assert found.tolist() == [True] * 4 + [False] * 4 + [True] * 3
    assert closing_cells([]).tolist() == []
