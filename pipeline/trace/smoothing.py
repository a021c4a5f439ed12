"""A path of the graph becomes a line that is smooth, as long as the crack, and has few vertices.

Strategy: a chain of pixels zigzags and is 5 % too long. The offsets onto the ridge remove most of the zigzag,
and a light smoothing removes the rest. The kernel keeps curvature, so that bends are not cut short. Nodes
stay where they are, so that lines still meet there. Free ends are extended to where the mask ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely

from crackpipe.pipeline.geometry.arrays import Floats, Ints
from crackpipe.pipeline.geometry.polyline import step_lengths
from crackpipe.pipeline.trace.ends import End
from crackpipe.pipeline.trace.graph import Graph

_SMOOTH_PX = 1.0
# The place where the mask ends is known to about this many half widths.
_LEAVES = 0.5


def _kernel(sigma: float) -> Floats:
    """Twice a Gaussian less the Gaussian applied twice ("twicing").

    It keeps polynomials up to degree three.
    """
    reach = int(3 * sigma)
    x = np.arange(-reach, reach + 1)
    once = np.exp(-(x**2) / (2 * sigma**2))
    once /= once.sum()
    kernel = -np.convolve(once, once)
    kernel[reach:-reach] += 2 * once
    return np.asarray(kernel)


_KERNEL = _kernel(_SMOOTH_PX)


@dataclass(frozen=True)
class Drawn:
    """One path as a line of N points."""

    points: Floats
    """(N, 2) (row, col)"""
    half_width_px: Floats
    """(N,)"""
    bridged_px: float
    """Length where the mask had a gap."""


def draw(graph: Graph, path_id: int, ends: Mapping[int, End], shape: tuple[int, int]) -> Drawn:
    """Smooth a path and extend its free ends to where the mask ends, inside an image of `shape` (H, W)."""
    path = graph.paths[path_id]
    points = _smooth(graph.samples.position[path], ring=graph.is_ring(path_id))
    bridged = graph.samples.bridged[path]
    steps_px = step_lengths(points)
    bridged_px = float(steps_px @ (bridged[1:].astype(float) + bridged[:-1]) / 2)
    first, last = (ends.get(node) if graph.is_free(node) else None for node in graph.nodes(path_id))
    before, after = _beyond(points[0], first, shape), _beyond(points[-1], last, shape)
    return Drawn(
        points=np.concatenate([before, points, after]).clip(-0.5, np.array(shape) - 0.5),
        half_width_px=np.pad(graph.samples.half_width_px[path], (len(before), len(after)), mode="edge"),
        bridged_px=bridged_px,
    )


def _smooth(points: Floats, *, ring: bool) -> Floats:
    """Smooth a path (N, 2) along its samples. Its ends stay, unless it is a ring, which has none."""
    reach = len(_KERNEL) // 2
    if ring:
        turn = np.arange(-reach, len(points) - 1 + reach) % (len(points) - 1)
        around = points[turn]
    else:
        around = np.pad(points, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd")
    moved = np.column_stack([np.convolve(around[:, axis], _KERNEL, "valid") for axis in (0, 1)])
    if ring:
        return np.concatenate([moved, moved[:1]])
    moved[[0, -1]] = points[[0, -1]]
    return moved


def _beyond(point: Floats, end: End | None, shape: tuple[int, int]) -> Floats:
    """The end of a line beyond its last sample `point`, (1, 2); empty, (0, 2), if it ends at `point`."""
    if end is None or end.reach_px == 0 or end.direction == (0.0, 0.0):
        return np.zeros((0, 2))
    direction = np.array(end.direction)
    # A crack that comes this near to the edge of the image is taken to leave the image.
    reach_px = end.reach_px + _LEAVES * end.half_width_px
    room = np.where(direction > 0, np.array(shape) - 0.5 - point, point + 0.5)
    to_edge = np.divide(room, np.abs(direction), out=np.full(2, np.inf), where=direction != 0).min()
    return np.asarray(point + (to_edge if to_edge <= reach_px else end.reach_px) * direction)[None]


def simplify(lines: list[Drawn], tolerance_px: float) -> list[Drawn]:
    """Leave out points if that moves a line by at most `tolerance_px` (Douglas and Peucker)."""
    if tolerance_px == 0 or not lines:
        return lines
    # The index of a point is stored as its z. Simplification keeps z but does not use it, so that z tells
    # afterwards which points remain.
    shapes = [np.column_stack([line.points, np.arange(len(line.points))]) for line in lines]
    count = [len(line.points) for line in lines]
    geometry = shapely.linestrings(np.concatenate(shapes), indices=np.repeat(np.arange(len(lines)), count))
    geometry = shapely.simplify(geometry, tolerance_px, preserve_topology=False)
    index = shapely.get_coordinates(geometry, include_z=True)[:, 2].astype(np.int64)
    kept = np.split(index, np.cumsum(shapely.get_num_coordinates(geometry))[:-1])
    return [_part(line, points) for line, points in zip(lines, kept, strict=True)]


def _part(line: Drawn, kept: Ints) -> Drawn:
    """A line with only these points; with all of them if a small ring would vanish."""
    closed = bool((line.points[0] == line.points[-1]).all())
    if len(kept) < (4 if closed else 2):
        return line
    return Drawn(line.points[kept], line.half_width_px[kept], line.bridged_px)
