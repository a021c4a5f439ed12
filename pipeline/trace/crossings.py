"""Make one junction of the two that thinning makes of a crossing.

Two lines that cross share a stretch of mask, and thinning turns it into a path between two Y. Such an inner
path is removed, and its junctions become one, in two cases:

    twins      The path is shorter than 1.5 local widths plus 2 px. Then the arms meet in one place, whatever
               their directions.
    crossing   The path is longer, but the four arms are two straight lines through it. The lines share a blot
               of mask; seen from outside the blot, each arm on one side continues an arm on the other.

The second case is needed for crossings at small angles. At 30 degrees two lines of width w run together for
1.8 w, where disks inside their union touch the corners of the acute angles. They run together for longer
where the mask fills the acute angles in. Two branches may also lie near each other by chance, on either side
of one line. They are not straight through, and so stay two junctions.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.geometry.polyline import arc_lengths
from crackpipe.pipeline.trace.graph import Graph

_TWINS_WIDTHS = 1.5
_TWINS_PX = 2.0
# Lines in the mask are blurred. So the mask fills an acute angle in where less than about this lies between
# its two lines.
_FILLED_PX = 4.0
# At smaller angles two lines cannot be told from one line that splits for a while.
_LEAST_ANGLE = math.radians(20)
# Two arms are one line if they differ in direction by at most this angle, and if their straight continuations
# miss each other by no more than some pixels and a part of the stretch between them. The part is there
# because cracks wander more over a longer stretch. Branches at right angles to a line miss by the whole
# stretch.
_STRAIGHT = math.radians(35)
_MISS_PX = 2.0
_MISS_LENGTHS = 0.4
# Near the junction arms are bent towards each other, for two half widths and some pixels. Their direction is
# taken from what follows, over a length that grows with the width.
_BENT_PX = 2.0
_BENT_HALF_WIDTHS = 2.0
_SEEN_PX = 10.0
_SEEN_HALF_WIDTHS = 3.0
_LEAST_SEEN_PX = 5.0


@dataclass(frozen=True)
class _Arm:
    """A path that leaves a junction, seen as the straight line that it is outside the blot."""

    path_id: int
    node: int
    point: Floats
    """(2,) its middle"""
    direction: Floats
    """(2,) unit vector, away from the junction"""


@dataclass(frozen=True)
class _Through:
    """Two arms that continue each other, as one straight line."""

    point: Floats
    """(2,)"""
    direction: Floats
    """(2,) unit vector"""
    bend: float
    """0 for arms on one straight line, 2 at the limits of angle and miss."""


def unite_crossings(graph: Graph, shortest_first: Callable[[list[int]], list[int]]) -> int:
    """Unite junctions in place, the nearest first; returns how many pairs were united.

    `shortest_first` sorts paths by rank. A path that an earlier union changed is judged as it is after it.
    """
    united = 0
    inner = [path_id for path_id in graph.paths if all(map(graph.is_junction, graph.nodes(path_id)))]
    for path_id in shortest_first(inner):
        if path_id not in graph.paths:
            continue
        first, last = sorted(graph.nodes(path_id))
        if first == last or not (graph.is_junction(first) and graph.is_junction(last)):
            continue
        half_width_px = float(graph.samples.half_width_px[[first, last]].max())
        if graph.length_px[path_id] < _TWINS_PX + _TWINS_WIDTHS * 2 * half_width_px:
            centre = graph.samples.position[[first, last]].mean(axis=0)
        else:
            crossing = _crossing(graph, path_id, half_width_px)
            if crossing is None:
                continue
            centre = crossing
        graph.remove(path_id)
        graph.samples.position[first] = centre
        graph.samples.half_width_px[first] = half_width_px
        graph.move_ends(last, first)
        graph.measure_again(first)
        united += 1
    return united


def _crossing(graph: Graph, path_id: int, half_width_px: float) -> Floats | None:
    """Where two lines cross that share this path between two Y, (2,); None if no two lines cross here."""
    first, last = sorted(graph.nodes(path_id))
    length_px = graph.length_px[path_id]
    longest = (2 * half_width_px + _FILLED_PX) / math.sin(_LEAST_ANGLE / 2)
    if graph.degree(first) != 3 or graph.degree(last) != 3 or length_px > longest:
        return None
    arms = [_arms(graph, node, path_id, half_width_px) for node in (first, last)]
    if any(len(side) != 2 for side in arms):
        return None
    middle = graph.samples.position[[first, last]].mean(axis=0)
    miss_px = max(_MISS_PX, _MISS_LENGTHS * length_px)
    found = []
    for one, other in itertools.permutations(arms[1]):
        lines = _straight(arms[0][0], one, middle, miss_px), _straight(arms[0][1], other, middle, miss_px)
        if lines[0] is None or lines[1] is None:
            continue
        crossing = _meeting(lines[0], lines[1])
        if crossing is None:
            continue
        angle, place = crossing
        together_px = (2 * half_width_px + _FILLED_PX) / math.sin(angle / 2)
        if length_px <= together_px and math.dist(place, middle) <= length_px / 2 + miss_px:
            found.append((lines[0].bend + lines[1].bend, place.tolist()))
    return np.array(min(found)[1]) if found else None


def _arms(graph: Graph, node: int, inner: int, half_width_px: float) -> list[_Arm]:
    """The arms at a node that are long enough to have a direction."""
    arms = []
    for path_id in sorted(graph.at_node[node]):
        if path_id == inner or graph.paths[path_id][0] == graph.paths[path_id][-1]:
            continue
        points = graph.samples.position[graph.from_node(path_id, node)]
        arc = arc_lengths(points)
        bent = min(_BENT_PX + _BENT_HALF_WIDTHS * half_width_px, arc[-1] / 2)
        seen = (arc >= bent) & (arc <= bent + _SEEN_PX + _SEEN_HALF_WIDTHS * half_width_px)
        part = points[seen]
        if len(part) < 3 or math.dist(part[0], part[-1]) < _LEAST_SEEN_PX:
            continue
        arms.append(_Arm(path_id, node, part.mean(axis=0), _long_axis(part)))
    return arms


def _long_axis(points: Floats) -> Floats:
    """Unit vector along the line that fits points (N, 2) best, in the direction from the first to the last.

    The best line has the least sum of squared distances of the points from it.
    """
    row, col = (points - points.mean(axis=0)).T
    angle = 0.5 * math.atan2(2 * float(row @ col), float(col @ col - row @ row))
    direction = np.array([math.sin(angle), math.cos(angle)])
    return direction * math.copysign(1.0, float((points[-1] - points[0]) @ direction))


def _straight(one: _Arm, other: _Arm, middle: Floats, miss_px: float) -> _Through | None:
    """The line that two arms are together; None if they are not one."""
    turn = math.acos(min(max(float(one.direction @ -other.direction), -1.0), 1.0))
    nearest = [arm.point + ((middle - arm.point) @ arm.direction) * arm.direction for arm in (one, other)]
    miss = math.dist(*nearest)
    if turn > _STRAIGHT or miss > miss_px:
        return None
    direction = other.direction - one.direction
    point = (nearest[0] + nearest[1]) / 2
    return _Through(point, direction / np.sqrt(direction @ direction), turn / _STRAIGHT + miss / miss_px)


def _meeting(one: _Through, other: _Through) -> tuple[float, Floats] | None:
    """Angle (0 to pi/2) at which two lines cross, and where (2,); None if nearly parallel."""
    d, e, gap = one.direction, other.direction, other.point - one.point
    cross = float(d[0] * e[1] - d[1] * e[0])
    angle = math.asin(min(abs(cross), 1.0))
    if angle < _LEAST_ANGLE:
        return None
    return angle, one.point + d * float(gap[0] * e[1] - gap[1] * e[0]) / cross
