"""What was inspected at a place: points near an edge are looked at one by one, the others are not."""

import numpy as np
import shapely

from crackpipe.pipeline.compare.flat.coverage import EDGE_M, Inspected

SHOWN = (
    shapely.box(0, 0, 4, 2),
    shapely.box(3.97, 0, 7, 2),  # goes on without a gap
    shapely.Polygon([(8, 0), (12, 0), (12, 2), (8, 2)], [[(9, 0.5), (11, 0.5), (11, 1.5), (9, 1.5)]]),
    shapely.Polygon([(13, 0), (14, 0), (13.5, 0.1)]),  # too narrow for a point away from its edges
)


def test_a_point_counts_if_the_ground_around_it_was_inspected() -> None:
    points = np.random.default_rng(3).uniform([-0.5, -0.5], [14.5, 2.5], (20_000, 2))
    inspected = Inspected(np.array(SHOWN, dtype=object), np.full(len(SHOWN), 0.9))
    around = [points + EDGE_M * np.array(way) for way in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
    wanted = np.all([shapely.intersects_xy(shapely.union_all(SHOWN), *each.T) for each in around], axis=0)
    assert (inspected.covers(points) == wanted).all()
    assert 0.3 < wanted.mean() < 0.7
