"""Where lines really end, and where their ends point.

Thinning is at its worst at the end of a wide crack: the skeleton stops up to half a width short, or bends
into one of the corners, also where a crack leaves the image. So the last stretch, not quite two
half-widths, is taken away, and the end is put where the mask ends, straight on from what is left.

Where a crack leaves the image at a slant its mirror image beyond the edge makes a corner of it, and thinning
cuts corners: there the line goes straight on from before the corner.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.geometry.polyline import arc_lengths
from crackpipe.pipeline.trace.graph import Graph, Samples

# A tangent is fitted over this length.
_TANGENT_PX = 12.0
LEAST_TANGENT_PX = 4.0
"""A line shorter than this points nowhere."""
# The bend is over where the line is this many times its half width away from its tip.
_BEND = 1.75
# A line that comes so near to the edge of the image leaves it.
_LEAVES_PX = 1.6
# Measured on drawn strips of 1 to 12 px with square ends: a half width alone is this much too little.
_CORNER_PX = 0.4
# A pixel's half width is at least this.
_LEAST_HALF_WIDTH_PX = 0.5


@dataclass(frozen=True)
class End:
    """A free end of a line."""

    direction: tuple[float, float]
    """(drow, dcol), unit vector pointing out of the line; (0, 0) where the line is too short to tell."""
    reach_px: float
    """How far the mask goes on beyond the last sample, in that direction."""
    half_width_px: float
    """There."""


def straighten_ends(graph: Graph, shape: tuple[int, int]) -> dict[int, End]:
    """Take the bends off all free ends, in place; returns what is known of each free end, by its node.

    `shape` is that of the image (H, W).
    """
    ends: dict[int, End] = {}
    for path_id in list(graph.paths):
        first, last = graph.nodes(path_id)
        is_free = graph.is_free(first), graph.is_free(last)
        if not any(is_free):
            continue
        path = graph.paths[path_id]
        before = _bend(graph.samples, path, shape) if is_free[0] else 0
        after = _bend(graph.samples, path[::-1], shape) if is_free[1] else 0
        if before + after > len(path) - 2:
            before = after = 0  # samples far apart: too few to tell a bend from the line
        if is_free[0]:
            ends[int(path[before])] = _end(graph.samples, path, before)
        if is_free[1]:
            ends[int(path[len(path) - 1 - after])] = _end(graph.samples, path[::-1], after)
        if before + after > 0:
            graph.remove(path_id)
            graph.add(path[before : len(path) - after])
    return ends


def farthest_reach_px(length_px: float, half_width_px: float) -> float:
    """No end of a line of this length has a longer reach, if nowhere the line is wider than that."""
    return length_px + half_width_px + _CORNER_PX


def _bend(samples: Samples, path: Ints, shape: tuple[int, int]) -> int:
    """How many samples at the start of a path may be a bend into a corner: less than half of the path."""
    points, half_width = samples.position[path], samples.half_width_px[path]
    arc = arc_lengths(points)
    spare = arc < (arc[-1] - LEAST_TANGENT_PX) / 2
    to_edges = np.minimum(points + 0.5, np.array(shape) - 0.5 - points)
    axis = int(np.argmin(to_edges[0]))
    if to_edges[0, axis] < _LEAVES_PX:
        return _bend_at_edge(points, half_width, to_edges[:, axis], axis, spare & (arc < 4 * half_width))
    # straight distance, not arc length: on the way into a corner the samples zigzag
    from_tip = np.sqrt(((points - points[0]) ** 2).sum(axis=1))
    inside = (from_tip < _BEND * (half_width - _LEAST_HALF_WIDTH_PX)) & spare
    return int(np.flatnonzero(inside)[-1]) + 1 if inside.any() else 0


def _bend_at_edge(
    points: Floats, half_width: Floats, to_edge: Floats, axis: int, spare: NDArray[np.bool_]
) -> int:
    """The same as `_bend` for a line that leaves the image across an edge at the end of this axis.

    A strip of half width h and its mirror image, at an angle phi from the edge's normal, have the corner of
    their inner sides at h tan(phi) along the line, which is h sin(phi) from the edge.
    """
    # pass over the first samples, which run along the edge: they are the spur of the corner beyond it
    touching = int(np.argmin(np.append((to_edge < np.maximum(half_width, _LEAVES_PX)) & spare, False)))
    direction = _outwards(points[touching:])
    if direction == (0.0, 0.0):
        return 0
    slant = math.sqrt(1 - min(direction[axis] ** 2, 1.0))
    return int(np.argmin(np.append((to_edge < np.maximum(slant * half_width, _LEAVES_PX)) & spare, False)))


def _end(samples: Samples, path: Ints, bend: int) -> End:
    """The end of a path at sample `bend`; the samples before it only tell how far the mask goes on."""
    points = samples.position[path]
    half_width = samples.half_width_px[path]
    direction = _outwards(points[bend:])
    away = points[: bend + 1] - points[bend]
    along = away @ np.array(direction)
    across = away @ np.array([-direction[1], direction[0]])
    # Beside a region that was taken away as too wide, the last samples are wide though the line is not. So no
    # radius counts as more than the median of the path.
    radius = np.minimum(half_width[: bend + 1], np.sort(half_width)[len(half_width) // 2])
    # The mask reaches as far as the disks around the samples cover the straight line that goes on from
    # sample `bend`. The disk of that sample always does, since its centre lies on the line.
    covers = np.abs(across) < radius
    covers[-1] = True
    reach = along + np.sqrt(np.maximum(radius**2 - across**2, 0.0))
    return End(direction, max(float(reach[covers].max()) + _CORNER_PX, 0.0), float(half_width[bend]))


def _outwards(points: Floats) -> tuple[float, float]:
    """Unit tangent at the first point of a path, pointing out of it."""
    arc = arc_lengths(points)
    if arc[-1] < LEAST_TANGENT_PX:
        return 0.0, 0.0
    part = points[arc <= _TANGENT_PX]
    row, col = (part - part.mean(axis=0)).T
    # the long axis of the points: the direction that fits them with the least squares across
    angle = 0.5 * math.atan2(2 * float(row @ col), float(col @ col - row @ row))
    direction = math.sin(angle), math.cos(angle)
    out = part[0] - part[-1]
    sign = math.copysign(1.0, float(out[0]) * direction[0] + float(out[1]) * direction[1])
    return sign * direction[0], sign * direction[1]
