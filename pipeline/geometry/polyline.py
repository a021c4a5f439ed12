"""Polylines by arc length: how far along each vertex lies, and cutting at a distance.

A polyline is (V, 2), in pixels or in a plane. Distances are in its unit.

`shapely.ops.substring` cuts too, but does not allow for rounding. Where a cut misses a vertex only by
rounding, it keeps both, and the part begins with a step of almost no length.
"""

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats

# A cut nearer to a vertex than this part of the line's length counts as a cut at the vertex.
_CLOSE = 1e-9


def step_lengths(points: Floats) -> Floats:
    """Length of each step from vertex to vertex, (V - 1,)."""
    return np.asarray(np.hypot(*np.diff(points, axis=0).T))


def arc_lengths(points: Floats) -> Floats:
    """Distance of each vertex from the first, along the line, (V,)."""
    return np.concatenate([[0.0], np.cumsum(step_lengths(points))])


def length_of(points: Floats) -> float:
    """Length of the whole line."""
    return float(step_lengths(points).sum())


def cut_line(points: Floats, start: float, stop: float) -> Floats:
    """The part of a line between two distances from its start, with all vertices in between.

    A distance beyond an end of the line counts as that end.
    """
    arc = arc_lengths(points)
    start, stop = max(start, 0.0), min(stop, float(arc[-1]))
    close = _CLOSE * arc[-1]
    ends = np.column_stack([np.interp([start, stop], arc, points[:, axis]) for axis in (0, 1)])
    if start <= close:
        ends[0] = points[0]
    if stop >= arc[-1] - close:
        ends[1] = points[-1]
    between = points[(arc > start + close) & (arc < stop - close)]
    return np.concatenate([ends[:1], between, ends[1:]])
