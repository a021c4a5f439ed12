"""What a year inspected at a place, and how well the network knew the images there."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from crackpipe.pipeline.geometry.arrays import Bools, Floats, Geometries

EDGE_M = 0.06
"""So near to its edge inspected ground does not count as such: a crack may be lost there."""
_SURELY_M = EDGE_M + 0.01
"""All points of `_SHIFTS` around a point so far from the edge are inspected, and need not be looked at."""
_SHIFTS = np.array([[0, 0], [EDGE_M, 0], [-EDGE_M, 0], [0, EDGE_M], [0, -EDGE_M]])


@dataclass(frozen=True)
class Inspected:
    """The inspected parts of M images, in the plane."""

    polygons: Geometries
    """(M,)"""
    familiarity: Floats
    """(M,) 0..1; NaN where it is unknown."""
    known: bool = True
    """False: nobody knows what was inspected, as with imported cracks."""

    @classmethod
    def unknown(cls) -> "Inspected":
        """An output without images."""
        return cls(np.zeros(0, object), np.zeros(0), known=False)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.polygons)

    @cached_property
    def _inner(self) -> shapely.STRtree:
        """Parts of the polygons, a little farther from their edges than a point must be."""
        return shapely.STRtree(shapely.buffer(self.polygons, -_SURELY_M))

    def covers(self, points: Floats) -> Bools:
        """Whether points (P, 2) and the ground 60 mm around them were inspected, bool (P,)."""
        if not self.known:
            return np.ones(len(points), np.bool_)
        covered = _meets(self._inner, points)
        doubtful = np.flatnonzero(~covered)
        for shift in _SHIFTS:
            doubtful = doubtful[_meets(self._tree, points[doubtful] + shift)]
        covered[doubtful] = True
        return covered

    def familiarity_at(self, points: Floats) -> Floats:
        """The best familiarity of the images that show each point, (P,); NaN where none is known."""
        best = np.full(len(points), -np.inf)
        point, image = self._tree.query(shapely.points(points), predicate="intersects")
        told = np.isfinite(self.familiarity[image])
        np.maximum.at(best, point[told], self.familiarity[image[told]])
        return np.where(np.isfinite(best), best, np.nan)


def _meets(tree: shapely.STRtree, points: Floats) -> Bools:
    """Whether points (P, 2) lie in a polygon of the tree or on its edge, (P,)."""
    found = np.zeros(len(points), np.bool_)
    found[tree.query(shapely.points(points), predicate="intersects")[0]] = True
    return found
