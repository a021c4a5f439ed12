"""Which way cracks run: on the map, against the road; and which ones close cells."""

import numpy as np
import pytest
import shapely

from crackpipe.pipeline.tables.crack_type import (
    TypeLimits,
    azimuth_deg,
    closing_cells,
    crack_types,
    directions,
    map_orientation_deg,
)


def lines(*each: list[tuple[float, float]]) -> np.ndarray:
    return np.array([shapely.LineString(points) for points in each], dtype=object)


def test_directions_are_chords_and_the_long_axis_of_rings() -> None:
    bent = [(0.0, 0.0), (5.0, 1.0), (3.0, 4.0)]
    ring = [(0.0, 0.0), (4.0, 4.0), (5.0, 3.0), (1.0, -1.0), (0.0, 0.0)]
    found = directions(lines(bent, ring))
    assert found[0].tolist() == [3.0, 4.0]
    assert azimuth_deg(found) == pytest.approx([36.87, 45.0], abs=0.01)
    assert directions(np.zeros(0, dtype=object)).shape == (0, 2)


def test_angles_stay_below_180() -> None:
    assert azimuth_deg(np.array([[-1e-20, 1.0], [0.0, -1.0], [1.0, 0.0]])).tolist() == [0.0, 0.0, 90.0]


def test_orientation_on_a_map_in_degrees() -> None:
    # at 60 degrees north a degree of longitude is half as long
    line = lines([(10.0, 60.0), (10.0002, 60.0001)])
    chord = directions(line)
    assert map_orientation_deg(line, chord, radians_per_unit=np.pi / 180) == pytest.approx([45.0], abs=0.01)
    assert map_orientation_deg(line, chord, radians_per_unit=None) == pytest.approx([63.435], abs=0.01)


@pytest.mark.parametrize("travel", [0.0, 170.0])
def test_types(travel: float) -> None:
    azimuth = np.array([175.0, 10.0, 12.0, 80.0, 101.0, 0.0])
    expected = ["longitudinal", "longitudinal", "diagonal", "transverse", "diagonal", "pattern"]
    turned = (azimuth + travel) % 180.0
    closing = np.array([False] * 5 + [True])
    assert crack_types(turned, np.full(6, travel), closing, TypeLimits()) == expected
    assert crack_types(turned, np.full(6, np.nan), closing, TypeLimits()) == [None] * 6
    wide = TypeLimits(longitudinal_within_deg=15, transverse_within_deg=5)
    assert crack_types(turned, np.full(6, travel), closing, wide)[2:4] == ["longitudinal", "diagonal"]


def test_cells() -> None:
    """A square with a tail, a tree, a ring, and two lines between the same nodes."""
    square, tail = [(0, 1), (1, 2), (2, 3), (3, 0)], [(3, 4), (4, 5)]
    tree, ring, parallel = [(10, 11), (10, 12)], [(20, 20)], [(30, 31), (31, 30)]
    found = closing_cells(square + tail + tree + ring + parallel)
    assert found.tolist() == [True] * 4 + [False] * 4 + [True] * 3
    assert closing_cells([]).tolist() == []
