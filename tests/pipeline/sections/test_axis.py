"""Which segment of the routes is nearest to a point, found in two ways."""

import numpy as np
import pytest
from pyproj import CRS
from roads.drawn_run import Road

from crackpipe.pipeline.sections.routes.axis import Finder, axes_of
from crackpipe.pipeline.sections.routes.chain import Part


@pytest.mark.parametrize("reach_m", [1.0, 17.0, 90.0])
def test_the_nearest_segment_within_reach_is_that_of_all(reach_m: float) -> None:
    roads = Road.bent(900.0), Road.bent(900.0, radius_m=250.0, heading_deg=75.0)
    parts = []
    for name, road in zip("AB", roads, strict=True):
        s = np.arange(0.0, 900.0, 7.0)
        parts.append(Part(name, road.points(s, np.zeros(len(s))), s, s))
    axes = axes_of(parts, CRS.from_epsg(25832))
    finder = Finder.of(axes)
    low, high = axes.start.min(axis=0) - 60, axes.start.max(axis=0) + 60
    points = np.random.default_rng(1).uniform(low, high, (6_000, 2))
    nearest, found = finder.nearest(points), finder.nearest_within(points, reach_m)
    away = axes.distance_m(nearest, points)
    assert ((found >= 0) == (away <= reach_m)).all()
    some = found >= 0
    # at a vertex two segments are as near as each other in the plane
    units = [axes.distance_m(each[some], points[some]) / axes.metres[each[some]] for each in (found, nearest)]
    assert np.abs(units[0] - units[1]).max() < 1e-6
    assert set(axes.part[found[some]]) == {0, 1}
