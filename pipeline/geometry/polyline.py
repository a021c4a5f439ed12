"""Polylines by arc length: how far along a vertex lies, and cutting at a distance."""

import numpy as np
import shapely

from crackpipe.pipeline.geometry.arrays import Floats


def substring(line: shapely.LineString, start: float, stop: float) -> shapely.LineString:
    """The part of a line between two distances from its start, with all vertices in between."""
    xy = shapely.get_coordinates(line)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    # an end that meets a vertex to rounding becomes that vertex
    close = 1e-9 * arc[-1]
    ends = np.column_stack([np.interp([start, stop], arc, xy[:, axis]) for axis in (0, 1)])
    if start <= close:
        ends[0] = xy[0]
    if stop >= arc[-1] - close:
        ends[1] = xy[-1]
    between = xy[(arc > start + close) & (arc < stop - close)]
    return shapely.LineString(np.concatenate([ends[:1], between, ends[1:]]))


def cut_line(vertices: Floats, arc_start_px: float, arc_stop_px: float) -> Floats:
    """The part of a polyline (V, 2) between two arc lengths, with all vertices in between."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(vertices, axis=0).T))])
    start, stop = max(arc_start_px, 0.0), min(arc_stop_px, float(arc[-1]))
    # ends that meet a vertex to rounding become that vertex, so that no piece begins with a step of nothing
    between = (arc > start + 1e-6) & (arc < stop - 1e-6)
    ends = np.column_stack([np.interp([start, stop], arc, vertices[:, axis]) for axis in (0, 1)])
    if arc[-1] - stop < 1e-6:
        ends[1] = vertices[-1]
    return np.concatenate([ends[:1], vertices[between], ends[1:]])
