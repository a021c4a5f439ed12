"""Many lines as flat arrays, against shapely."""

import numpy as np
import pytest
import shapely
from years.two_years import wandering

from crackpipe.pipeline.compare.flat import ground
from crackpipe.pipeline.compare.flat.lines import Lines, Ruler, cut, geometries_of, joined, lines_of, sampled


@pytest.fixture(scope="module")
def some() -> Lines:
    return lines_of(
        np.array([shapely.LineString(each.line) for each in wandering(1, 40, 50.0)], dtype=object)
    )


def test_lengths_bounds_and_ends_are_those_of_shapely(some: Lines) -> None:
    geometries = geometries_of(some)
    assert some.length_m == pytest.approx(shapely.length(geometries))
    assert some.bounds == pytest.approx(shapely.bounds(geometries))
    assert some.ends()[:, 1] == pytest.approx(shapely.get_coordinates(shapely.get_point(geometries, -1)))


def test_points_at_a_distance_are_those_of_shapely(some: Lines) -> None:
    line = np.arange(len(some))
    for share in (0.0, 0.37, 1.0):
        xy, tangent = Ruler.of(some).at(line, share * some.length_m)
        expected = shapely.line_interpolate_point(geometries_of(some), share, normalized=True)
        assert xy == pytest.approx(shapely.get_coordinates(expected))
        assert np.hypot(*tangent.T) == pytest.approx(np.ones(len(some)))


def test_samples_stand_for_the_whole_length(some: Lines) -> None:
    found = sampled(some, 0.05)
    assert np.bincount(found.line, found.weight_m) == pytest.approx(some.length_m)
    assert found.weight_m.max() <= 0.05


def test_a_cut_has_its_length_and_lies_on_its_line(some: Lines) -> None:
    line = np.repeat(np.arange(len(some)), 2)
    start = np.tile([0.0, 0.3], len(some)) * some.length_m[line]
    stop = np.tile([0.3, 1.0], len(some)) * some.length_m[line]
    pieces = cut(some, line, start, stop)
    assert pieces.length_m == pytest.approx(stop - start)
    away = shapely.hausdorff_distance(
        geometries_of(joined([pieces.take(np.array([0])), pieces.take(np.array([1]))])),
        geometries_of(some)[0],
    )
    assert len(away) == 2
    assert cut(some, line[1::2], 0 * stop[1::2], stop[1::2]).xy == pytest.approx(some.xy)


def test_a_line_is_near_each_tile_that_its_box_touches() -> None:
    bounds = np.array([[10.0, 10.0, 20.0, 20.0], [390.0, 390.0, 410.0, 410.0]])
    places = ground.places_of(bounds, 1.0)
    keys = ground.key_of(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])).tolist()
    assert [places.near(key).tolist() for key in keys] == [[0, 1], [1], [1], [1]]
    assert [(key, some.tolist()) for key, some in ground.tiles(places)] == [(keys[0], [0]), (keys[3], [1])]


def test_roads_are_ground_without_a_gap() -> None:
    points = np.array([[0.0, 0.0], [30.0, 0.0], [55.0, 20.0], [200.0, 0.0]])
    roads = ground.roads_of(points)
    assert roads.count == 2
    assert len(set(roads.at(points)[:3].tolist())) == 1
